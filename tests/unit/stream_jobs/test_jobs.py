"""What the jobs are made of: tables from Avro files, SQL from files, a fingerprint that notices a change."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from stream_rows import AUSTIN, SAN_DIEGO
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.commands import jobs as start
from schemas import kafka_topics, loader, topics
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
        ({"type": "int", "logicalType": "date"}, "date not null"),
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
    whole = loader.document(f"raw/{AUSTIN}")
    read = [field for field in whole["fields"] if field["name"] in jobs.NORMALIZED_FIELDS]
    assert loader.json.loads(schema.replace("''", "'")) == {**whole, "fields": read}


def test_every_feed_with_a_raw_schema_is_normalised():
    raw = {path.stem for path in (loader.FOLDER / "raw").glob("*.avsc")}
    assert set(jobs.feeds()) == raw
    assert {topic.name for topic in jobs.normalize(SOMEWHERE).sources} == {f"raw.{source}" for source in raw}


def test_normalise_reads_the_chosen_feeds_alone_in_whatever_order_they_are_named():
    job = jobs.normalize(SOMEWHERE, [SAN_DIEGO, AUSTIN])
    assert [topic.name for topic in job.sources] == [f"raw.{AUSTIN}", f"raw.{SAN_DIEGO}"]
    assert job == jobs.normalize(SOMEWHERE, [AUSTIN, SAN_DIEGO])
    assert not [text for text in (*job.definitions, *job.inserts) if "california" in text]


def test_another_set_of_feeds_is_another_job_so_that_no_checkpoint_of_the_first_is_taken():
    both = jobs.normalize(SOMEWHERE, [AUSTIN, SAN_DIEGO])
    assert jobs.normalize(SOMEWHERE, [AUSTIN]).fingerprint != both.fingerprint


@pytest.mark.parametrize(
    ("chosen", "sinks"),
    [
        ([AUSTIN], [topics.INCIDENTS, topics.DEAD_LETTERS]),
        (["california_laus"], [topics.INDICATORS, topics.DEAD_LETTERS]),
        (["catalonia_hate_persons"], [topics.PERSONS, topics.DEAD_LETTERS]),
        ([AUSTIN, "california_laus"], [topics.INCIDENTS, topics.INDICATORS, topics.DEAD_LETTERS]),
    ],
)
def test_normalise_writes_the_topics_that_its_feeds_fill(chosen, sinks):
    assert list(jobs.normalize(SOMEWHERE, chosen).sinks) == sinks


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


@pytest.mark.parametrize(
    ("present", "polled"),
    [([], None), ([f"raw.{SAN_DIEGO}"], [SAN_DIEGO]), ([f"raw.{AUSTIN}", f"raw.{SAN_DIEGO}"], [AUSTIN, SAN_DIEGO])],
)
def test_the_feeds_that_are_polled_are_those_whose_topic_exists_and_none_means_all(monkeypatch, present, polled):
    monkeypatch.setattr(kafka_topics, "present", lambda _: dict.fromkeys([*present, "raw.unknown", "incidents"]))
    assert start.feeds_polled("broker:9092") == polled


def test_a_feed_keeps_its_transactions_when_another_comes_before_it():
    transactional = tables.Cluster("broker:9092", "http://registry", exactly_once=True)
    alone = jobs.normalize(transactional, [SAN_DIEGO]).inserts
    assert set(alone) < set(jobs.normalize(transactional, [AUSTIN, SAN_DIEGO]).inserts)


def test_the_fingerprint_ignores_addresses_and_notices_guarantee_settings_and_statements():
    here = jobs.windows(SOMEWHERE).fingerprint
    assert jobs.windows(tables.Cluster("other:1", "http://other")).fingerprint == here
    assert jobs.windows(tables.Cluster("broker:9092", "http://registry", exactly_once=True)).fingerprint != here
    otherwise = {**jobs.windows(SOMEWHERE).settings, "table.optimizer.agg-phase-strategy": "TWO_PHASE"}
    assert replace(jobs.windows(SOMEWHERE), settings=otherwise).fingerprint != here, "state of another shape"
    assert jobs.normalize(SOMEWHERE).fingerprint != here


def test_a_placeholder_without_crosswalk_says_what_to_add(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "NORMALIZE", tmp_path)
    monkeypatch.setattr(jobs, "_row_as_json", str)
    (tmp_path / "unmapped.sql").write_text("select {{ colour }} from x;", encoding="utf-8")
    with pytest.raises(ConfigError, match="add a crosswalk"):
        jobs.script(tmp_path / "unmapped.sql")


def test_a_file_that_is_no_template_is_named(tmp_path):
    (tmp_path / "broken.sql").write_text("select {{ 1", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be filled in"):
        jobs.script(tmp_path / "broken.sql")


def selected(query: str) -> list[str]:
    """The names of a select's columns: what stands last in each, split at commas outside parentheses and quotes."""
    items, depth, quoted = [""], 0, False
    for character in query:
        quoted ^= character == "'"
        depth += 0 if quoted else (character in "([") - (character in ")]")
        if character == "," and not depth and not quoted:
            items.append("")
        else:
            items[-1] += character
    return [re.split(r"[\s.]", item.strip())[-1] for item in items]


@pytest.mark.parametrize("source", jobs.feeds())
def test_an_insert_names_the_columns_in_the_order_in_which_it_selects_them(source):
    """Flink goes by the order alone: a name in another place would put a value into the wrong column."""
    for statement in jobs.statements(jobs.NORMALIZE / f"{source}.sql"):
        if not statement.startswith("insert"):
            continue
        topic, named, query = re.fullmatch(
            r"insert into (\w+)(?: \(\n(.*?)\n\))?\nselect\n(.*)\nfrom [^\n]*_parsed\n.*", statement, re.DOTALL
        ).groups()
        schema = {"dead_letters": "dead_letter"}.get(topic, topic.removesuffix("s"))
        columns = re.split(r",\s+", named.strip()) if named else [f"{name}" for name in loader.field_names(schema)]
        assert columns == selected(query)
        assert {column.strip("`") for column in columns} <= set(loader.field_names(schema))


def test_comments_and_closing_semicolons_are_no_part_of_a_statement(tmp_path):
    (tmp_path / "two.sql").write_text("-- why; not\nselect 1;\n\nselect ';' as a\nfrom b;\n", encoding="utf-8")
    assert jobs.statements(tmp_path / "two.sql") == ["select 1", "select ';' as a\nfrom b"]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("normalize/san_diego_calls", ["raw_san_diego_calls", "incidents", "dead_letters", "san_diego_calls_parsed"]),
        ("normalize/california_laus", ["raw_california_laus", "indicators", "dead_letters", "california_laus_parsed"]),
        (
            "normalize/catalonia_hate_persons",
            ["raw_catalonia_hate_persons", "persons", "dead_letters", "catalonia_hate_persons_parsed"],
        ),
        (
            "windows/incident_counts",
            [
                *("incidents", "incident_counts"),
                *("incident_revisions", "incident_changes", "window_changes", "window_steps"),
            ],
        ),
    ],
)
def test_the_sql_command_prints_all_that_a_shell_needs(name, made):
    printed = CliRunner().invoke(app, ["jobs", "sql", name]).stdout
    assert re.findall(r"^create temporary (?:table|view) `?(\w+)", printed, re.MULTILINE) == made
    assert "{{" not in printed


def test_the_sql_command_names_the_files_there_are():
    outcome = CliRunner().invoke(app, ["jobs", "sql", "normalize/nowhere"])
    assert isinstance(outcome.exception, ConfigError)
    assert "windows/incident_counts" in str(outcome.exception)


def test_a_later_version_of_a_job_writes_and_reads_later_topics_under_names_of_its_own():
    versions = {"incidents": 2, "dead_letters": 2, "incident_counts": 3, "arrivals": 3}
    again = tables.Cluster("broker:9092", "http://registry", versions=versions)
    normalize, windows = jobs.normalize(again, [AUSTIN]), jobs.windows(again)
    assert (normalize.name, normalize.group) == ("normalize.v2", "civicwire-normalise.v2")
    assert [topic.name for topic in normalize.sinks] == ["incidents.v2", "dead_letters.v2"]
    assert [topic.name for topic in normalize.sources] == [f"raw.{AUSTIN}"]
    assert (windows.name, windows.group) == ("windows.v3", "civicwire-windows.v3")
    assert [topic.name for topic in (*windows.sources, *windows.sinks)] == [
        *("incidents.v2", "incident_counts.v3", "arrivals.v3")
    ]
    assert "'topic' = 'incidents.v2'" in definition(windows, "incidents")
    assert "'value.avro-confluent.subject' = 'incidents.v2-value'" in definition(windows, "incidents")
    assert normalize.inserts == jobs.normalize(SOMEWHERE, [AUSTIN]).inserts, "the SQL knows of no versions"


def test_versions_of_a_job_never_share_transactions():
    made = [
        jobs.normalize(tables.Cluster("broker:9092", "http://registry", exactly_once=True, versions=versions), [AUSTIN])
        for versions in ({}, {"incidents": 2, "dead_letters": 2})
    ]
    first, second = (set(re.findall(r"'sink.transactional-id-prefix' = '([^']+)'", str(job))) for job in made)
    assert first
    assert not first & second
