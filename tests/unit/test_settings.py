"""Where commands take their settings from, and what they say of a value that cannot be used."""

from __future__ import annotations

import json
import os
import re

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, ServiceUnavailable
from google.auth.exceptions import DefaultCredentialsError
from typer.testing import CliRunner

from civicwire import cli
from civicwire.cli import app
from civicwire.settings import ROOT, Settings
from schemas.errors import ConfigError, EnvironmentMissingError, FatalError, RetriableError
from stream_jobs.warehouse.connection import connect, explained


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    for name in os.environ:
        if name.startswith("CIVICWIRE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CIVICWIRE_HOME", str(tmp_path))
    return tmp_path


def test_bigquery_needs_no_address_of_a_warehouse():
    settings = Settings(target="bigquery", project="cities")
    assert settings.require("warehouse", "warehouse_grpc").warehouse is None
    assert connect(settings).rest is None


def test_the_emulator_needs_one():
    with pytest.raises(EnvironmentMissingError, match="CIVICWIRE_WAREHOUSE"):
        Settings().require("warehouse")


def test_a_running_emulator_does_not_take_the_place_of_bigquery(home):
    running = {"pid": os.getpid(), "endpoints": {"warehouse": "http://127.0.0.1:1", "kafka": "127.0.0.1:2"}}
    (home / "stack.json").write_text(json.dumps(running), encoding="utf-8")
    assert Settings().endpoints().warehouse == "http://127.0.0.1:1"
    elsewhere = Settings(target="bigquery", project="cities").endpoints()
    assert (elsewhere.warehouse, elsewhere.kafka) == (None, "127.0.0.1:2")


def test_bigquery_without_a_project_is_refused_before_anything_is_asked(monkeypatch):
    monkeypatch.setenv("CIVICWIRE_TARGET", "bigquery")
    outcome = CliRunner().invoke(app, ["query", "select 1"])
    assert isinstance(outcome.exception, ConfigError)
    assert "CIVICWIRE_PROJECT" in str(outcome.exception)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CIVICWIRE_TARGET", "snowflake"),
        ("CIVICWIRE_DATASET", "a-b"),
        ("CIVICWIRE_MAXIMUM_BYTES_BILLED", "0"),
        ("CIVICWIRE_TABLE_EXPIRY_DAYS", "soon"),
        ("CIVICWIRE_LABELS", "team=data"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_no_stack_trace(name, value, monkeypatch, capsys):
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["civicwire", "status"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert name.removeprefix("CIVICWIRE_") in told.upper()
    assert "Traceback" not in told


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("CIVICWIRE_PORTAL", "")
    monkeypatch.setenv("CIVICWIRE_LABELS", "")
    assert Settings().portal is None
    assert Settings().labels == {}


def test_labels_limit_and_expiry_reach_the_client():
    settings = Settings(warehouse="http://127.0.0.1:1", warehouse_grpc="127.0.0.1:2", labels={"team": "data"})
    warehouse = connect(settings)
    query = warehouse.client.default_query_job_config
    assert query.labels == {"application": "civicwire", "team": "data"}
    assert query.maximum_bytes_billed == 100_000_000_000
    assert warehouse.client.default_load_job_config.labels == query.labels


def test_the_example_names_every_setting_and_none_that_is_not_one():
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    names = {line.lstrip("# ").partition("=")[0] for line in lines if "=" in line}
    own = {name.removeprefix("CIVICWIRE_").lower() for name in names if name.startswith("CIVICWIRE_")}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    compose += (ROOT / "docker" / "bigquery.yml").read_text(encoding="utf-8")
    used = {name.lower() for name in re.findall(r"\$\{CIVICWIRE_(COMPOSE_\w+)", compose)}
    of_a_command = {"since"}
    assert own == set(Settings.model_fields) | used | of_a_command


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (DefaultCredentialsError("none"), ConfigError),
        (Forbidden("bigquery.jobs.create"), ConfigError),
        (BadRequest("Query exceeded limit for bytes billed: 1"), ConfigError),
        (BadRequest("Could not serialize access due to concurrent update"), RetriableError),
        (Conflict("Already exists"), FatalError),
        (ServiceUnavailable("later"), RetriableError),
    ],
)
def test_a_failure_of_the_warehouse_says_whether_to_try_again(failure, kind):
    with pytest.raises(kind), explained():
        raise failure
