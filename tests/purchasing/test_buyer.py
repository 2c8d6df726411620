"""The one way to buy: plan, permission, answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomend.purchasing.buyer import Buyer, Plan, check_together
from anomend.purchasing.failures import FatalRequestError
from anomend.purchasing.requests import Outcome, PaidRequest
from tests.purchasing.settings import settings_for

REQUESTS = [PaidRequest({"number": number}, 0.5) for number in range(3)]
ANSWER = Outcome(kind="answer", response={"text": "yes"}, usd=0.4)


def fail(*_: object) -> None:
    pytest.fail("connected")


def test_a_plan_counts_each_request_once_and_what_is_already_paid(tmp_path: Path) -> None:
    buyer = Buyer(settings_for("gpt-6.2-sol", tmp_path))
    buyer.store.put(REQUESTS[0], ANSWER)
    buyer.store.begin(REQUESTS[1])
    buyer.store.end(REQUESTS[1], lost_usd=0.2)
    # One is answered for $0.40, one lost $0.20, one is new, one cannot be written yet.
    plan = buyer.plan([*REQUESTS, *REQUESTS, 0.25])
    assert (plan.requests, plan.missing) == (4, 3)
    assert plan.estimate_usd == pytest.approx(0.5 + 0.5 + 0.25) and plan.spent_usd == pytest.approx(0.4 + 0.2)
    assert buyer.describe("4 answers", plan).startswith("4 answers: 3 to buy for about $1.25 (prices of 20")
    assert buyer.describe("4 answers", plan).endswith("$0.60 spent so far, test.max_usd = $10.00")


def test_answers_are_bought_once_and_counted(tmp_path: Path) -> None:
    settings = settings_for("gpt-6.2-sol", tmp_path)
    buyer = Buyer(settings)
    keys: list[str] = []
    buyer.open("3 answers", buyer.plan(REQUESTS), lambda key, timeout_s: keys.append(key))
    buyer.buy(REQUESTS[:1], lambda _: ANSWER)
    assert [record.outcome for record in buyer.buy(REQUESTS, lambda _: ANSWER)] == [ANSWER] * 3
    assert keys == ["a-key-that-opens-nothing"]
    assert (settings.counts.requests_paid, settings.counts.requests_from_store) == (3, 1)
    # With every answer in the store, neither permission nor key is needed, and no client is made.
    again = Buyer(settings_for("gpt-6.2-sol", tmp_path, may_spend=False, api_key=None))
    again.open("3 answers", again.plan(REQUESTS), fail)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"may_spend": False}, r"up to \$1\.50: set ANOMEND_ALLOW_SPEND=1"),
        ({"max_usd": 1.0}, r"\$1\.50, test\.max_usd allows \$1\.00"),
        ({"api_key": None}, "TEST_API_KEY is not set"),
    ],
)
def test_what_is_missing_stops_before_the_client_is_made(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    buyer = Buyer(settings_for("gpt-6.2-sol", tmp_path, **changes))
    with pytest.raises(FatalRequestError, match=message):
        buyer.open("3 answers", buyer.plan(REQUESTS), fail)


def test_retired_and_unpriced_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"test\.model = 'dall-e-3' was retired"):
        Buyer(settings_for("dall-e-3", tmp_path))
    with pytest.raises(ValueError, match="has no price for 'no-such-model'"):
        Buyer(settings_for("no-such-model", tmp_path))


def test_several_purchases_are_refused_together_before_the_first_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def plans(**changes: object) -> list[tuple[Buyer, Plan]]:
        one = Buyer(settings_for("gpt-6.2-sol", tmp_path / "one", may_spend=changes.get("may_spend", True)))
        other = Buyer(settings_for("claude-opus-5-5", tmp_path / "other", **changes))
        return [(one, one.plan(REQUESTS)), (other, other.plan(REQUESTS[:2]))]

    check_together(plans())
    told = "gpt-6.2-sol, claude-opus-5-5 together: 5 to buy for about $2.50, $0.00 spent so far"
    assert told in capsys.readouterr().err
    for changes, message in (
        ({"may_spend": False}, r"up to \$2\.50: set ANOMEND_ALLOW_SPEND=1"),
        ({"max_usd": 0.9}, r"\$1\.00, test\.max_usd allows \$0\.90"),
        ({"api_key": None}, "TEST_API_KEY is not set"),
    ):
        with pytest.raises(FatalRequestError, match=message):
            check_together(plans(**changes))
    for buyer, _ in plans():
        for request in REQUESTS:
            buyer.store.put(request, ANSWER)
    check_together(plans(may_spend=False, api_key=None))
