"""How much may be spent, and how much has been."""

from __future__ import annotations

from threading import Lock

from anomend.purchasing.failures import FatalRequestError

PERMISSION = "ANOMEND_ALLOW_SPEND"
"""Environment variable that must be 1 before anything is bought."""


class Budget:
    """Money for one result. Stored answers count with what they cost, so that running again opens no new budget.

    A request may start only if its estimate still fits after all that is spent or in flight.

    Args:
        max_usd: all that the result may cost.
        parameter: the parameter that sets it, for messages.
    """

    def __init__(self, max_usd: float, parameter: str) -> None:
        self.max_usd, self.parameter = max_usd, parameter
        self.spent, self.reserved = 0.0, 0.0
        self._lock = Lock()

    def reserve(self, estimate: float) -> None:
        """Set an estimate aside.

        Raises:
            FatalRequestError: it does not fit.
        """
        with self._lock:
            # A hundredth of a cent allows for rounding in sums.
            if self.spent + self.reserved + estimate > self.max_usd + 1e-4:
                raise FatalRequestError(
                    f"the budget is exhausted: ${self.spent:.2f} of {self.parameter} = ${self.max_usd:.2f} are spent, "
                    f"and ${self.reserved + estimate:.4f} more are needed; raise {self.parameter} to continue from here"
                )
            self.reserved += estimate

    def settle(self, estimate: float, paid: float) -> None:
        """Replace an estimate by what was paid."""
        with self._lock:
            self.reserved -= estimate
            self.spent += paid

    def pay(self, usd: float) -> None:
        """Count money that was paid without a reservation."""
        with self._lock:
            self.spent += usd


def check_permission(*, allowed: bool, estimate_usd: float, max_usd: float, budget_parameter: str) -> None:
    """Refuse to start without the user's permission, or with a plan that cannot fit the budget.

    Args:
        allowed: whether `PERMISSION` is 1.
        estimate_usd: dollars that the whole result may cost, with what is already paid.
        max_usd: dollars that it may cost at most.
        budget_parameter: the parameter that sets `max_usd`.

    Raises:
        FatalRequestError: spending is not permitted, or the budget is too small.
    """
    if not allowed:
        raise FatalRequestError(f"this would cost up to ${estimate_usd:.2f}: set {PERMISSION}=1 to permit it")
    if estimate_usd > max_usd:
        raise FatalRequestError(
            f"this may cost ${estimate_usd:.2f}, {budget_parameter} allows ${max_usd:.2f}: raise it, or ask for less"
        )
