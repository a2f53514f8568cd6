"""What the jobs are made of: tables from Avro files, SQL from files, a fingerprint that notices a change."""

from __future__ import annotations

import re

import pytest
from stream_rows import AUSTIN, SAN_DIEGO
from typer.testing import CliRunner

from civicwire.cli import app
from schemas import loader, topics
from schemas.errors import ConfigError
from stream_jobs import jobs, tables

SOMEWHERE = tables.Cluster("broker:9092", "http://registry")


def definition(job: jobs.Job, table: str) -> str:
    (found,) = (text for text in job.definitions if text.startswith(f"create temporary table `{table}`"))
    return found


@pytest.mark.parametrize(
    ("avro", "sql"),
    [
        ("string", "string not null"),
        (["null", "string"], "string"),
        (["null", {"type": "long", "logicalType": "timestamp-millis"}], "timestamp(3)"),
        ({"type": "map", "values": "string"}, "map<string not null, string not null> not null"),
        (
            {"type": "record", "name": "r", "fields": [{"name": "a", "type": ["null", "double"]}]},
            "row<`a` double> not null",
        ),
    ],
)
def test_a_column_is_nullable_exactly_where_its_avro_field_is(avro, sql):
    assert tables.sql_type(avro) == sql


def test_flink_writes_with_our_own_schema_text_quotes_and_all():
    text = definition(jobs.normalize(SOMEWHERE), f"raw_{AUSTIN}")
    (schema,) = re.findall(r"'value.avro-confluent.schema' = '((?:[^']|'')*)'", text)
    assert "department''s" in schema
    assert loader.json.loads(schema.replace("''", "'")) == loader.document(f"raw/{AUSTIN}")


def test_every_feed_with_a_raw_schema_is_normalised():
    assert jobs.feeds() == [AUSTIN, SAN_DIEGO]
    assert {topic.name for topic in jobs.normalize(SOMEWHERE).sources} == {f"raw.{AUSTIN}", f"raw.{SAN_DIEGO}"}


def test_only_a_job_without_state_may_start_from_committed_offsets():
    assert "'group-offsets'" in definition(jobs.normalize(SOMEWHERE), f"raw_{AUSTIN}")
    assert "'earliest-offset'" in definition(jobs.windows(SOMEWHERE), "incidents")


def test_the_count_key_is_the_order_of_the_contract():
    assert list(tables.COUNT_KEY) == loader.field_names(topics.INCIDENT_COUNTS.schema)[:6]


def test_transactional_sinks_never_share_their_ids():
    transactional = tables.Cluster("broker:9092", "http://registry", exactly_once=True)
    inserts = [insert for make in jobs.JOBS.values() for insert in make(transactional).inserts]
    prefixes = re.findall(r"'sink.transactional-id-prefix' = '([^']+)'", " ".join(inserts))
    assert len(set(prefixes)) == len(inserts)


def test_the_fingerprint_ignores_addresses_and_notices_guarantee_and_statements():
    here = jobs.windows(SOMEWHERE).fingerprint
    assert jobs.windows(tables.Cluster("other:1", "http://other")).fingerprint == here
    assert jobs.windows(tables.Cluster("broker:9092", "http://registry", exactly_once=True)).fingerprint != here
    assert jobs.normalize(SOMEWHERE).fingerprint != here


def test_a_placeholder_without_crosswalk_says_what_to_add(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "NORMALIZE", tmp_path)
    monkeypatch.setattr(jobs, "_row_as_json", str)
    (tmp_path / "feed.sql").write_text("select {{ colour }} from x;", encoding="utf-8")
    with pytest.raises(ConfigError, match="add a crosswalk"):
        jobs.script(tmp_path / "feed.sql")


def test_comments_and_closing_semicolons_are_no_part_of_a_statement(tmp_path):
    (tmp_path / "two.sql").write_text("-- why; not\nselect 1;\n\nselect ';' as a\nfrom b;\n", encoding="utf-8")
    assert jobs.statements(tmp_path / "two.sql") == ["select 1", "select ';' as a\nfrom b"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("normalize/san_diego_calls", ["raw_san_diego_calls", "incidents", "dead_letters", "san_diego_calls_parsed"]),
        ("windows/counts_by_day", ["incidents", "incident_counts", "current_incidents"]),
    ],
)
def test_the_sql_command_prints_all_that_a_shell_needs(name, made):
    printed = CliRunner().invoke(app, ["jobs", "sql", name]).stdout
    assert re.findall(r"^create temporary (?:table|view) `?(\w+)", printed, re.MULTILINE) == made
    assert "{{" not in printed


def test_the_sql_command_names_the_files_there_are():
    outcome = CliRunner().invoke(app, ["jobs", "sql", "normalize/nowhere"])
    assert isinstance(outcome.exception, ConfigError)
    assert "windows/counts_by_day" in str(outcome.exception)
