"""The commands with CIVICWIRE_TARGET=bigquery: default credentials, no address of ours, and only calls that are listed.

The emulator plays BigQuery behind a front that gives tokens and wants them. The client library finds the front by its
own variable, BIGQUERY_EMULATOR_HOST, which our code does not know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import bigquery_front
import marts_data
import pyarrow as pa
import pytest
from bigquery_front import Front
from marts_data import MadeMarts
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.settings import ROOT, Settings
from stream_jobs.warehouse import merge, stage
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.tables import POLLS, STAGES, ensure_tables

LISTED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
PROJECT, DATASET = "civicwire-cloud", "cloud"


@pytest.fixture(scope="module")
def cloud(made_marts: MadeMarts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """A project in which the writer has written and dbt has built two marts, all through the front."""
    folder = tmp_path_factory.mktemp("cloud")
    with (
        bigquery_front.front(str(made_marts.settings.warehouse), folder) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("BIGQUERY_EMULATOR_HOST", found.url)
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(found.credentials))
        # Google's library looks something up about an account in the background: nothing leaves this machine.
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        patch.setenv("CIVICWIRE_TARGET", "bigquery")
        patch.setenv("CIVICWIRE_PROJECT", PROJECT)
        patch.setenv("CIVICWIRE_DATASET", DATASET)
        patch.setenv("CIVICWIRE_HOME", str(folder / "home"))
        patch.setenv("CIVICWIRE_LABELS", '{"team": "data"}')
        patch.setenv("CIVICWIRE_TABLE_EXPIRY_DAYS", "2")
        patch.setenv("CIVICWIRE_MAXIMUM_BYTES_BILLED", "123456789")
        warehouse = connect(Settings())
        made = marts_data.make(datetime.now(UTC), size=400)
        marts_data.fill(warehouse, made)
        marts_data.fill(warehouse, made)  # the tables are there: the other way through ensure_tables
        _one_batch(warehouse, made)
        warehouse.client.query_and_wait(f"alter table {DATASET}.drift drop column detail")
        ensure_tables(warehouse)
        warehouse.client.delete_dataset("elsewhere", not_found_ok=True)
        warehouse.close()
        run("build", "--select", "+polls_by_day", "--select", "san_diego_beats", "--json")  # a seed is a load job
        yield found


def _one_batch(warehouse, made):
    """What the writer does with a batch, by a load job: the Storage Write API has no address to be sent elsewhere."""
    waiting = STAGES[POLLS.topic.name]
    columns = {
        column.name: [{**row, "poll_id": "later"}.get(column.name) for row in made.polls[:1]]
        for column in waiting.columns
    }
    rows = stage.complete(waiting, pa.table(columns, schema=waiting.arrow), "batch", datetime.now(UTC))
    stage.put(warehouse, waiting, rows, load_from_rows=1)
    months = merge.months_in(rows, POLLS.partition)
    assert merge.merge(warehouse, POLLS, stage.name(warehouse, waiting), "batch", months, withdrawals=False) == 1
    stage.remove(warehouse, waiting, ["batch"])


def run(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_a_query_is_answered(cloud: Front):
    (row,) = (json.loads(line) for line in run("query", "--json", "select count(*) as n from polls").splitlines())
    assert row["n"] > 1


def test_the_past_is_answered(cloud: Front):
    run("asof", "2030-01-01", "--json")


def test_a_mart_that_dbt_built_can_be_read(cloud: Front):
    (line,) = run("query", "--json", f"select count(*) as n from {DATASET}_marts.polls_by_day").splitlines()
    assert json.loads(line)["n"] > 0


@pytest.mark.chaos  # four minutes
def test_every_mart_is_built_and_shown(cloud: Front, tmp_path: Path):
    assert json.loads(run("build", "--json"))["ok"]
    assert json.loads(run("preview", "--out", str(tmp_path), "--json"))["ok"]
    assert f"{PROJECT} (BigQuery)" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_request_had_a_token(cloud: Front):
    assert cloud.calls
    assert cloud.without_token == 0


def test_datasets_have_labels_location_and_expiry(cloud: Front):
    made = [body for body in cloud.jobs if "datasetReference" in body and "labels" in body]
    assert {body["datasetReference"]["datasetId"] for body in made} == {DATASET, f"{DATASET}_stage", f"{DATASET}_marts"}
    for body in made:
        assert body["labels"].items() >= {"application": "civicwire", "team": "data"}.items()
        assert body["location"] == "US"
        assert body["defaultTableExpirationMs"] == str(2 * 86_400_000)


def test_queries_have_the_limit_and_the_labels(cloud: Front):
    queries = [body for body in cloud.jobs if "query" in body and "useLegacySql" in body]
    queries += [body["configuration"]["query"] for body in cloud.jobs if "query" in body.get("configuration", {})]
    assert queries
    assert {body.get("maximumBytesBilled") for body in queries} == {"123456789"}


def test_the_documentation_lists_every_call_and_no_other(cloud: Front):
    listed = set(LISTED.findall((ROOT / "docs" / "bigquery.md").read_text(encoding="utf-8")))
    rest = {call for call in listed if "/" in call}
    assert cloud.calls <= rest
    # A job that is done at once is not asked for again.
    assert rest - cloud.calls <= {"GET projects/{project}/jobs/{job}"}
