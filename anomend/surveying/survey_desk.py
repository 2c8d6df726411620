"""The desk of the survey: participants with a link of their own, and those who came by the link for all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from anomend.params.survey import EndParams, RecruitingParams
from anomend.surveying.desks import Desk, State
from anomend.surveying.entrance import Entrance
from anomend.surveying.journals import Rows
from anomend.surveying.key import SurveyKey
from anomend.surveying.submissions import Submission, parse_submission
from anomend.surveying.survey_answers import SurveySubmission, response_table, responses_of


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class SurveyDesk(Desk):
    """Choices between the pictures of pairs."""

    stage = "survey"
    who = "participant"
    key: SurveyKey

    def __init__(
        self,
        key: SurveyKey,
        journals: Path,
        *,
        folder: Path | None = None,
        committed: Callable[[Path], bool] = lambda path: False,
        recruiting: RecruitingParams | None = None,
        entries: Path | None = None,
        secret: bytes = b"",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """See `Desk`; a link for all needs `recruiting`, `entries` and `secret` (see `Entrance`)."""
        super().__init__(key, journals, folder=folder, committed=committed)
        self.recruiting, self.now = recruiting, now
        self.entrance: Entrance | None = None
        if recruiting and entries and secret:
            self.entrance = Entrance(
                survey=key.survey,
                path=entries,
                secret=secret,
                participant_ids=recruiting.participant_ids,
                session_ids=recruiting.session_ids,
                quota=recruiting.quota or len(key.participants),
                idle=timedelta(minutes=recruiting.idle_minutes),
                plans=list(key.participants),
                progress=self.progress,
                now=now,
            )

    @property
    def codes(self) -> Collection[str]:
        """See `Desk`."""
        return self.key.participants.keys()

    def plan_of(self, code: str) -> str:
        """See `Desk`."""
        return (self.entrance and self.entrance.plan_of(code)) or code

    def asked(self, code: str) -> int | None:
        """See `Desk`."""
        trials = self.key.participants.get(self.plan_of(code))
        return None if trials is None else len(trials)

    def rows(self, body: bytes) -> tuple[Submission, list[dict[str, Any]]]:
        """See `Desk`."""
        sent = parse_submission(body, SurveySubmission, whole=self.key.survey, asked=self.asked)
        trials = self.key.participants[self.plan_of(sent.participant)]
        return sent, responses_of(sent, trials, self.key, day=self.now().date().isoformat())

    def as_table(self, path: Path, rows: Rows) -> str:
        """See `Desk`."""
        return response_table(path, rows)

    def end_of(self, state: State) -> Mapping[str, str | None] | None:
        """See `Desk`."""
        return end_parts(self.recruiting.finished) if state == "finished" and self.recruiting else None

    def progress(self, code: str) -> tuple[State, datetime | None]:
        """A person's state, and when the last answer came; None: none has."""
        path = self.journal(code)
        last = datetime.fromtimestamp(path.stat().st_mtime, UTC) if path.exists() else None
        return self.state(code), last


def end_parts(end: EndParams) -> dict[str, str | None] | None:
    """What a person is given who leaves: code and address; None where there is neither."""
    return {"code": end.code, "url": end.url} if end.code or end.url else None
