"""What any feed must pass between its portal and its topic. `pytest --source KEY` runs it for one feed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from feed_under_test import ENDS, ROWS, FeedUnderTest, Row, collapsed

from civicwire.scaffold.check import problems
from schemas.errors import CivicwireError

PAGES = {"socrata": r"\$order=", "arcgis": "resultRecordCount", "ckan": "datastore_search"}
"""What tells a request for rows from others, by protocol; every request of a file is one."""
READABLE = 0.95
"""Share of the rows whose event time the source file must be able to read."""


def test_its_files_fit_together_and_every_column_says_what_it_holds(key: str):
    assert problems(key) == []


def test_the_first_poll_publishes_every_row_once(feed: FeedUnderTest):
    first, events = feed.first, feed.first_events
    assert (first["status"], first["inserted"], first["rows_in"], first["dead"]) == ("changed", ROWS, ROWS, 0)
    assert first["portal_rows"] in (None, ROWS)
    assert {(event["op"], event["revision"], event["late"]) for event in events} == {("insert", 1, False)}
    assert len({event["record_id"] for event in events}) == len(events) == ROWS
    assert first["drift"] == 0, "the portal has columns that schemas/raw or ignore_columns lacks, or the reverse"


def test_rows_are_published_as_the_portal_has_them(feed: FeedUnderTest):
    assert feed.believed() == feed.truth()


def test_the_source_file_can_read_the_times_of_its_events(feed: FeedUnderTest):
    read = [feed.event_time(event) for event in feed.first_events]
    told = f"event_time_format does not fit {feed.source.event_time}: {feed.first_events[0]['row']}"
    assert sum(time is not None for time in read) >= READABLE * ROWS, told
    assert feed.first["newest_event_local"] is not None, told


def test_an_unchanged_poll_publishes_nothing_and_costs_at_most_two_requests(feed: FeedUnderTest):
    before = len(feed.events())
    feed.portal.clear_requests()
    receipt = feed.poll()
    asked = Counter(request["path"] for request in feed.portal.requests())
    assert receipt["status"] == "unchanged"
    assert receipt["requests"] == asked.total()
    assert asked.total() <= 2
    assert len(feed.events()) == before


def test_inserts_late_inserts_revisions_and_deletes_are_each_found(feed: FeedUnderTest):
    newest, revisions = feed.settle()["newest_event_local"], feed.newest()
    before, published = feed.truth(), len(feed.events())
    by_id = feed.truth_by_id() if feed.source.key_columns else {}
    feed.portal.mutate(feed.key, insert=5, late=3, revise=4, delete=2, seed=21)
    receipt = feed.look()
    events = feed.events(published)
    if feed.source.key_columns:
        found_by_key(feed, by_id, revisions, events)
    else:
        found_by_content(feed, before, events)
    counted = Counter(event["op"] for event in events)
    names = {"inserted": "insert", "revised": "revise", "reappeared": "reappear", "deleted": "delete"}
    assert {name: receipt[name] for name in names} == {name: counted[op] for name, op in names.items()}
    assert receipt["expired"] == counted["expire"]
    for event in events:
        happened = feed.event_time(event)
        assert event["late"] == (event["op"] == "insert" and happened is not None and happened < newest), event
    assert feed.believed() == feed.truth()


def found_by_key(
    feed: FeedUnderTest, before: dict[str, Row], revisions: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    """Each change is one event under the row's own key, with the next revision; a row that ends keeps its values."""
    after = feed.truth_by_id()
    expected = dict.fromkeys(after.keys() - before.keys(), "insert")
    expected |= {key: "revise" for key in after.keys() & before.keys() if after[key] != before[key]}
    expected |= {key: feed.ended(revisions[key]) for key in before.keys() - after.keys()}
    assert {event["record_id"]: event["op"] for event in events} == expected
    assert len(events) == len(expected) == 14
    for event in events:
        known = revisions.get(event["record_id"])
        assert event["revision"] == (known["revision"] + 1 if known else 1)
        assert feed.row_of(event) == (before if event["op"] in ENDS else after)[event["record_id"]]


def found_by_content(feed: FeedUnderTest, before: Counter[Row], events: list[dict[str, Any]]) -> None:
    """Without a key a changed row is one that is gone and another that has come; equal rows are counted."""
    come = collapsed(Counter(feed.row_of(event) for event in events if event["op"] in ("insert", "reappear")))
    gone = collapsed(Counter(feed.row_of(event) for event in events if event["op"] in ENDS))
    was, now = collapsed(before), collapsed(feed.truth())
    assert come == now - was
    assert gone == was - now
    assert come.total() >= 8
    assert gone.total() >= 2


def test_the_whole_table_under_new_ids_publishes_nothing(feed: FeedUnderTest):
    before = len(feed.events())
    feed.portal.replace(feed.key)
    receipt = feed.look()
    assert [receipt[name] for name in ("inserted", "revised", "reappeared", "deleted", "expired")] == [0] * 5
    assert len(feed.events()) == before


def test_a_truncated_page_or_file_keeps_the_cursor_and_deletes_nothing(feed: FeedUnderTest):
    pages = PAGES.get(feed.source.protocol.name)
    cursor, events = feed.cursor(), len(feed.events())
    feed.portal.mutate(feed.key, insert=6, revise=3, delete=1, seed=31)
    # A file that lacks whole lines looks like one from which they were deleted; a page is counted.
    for fault in ("cut", "drop_rows") if pages else ("cut",):
        feed.portal.add_fault(fault, pages or ".*", times=None)
        with pytest.raises(CivicwireError):
            feed.look()
        assert feed.cursor() == cursor
        assert len(feed.events()) == events
        feed.portal.clear_faults()
    feed.look()
    assert feed.believed() == feed.truth()


def test_losing_the_ledger_changes_nothing(feed: FeedUnderTest):
    before = len(feed.events())
    feed.lose_ledger()
    assert feed.look()["status"] == "unchanged"
    assert len(feed.events()) == before
    feed.lose_ledger()
    feed.portal.mutate(feed.key, insert=2, late=1, revise=3, delete=1, seed=41)
    feed.look()
    assert feed.believed() == feed.truth()
