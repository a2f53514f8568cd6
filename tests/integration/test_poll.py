"""The poll protocol on a real broker and registry, against the sandbox portal, which knows the truth."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from poll_line import AUSTIN, CSV_PATH, HEADER_LINE, NIBRS, SAN_DIEGO, Line, current_year

from civicwire import lineage
from civicwire.stack import Stack
from producers import catalog, tail
from producers import poll as poll_protocol
from producers.poll import Poller
from producers.publisher import Publisher
from schemas import kafka_topics, topics
from schemas.errors import CivicwireError, FatalError, RetriableError

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A broker of this module's own, because its topics are deleted before each test."""
    with Stack(tmp_path_factory.mktemp("broker"), ("kafka", "registry", "portal")) as running:
        yield running


def call(number: int, when: str = "2026-01-02 03:04:05", call_type: str = "FD", beat: str = "523") -> bytes:
    return f'"E2601{number:07d}","{when}","1","{call_type}","{beat}","2"'.encode()


@pytest.fixture
def line(broker: Stack, tmp_path: Path) -> Iterator[Line]:
    made = Line(broker, tmp_path)
    made.delete_topics()
    made.reset()
    yield made
    made.close()


# --- the real rows ----------------------------------------------------------------------------------------------


def test_austins_four_files_give_exactly_their_inserts_and_revisions(line: Line, real_data: Path):
    found = []
    for day in ("2023-12-28", "2024-06-02", "2024-06-03", "2024-06-05"):
        rows = json.loads((real_data / f"austin/soda_json_{day}_1000rows.json").read_text())
        line.portal.upsert(AUSTIN, rows)
        receipt = line.poll(AUSTIN)
        found.append((receipt["inserted"], receipt["revised"], receipt["deleted"], receipt["dead"]))
    assert found == [(1000, 0, 0, 0), (863, 5, 0, 0), (863, 0, 0, 0), (0, 0, 0, 0)]
    assert len(line.current(AUSTIN)) == 2726
    assert line.current(AUSTIN) == line.truth(AUSTIN)


def test_san_diegos_late_rows_are_found_in_the_second_snapshot(line: Line, real_data: Path):
    for snapshot, expected in (("A_26595rows", (26595, 0)), ("B_28970rows", (2375, 133))):
        body = (real_data / f"san_diego/pd_calls_2023_snapshot_{snapshot}.csv").read_bytes()
        line.portal.put_file(CSV_PATH.format(current_year()), body)
        receipt = line.poll(SAN_DIEGO)
        assert (receipt["inserted"], receipt["late"]) == expected
        assert (receipt["revised"], receipt["deleted"], receipt["dead"]) == (0, 0, 0)
    line.portal.clear_requests()
    again = line.poll(SAN_DIEGO)
    assert again["status"] == "unchanged"
    assert len(line.portal.requests()) <= 2
    assert len(line.raw(SAN_DIEGO)) == 28970


# --- changes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [AUSTIN, SAN_DIEGO])
def test_any_mixture_of_changes_ends_at_the_portals_truth(line: Line, source: str):
    line.portal.seed(source, rows=600, seed=7)
    line.poll(source)
    for round_ in range(4):
        line.portal.mutate(source, insert=11, late=5, revise=9, delete=7, seed=round_)
        receipt = line.poll(source)
        back = receipt["reappeared"]  # a late row may take the number of one that was deleted before
        assert (receipt["inserted"] + back, receipt["revised"], receipt["deleted"]) == (16, 9, 7)
        assert receipt["late"] + back >= 5
        assert line.current(source) == line.truth(source)


def test_a_deleted_row_keeps_its_last_values_and_reappears_with_the_next_revision(line: Line):
    line.serve_csv(call(1), call(2), call(3))
    line.poll(SAN_DIEGO)
    line.serve_csv(call(1), call(3))
    assert line.poll(SAN_DIEGO)["deleted"] == 1
    line.serve_csv(call(1), call(2), call(3))
    assert line.poll(SAN_DIEGO)["reappeared"] == 1
    history = [event for event in line.raw(SAN_DIEGO) if event["record_id"] == "E26010000002"]
    assert [(event["op"], event["revision"]) for event in history] == [("insert", 1), ("delete", 2), ("reappear", 3)]
    assert len({json.dumps(event["row"]) for event in history}) == 1


def test_a_whole_replace_publishes_nothing_although_every_portal_id_is_new(line: Line):
    line.portal.seed(AUSTIN, rows=300, seed=1)
    line.poll(AUSTIN)
    line.portal.replace(AUSTIN)
    receipt = line.poll(AUSTIN)
    assert (receipt["rows_in"], receipt["unchanged"]) == (300, 300)
    assert len(line.raw(AUSTIN)) == 300


@pytest.mark.parametrize("source", [AUSTIN, SAN_DIEGO])
def test_an_unchanged_feed_costs_at_most_two_requests(line: Line, source: str):
    line.portal.seed(source, rows=50, seed=1)
    line.poll(source)
    for _ in range(2):
        line.portal.clear_requests()
        assert line.poll(source)["status"] == "unchanged"
        assert 1 <= len(line.portal.requests()) <= 2


def test_small_pages_read_every_row_once_although_batches_share_their_time(line: Line):
    line.portal.seed(AUSTIN, rows=500, seed=3)
    receipt = line.poller(AUSTIN, page_rows=37).poll()
    assert receipt["rows_in"] == receipt["inserted"] == 500
    assert line.current(AUSTIN) == line.truth(AUSTIN)


def test_each_receipt_adds_up(line: Line):
    line.portal.seed(AUSTIN, rows=200, seed=1)
    line.poll(AUSTIN)
    line.portal.mutate(AUSTIN, insert=3, late=2, revise=4, delete=1, seed=5)
    line.poll(AUSTIN)
    for receipt in line.read("polls"):
        parts = ("inserted", "revised", "reappeared", "unchanged", "dead")
        assert receipt["rows_in"] == sum(receipt[name] for name in parts)


# --- the ledger is a cache ----------------------------------------------------------------------------------------


def test_a_lost_ledger_is_rebuilt_from_the_topic_and_nothing_is_published_twice(line: Line):
    line.portal.seed(SAN_DIEGO, rows=400, seed=2)
    line.poll(SAN_DIEGO)
    line.portal.mutate(SAN_DIEGO, insert=0, late=0, revise=5, delete=3, seed=1)
    line.poll(SAN_DIEGO)
    before = len(line.raw(SAN_DIEGO))
    line.close()
    shutil.rmtree(line.connections.ledgers)
    assert line.poll(SAN_DIEGO)["status"] == "unchanged"
    line.portal.mutate(SAN_DIEGO, insert=1, late=0, revise=0, delete=0, seed=2)
    line.close()
    shutil.rmtree(line.connections.ledgers)
    assert line.poll(SAN_DIEGO)["inserted"] == 1
    assert len(line.raw(SAN_DIEGO)) == before + 1


def test_the_end_of_a_topic_counts_what_is_not_committed_yet(line: Line):
    """A poll waits until its own records can be read; it has to know where they end before they can."""
    topic = topics.raw(SAN_DIEGO)
    kafka_topics.ensure(line.connections.kafka, [topic])
    ends: dict[tuple[str, int], int] = {}
    messages = [(topic.name, str(number), b"x") for number in range(50)]
    publisher = Publisher(SAN_DIEGO, line.connections.kafka)
    publisher.publish(messages, lambda: ends.update(tail.last_offsets(line.connections.kafka, topic.name)))
    assert sum(offset + 1 for offset in ends.values()) == len(messages)


def test_a_second_poller_of_the_same_feed_fences_the_first(line: Line):
    line.portal.seed(SAN_DIEGO, rows=20, seed=2)
    first, second = line.poller(SAN_DIEGO), line.poller(SAN_DIEGO)
    first.publisher()
    assert second.poll()["inserted"] == 20
    with pytest.raises(FatalError, match="Run one poller for each feed"):
        first.poll()
    assert len(line.raw(SAN_DIEGO)) == 20


KILLER = """
import os, signal, sys
from pathlib import Path
from producers import catalog
from producers.poll import Connections, Poller

def stop(step):
    if step == sys.argv[5]:
        os.kill(os.getpid(), signal.SIGKILL)

Poller(catalog.find(sys.argv[4]), Connections(sys.argv[1], sys.argv[2], Path(sys.argv[6]), sys.argv[3]), stop).poll()
"""


@pytest.mark.parametrize("step", ["restored", "fetched", "produced", "committed"])
def test_kill_9_at_any_step_loses_nothing_and_repeats_nothing(line: Line, step: str):
    line.portal.seed(AUSTIN, rows=300, seed=4)
    line.poll(AUSTIN)
    line.portal.mutate(AUSTIN, insert=10, late=5, revise=10, delete=5, seed=9)
    reach = line.connections
    arguments = [reach.kafka, reach.registry, str(reach.portal), AUSTIN, step, str(reach.ledgers)]
    killed = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLER, *arguments], check=False)
    assert killed.returncode == -9
    line.poll(AUSTIN)
    assert line.current(AUSTIN) == line.truth(AUSTIN)
    assert Counter(event["op"] for event in line.raw(AUSTIN)) == {"insert": 315, "revise": 10, "delete": 5}
    assert line.poll(AUSTIN)["status"] == "unchanged"


def test_past_years_are_files_of_their_own_and_are_looked_at_in_turn(line: Line):
    """Header, quotes and rows differ by year; a scan of one year says nothing of another; two requests a poll."""
    year = current_year()
    heads = {year: HEADER_LINE.upper(), year - 1: HEADER_LINE, year - 2: HEADER_LINE.replace(b'"', b"")}
    files = {
        year: [call(1), call(2)],
        year - 1: [b'"E2501000001","2025-01-02 03:04:05","1","FD","523","2"'],
        year - 2: [b"E2401000001,2024-01-02 03:04:05,1,FD,523,2", b"E2401000002,2024-01-02 03:04:05,1,FD,523,2"],
    }

    def serve(which: int) -> None:
        body = heads[which] + b"".join(row + b"\n" for row in files[which])
        line.portal.put_file(CSV_PATH.format(which), body)

    def poll() -> dict[str, Any]:
        return line.poller(SAN_DIEGO, years=[year - 2, year - 1, "current"]).poll()

    for which in files:
        serve(which)
    first = poll()
    assert (first["inserted"], first["requests"], first["drift"]) == (5, 3, 0)
    assert {event["scope"] for event in line.raw(SAN_DIEGO)} == {str(which) for which in files}
    costs = [poll()["requests"] for _ in range(4)]
    assert max(costs) <= 2
    files[year - 2].pop()
    serve(year - 2)
    deleted = [poll()["deleted"] for _ in range(2)]
    assert sum(deleted) == 1, "within two polls each past year has been looked at"
    assert set(line.current(SAN_DIEGO)) == {"E26010000001", "E26010000002", "E2501000001", "E2401000001"}
    for which in files:
        line.portal.delete_file(CSV_PATH.format(which))


def test_a_late_commit_is_found_behind_the_cursor(line: Line):
    line.portal.seed(AUSTIN, rows=50, seed=1)
    line.poll(AUSTIN)
    line.portal.mutate(AUSTIN, revise=1, seed=2)
    line.poll(AUSTIN)
    line.portal.mutate(AUSTIN, revise=3, behind_seconds=300, seed=3)
    receipt = line.poll(AUSTIN)
    assert (receipt["scan"], receipt["revised"]) == ("incremental", 3)


# --- bad input ----------------------------------------------------------------------------------------------------


def cursor(line: Line, source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in line.read("cursors"):
        if record["source"] == source:
            found = record["position"]
    return found


BROKEN_LINES = {
    "key_missing": b'"","2026-01-02 03:04:05","1","FD","523","2"',
    "csv_quote_broken": b'"E26010000009","2026-01-02 03:04:05,"1","FD","523","2"',
    "csv_field_count": b'"E26010000009","2026-01-02 03:04:05"',
    "encoding_invalid": b'"E26010000009","2026-01-02 03:04:05","1","CAF\xc9","523","2"',
}


@pytest.mark.parametrize("reason", BROKEN_LINES)
def test_a_broken_line_lands_in_dead_letters_once_with_its_bytes_while_the_others_go_on(line: Line, reason: str):
    line.serve_csv(call(1), BROKEN_LINES[reason], call(2))
    receipt = line.poll(SAN_DIEGO)
    assert (receipt["inserted"], receipt["dead"], receipt["rows_in"]) == (2, 1, 3)
    line.serve_csv(call(1), BROKEN_LINES[reason], call(2), call(3))
    assert line.poll(SAN_DIEGO)["dead"] == 1
    (letter,) = line.read("dead_letters")
    assert (letter["reason"], letter["stage"], letter["payload"]) == (reason, "poll", BROKEN_LINES[reason])


def test_a_line_that_breaks_hides_its_row_but_never_deletes_it(line: Line):
    line.serve_csv(call(1), call(2))
    line.poll(SAN_DIEGO)
    line.serve_csv(call(1), b'"E26010000002","2026-01-02 03:04:05,"1","FD","523","2"')
    assert line.poll(SAN_DIEGO)["deleted"] == 0
    assert set(line.current(SAN_DIEGO)) == {"E26010000001", "E26010000002"}


def test_an_unreadable_row_holds_back_no_other_rows_delete(line: Line):
    line.serve_csv(call(1), call(2), call(3))
    line.poll(SAN_DIEGO)
    line.serve_csv(call(1), b'"E26010000002","2026-01-02 03:04:05,"1","FD","523","2"')
    assert line.poll(SAN_DIEGO)["deleted"] == 1
    assert set(line.current(SAN_DIEGO)) == {"E26010000001", "E26010000002"}


def test_more_unreadable_rows_than_can_be_compared_hold_back_every_delete(line: Line, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(poll_protocol, "UNREADABLE_KEPT", 1)
    line.serve_csv(call(1), call(2), call(3))
    line.poll(SAN_DIEGO)
    line.serve_csv(call(1), b'"x","2026-01-02 03:04:05,"1","FD","523","2"', b'"y",1')
    receipt = line.poll(SAN_DIEGO)
    assert (receipt["dead"], receipt["deleted"]) == (2, 0)


def test_json_that_is_nested_too_deeply_stops_the_poll_with_a_clear_error(line: Line):
    line.portal.seed(AUSTIN, rows=5, seed=1)
    line.portal.put_file("resource/fdj4-gpfu.json", b"[" * 100_000)
    with pytest.raises(RetriableError, match=r"cannot be read|is no JSON"):
        line.poll(AUSTIN)
    line.portal.delete_file("resource/fdj4-gpfu.json")


def test_a_byte_order_mark_and_an_upper_case_header_change_nothing(line: Line):
    line.serve_csv(call(1))
    line.poll(SAN_DIEGO)
    line.serve_csv(call(1), head=b"\xef\xbb\xbf" + HEADER_LINE.upper())
    receipt = line.poll(SAN_DIEGO)
    assert (receipt["unchanged"], receipt["revised"], receipt["drift"]) == (1, 0, 0)


def test_an_unknown_column_goes_to_extras_and_raises_one_drift_event(line: Line):
    line.serve_csv(call(1))
    line.poll(SAN_DIEGO)
    head = HEADER_LINE.replace(b'"priority"', b'"priority","council"')
    line.serve_csv(call(1) + b',"7"', head=head)
    assert line.poll(SAN_DIEGO)["revised"] == 1
    line.serve_csv(call(1) + b',"8"', head=head)
    line.poll(SAN_DIEGO)
    assert [(drift["kind"], drift["column"]) for drift in line.read("drift")] == [("column_added", "council")]
    assert line.raw(SAN_DIEGO)[-1]["extras"] == {"council": "8"}


def drift_of(line: Line) -> set[tuple[str, str]]:
    return {(event["kind"], event["column"]) for event in line.read("drift")}


def test_a_renamed_column_is_recognised_by_its_values(line: Line):
    line.portal.seed(AUSTIN, rows=20, seed=1)
    line.poll(AUSTIN)
    line.portal.columns(
        AUSTIN, rename={"sector": "apd_sector"}, add={"census_block_group": {"value": "48"}}, drop=["pra"]
    )
    line.poll(AUSTIN)
    assert drift_of(line) == {
        ("column_renamed", "sector"),
        ("column_added", "census_block_group"),
        ("column_dropped", "pra"),
    }
    (renamed,) = (event for event in line.read("drift") if event["kind"] == "column_renamed")
    assert "`apd_sector: sector` under `renames`" in renamed["detail"]
    events = line.raw(AUSTIN)
    sectors = {event["record_id"]: event["row"]["sector"] for event in events if event["op"] == "insert"}
    revised = {event["record_id"]: event["extras"].get("apd_sector") for event in events if event["op"] == "revise"}
    assert len(revised) == 20
    assert revised == sectors


def test_a_value_never_seen_before_is_told_with_the_panels_that_show_it(line: Line):
    line.serve_csv(call(1))
    line.poll(SAN_DIEGO)
    assert line.read("drift") == []
    line.serve_csv(call(1), call(2, call_type="ZZ9"), call(3, call_type="ZZ9"))
    line.connections = dataclasses.replace(line.connections, affected=lineage.affected)
    line.poll(SAN_DIEGO)
    (told,) = line.read("drift")
    assert (told["kind"], told["column"], told["value"], told["rows"]) == ("value_added", "call_type", "ZZ9", 2)
    assert "category" in told["affected_columns"]
    assert "calls_by_type_and_beat" in told["affected_marts"]
    assert "Cities side by side: Calls by type" in told["affected_panels"]
    line.serve_csv(call(1), call(2, call_type="ZZ9"), call(4, call_type="ZZ9"))
    line.poll(SAN_DIEGO)
    assert len(line.read("drift")) == 1


def test_a_column_that_is_watched_later_learns_from_the_topic(line: Line):
    line.serve_csv(call(1, call_type="FD"))
    unwatched = catalog.find(SAN_DIEGO).model_copy(update={"vocabularies": []})
    poller = Poller(unwatched, line.connections)
    poller.poll()
    poller.close()
    line.serve_csv(call(1, call_type="FD"), call(2, call_type="FD"), call(3, call_type="ZZ9"))
    line.poll(SAN_DIEGO)
    assert [event["value"] for event in line.read("drift")] == ["ZZ9"]


def test_a_rename_that_the_source_file_knows_revises_nothing(line: Line):
    """Los Angeles renamed the location columns of its NIBRS table."""
    line.portal.seed(NIBRS, rows=30, seed=1)
    line.poll(NIBRS)
    line.portal.columns(NIBRS, rename={"hndrdth_loc_chk": "location", "hndrdth_lat": "lat", "hndrdth_lon": "lon"})
    receipt = line.poll(NIBRS)
    assert (receipt["revised"], receipt["unchanged"]) == (0, 30)
    assert drift_of(line) == {("column_renamed", f"hndrdth_{name}") for name in ("loc_chk", "lat", "lon")}


def test_a_column_of_another_type_is_told(line: Line):
    line.portal.seed(AUSTIN, rows=5, seed=1)
    line.poll(AUSTIN)
    line.portal.columns(AUSTIN, drop=["pra"])
    line.poll(AUSTIN)
    line.portal.columns(AUSTIN, add={"pra": {"type": "number", "value": "7"}})
    line.poll(AUSTIN)
    line.portal.columns(AUSTIN, drop=["pra"])
    line.portal.columns(AUSTIN, add={"pra": {"type": "text", "value": "7"}})
    line.poll(AUSTIN)
    assert ("column_retyped", "pra") in drift_of(line)


@pytest.mark.parametrize(
    ("policy", "change", "stops"),
    [
        ("stop", {"add": {"extra": {"value": "x"}}}, True),
        ("freeze", {"add": {"extra": {"value": "x"}}}, False),
        ("freeze", {"drop": ["pra"]}, True),
        ("freeze", {"rename": {"sector": "apd_sector"}}, True),
        ("evolve", {"drop": ["pra"]}, False),
    ],
)
def test_a_source_says_what_drift_does_to_its_polls(line: Line, policy: str, change: dict[str, Any], stops: bool):
    line.portal.seed(AUSTIN, rows=20, seed=1)
    declared = catalog.find(AUSTIN).model_copy(update={"drift": policy})
    poller = Poller(declared, line.connections)
    try:
        poller.poll()
        before, events = cursor(line, AUSTIN), len(line.raw(AUSTIN))
        line.portal.columns(AUSTIN, **change)
        if stops:
            with pytest.raises(FatalError, match=f"policy is {policy}"):
                poller.poll()
            assert (cursor(line, AUSTIN), len(line.raw(AUSTIN))) == (before, events)
            return
        receipt = poller.poll()
        assert receipt["drift"] == 1
        assert (receipt["revised"] == 0) == (policy == "freeze")
    finally:
        poller.close()


def test_a_header_without_the_key_stops_the_poll_and_names_the_fix(line: Line):
    line.serve_csv(call(1))
    line.poll(SAN_DIEGO)
    before = cursor(line, SAN_DIEGO)
    line.serve_csv(call(1), call(2), head=HEADER_LINE.replace(b"incident_num", b"call_no"))
    with pytest.raises(FatalError, match="add them under `renames`"):
        line.poll(SAN_DIEGO)
    assert cursor(line, SAN_DIEGO) == before
    assert len(line.raw(SAN_DIEGO)) == 1


PAGE = r"select=:"
STOPS: dict[str, tuple[str, str, dict[str, Any], type[CivicwireError], str]] = {
    "a JSON page cut short": (AUSTIN, "cut", {"match": "resource"}, RetriableError, "cut short|cannot be read|Error"),
    "a CSV file cut short": (SAN_DIEGO, "cut", {"match": "csv"}, RetriableError, "cut short|Error"),
    "a CSV file cut short under a true length": (
        SAN_DIEGO,
        "cut",
        {"match": "csv", "length": "consistent"},
        RetriableError,
        "ends within a line",
    ),
    "HTML with status 200 for JSON": (AUSTIN, "html", {"match": "resource"}, RetriableError, "HTML"),
    "HTML with status 200 for CSV": (SAN_DIEGO, "html", {"match": "csv"}, RetriableError, "HTML"),
    "rows that are missing": (AUSTIN, "drop_rows", {"match": PAGE, "rows": 3}, RetriableError, "short"),
    "a page that repeats": (AUSTIN, "repeat_page", {"match": PAGE, "after": 1}, RetriableError, "repeats|order"),
    "a page out of order": (AUSTIN, "shuffle", {"match": PAGE}, RetriableError, "order"),
    "an empty page": (AUSTIN, "empty_page", {"match": PAGE}, RetriableError, "short"),
    "a retired dataset": (AUSTIN, "status", {"match": "resource", "status": 403}, FatalError, "403"),
    "a closed connection": (SAN_DIEGO, "reset", {"match": "csv"}, RetriableError, "Poll again"),
}


@pytest.mark.parametrize("fault", STOPS)
def test_a_portal_that_lies_stops_the_poll_and_the_next_one_finds_everything(line: Line, fault: str):
    source, kind, settings, error, message = STOPS[fault]
    line.portal.seed(source, rows=240, seed=6)
    options = {"page_rows": 25} if source == AUSTIN else {}
    line.poller(source, **options).poll()
    before = cursor(line, source)
    events = len(line.raw(source))
    line.portal.mutate(source, insert=60, late=3, revise=10, delete=0, seed=3)
    line.portal.add_fault(kind, **settings, times=None)
    with pytest.raises(error, match=message):
        line.poller(source, **options).poll()
    assert cursor(line, source) == before
    assert len(line.raw(source)) == events
    assert line.read("polls")[-1]["status"] == "failed"
    line.portal.clear_faults()
    line.poller(source, **options).poll()
    assert line.current(source) == line.truth(source)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_fault_that_passes_is_waited_out_within_the_poll(line: Line, status: int):
    line.portal.seed(SAN_DIEGO, rows=30, seed=6)
    line.portal.add_fault(kind="status", status=status, match="csv", times=2, retry_after="0")
    receipt = line.poll(SAN_DIEGO)
    assert (receipt["inserted"], receipt["requests"]) == (30, 3)


def test_a_client_error_is_not_retried(line: Line):
    line.portal.seed(SAN_DIEGO, rows=30, seed=6)
    line.portal.add_fault(kind="status", status=403, match="csv", times=99)
    line.portal.clear_requests()
    with pytest.raises(FatalError, match="403"):
        line.poll(SAN_DIEGO)
    assert len(line.portal.requests()) == 1


def test_a_scan_that_loses_a_fifth_of_the_rows_is_not_believed_unless_told_so(line: Line):
    line.portal.seed(SAN_DIEGO, rows=600, seed=6)
    line.poll(SAN_DIEGO)
    line.portal.mutate(SAN_DIEGO, insert=0, late=0, revise=0, delete=200, seed=1)
    with pytest.raises(FatalError, match="--accept-shrink"):
        line.poll(SAN_DIEGO)
    assert line.poll(SAN_DIEGO, accept_shrink=True)["deleted"] == 200


def test_a_body_larger_than_allowed_stops_the_poll(line: Line):
    line.portal.seed(SAN_DIEGO, rows=200, seed=6)
    with pytest.raises(FatalError, match="Raise max_response_bytes"):
        line.poller(SAN_DIEGO, max_response_bytes=1000).poll()


def test_a_bounded_home_reads_only_recent_rows(line: Line):
    line.serve_csv(call(1, "2026-01-02 00:00:00"), call(2, "2026-03-02 00:00:00"))
    line.connections = dataclasses.replace(line.connections, since="2026-02-01")
    assert line.poll(SAN_DIEGO)["inserted"] == 1
    assert set(line.current(SAN_DIEGO)) == {"E26010000002"}


REFUSED = {
    "to a private address": "http://127.0.0.1:1/x",
    "to a name of a private address": "http://localhost:1/x",
    "to the metadata of a cloud": "http://169.254.169.254/latest/meta-data",
    "to an IPv6 loopback": "http://[::1]:1/x",
    "to a file": "file:///etc/passwd",
    "to another scheme": "ftp://example.org/x",
}


@pytest.mark.parametrize("location", REFUSED.values(), ids=REFUSED)
def test_a_redirect_that_leaves_the_public_web_is_refused(line: Line, location: str):
    line.portal.seed(SAN_DIEGO, rows=20, seed=1)
    line.portal.add_fault("redirect", match="csv", location=location, times=None)
    with pytest.raises(FatalError, match="refused"):
        line.poll(SAN_DIEGO)
    assert line.raw(SAN_DIEGO) == []


def test_a_redirect_within_the_portal_is_followed_and_a_circle_is_not(line: Line):
    line.portal.seed(SAN_DIEGO, rows=20, seed=1)
    line.portal.add_fault("redirect", match="csv$", location=f"/{CSV_PATH.format(current_year())}?moved=1", times=1)
    assert line.poll(SAN_DIEGO)["inserted"] == 20
    line.portal.mutate(SAN_DIEGO, insert=1)
    line.portal.add_fault("redirect", match="csv", location=f"/{CSV_PATH.format(current_year())}", times=None)
    with pytest.raises(FatalError, match="more than 5 times"):
        line.poll(SAN_DIEGO)


def test_a_redirect_to_another_host_never_carries_the_token(line: Line, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "very-secret-token")
    line.portal.seed(AUSTIN, rows=20, seed=1)
    line.portal.require_app_token("very-secret-token")
    port = line.portal.base_url.rpartition(":")[2]
    view = f"/api/views/{line.poller(AUSTIN)._source.protocol.dataset}.json?moved=1"
    try:
        line.portal.add_fault("redirect", match="json$", location=view, times=1)
        assert line.poll(AUSTIN)["inserted"] == 20
        line.portal.add_fault("redirect", match="json$", location=f"http://localhost:{port}{view}", times=1)
        with pytest.raises(FatalError, match="403"):
            line.poller(AUSTIN, redirect_hosts=["localhost"]).poll()
    finally:
        line.portal.require_app_token(None)


def test_the_app_token_goes_to_the_portal_and_nowhere_else(line: Line, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOCRATA_APP_TOKEN", "very-secret-token")
    line.portal.seed(AUSTIN, rows=20, seed=6)
    line.portal.add_fault(kind="status", status=403, match="resource", times=1)
    with pytest.raises(FatalError) as caught:
        line.poll(AUSTIN)
    line.poll(AUSTIN)
    everything = str(caught.value) + str(line.read("polls")) + str(line.read("cursors")) + str(line.raw(AUSTIN))
    assert "very-secret-token" not in everything
