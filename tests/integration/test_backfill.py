"""Backfills on a real broker: history slice by slice, beside live polls, without gap or double."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from poll_line import AUSTIN, CSV_PATH, HEADER_LINE, SAN_DIEGO, Line, current_year
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.settings import Settings
from civicwire.stack import Stack
from civicwire.verify import verify
from producers import catalog
from producers.poll import Poller
from schemas.errors import CivicwireError

pytestmark = pytest.mark.parts
ACCIDENTS = "denver_traffic_accidents"
TODAY = datetime.now(UTC).date()


def day(ago: int) -> str:
    return (TODAY - timedelta(days=ago)).isoformat()


class KilledError(BaseException):
    """Stands for kill -9."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("broker"), ("kafka", "registry", "portal")) as running:
        yield running


@pytest.fixture
def line(broker: Stack) -> Iterator[Line]:
    made = Line(broker, broker.home)
    made.delete_topics()
    made.reset()
    made.portal.seed(ACCIDENTS, rows=0)
    yield made
    made.close()


@pytest.fixture
def civicwire(broker: Stack, line: Line) -> Any:
    def run(*arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
        done = CliRunner().invoke(app, list(arguments), env={"CIVICWIRE_HOME": str(broker.home)})
        code = done.exception.exit_code if isinstance(done.exception, CivicwireError) else done.exit_code
        assert code == exit_code, (done.stdout, done.stderr, done.exception)
        return [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]

    return run


def wanted(line: Line, since: str) -> set[str]:
    """Keys of Austin's rows that the portal holds from the day ``since`` on."""
    return {key for key, row in line.truth(AUSTIN).items() if row["rep_date"] >= since}


def bounded(line: Line, ago: int = 40) -> Poller:
    """A poller of Austin that began ``ago`` days back and has polled once."""
    line.portal.seed(AUSTIN, rows=800, seed=3)
    line.connections = replace(line.connections, since=day(ago))
    poller = line.poller(AUSTIN)
    poller.poll()
    assert set(line.current(AUSTIN)) == wanted(line, day(ago))
    return poller


def test_a_backfill_reads_what_its_plan_says_and_ends_at_the_truth(line: Line, civicwire: Any):
    poller = bounded(line)
    plan = civicwire("backfill", AUSTIN, "--since", day(150), "--plan", "--json")
    missing = wanted(line, day(150)) - wanted(line, day(40))
    assert sum(one["rows"] for one in plan) == len(missing)
    assert all(one["requests"] > 0 and one["bytes"] > 0 for one in plan)
    assert (plan[0]["until"], plan[0]["widens"]) == (day(40), True)
    done = civicwire("backfill", AUSTIN, "--since", day(150), "--json")
    assert [one["rows_in"] for one in done] == [one["rows"] for one in plan]
    assert all(one["scan"] == "backfill" and one["late"] == 0 for one in done)
    assert set(line.current(AUSTIN)) == wanted(line, day(150))
    assert poller.poll()["status"] == "unchanged", "the poller of the feed is not fenced, and has nothing to do"
    civicwire("backfill", AUSTIN, "--since", day(150), exit_code=2)


def test_the_feed_is_polled_as_ever_between_two_slices(line: Line):
    poller = bounded(line)
    backfill = Poller(catalog.find(AUSTIN), line.connections, role="backfill")
    try:
        for ago in (70, 100, 130):
            line.portal.mutate(AUSTIN, insert=4, revise=6, delete=3, seed=ago)
            backfill.widen(day(ago))
            poller.poll()
            assert set(line.current(AUSTIN)) == wanted(line, day(ago))
    finally:
        backfill.close()
    truth = {key: row for key, row in line.truth(AUSTIN).items() if row["rep_date"] >= day(130)}
    assert line.current(AUSTIN) == truth
    events = len(line.raw(AUSTIN))
    assert poller.poll()["status"] == "unchanged"
    assert len(line.raw(AUSTIN)) == events


@pytest.mark.parametrize("step", ["restored", "fetched", "produced", "committed"])
def test_a_slice_that_is_killed_is_read_again_and_published_once(line: Line, step: str):
    bounded(line)

    def stop(name: str) -> None:
        if name == step:
            raise KilledError

    killed = Poller(catalog.find(AUSTIN), line.connections, stop, role="backfill")
    with pytest.raises(KilledError):
        killed.widen(day(90))
    killed.close()
    again = Poller(catalog.find(AUSTIN), line.connections, role="backfill")
    try:
        if again.bound() == day(40):
            again.widen(day(90))
    finally:
        again.close()
    assert set(line.current(AUSTIN)) == wanted(line, day(90))
    assert len(line.raw(AUSTIN)) == len(line.current(AUSTIN))


def test_live_polls_and_a_backfill_at_once_publish_no_row_twice(line: Line):
    poller = bounded(line, 20)
    backfill = Poller(catalog.find(AUSTIN), line.connections, role="backfill")
    failures: list[BaseException] = []

    def go_back() -> None:
        try:
            for ago in range(40, 200, 20):
                backfill.widen(day(ago))
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    beside = threading.Thread(target=go_back)
    beside.start()
    seed = 0
    while beside.is_alive():
        seed += 1
        line.portal.mutate(AUSTIN, insert=3, revise=3, seed=seed)
        poller.poll()
    beside.join()
    backfill.close()
    assert failures == []
    poller.poll()
    assert set(line.current(AUSTIN)) == wanted(line, day(180)), "and no revision twice, which `current` checks"


def test_a_part_that_is_held_is_read_again_up_to_until(line: Line, civicwire: Any):
    bounded(line)
    broken = civicwire("backfill", AUSTIN, "--since", day(30), "--until", day(10), "--slice", "day", "--json")
    assert len(broken) == 20
    assert {(one["inserted"], one["revised"]) for one in broken} == {(0, 0)}
    assert sum(one["unchanged"] for one in broken) == len(wanted(line, day(30)) - wanted(line, day(10)))


def test_a_backfill_that_would_leave_a_gap_is_refused(line: Line, civicwire: Any):
    bounded(line)
    civicwire("backfill", AUSTIN, "--since", day(100), "--until", day(60), exit_code=2)


@pytest.mark.parametrize("arguments", [("--since", "soon"), (), ("--since", "2020-01-01", "--slice", "week")])
def test_a_request_that_cannot_be_is_told(civicwire: Any, arguments: tuple[str, ...]):
    civicwire("backfill", AUSTIN, *arguments, exit_code=2)


@pytest.mark.parametrize("source", ["catalonia_hate_facts", "denver_311"])
def test_a_feed_that_is_always_read_whole_needs_no_backfill(civicwire: Any, source: str):
    civicwire("backfill", source, "--since", "2020-01-01", exit_code=2)


def test_a_feed_that_holds_everything_needs_no_backfill(line: Line, civicwire: Any):
    line.portal.seed(AUSTIN, rows=10, seed=1)
    line.poll(AUSTIN)
    civicwire("backfill", AUSTIN, "--since", "2020-01-01", exit_code=2)


def test_past_years_of_a_file_feed_are_read_year_by_year(line: Line, civicwire: Any):
    year = current_year()
    rows = {year: 3, year - 1: 4, year - 2: 5}
    for which, count in rows.items():
        lines = [
            f'"E{which}{n:07d}","{which}-03-0{n + 1} 03:04:05","1","FD","523","2"\n'.encode() for n in range(count)
        ]
        line.portal.put_file(CSV_PATH.format(which), HEADER_LINE + b"".join(lines))
    line.poll(SAN_DIEGO)
    plan = civicwire("backfill", SAN_DIEGO, "--since", f"{year - 2}-01-01", "--plan", "--json")
    assert [(one["since"], one["rows"]) for one in plan] == [(f"{year - 1}-01-01", None), (f"{year - 2}-01-01", None)]
    assert all(one["bytes"] > len(HEADER_LINE) for one in plan)
    done = civicwire("backfill", SAN_DIEGO, "--since", f"{year - 2}-01-01", "--json")
    assert [one["inserted"] for one in done] == [4, 5]
    assert len(line.current(SAN_DIEGO)) == 12
    assert {event["scope"] for event in line.raw(SAN_DIEGO)} == {str(which) for which in rows}
    assert line.poll(SAN_DIEGO)["requests"] <= 2
    for which in rows:
        line.portal.delete_file(CSV_PATH.format(which))


def test_a_layer_is_read_from_an_earlier_day_at_once(line: Line, civicwire: Any):
    line.portal.seed(ACCIDENTS, rows=400, seed=2)
    line.connections = replace(line.connections, since=day(50))
    line.poll(ACCIDENTS)
    held = len(line.current(ACCIDENTS))
    (plan,) = civicwire("backfill", ACCIDENTS, "--since", day(120), "--plan", "--json")
    (done,) = civicwire("backfill", ACCIDENTS, "--since", day(120), "--json")
    assert (done["inserted"], done["late"]) == (plan["rows"], 0)
    assert len(line.current(ACCIDENTS)) == held + plan["rows"]


def test_a_request_can_be_a_reviewed_file(line: Line, civicwire: Any, tmp_path: Path):
    bounded(line)
    file = tmp_path / "austin.yaml"
    file.write_text(f"source: {AUSTIN}\nsince: {day(60)}\nreason: a test\n", encoding="utf-8")
    assert sum(one["inserted"] for one in civicwire("backfill", "--file", str(file), "--json")) == len(
        wanted(line, day(60)) - wanted(line, day(40))
    )
    file.write_text("source: austin_crime_reports\nsince: yesterday\n", encoding="utf-8")
    civicwire("backfill", "--file", str(file), exit_code=2)


def test_a_bounded_feed_is_proved_within_its_bound(line: Line, broker: Stack):
    bounded(line)
    compared = verify(Settings(home=broker.home), catalog.find(AUSTIN), warehouse=False)
    assert [one.differences for one in compared] == [{}, {}]
