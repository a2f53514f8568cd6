"""The poll protocol over ArcGIS, CKAN and feeds without a natural key, on a real broker against the sandbox portal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from poll_line import Line

from civicwire.stack import Stack
from producers import catalog
from schemas.errors import FatalError, RetriableError

pytestmark = pytest.mark.parts
ACCIDENTS, CONTACTS, LAUS, FACTS = (
    "denver_traffic_accidents", "denver_311", "california_laus", "catalonia_hate_facts"
)  # fmt: skip
FEEDS = (ACCIDENTS, CONTACTS, LAUS, FACTS)
SMALL = {ACCIDENTS: 40, CONTACTS: 40, LAUS: 40, FACTS: 40}
"""Rows of a page in these tests, so that a few hundred rows take several."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("broker"), ("kafka", "registry", "portal")) as running:
        yield running


@pytest.fixture
def line(broker: Stack, tmp_path: Path) -> Iterator[Line]:
    made = Line(broker, tmp_path)
    made.delete_topics()
    for feed in FEEDS:
        made.portal.seed(feed, rows=0)
    made.portal.clear_faults()
    made.portal.clear_requests()
    yield made
    made.close()


def poll(line: Line, source: str, **changes: Any) -> dict[str, Any]:
    return line.poller(source, **{"page_rows": SMALL[source], **changes}).poll()


@pytest.mark.parametrize("source", FEEDS)
def test_after_any_change_the_topic_equals_the_portal(line: Line, source: str):
    line.portal.seed(source, rows=300, seed=3)
    first = poll(line, source)
    assert (first["inserted"], first["portal_rows"], first["scan"]) == (300, 300, "complete")
    assert line.known(source) == line.published(source)
    assert line.read("drift") == []
    for round_ in range(3):
        line.portal.mutate(source, insert=9, late=3, revise=7, delete=5, seed=round_)
        poll(line, source)
        assert line.known(source) == line.published(source)
    line.portal.replace(source)
    again = poll(line, source)
    assert [again[name] for name in ("inserted", "revised", "deleted", "unchanged")] == [0, 0, 0, 321]


@pytest.mark.parametrize("source", FEEDS)
def test_an_unchanged_feed_costs_at_most_two_requests(line: Line, source: str):
    line.portal.seed(source, rows=100, seed=3)
    poll(line, source)
    line.portal.clear_requests()
    unchanged = poll(line, source)
    if unchanged["status"] == "changed":  # Socrata tells whole seconds: the second look may be too early to be sure
        line.portal.clear_requests()
        unchanged = poll(line, source)
    assert unchanged["status"] == "unchanged"
    assert unchanged["requests"] == len(line.portal.requests()) <= 2


def test_equal_rows_are_kept_and_one_more_or_less_is_seen(line: Line):
    row = {"any": "2024", "n_m_mes": "5", "municipi": "Barcelona"}
    line.portal.upsert(FACTS, [row, row, row])
    assert poll(line, FACTS)["inserted"] == 3
    assert sorted(identity.rpartition(":")[2] for identity in line.current(FACTS)) == ["1", "2", "3"]
    one = next(iter(line.portal.truth(FACTS)))[":id"]
    line.portal.delete(FACTS, [one])
    receipt = poll(line, FACTS)
    assert (receipt["deleted"], receipt["unchanged"]) == (1, 2)
    line.portal.upsert(FACTS, [row])
    assert poll(line, FACTS)["reappeared"] == 1


def test_blanks_that_are_mended_revise_a_row_without_a_key(line: Line):
    line.portal.upsert(FACTS, [{"any": "2024", "regi_policial_rp": "RP  Metropolitana Nord"}])
    poll(line, FACTS)
    (row,) = line.portal.truth(FACTS)
    line.portal.upsert(FACTS, [row | {"regi_policial_rp": "RP Metropolitana Nord"}])
    receipt = poll(line, FACTS)
    assert (receipt["revised"], receipt["inserted"], receipt["deleted"]) == (1, 0, 0)


def accident(number: int, first_occurrence_date: str) -> dict[str, str]:
    return {"incident_id": f"2026{number:07d}", "first_occurrence_date": first_occurrence_date}


def test_rows_that_leave_the_rolling_window_expire_and_others_are_deleted(line: Line):
    old, recent = "1546300800000", "1767225600000"  # 1 January of 2019 and of 2026, UTC
    line.portal.upsert(
        ACCIDENTS, [accident(n, old) for n in range(200)] + [accident(n, recent) for n in range(200, 210)]
    )
    assert poll(line, ACCIDENTS)["inserted"] == 210
    line.portal.delete(ACCIDENTS, [accident(n, "")["incident_id"] for n in [*range(200), 205]])
    receipt = poll(line, ACCIDENTS)  # 200 of 210 rows are far above the shrink limit, which is not about expiry
    assert (receipt["expired"], receipt["deleted"], receipt["live_rows"]) == (200, 1, 9)
    line.portal.upsert(ACCIDENTS, [accident(3, old)])
    assert poll(line, ACCIDENTS)["reappeared"] == 1


def test_a_layer_that_moves_is_found_again_and_its_rows_are_known(line: Line):
    line.portal.seed(CONTACTS, rows=90, seed=2)
    poll(line, CONTACTS)
    line.portal.layer(CONTACTS, 66)
    line.portal.replace(CONTACTS)
    receipt = poll(line, CONTACTS)
    assert (receipt["status"], receipt["unchanged"]) == ("changed", 90)
    line.portal.layer(CONTACTS, 325)


PAGES = "resultRecordCount|datastore_search"
SPOILT: dict[str, tuple[str, str, dict[str, Any], type[Exception], str]] = {
    "ArcGIS rows that are missing": (ACCIDENTS, "drop_rows", {"match": PAGES, "rows": 2}, RetriableError, "short"),
    "ArcGIS page out of order": (ACCIDENTS, "shuffle", {"match": PAGES}, RetriableError, "order"),
    "ArcGIS empty page": (ACCIDENTS, "empty_page", {"match": PAGES}, RetriableError, "empty"),
    "ArcGIS HTML": (ACCIDENTS, "html", {"match": "FeatureServer"}, RetriableError, "HTML"),
    "CKAN rows that are missing": (LAUS, "drop_rows", {"match": PAGES, "rows": 2}, RetriableError, "short|repeats"),
    "CKAN page out of order": (LAUS, "shuffle", {"match": PAGES}, RetriableError, "order"),
    "CKAN empty page": (LAUS, "empty_page", {"match": PAGES}, RetriableError, "empty"),
    "CKAN page that repeats": (LAUS, "repeat_page", {"match": PAGES, "after": 1}, RetriableError, "repeats"),
    "CKAN resource that is gone": (LAUS, "status", {"match": "resource_show", "status": 404}, FatalError, "404"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SPOILT)
def test_a_portal_that_lies_stops_the_poll_and_the_next_one_finds_everything(line: Line, fault: str):
    source, kind, settings, error, message = SPOILT[fault]
    line.portal.seed(source, rows=150, seed=6)
    poll(line, source)
    events = len(line.raw(source))
    line.portal.mutate(source, insert=20, late=3, revise=10, delete=2, seed=3)
    line.portal.add_fault(kind, **settings, times=None)
    with pytest.raises(error, match=message):
        poll(line, source)
    assert len(line.raw(source)) == events
    line.portal.clear_faults()
    poll(line, source)
    assert line.known(source) == line.published(source)


ARCHIVE = "denver_311_archive"
ARCHIVE_HEADER = "Case Summary,Case Status,Case Created Date,Case Created dttm,Agency"


def test_archives_of_two_encodings_are_read_and_broken_quotes_cost_one_row(line: Line):
    declared = catalog.find(ARCHIVE)
    old, new = declared.protocol.files[2023], declared.protocol.files[2024]
    line.portal.put_file(old, f"\ufeff{ARCHIVE_HEADER}\r\nCafé,Closed,1/2/2023,1/2/2023 3:04:05 PM,311\r\n".encode())
    rows = (
        b'"Tree\nfell, twice",Closed,1/2/2024,1/2/2024 3:04:05 PM,Forestry\r\n'
        b'"Tree\nfell, twice",Closed,1/2/2024,1/2/2024 3:04:05 PM,Forestry\r\n'
        b'"never closed,Closed,1/3/2024,1/3/2024 3:04:05 PM,311\r\n'
        b"Bob\x92s\xa0dog,Closed,1/4/2024,1/4/2024 3:04:05 PM,311\r\n"
    )
    line.portal.put_file(new, ARCHIVE_HEADER.encode() + b"\r\n" + rows)
    try:
        receipt = line.poll(ARCHIVE)
        assert (receipt["inserted"], receipt["dead"], receipt["rows_in"]) == (4, 1, 5)
        summaries = Counter(row["case_summary"] for row in line.current(ARCHIVE).values())
        assert summaries == {"Café": 1, "Tree\nfell, twice": 2, "Bob\u2019s\u00a0dog": 1}
        (letter,) = line.read("dead_letters")
        assert letter["payload"] == b'"never closed,Closed,1/3/2024,1/3/2024 3:04:05 PM,311'
        assert receipt["newest_event_local"] == "2024-01-04T15:04:05"
        assert line.poll(ARCHIVE)["status"] == "unchanged"
    finally:
        line.portal.delete_file(old)
        line.portal.delete_file(new)


def test_a_rewritten_vocabulary_of_a_feed_without_a_key_is_no_loss(line: Line):
    """Every row of the feed gets another identity, and the number of rows stays."""
    line.portal.seed(FACTS, rows=200, seed=1)
    poll(line, FACTS)
    line.portal.mutate(FACTS, revise=150, seed=2)
    receipt = poll(line, FACTS)
    assert receipt["inserted"] == receipt["deleted"] > 100
    assert line.known(FACTS) == line.published(FACTS)
    line.portal.delete(FACTS, [row[":id"] for row in islice(line.portal.truth(FACTS), 120)])
    with pytest.raises(FatalError, match="more than the limit"):
        poll(line, FACTS)
