"""The store, the budget and the retries."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomend.purchasing.budget import Budget
from anomend.purchasing.failures import FatalRequestError, RefusedRequest, TransientRequestError
from anomend.purchasing.purchase import Counts, Patience, Purchase
from anomend.purchasing.requests import Outcome, PaidRequest
from anomend.purchasing.store import RequestStore

REQUEST = PaidRequest({"model": "m", "prompt": "lying on the grass"}, 0.5)
ANSWER = Outcome(kind="answer", response={"text": "yes"}, usd=0.4)
FAST = Patience(attempts=4, first_wait=0.0)


def purchase(folder: Path, max_usd: float = 10.0, patience: Patience = FAST) -> Purchase:
    budget = Budget(max_usd, "test.max_usd")
    return Purchase(RequestStore(folder), budget, concurrency=2, patience=patience, counts=Counts())


def numbered(count: int) -> list[PaidRequest]:
    return [PaidRequest({"number": number}, 0.5) for number in range(count)]


def test_a_stored_answer_is_not_requested_again(tmp_path: Path) -> None:
    sent = []

    def send(request: PaidRequest) -> Outcome:
        sent.append(request.content["number"])
        return ANSWER

    first = purchase(tmp_path)
    first.run([*numbered(5), *numbered(2)], send)
    assert sorted(sent) == [0, 1, 2, 3, 4] and first.counts.requests_paid == 5
    again = purchase(tmp_path)
    records = again.run(numbered(6), send)
    assert sorted(sent) == [0, 1, 2, 3, 4, 5]
    assert (again.counts.requests_paid, again.counts.requests_from_store) == (1, 5)
    assert [record.request["number"] for record in records] == [0, 1, 2, 3, 4, 5]
    assert again.counts.spend_usd == pytest.approx(6 * 0.4)


def test_a_refusal_is_kept_like_an_answer(tmp_path: Path) -> None:
    def send(request: PaidRequest) -> Outcome:
        raise RefusedRequest("no")

    bought = purchase(tmp_path)
    assert bought.run([REQUEST], send)[0].outcome.reason == "no"
    assert purchase(tmp_path).run([REQUEST], lambda _: pytest.fail("sent again"))[0].outcome.kind == "refusal"
    assert bought.counts.requests_refused == 1 and bought.counts.spend_usd == 0


def test_transient_failures_are_tried_again_and_end_in_a_sentence(tmp_path: Path) -> None:
    tries = []

    def send(request: PaidRequest) -> Outcome:
        tries.append(1)
        if len(tries) < 4:
            raise TransientRequestError("busy")
        return ANSWER

    bought = purchase(tmp_path)
    bought.run([REQUEST], send)
    assert len(tries) == 4 and bought.counts.retries == 3
    tries.clear()
    other = PaidRequest({"other": 1}, 0.5)
    with pytest.raises(FatalRequestError, match="busy, 3 times in a row: run again later; all paid answers are kept"):
        purchase(tmp_path, patience=Patience(3, 0.0)).run([other], send)


def test_possible_payments_count_against_the_budget_also_after_a_kill(tmp_path: Path) -> None:
    store = RequestStore(tmp_path)
    store.begin(REQUEST)  # And here the process was killed.
    assert store.kills(REQUEST) == 1 and store.lost(REQUEST) == 0.5
    lost = iter([True, False])

    def send(request: PaidRequest) -> Outcome:
        if next(lost):
            raise TransientRequestError("cut off", maybe_paid=True)
        return ANSWER

    bought = purchase(tmp_path)
    record = bought.run([REQUEST], send)[0]
    assert record.kills == 1 and record.lost_usd == pytest.approx(1.0)
    assert bought.counts.maybe_spent_usd == pytest.approx(1.0) and bought.counts.spend_usd == pytest.approx(0.4)
    assert bought.budget.spent == pytest.approx(1.4)
    assert not list((tmp_path / "in_flight").iterdir())


def test_the_budget_is_never_exceeded_by_what_is_in_flight(tmp_path: Path) -> None:
    bought = purchase(tmp_path, max_usd=1.6)
    with pytest.raises(FatalRequestError, match=r"\$0\.80 of test\.max_usd = \$1\.60 are spent|exhausted"):
        bought.run(numbered(10), lambda _: ANSWER)
    assert bought.budget.spent <= 1.6
    # Running again opens no new budget.
    with pytest.raises(FatalRequestError, match="exhausted"):
        purchase(tmp_path, max_usd=1.6).run(numbered(10), lambda _: ANSWER)
    assert len(list((tmp_path / "answers").rglob("*.json"))) <= 4


def test_a_corrupt_answer_is_named_and_not_bought_again(tmp_path: Path) -> None:
    purchase(tmp_path).run([REQUEST], lambda _: ANSWER)
    path = next((tmp_path / "answers").rglob("*.json"))
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=f"{path.name} is not a stored answer: restore it, or delete it"):
        purchase(tmp_path).run([REQUEST], lambda _: pytest.fail("paid twice"))
