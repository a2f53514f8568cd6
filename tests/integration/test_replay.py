"""Replays on real parts: a second generation beside a live line, compared, swapped, crashed, rolled back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace as changed
from typing import Any

import pytest
from stream_rows import AUSTIN, SAN_DIEGO, counts
from test_stream_jobs import Line, lives, normalised

from civicwire.dead import Wanted, letters
from civicwire.replay import Replay
from civicwire.stack import Stack
from schemas.errors import ConfigError, RetriableError
from stream_jobs import jobs, versions
from stream_jobs.warehouse import progress
from stream_jobs.warehouse.compare import Difference
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800)]
STEPS = ("ready", "held", "caught up", "copied", "kept", "exchanged", "replaced", "offsets", "stopped", "live")


class Crashed(Exception):  # noqa: N818  a test's own
    """A process that is killed at a step, as far as the steps are concerned."""


class Home(Line):
    """The line of the stream jobs' tests with a warehouse behind it."""

    def replay(self, crash_at: str | None = None, **options: Any) -> Replay:
        def checkpoint(step: str) -> None:
            if step == crash_at:
                raise Crashed(step)

        return Replay(self.settings, checkpoint=checkpoint, **options)

    def state(self) -> versions.Versions:
        return versions.current(self.kafka, self.registry)

    def load(self) -> None:
        with Writer.of(self.settings) as writer:
            writer.catch_up()

    def settle_all(self) -> None:
        self.settle()
        self.load()

    def query(self, sql: str) -> list[dict[str, Any]]:
        warehouse = connect(self.settings)
        try:
            return [dict(row.items()) for row in warehouse.query(sql)]
        finally:
            warehouse.close()

    def table(self, name: str, *left_out: str) -> list[str]:
        dataset = f"{self.settings.project}.{self.settings.dataset}"
        rows = self.query(
            f"select * except (loaded_at{''.join(f', {one}' for one in left_out)}) from `{dataset}.{name}`"
        )
        return sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)

    def tables(self) -> dict[str, list[str]]:
        """What a replay must not change: rows, revisions and counts, but not where in a topic a count came from."""
        return {
            "incidents": self.table("incidents"),
            "incident_revisions": self.table("incident_revisions"),
            "incident_counts": self.table("incident_counts", "version"),
        }

    def expected(self) -> dict[str, dict[str, Any]]:
        """The newest revision of each incident, by a recount of all that was published."""
        newest: dict[str, dict[str, Any]] = {}
        for event in self.published:
            one = normalised(event)
            if one is not None and one["revision"] >= newest.get(one["incident_id"], {"revision": 0})["revision"]:
                newest[one["incident_id"]] = one
        return newest

    def check_warehouse(self) -> None:
        """The tables hold each incident once, at its newest revision, and the counts are those of a recount."""
        dataset = f"{self.settings.project}.{self.settings.dataset}"
        rows = self.query(f"select incident_id, revision, deleted from `{dataset}.incidents`")
        wanted = self.expected()
        assert sorted((row["incident_id"], row["revision"], row["deleted"]) for row in rows) == sorted(
            (one["incident_id"], one["revision"], one["deleted"]) for one in wanted.values()
        )
        counted = self.query(
            "select source, grain, format_datetime('%Y-%m-%dT%H:%M:%S', window_start) as start, area, category, kind, "
            f"incidents, deleted, revised, late, first_incidents, restatements from `{dataset}.incident_counts`"
        )
        recount = counts([one for event in self.published if (one := normalised(event)) is not None])
        assert {tuple(row.values())[:6]: tuple(row.values())[6:] for row in counted} == {
            key: value[:6] for key, value in recount.items()
        }

    @contextmanager
    def under_load(self) -> Iterator[None]:
        """Revisions go on arriving, and a following writer writes them, while the block runs."""
        stop, failed = threading.Event(), []

        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001  whatever it is, the test fails with it
                failed.append(error)

        def publish() -> None:
            number = len(self.published)
            while not stop.wait(0.3):
                number += 1
                self.publish(lives(f"live{number}x", 2, seed=number))

        def write() -> None:
            with Writer.of(self.settings) as writer:
                writer.run(stop)

        threads = [threading.Thread(target=guarded, args=(work,)) for work in (publish, write)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert failed == []

    @contextmanager
    def reader(self) -> Iterator[list[dict[str, Any]]]:
        """What somebody sees who asks again and again, while the block runs."""
        stop, seen = threading.Event(), []
        dataset = f"{self.settings.project}.{self.settings.dataset}"
        sql = (
            f"select (select count(*) from `{dataset}.incidents`) as incidents, "
            f"(select count(distinct incident_id) from `{dataset}.incidents`) as different, "
            f"(select count(*) from `{dataset}.incident_counts`) as windows, "
            "(select count(distinct concat(source, grain, cast(window_start as string), area, category, kind)) "
            f"from `{dataset}.incident_counts`) as different_windows"
        )

        def read() -> None:
            while not stop.is_set():
                seen.extend(self.query(sql))

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()


def alone(home: Home) -> None:
    """Leave nothing beside the live generation."""
    if home.state().beside is not None:
        home.replay().drop()


def totals(found: list[Difference]) -> dict[str, int]:
    return {one.table: one.total for one in found if one.total}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A stack of this module's own: its topics must hold nothing but these rows."""
    with Stack(tmp_path_factory.mktemp("home"), ("kafka", "registry", "flink", "warehouse")) as stack:
        running = Home(stack)
        running.settings = running.settings.model_copy(
            update={"warehouse": stack.endpoints.warehouse, "warehouse_grpc": stack.endpoints.warehouse_grpc}
        )
        running.publish(lives("a", 150, seed=1))
        running.start()
        running.settle_all()
        running.check_warehouse()
        yield running


def other_way(home: Home) -> tuple[Callable[[Replay], versions.Versions], int]:
    """Return how to make the generation beside the live one live, by swap or rollback, and its number."""
    if home.state().beside is None:
        home.replay().prepare("load")
    beside = home.state().beside
    assert beside is not None
    return (Replay.swap if beside.number > home.state().live else Replay.rollback), beside.number


@pytest.mark.parametrize("step", STEPS)
def test_a_swap_that_crashes_at_any_step_ends_right_when_it_is_run_again(home: Home, step: str) -> None:
    before = home.tables()
    go, number = other_way(home)
    with pytest.raises(Crashed):
        go(home.replay(crash_at=step))
    if step == "ready":
        go(home.replay())
    elif step != "live":
        assert home.state().holding
        with pytest.raises(ConfigError, match="broken off"):
            home.replay().compare()
        home.replay().swap()
    assert (home.state().live, home.state().holding) == (number, False)
    assert home.tables() == before


@pytest.mark.parametrize("step", ["held", "copied", "kept", "exchanged", "offsets"])
def test_a_swap_that_is_broken_off_can_be_undone(home: Home, step: str) -> None:
    before, live = home.tables(), home.state().live
    go, _ = other_way(home)
    with pytest.raises(Crashed):
        go(home.replay(crash_at=step))
    home.replay().rollback()
    assert (home.state().live, home.state().holding) == (live, False)
    assert home.tables() == before


def test_what_arrives_after_swaps_and_rollbacks_arrives_once(home: Home) -> None:
    home.publish(lives("b", 30, seed=2))
    home.settle_all()
    home.check_warehouse()
    other_way(home)
    assert home.replay().drop() != []
    assert home.state().beside is None
    home.check_warehouse()


def test_windows_and_normalise_are_replayed_under_load_and_swapped_before_a_reader_who_sees_no_gap(home: Home) -> None:
    alone(home)
    with home.under_load():
        home.replay().prepare("windows")
        assert totals(home.replay().compare()) == {}
        home.replay().drop()
        home.replay().prepare("normalize")
        assert totals(home.replay().compare()) == {}
        with home.reader() as seen:
            home.replay().swap()
    assert home.state().current.job == "normalize"
    assert len(seen) > 1
    assert all(row["incidents"] == row["different"] and row["windows"] == row["different_windows"] for row in seen)
    assert [row["incidents"] for row in seen] == sorted(row["incidents"] for row in seen)
    assert [row["windows"] for row in seen] == sorted(row["windows"] for row in seen)
    running = {job.name for job in home.session.running()}
    number = home.state().live
    assert running == {f"normalize.v{number}", f"windows.v{number}"}
    home.settle_all()
    home.check_warehouse()
    assert progress.lag(home.settings)[f"incidents.v{number}"] == 0
    bad = {f"{event['source']}:{event['record_id']}" for event in home.published if "soon" in event["row"].values()}
    assert {one["dead_id"].rsplit(":", 2)[0] for one in letters(home.settings, Wanted())} == bad


def test_a_mended_file_shows_in_the_comparison_and_goes_live_and_back(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(home)
    of_file = jobs.script

    def mended(path: Any) -> str:
        text = of_file(path)
        return text.replace("'theft'", "'fraud'") if path.stem == AUSTIN else text

    monkeypatch.setattr(jobs, "script", mended)
    home.replay().prepare("normalize")
    found = {one.table: one for one in home.replay().compare(examples=3)}
    assert found["incidents"].differing > 0
    assert found["incident_counts"].only_new > 0
    assert all(one.values["category"] == ("theft", "fraud") for one in found["incidents"].examples)
    elsewhere = home.replay().compare(sources=[SAN_DIEGO])
    assert totals(elsewhere) == {}
    home.replay().swap()
    monkeypatch.setattr(jobs, "script", of_file)
    assert thefts(home) == (0, found["incidents"].differing)
    home.publish(lives("c", 20, seed=3))
    home.replay().rollback()
    assert thefts(home)[1] == 0
    home.settle_all()
    home.check_warehouse()
    home.replay().drop()


def thefts(home: Home) -> tuple[int, int]:
    dataset = f"{home.settings.project}.{home.settings.dataset}"
    (row,) = home.query(
        f"select countif(category = 'theft') as theft, countif(category = 'fraud') as fraud from `{dataset}.incidents` "
        f"where source = '{AUSTIN}'"
    )
    return row["theft"], row["fraud"]


def test_rows_that_the_tables_lost_come_back_by_a_load_of_one_feed_or_from_an_instant_on(home: Home) -> None:
    alone(home)
    before = home.tables()
    dataset = f"{home.settings.project}.{home.settings.dataset}"
    home.query(f"update `{dataset}.incidents` set category = 'damaged' where source = '{AUSTIN}'")
    home.query(f"update `{dataset}.incidents` set area = 'damaged' where source = '{SAN_DIEGO}'")
    home.replay().prepare("load", sources=[AUSTIN])
    assert [one.values["category"][0] for one in home.replay().compare()[0].examples] == ["damaged"] * 5
    home.replay().swap()
    assert {json.loads(row)["area"] for row in home.table("incidents") if SAN_DIEGO in row} == {"damaged"}
    home.replay().drop()
    home.replay().prepare("load")
    home.replay().swap()
    home.replay().drop()
    assert home.tables() == before


def test_bounds_that_cannot_be_kept_are_refused_with_what_to_do_instead(home: Home) -> None:
    alone(home)
    with pytest.raises(ConfigError, match="civicwire replay --compare"):
        home.replay().prepare("windows", sources=[AUSTIN])
    with pytest.raises(ConfigError, match="No such source"):
        home.replay().prepare("load", sources=["nowhere"])
    with pytest.raises(ConfigError, match="begin with"):
        home.replay().swap()
    with pytest.raises(ConfigError, match="nothing to go back to"):
        home.replay().rollback()


def test_a_writer_that_does_not_leave_is_named_and_the_hold_is_undone(home: Home) -> None:
    alone(home)
    home.replay().prepare("load")
    stays = Writer.of(home.settings, generation=changed(home.state().current))
    with stays as writer:
        writer.catch_up()
        with pytest.raises(RetriableError, match="have not left"):
            home.replay(hold_seconds=0).swap()
    assert not home.state().holding
    home.replay().drop()
