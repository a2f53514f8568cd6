"""Replays on real parts: a second generation beside a live line, compared, swapped, rolled back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from stream_rows import AUSTIN, SAN_DIEGO, counts
from test_stream_jobs import Line, lives, moment, normalised, until

from civicwire.dead import Wanted, letters
from civicwire.replay import Replay
from civicwire.settings import ROOT
from civicwire.stack import Stack
from schemas.errors import RetriableError
from stream_jobs import jobs, versions
from stream_jobs.warehouse import progress
from stream_jobs.warehouse.compare import Difference
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.chaos, pytest.mark.timeout(1800)]
"""Minutes each, so they run with `make test-chaos`; test_swap.py has the steps of a swap without Flink."""


KILLED_WHILE_WRITING = """
import os, signal
from civicwire.replay import Replay
from civicwire.settings import Settings

def die(stage, left):
    if stage == "tables":
        os.kill(os.getpid(), signal.SIGKILL)

Replay(Settings(), progress=die).prepare("normalize")
"""


class Home(Line):
    """The line of the stream jobs' tests with a warehouse behind it."""

    def replay(self) -> Replay:
        return Replay(self.settings)

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
    bad = {
        f"{event['source']}:{event['record_id']}:{event['revision']}:event_time_unparsable"
        for event in home.published
        if moment(event) is None and event["op"] != "delete"
    }
    assert {one["dead_id"] for one in letters(home.settings, Wanted())} == bad


def test_a_replay_converges_though_every_part_of_it_is_killed(home: Home) -> None:
    alone(home)
    killed: list[str] = []

    def killing(part: str) -> Callable[[str, int], None]:
        def kill(_: str, left: int) -> None:
            if left and part not in killed:
                killed.append(part)
                home.process(part).kill()

        return kill

    home.publish(lives("k", 3_000, seed=5))
    with pytest.raises(RetriableError, match="does not have the job"):
        Replay(home.settings, progress=killing("flink-jobmanager")).prepare("normalize")
    until(lambda: home.healthy_again("flink-jobmanager"), "the supervisor brings the job manager back")
    assert set(home.start().values()) == {"restored"}
    home.publish(lives("l", 3_000, seed=6))
    Replay(home.settings, progress=killing("flink-taskmanager")).prepare("normalize")
    assert killed == ["flink-jobmanager", "flink-taskmanager"]
    home.publish(lives("m", 500, seed=7))
    environment = {**os.environ, "CIVICWIRE_HOME": str(home.stack.home)}
    writing = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED_WHILE_WRITING], cwd=ROOT, env=environment, check=False
    )
    assert writing.returncode == -signal.SIGKILL
    home.replay().prepare("normalize")
    assert totals(home.replay().compare()) == {}
    home.replay().swap()
    home.settle_all()
    home.check_warehouse()


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
