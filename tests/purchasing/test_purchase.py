"""The store, the budget and the retries, by themselves."""

from __future__ import annotations

import email.utils
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import openai
import pytest

from anomend.purchasing.budget import Budget, check_permission
from anomend.purchasing.failures import FatalRequestError, RefusedRequest, TransientRequestError, classify
from anomend.purchasing.models import refuse_retired
from anomend.purchasing.prices import read_price
from anomend.purchasing.purchase import Counts, Patience, Purchase
from anomend.purchasing.requests import Outcome, PaidRequest
from anomend.purchasing.store import RequestStore
from tests.conftest import ROOT

REQUEST = PaidRequest({"model": "m", "prompt": "lying on the grass"}, 0.5)
ANSWER = Outcome(kind="answer", response={"text": "yes"}, usd=0.4)
FAST = Patience(attempts=4, first_wait=0.0)


def purchase(folder: Path, max_usd: float = 10.0, patience: Patience = FAST) -> Purchase:
    budget = Budget(max_usd, "test.max_usd")
    return Purchase(RequestStore(folder), budget, concurrency=2, patience=patience, counts=Counts())


def numbered(count: int) -> list[PaidRequest]:
    return [PaidRequest({"number": number}, 0.5) for number in range(count)]


def test_the_key_follows_every_part_of_the_request_and_not_their_order() -> None:
    same = PaidRequest({"prompt": "lying on the grass", "model": "m"}, 9.0)
    assert same.key == REQUEST.key
    assert PaidRequest(REQUEST.content | {"repeat": 1}, 0.5).key != REQUEST.key
    # printf '%s' '{"model": "m", "prompt": "lying on the grass"}' | sha256sum
    assert REQUEST.key == "c99c0c3a6196f74c2d3d24a9cdd8be7742f2abc9160956232792f84b35faf2e5"


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    asked = []

    def send(request: PaidRequest) -> Outcome:
        asked.append(request.content["number"])
        return ANSWER

    first = purchase(tmp_path)
    first.run([*numbered(5), *numbered(2)], send)
    assert sorted(asked) == [0, 1, 2, 3, 4] and first.counts.requests_paid == 5
    again = purchase(tmp_path)
    records = again.run(numbered(6), send)
    assert sorted(asked) == [0, 1, 2, 3, 4, 5]
    assert (again.counts.requests_paid, again.counts.requests_from_store) == (1, 5)
    assert [record.request["number"] for record in records] == [0, 1, 2, 3, 4, 5]
    assert again.counts.spend_usd == pytest.approx(6 * 0.4)


def test_a_refusal_is_kept_like_an_answer(tmp_path: Path) -> None:
    def send(request: PaidRequest) -> Outcome:
        raise RefusedRequest("no")

    bought = purchase(tmp_path)
    assert bought.run([REQUEST], send)[0].outcome.reason == "no"
    assert purchase(tmp_path).run([REQUEST], lambda _: pytest.fail("asked again"))[0].outcome.kind == "refusal"
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


def test_what_may_have_been_paid_counts_against_the_budget_and_after_a_kill_too(tmp_path: Path) -> None:
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


def test_permission_and_budget_are_checked_first() -> None:
    check = partial(check_permission, estimate_usd=2.5, budget_parameter="collect.max_usd")
    with pytest.raises(FatalRequestError, match=r"up to \$2\.50: set ANOMEND_ALLOW_SPEND=1"):
        check(allowed=False, max_usd=10.0)
    with pytest.raises(FatalRequestError, match=r"\$2\.50, collect\.max_usd allows \$1\.00"):
        check(allowed=True, max_usd=1.0)
    check(allowed=True, max_usd=2.5)


def status_error(status: int, body: object = None, **headers: str) -> openai.APIStatusError:
    response = SimpleNamespace(
        status_code=status, headers=httpx.Headers(headers), request=None, json=dict, text="", is_closed=True
    )
    error = openai.APIStatusError.__new__(openai.APIStatusError)
    error.status_code, error.body, error.response = status, body, response  # type: ignore[assignment]
    return error


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {}, FatalRequestError),
        (403, {}, FatalRequestError),
        (404, {"error": {"message": "no model x"}}, FatalRequestError),
        (400, {"error": {"message": "Your credit balance is too low to use the API"}}, FatalRequestError),
        (400, {"code": "moderation_blocked", "message": "no"}, RefusedRequest),
        (400, {"message": "size"}, FatalRequestError),
        (429, {"code": "insufficient_quota"}, FatalRequestError),
        (429, {"code": "rate_limit_exceeded"}, TransientRequestError),
        (408, {}, TransientRequestError),
        (500, None, TransientRequestError),
        (529, {"error": {"type": "overloaded_error"}}, TransientRequestError),
    ],
)
def test_failures_are_told_apart(status: int, body: object, kind: type[Exception]) -> None:
    assert type(classify(status_error(status, body), "OpenAI", "OPENAI_API_KEY")) is kind


def test_retry_after_is_read_as_seconds_milliseconds_or_a_date() -> None:
    def asked(**headers: str) -> float | None:
        error = classify(status_error(429, {}, **headers), "OpenAI", "KEY")
        assert isinstance(error, TransientRequestError)
        return error.retry_after

    assert asked(**{"retry-after": "7"}) == 7 and asked(**{"retry-after-ms": "250"}) == 0.25 and asked() is None
    assert asked(**{"retry-after": "100000"}) == 300 and asked(**{"retry-after": "soon"}) is None
    late = asked(**{"retry-after": email.utils.formatdate(time.time() + 20, usegmt=True)})
    assert late is not None and 17 < late <= 20


def test_no_part_of_a_key_gets_into_a_sentence() -> None:
    error = classify(status_error(400, {"message": "bad key sk-proj-abc123def456 given"}), "OpenAI", "KEY")
    assert "abc123" not in str(error) and "[key]" in str(error)


def test_prices_and_retired_models(tmp_path: Path) -> None:
    table = ROOT / "data" / "prices.csv"
    price = read_price("claude-opus-5-5", table)
    assert price.usd(1_000_000, 0, 500_000) == pytest.approx(4 + 10)
    assert price.usd(1_000_000, 0, 500_000, batch=True) == pytest.approx(7)
    assert read_price("gpt-image-2.5-flare-2026-09-08", table).output == 30
    with pytest.raises(ValueError, match=r"has no price for 'gpt-image-2\.9'"):
        read_price("gpt-image-2.9", table)
    (tmp_path / "prices.csv").write_text("model,text_input\nm,1\n")
    with pytest.raises(ValueError, match="is not a table with the columns"):
        read_price("m", tmp_path / "prices.csv")
    retired = ROOT / "data" / "retired_models.csv"
    with pytest.raises(ValueError, match=r"collect\.openai\.model = 'dall-e-3' was retired on 2026-05-12: use"):
        refuse_retired("dall-e-3", "collect.openai.model", retired)
    refuse_retired("gpt-image-2", "collect.openai.model", retired)
