"""What any feed's SQL must pass: no row vanishes, and no row, however hostile, fails the job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from feed_under_test import ENDS

from producers import catalog
from stream_jobs import taxonomy

USABLE = 0.5
"""Share of the rows from the portal that must become something: a draft that reads no time at all is of no use."""
TOPICS = ("incidents", "persons", "indicators", "dead_letters")
IDENTITIES = {"incidents": "incident_id", "persons": "person_id"}
"""Topics of what a withdrawal can end, each with its identity."""


@pytest.fixture
def run(key: str, normalised: Any) -> Any:
    """The feed's events and what became of them."""
    assert normalised[key].failure == "", f"stream_jobs/normalize/{key}.sql fails the job"
    return normalised[key]


def outcomes(run: Any, *, hostile: bool) -> Iterator[tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]]:
    """Each event with the records that came of it, by topic."""
    start = len(run.genuine) if hostile else 0
    for number, event in enumerate(run.hostile if hostile else run.genuine, start=start):
        yield event, {topic: run.of(topic, number) if topic in run.records else [] for topic in TOPICS}


def is_kept(made: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether something holds what the row says; a withdrawal says only that an earlier version is no more."""
    withdrawn = all(one["op"] == "withdraw" for topic in IDENTITIES for one in made[topic])
    return bool(made["indicators"] or made["dead_letters"] or not withdrawn)


def test_no_row_of_the_portal_vanishes(run: Any):
    usable = 0
    for event, made in outcomes(run, hostile=False):
        assert is_kept(made), event
        usable += not made["dead_letters"]
    assert usable >= USABLE * len(run.genuine), "most rows of the portal are dead letters"


@pytest.mark.parametrize("hostile", [False, True], ids=["rows of the portal", "hostile rows"])
def test_incidents_speak_the_words_of_the_model(key: str, run: Any, hostile: bool):
    source = catalog.find(key)
    for event, made in outcomes(run, hostile=hostile):
        for topic, incident in ((name, one) for name in IDENTITIES for one in made[name]):
            assert incident[IDENTITIES[topic]] == f"{key}:{incident['record_id']}"
            # Denver's numbers lose the fraction that an export gave them, so an odd row may be named otherwise.
            assert hostile or incident["record_id"] == event["record_id"]
            assert incident["time_zone"] == source.time_zone
            assert incident["kind"] == source.kind or topic == "persons"
            assert incident["category"] in taxonomy.categories(), event
            assert incident.get("status", taxonomy.UNKNOWN) in taxonomy.VOCABULARIES["status"], event
            flags = incident["quality_flags"].split(",")
            assert flags == sorted(set(flags)), event
            withdrawn = incident["op"] == "withdraw"
            assert withdrawn == (incident["occurred_local"] is None) == (incident["occurred_at"] is None), event
            assert incident["deleted"] == (withdrawn or event["op"] == "delete"), event


def test_no_hostile_row_vanishes(run: Any):
    assert len(run.hostile) > 100
    for event, made in outcomes(run, hostile=True):
        if event["op"] not in ENDS:
            assert is_kept(made), event


def test_a_hostile_revision_of_an_incident_withdraws_it(key: str, run: Any):
    refused = [
        (event, [one for topic in IDENTITIES for one in made[topic]])
        for event, made in outcomes(run, hostile=True)
        if made["dead_letters"] and event["revision"] > 1
    ]
    assert refused
    # An indicator's month is part of its identity, so a bad row never had a good revision to withdraw.
    expected = [] if catalog.find(key).kind == "indicator" else ["withdraw"]
    for event, incidents in refused:
        assert [incident["op"] for incident in incidents] == expected, event
