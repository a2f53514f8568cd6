"""Which checkpoint a job goes on from, told from the files alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from schemas.errors import RetriableError
from stream_jobs import jobs, tables
from stream_jobs.session import Session

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


def test_a_job_manager_that_is_away_is_named_with_the_way_on(tmp_path):
    with pytest.raises(RetriableError, match="civicwire status"):
        Session("http://127.0.0.1:9", tmp_path).running()
