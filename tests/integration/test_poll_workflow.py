"""Dry runs, proofs and dead letters on a real broker: what a person does between polls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from poll_line import AUSTIN, CSV_PATH, HEADER_LINE, SAN_DIEGO, Line, current_year, text
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.settings import Settings
from civicwire.stack import Stack
from civicwire.verify import verify
from producers import catalog
from schemas import topics
from schemas.errors import CivicwireError

pytestmark = pytest.mark.parts
GOOD = b'"E26010000001","2026-01-01 00:00:05","5","FD","523","2"'
BROKEN = b'"E26010000002","2026-01-01 00:00:09,"5","FD","523","2"'
CAFE = '"E26010000003","2026-01-01 00:01:09","5","CAF\u00c9","523","2"'.encode("cp1252")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("broker"), ("kafka", "registry", "portal")) as running:
        yield running


@pytest.fixture
def line(broker: Stack, tmp_path: Path) -> Iterator[Line]:
    made = Line(broker, broker.home)
    made.delete_topics()
    made.reset()
    yield made
    made.close()


@pytest.fixture
def civicwire(broker: Stack, line: Line) -> Any:
    """Runs a command in the broker's home and returns its lines of JSON."""

    def run(*arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
        environment = {"CIVICWIRE_HOME": str(broker.home)}
        done = CliRunner().invoke(app, list(arguments), env=environment)
        code = done.exception.exit_code if isinstance(done.exception, CivicwireError) else done.exit_code
        assert code == exit_code, (done.stdout, done.stderr, done.exception)
        return [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]

    assert line.connections.portal
    return run


# --- dry run ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_the_poll_then_does(line: Line, civicwire: Any):
    line.portal.seed(AUSTIN, rows=120, seed=1)
    line.poll(AUSTIN)
    events, receipts = len(line.raw(AUSTIN)), len(line.read("polls"))
    touched = line.portal.mutate(AUSTIN, insert=3, late=2, revise=4, delete=1, seed=5)
    *changes, receipt = civicwire("poll", AUSTIN, "--dry-run", "--diff", "--json")
    assert (len(line.raw(AUSTIN)), len(line.read("polls"))) == (events, receipts)
    told = {change["record_id"]: change for change in changes}
    assert {record_id for record_id, change in told.items() if change["op"] == "revise"} == {
        one["key"] for one in touched["revised"]
    }
    for one in touched["revised"]:
        before, after = ({name: text(value) for name, value in one[side].items()} for side in ("before", "after"))
        differing = {
            name: {"before": before.get(name), "after": after.get(name)}
            for name in {**before, **after}
            if before.get(name) != after.get(name)
        }
        assert told[one["key"]]["fields"] == differing
    (gone,) = (change for change in changes if change["op"] == "delete")
    assert gone["record_id"] == touched["deleted"][0]["key"]
    assert all(side["after"] is None for side in gone["fields"].values())
    real = line.poll(AUSTIN)
    for name in ("inserted", "revised", "deleted", "reappeared", "late", "rows_in"):
        assert receipt[name] == real[name], name
    assert civicwire("poll", AUSTIN, "--dry-run", "--diff", "--json")[0]["inserted"] == 0


def test_a_dry_run_fences_no_poller(line: Line):
    line.portal.seed(AUSTIN, rows=10, seed=1)
    poller = line.poller(AUSTIN)
    poller.poll()
    line.poller(AUSTIN).preview()
    line.portal.mutate(AUSTIN, insert=1, seed=2)
    assert poller.poll()["inserted"] == 1


def test_a_diff_without_a_dry_run_is_refused(civicwire: Any):
    civicwire("poll", AUSTIN, "--diff", exit_code=2)


# --- verify ----------------------------------------------------------------------------------------------------------


def compared(line: Line, broker: Stack) -> dict[tuple[str, str], dict[str, int]]:
    found = verify(Settings(home=broker.home), catalog.find(AUSTIN), warehouse=False)
    return {(one.left, one.right): one.differences for one in found}


def test_verify_finds_what_a_poll_has_not_seen_and_nothing_after_it(line: Line, broker: Stack, civicwire: Any):
    line.portal.seed(AUSTIN, rows=150, seed=1)
    line.poll(AUSTIN)
    assert compared(line, broker) == {("portal", "ledger"): {}, ("raw topic", "ledger"): {}}
    line.portal.mutate(AUSTIN, insert=5, late=2, revise=4, delete=3, seed=2)
    assert compared(line, broker)["portal", "ledger"] == {
        "not held": 7,
        "held with other content": 4,
        "gone from the portal": 3,
    }
    civicwire("verify", AUSTIN, "--no-warehouse", "--json", exit_code=1)
    line.poll(AUSTIN)
    assert all(one["equal"] for one in civicwire("verify", AUSTIN, "--no-warehouse", "--json"))


def test_verify_finds_a_ledger_that_lies(line: Line, broker: Stack):
    line.portal.seed(AUSTIN, rows=50, seed=1)
    poller = line.poller(AUSTIN)
    poller.poll()
    database = poller._ledger._database  # the only way to make a ledger lie
    database.execute("delete from records where record_id = (select min(record_id) from records)")
    database.execute("update records set revision = 9 where record_id = (select max(record_id) from records)")
    assert compared(line, broker)["raw topic", "ledger"] == {"not in the ledger": 1, "other in the ledger": 1}


# --- dead letters ----------------------------------------------------------------------------------------------------


def serve(line: Line, *rows: bytes) -> None:
    line.portal.put_file(CSV_PATH.format(current_year()), HEADER_LINE + b"".join(row + b"\n" for row in rows))


def test_dead_letters_are_listed_and_shown_with_the_bytes_that_were_sent(line: Line, broker: Stack, civicwire: Any):
    serve(line, GOOD, BROKEN, CAFE)
    assert line.poll(SAN_DIEGO)["dead"] == 2
    rows = {row["reason"]: row for row in civicwire("dead", "ls", "--source", SAN_DIEGO, "--json")}
    assert {reason: row["letters"] for reason, row in rows.items()} == {"csv_quote_broken": 1, "encoding_invalid": 1}
    environment = {"CIVICWIRE_HOME": str(broker.home)}
    shown = CliRunner().invoke(app, ["dead", "show", rows["encoding_invalid"]["newest"], "--payload"], env=environment)
    assert shown.stdout_bytes == CAFE
    assert civicwire("dead", "ls", "--since", "2099-01-01", "--json") == []
    civicwire("dead", "ls", "--since", "soon", exit_code=2)
    civicwire("dead", "show", "no such letter", exit_code=2)


def test_a_mended_source_file_brings_dead_rows_back_once(line: Line):
    serve(line, GOOD, BROKEN, CAFE)
    line.poll(SAN_DIEGO)
    letters = line.read(topics.DEAD_LETTERS.name)
    as_declared = line.poller(SAN_DIEGO).replay(letters)
    assert (as_declared.published, as_declared.still_dead) == (0, 2)
    mended = line.poller(SAN_DIEGO, encoding="cp1252")
    first = mended.replay(letters)
    assert (first.letters, first.published, first.superseded, first.still_dead) == (2, 1, 0, 1)
    again = mended.replay(letters)
    assert (again.published, again.superseded, again.still_dead) == (0, 1, 1)
    rows = line.current(SAN_DIEGO)
    assert rows["E26010000003"]["call_type"] == "CAF\u00c9"
    assert line.read("polls")[-1]["scan"] == "replay"
    serve(line, GOOD, CAFE)
    receipt = mended.poll()
    assert (receipt["inserted"], receipt["unchanged"], receipt["deleted"]) == (0, 2, 0)


def test_a_row_that_normalise_refused_is_published_again_as_its_next_revision(line: Line):
    line.portal.seed(AUSTIN, rows=3, seed=1)
    line.poll(AUSTIN)
    event = line.raw(AUSTIN)[0]
    letter = {
        "dead_id": f"{AUSTIN}:{event['record_id']}:1:event_time_missing",
        "source": AUSTIN,
        "stage": "normalise",
        "reason": "event_time_missing",
        "payload": b"{}",
        "record_id": event["record_id"],
        "poll_id": event["poll_id"],
        **place_of(line, event["record_id"]),
    }
    poller = line.poller(AUSTIN)
    assert poller.replay([letter]).published == 1
    assert poller.replay([letter]).superseded == 1
    revisions = [one for one in line.raw(AUSTIN) if one["record_id"] == event["record_id"]]
    assert [(one["revision"], one["op"], one["row"] == event["row"]) for one in revisions] == [
        (1, "insert", True),
        (2, "revise", True),
    ]
    refused = {**letter, "poll_id": revisions[-1]["poll_id"], **place_of(line, event["record_id"])}
    assert poller.replay([letter, refused]).still_dead == 1, "nothing was mended since the last replay"
    assert len(line.raw(AUSTIN)) == 4
    assert poller.replay([letter, refused], again=True).published == 1
    assert line.poll(AUSTIN)["revised"] == 0


def place_of(line: Line, record_id: str) -> dict[str, int]:
    place = line.poller(AUSTIN)
    place._ledger.restore()
    found = place._ledger.place(record_id)
    assert found
    return {"raw_partition": found.partition, "raw_offset": found.offset}


# --- follow ----------------------------------------------------------------------------------------------------------


@contextmanager
def following(broker: Stack, *sources: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "ignore", "-m", "civicwire.cli", "poll", *sources, "--follow", "--every", "0.2"]
    process = subprocess.Popen(
        [*command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"CIVICWIRE_HOME": str(broker.home)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def receipts(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout
    return (json.loads(text) for text in process.stdout if text.startswith("{"))


def test_feeds_are_followed_until_a_signal_and_a_second_copy_takes_over(line: Line, broker: Stack):
    line.portal.seed(AUSTIN, rows=30, seed=1)
    line.portal.seed(SAN_DIEGO, rows=20, seed=1)
    with following(broker, AUSTIN, SAN_DIEGO) as first:
        found = receipts(first)
        filled = islice((one for one in found if one["inserted"]), 2)
        assert {one["source"]: one["inserted"] for one in filled} == {AUSTIN: 30, SAN_DIEGO: 20}
        line.portal.mutate(AUSTIN, insert=4, seed=2)
        assert next(one for one in found if one["inserted"])["inserted"] == 4
        with following(broker, AUSTIN, SAN_DIEGO) as second:
            told = receipts(second)
            polled = {next(told)["source"]}
            while polled != {AUSTIN, SAN_DIEGO}:  # one feed may be polled twice before the other's first poll ends
                polled.add(next(told)["source"])
            # The first finds itself fenced at its next poll and leaves both feeds to the second.
            assert first.wait(timeout=60) == 1
            assert first.stderr
            assert "another poller" in first.stderr.read()
            line.portal.mutate(AUSTIN, insert=2, seed=3)
            assert next(one for one in told if one["inserted"])["inserted"] == 2
            second.send_signal(signal.SIGTERM)
            assert second.wait(timeout=60) == 0
    assert line.current(AUSTIN) == line.truth(AUSTIN)
