"""Which checkpoint a job goes on from, told from the files alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from schemas.errors import RetriableError
from stream_jobs import jobs, session, tables
from stream_jobs.session import Launcher, Running, Session

WINDOWS = jobs.windows(tables.Cluster("broker:9092", "http://registry"))


def remember(home: Path, ids: list[str], fingerprint: str = WINDOWS.fingerprint) -> Session:
    (home / "jobs.json").write_text(json.dumps({"windows": {"fingerprint": fingerprint, "ids": ids}}), encoding="utf-8")
    return Session("http://127.0.0.1:9", home)


def write_checkpoint(home: Path, job_id: str, number: int, written: int, *, complete: bool = True) -> Path:
    folder = home / "checkpoints" / job_id / f"chk-{number}"
    folder.mkdir(parents=True)
    if complete:
        (folder / "_metadata").touch()
        os.utime(folder / "_metadata", (written, written))
    return folder


def test_a_job_never_started_has_none(tmp_path):
    assert Session("http://127.0.0.1:9", tmp_path).checkpoint(WINDOWS) is None


def test_the_newest_complete_one_of_all_its_ids_is_taken(tmp_path):
    write_checkpoint(tmp_path, "old", 99, written=1_000)
    newest = write_checkpoint(tmp_path, "new", 3, written=2_000)
    write_checkpoint(tmp_path, "new", 4, written=3_000, complete=False)
    write_checkpoint(tmp_path, "stranger", 1, written=9_000)
    assert remember(tmp_path, ["old", "new"]).checkpoint(WINDOWS) == newest.as_uri()


def test_the_earlier_id_serves_while_the_later_has_none_yet(tmp_path):
    earlier = write_checkpoint(tmp_path, "old", 9, written=1_000)
    assert remember(tmp_path, ["old", "new"]).checkpoint(WINDOWS) == earlier.as_uri()


def test_changed_statements_do_not_take_the_old_state(tmp_path):
    write_checkpoint(tmp_path, "old", 1, written=1_000)
    assert remember(tmp_path, ["old"], fingerprint="other").checkpoint(WINDOWS) is None


SOMEWHERE = tables.Cluster("broker:9092", "http://registry")
LAUNCHER = Launcher(Path("python"), {}, Path("log"))


class Flink(Session):
    """A cluster on which ``alive`` jobs run; it notes what is stopped and submitted and really does neither."""

    def __init__(self, folder: Path, alive: dict[str, str]) -> None:
        super().__init__("http://127.0.0.1:9", folder)
        self.alive = alive
        self.done: list[str] = []

    def running(self):
        return [Running(name, job_id, "RUNNING", 1, 1, 0, None, None) for name, job_id in self.alive.items()]

    def stop(self, names):
        self.done += [f"stop {name}" for name in names]
        self.alive = {name: job_id for name, job_id in self.alive.items() if name not in names}
        return []

    def _submit(self, jobs, checkpoints, _launcher):
        self.done += [f"start {job.name}" for job in jobs]
        for job in jobs:
            self._remember(job, f"new {job.name}", restored=checkpoints[job.name] is not None)
        return {job.name: f"new {job.name}" for job in jobs}


@pytest.fixture
def no_broker(monkeypatch):
    monkeypatch.setattr(session.kafka_topics, "ensure", lambda *_: None)
    monkeypatch.setattr(session.registry, "register", lambda *_: None)
    monkeypatch.setattr(session.restate, "from_nothing", lambda *_: None)


def start(flink: Flink, *wanted: jobs.Job) -> dict[str, str]:
    flink.done.clear()
    return {one.name: one.action for one in flink.start(wanted, SOMEWHERE, LAUNCHER)}


def test_a_job_over_another_set_of_feeds_is_stopped_and_started_anew(tmp_path, no_broker):
    flink = Flink(tmp_path, {})
    austin = jobs.normalize(SOMEWHERE, ["austin_crime_reports"])
    both = jobs.normalize(SOMEWHERE, ["austin_crime_reports", "san_diego_calls"])
    assert start(flink, austin, WINDOWS) == {"normalize": "started", "windows": "started"}
    flink.alive = {"normalize": "new normalize", "windows": "new windows"}
    assert start(flink, austin, WINDOWS) == {"normalize": "already running", "windows": "already running"}
    assert flink.done == []
    assert start(flink, both, WINDOWS) == {"normalize": "restarted", "windows": "already running"}
    assert flink.done == ["stop normalize", "start normalize"]
    flink.alive["normalize"] = "new normalize"
    assert start(flink, both) == {"normalize": "already running"}
    assert start(flink, austin) == {"normalize": "restarted"}


def test_a_job_whose_feeds_were_not_remembered_is_started_anew_unless_it_has_state(tmp_path, no_broker):
    flink = Flink(tmp_path, {"normalize": "a", "windows": "b"})
    old = {name: {"fingerprint": "f", "ids": ["x"]} for name in flink.alive}
    (tmp_path / "jobs.json").write_text(json.dumps(old), encoding="utf-8")
    wanted = [make(SOMEWHERE) for make in jobs.JOBS.values()]
    assert start(flink, *wanted) == {"normalize": "restarted", "windows": "already running"}


def test_a_restart_over_other_feeds_takes_no_checkpoint_of_the_old_ones(tmp_path, no_broker):
    flink = Flink(tmp_path, {})
    austin = jobs.normalize(SOMEWHERE, ["austin_crime_reports"])
    start(flink, austin)
    write_checkpoint(tmp_path, "new normalize", 1, written=1_000)
    assert flink.checkpoint(austin) is not None
    assert flink.checkpoint(jobs.normalize(SOMEWHERE, ["san_diego_calls"])) is None


def test_a_job_manager_that_is_away_is_named_with_the_way_on(tmp_path):
    with pytest.raises(RetriableError, match="civicwire status"):
        Session("http://127.0.0.1:9", tmp_path).running()


def test_a_job_can_be_started_with_the_statements_that_it_ran_whatever_the_files_say_now(
    tmp_path, no_broker, monkeypatch
):
    flink = Flink(tmp_path, {})
    old = jobs.normalize(SOMEWHERE, ["austin_crime_reports"])
    start(flink, old)
    of_file = jobs.script
    monkeypatch.setattr(jobs, "script", lambda path: of_file(path).replace("'theft'", "'fraud'"))
    monkeypatch.setattr(jobs, "OBJECT_REUSE", {})
    new = jobs.normalize(SOMEWHERE, ["austin_crime_reports"])
    assert new != old
    assert flink.as_it_ran(new) == old
    ran = flink.ran("normalize")
    assert ran is not None
    assert (ran.feeds, ran.exactly_once) == (["austin_crime_reports"], False)


def test_a_job_that_is_forgotten_has_no_checkpoint(tmp_path, no_broker):
    flink = Flink(tmp_path, {})
    start(flink, WINDOWS)
    folder = write_checkpoint(tmp_path, "new windows", 1, written=1_000)
    assert flink.checkpoint(WINDOWS) is not None
    flink.forget(["windows"])
    assert (flink.checkpoint(WINDOWS), flink.ran("windows"), folder.exists()) == (None, None, False)
