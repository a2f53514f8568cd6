"""Exit codes and caution of up, down, status and doctor, without any part."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.stack import state
from schemas.errors import ConfigError, FatalError


@pytest.fixture
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("CIVICWIRE_HOME", str(folder))
    return folder


def invoke(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def test_down_where_nothing_runs_is_no_error(home):
    outcome = invoke("down", "--json")
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout) == {"stopped": False, "purged": False}


def test_purge_does_not_delete_a_folder_that_is_no_home(home):
    home.mkdir()
    (home / "thesis.txt").write_text("years of work", encoding="utf-8")
    outcome = invoke("down", "--purge")
    assert isinstance(outcome.exception, ConfigError)
    assert outcome.exception.exit_code == 2
    assert (home / "thesis.txt").exists()


def test_purge_deletes_a_home(home):
    home.mkdir()
    state.write(home, {"pid": None, "ports": {}})
    assert invoke("down", "--purge").exit_code == 0
    assert not home.exists()


def test_status_where_nothing_runs_says_how_to_start_and_fails(home):
    outcome = invoke("status")
    assert outcome.exit_code == 1
    assert "civicwire up" in outcome.stdout


def test_status_calls_the_parts_of_a_killed_supervisor_dead(home):
    home.mkdir()
    gone = {"pid": 1, "created": 0.0}
    process = gone | {"part": "kafka", "state": "healthy", "restarts": 0, "last_error": None, "log": "kafka.log"}
    state.write(home, {"supervisor": gone, "processes": {"kafka": process}, "endpoints": {}})
    outcome = invoke("status", "--json")
    assert outcome.exit_code == 1
    assert [part["state"] for part in json.loads(outcome.stdout)["parts"]] == ["dead"]


@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_an_unknown_part_is_bad_input(home, options):
    outcome = invoke("up", "--parts", "kafka,zookeeper", *options)
    assert isinstance(outcome.exception, ConfigError)
    assert "zookeeper" in str(outcome.exception)


def test_a_second_stack_on_the_same_home_is_refused(home):
    home.mkdir()
    lease = state.Lease(home)
    assert lease.take()
    outcome = invoke("up", "--parts", "registry")
    assert isinstance(outcome.exception, FatalError)
    assert "runs already" in str(outcome.exception)


def test_doctor_says_what_to_do_and_ends_with_code_3_when_parts_are_missing(home, tmp_path, monkeypatch):
    monkeypatch.setenv("CIVICWIRE_PARTS", str(tmp_path / "parts"))
    outcome = invoke("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(outcome.stdout)}
    assert outcome.exit_code == 3
    assert not checks["jars"]["good"]
    assert "make setup" in checks["jars"]["fix"]
    assert checks["disk"]["good"]
