"""Which topics and columns belong to a generation, told from the statements alone."""

from __future__ import annotations

import pytest
import sqlglot

from schemas import topics
from stream_jobs.versions import Generation, Versions
from stream_jobs.warehouse import compare, exchange, progress
from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.tables import STAGES, TABLES

HERE = Warehouse("project", "civicwire", "US")


def test_without_a_record_the_first_generation_is_live_and_nothing_stands_beside_it():
    assert (Versions().current, Versions().beside, Versions().holding) == (Generation(), None, False)
    assert progress.reads({}) == {name: name for name in STAGES}


def test_a_writer_of_a_later_generation_reads_its_topics_and_the_letters_of_the_pollers():
    read = progress.reads({"incidents": 2, "dead_letters": 2})
    assert read["incidents.v2"] == "incidents"
    assert "incidents" not in read
    assert (read["dead_letters.v2"], read["dead_letters"]) == ("dead_letters", "dead_letters")
    assert read["polls"] == "polls"


def test_a_version_keeps_partitions_settings_and_schema_of_its_topic():
    again = topics.ARRIVALS.at({"arrivals": 3})
    assert again.subject == "arrivals.v3-value"
    assert (again.partitions, again.config, again.schema) == (
        topics.ARRIVALS.partitions,
        topics.ARRIVALS.config,
        topics.ARRIVALS.schema,
    )
    assert topics.ARRIVALS.at({"arrivals": 1}) is topics.ARRIVALS


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_where_a_row_was_read_and_when_it_was_loaded_is_not_compared(table):
    assert not {"version", "loaded_at", "kafka_partition", "kafka_offset"} & set(compare.compared(table))
    assert set(compare.compared(table)) | set(table.key) <= {column.name for column in table.columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_comparison_is_sql_over_columns_that_the_tables_have(table):
    common = compare.statement(HERE, 2, table, sources=True, since=True)
    names = {column.name for column in table.columns}
    for query in (common + compare.COUNTS, common + compare.EXAMPLES.format(keys=table.key[0])):
        parsed = sqlglot.parse_one(query, dialect="bigquery")
        used = {column.name for column in parsed.find_all(sqlglot.exp.Column) if column.table in ("o", "n")}
        assert used <= names
        assert "civicwire_v2" in query


def test_all_tables_are_exchanged_in_one_transaction():
    steps = exchange.statement(HERE, 2).split(";\n")
    assert (steps[0], steps[-1]) == ("begin transaction", "commit transaction")
    assert [step.split("`")[1] for step in steps if step.startswith("truncate")] == [
        f"project.civicwire.{table.name}" for table in TABLES
    ]
    assert len(steps) == 2 + 2 * len(TABLES)
