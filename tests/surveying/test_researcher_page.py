"""The researcher's page: who is how far and who is left out, and that nobody else reads it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from anomend.surveying.exclusion import ExclusionRules
from anomend.surveying.links import addresses
from anomend.surveying.overview import Overview, Person, overview, survey_exclusion
from anomend.surveying.researcher_page import links_csv, make_researcher_app, overview_html
from tests.surveying.conftest import Survey, answers_of

RULES = ExclusionRules(max_failed_catches=1, min_median_ms=500)


def seen(survey: Survey, *, later: timedelta = timedelta()) -> Overview:
    excluded = survey_exclusion(RULES)
    return overview(survey.desk, excluded=excluded, idle_minutes=90, now=datetime.now(UTC) + later)


def give(survey: Survey, code: str, count: int | None = None, **changes: int) -> None:
    whole = answers_of(survey, survey.desk.plan_of(code), **changes)
    survey.desk.take(json.dumps(whole | {"participant": code, "answers": whole["answers"][:count]}).encode())


def test_each_person_is_as_far_as_the_journal_says(survey: Survey) -> None:
    first, second, third, fourth = survey.key.participants
    give(survey, first)
    give(survey, second, count=3, reaction_ms=100)
    survey.desk.delete(third)
    assert survey.desk.entrance
    code = survey.desk.entrance.enter({"PROLIFIC_PID": "somebody"}).code
    people = {person.code: person for person in seen(survey).people}
    assert {name: people[name].state for name in (first, second, third, fourth, code)} == {
        first: "finished",
        second: "under way",
        third: "withdrawn",
        fourth: "not begun",
        code: "not begun",
    }
    assert (people[second].answered, people[second].asked, people[second].median_s) == (3, 10, 0.101)
    # Always left: of two catch pairs, sides balanced, one is failed, which the rules allow.
    assert people[first].excluded == "" and people[second].excluded == "too fast"
    assert people[code].link == "shared" and people[first].language == "en"
    late = {person.code: person.state for person in seen(survey, later=timedelta(minutes=91)).people}
    assert late[second] == "stopped" and late[first] == "finished"
    assert seen(survey).places == (1, 4)


def test_only_who_has_the_key_sees_it(survey: Survey) -> None:
    give(survey, next(iter(survey.key.participants)))
    app = make_researcher_app(lambda: seen(survey), key="the-key", title="Survey <1>", link="https://x.example/")
    client = TestClient(app)
    assert [client.get(path).status_code for path in ("/", "/other/", "/other/links.csv")] == [404] * 3
    page = client.get("/the-key/")
    assert page.status_code == 200 and page.headers["cache-control"] == "no-store"
    assert "Survey &lt;1&gt;" in page.text and "1 finished" in page.text and "0 of 4 places are taken" in page.text
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)
    table = list(csv.DictReader(io.StringIO(client.get("/the-key/links.csv").text)))
    assert [row["code"] for row in table] == list(survey.key.participants)
    assert table[0]["link"] == f"https://x.example/#{table[0]['code']}" and table[0]["state"] == "finished"


def test_markup_in_a_line_stays_text() -> None:
    person = Person(
        code="<b>",
        link="own",
        state="finished",
        answered=1,
        asked=1,
        last="",
        median_s=None,
        language="<i>",
        excluded="<script>",
    )
    page = overview_html(Overview(people=[person], places=None), title="x")
    assert "<b>" not in page and "<script>" not in page and "1 left out" in page
    assert links_csv(Overview(people=[replace(person, link="shared")], places=None), "http://x/").count("\n") == 1


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", ["127.0.0.1"]), ("::1", ["[::1]"])])
def test_a_link_names_the_host(host: str, shown: list[str]) -> None:
    assert addresses(host) == shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_server_that_listens_everywhere_gives_links_that_work(host: str) -> None:
    found = addresses(host)
    assert found and not {"0.0.0.0", "[::]", ""} & set(found)
