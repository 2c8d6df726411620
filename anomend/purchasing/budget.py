"""How much may be spent, and how much is."""

from __future__ import annotations

from threading import Lock

from anomend.purchasing.failures import FatalRequestError

PERMISSION = "ANOMEND_ALLOW_SPEND"
"""Environment variable that must be 1 before anything is bought."""


class Budget:
    """Money for one result. What its stored answers cost counts, so that running again does not open a new budget.

    A request is let through only if its estimate still fits beside all that is spent and in flight.

    Args:
        max_usd: all that the result may cost.
        name: the parameter that says so, for the sentence.
        spent: what was paid for it in earlier runs.
    """

    def __init__(self, max_usd: float, name: str, spent: float = 0.0) -> None:
        self.max_usd, self.name, self.spent, self.reserved = max_usd, name, spent, 0.0
        self._lock = Lock()

    def reserve(self, estimate: float) -> None:
        """Set an estimate aside.

        Raises:
            FatalRequestError: it does not fit.
        """
        with self._lock:
            # A hundredth of a cent for sums of floats.
            if self.spent + self.reserved + estimate > self.max_usd + 1e-4:
                raise FatalRequestError(
                    f"the budget is exhausted: ${self.spent:.2f} of {self.name} = ${self.max_usd:.2f} are spent, and "
                    f"${self.reserved + estimate:.4f} more are asked for; raise {self.name} to go on from here"
                )
            self.reserved += estimate

    def settle(self, estimate: float, paid: float) -> None:
        """Replace an estimate by what was paid."""
        with self._lock:
            self.reserved -= estimate
            self.spent += paid

    def pay(self, usd: float) -> None:
        """Count what was paid while its request goes on, as for an answer that could not be used."""
        with self._lock:
            self.spent += usd


def check_permission(allowed: bool, estimate: float, max_usd: float, name: str) -> None:
    """Refuse to start without the user's leave, or with a plan that is known not to fit.

    Args:
        allowed: whether `PERMISSION` is 1.
        estimate: what all that is still to be bought may cost, with what is paid already.
        max_usd: all that the result may cost.
        name: the parameter that says so.

    Raises:
        FatalRequestError: no leave, or too small a budget.
    """
    if not allowed:
        raise FatalRequestError(f"this would cost up to ${estimate:.2f}: set {PERMISSION}=1 to agree")
    if estimate > max_usd:
        raise FatalRequestError(
            f"this may cost ${estimate:.2f}, {name} allows ${max_usd:.2f}: raise it, or ask for less"
        )
