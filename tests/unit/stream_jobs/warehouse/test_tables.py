"""Columns, types, partitions and keys of the tables."""

from __future__ import annotations

import pytest

from schemas import loader
from schemas.errors import ConfigError
from stream_jobs.warehouse import tables
from stream_jobs.warehouse.tables import (
    DEAD_LETTERS,
    DRIFT,
    INCIDENT_COUNTS,
    INCIDENT_REVISIONS,
    INCIDENTS,
    INDICATOR_REVISIONS,
    INDICATORS,
    PERSON_REVISIONS,
    PERSONS,
    POLLS,
    STAGES,
    TABLES,
    Table,
)


def types(table: Table) -> dict[str, str]:
    return {column.name: column.type for column in table.columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_each_table_has_every_field_of_its_schema_with_its_description_then_loaded_at(table: Table) -> None:
    fields = {field["name"]: field["doc"] for field in loader.document(table.topic.schema)["fields"]}
    described = {column.name: column.description for column in table.columns}
    assert fields.items() <= described.items()
    assert table.columns[-1].name == "loaded_at"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_integer_and_no_identity_is_ever_a_float(table: Table) -> None:
    floats = {name for name, kind in types(table).items() if kind == "FLOAT64"}
    assert floats <= {"latitude", "longitude", "value"}


def test_civil_times_are_datetimes_and_instants_are_timestamps() -> None:
    kinds = types(INCIDENTS)
    assert [kinds[name] for name in ("occurred_local", "reported_local", "occurred_at")] == [
        "DATETIME",
        "DATETIME",
        "TIMESTAMP",
    ]
    assert types(INCIDENT_COUNTS)["window_start"] == "DATETIME"
    assert types(DEAD_LETTERS)["payload"] == "BYTES"
    assert types(INCIDENTS)["domestic"] == "BOOL"
    assert types(INDICATORS)["month"] == "DATE"


@pytest.mark.parametrize(
    ("table", "partition", "cluster", "key"),
    [
        (INCIDENTS, "occurred_date", ["source", "category", "area"], ("incident_id",)),
        (INCIDENT_REVISIONS, "occurred_date", ["source", "category", "area"], ("incident_id", "revision")),
        (PERSONS, "occurred_date", ["source", "role", "category"], ("person_id",)),
        (PERSON_REVISIONS, "occurred_date", ["source", "role", "category"], ("person_id", "revision")),
        (INDICATORS, "month", ["source", "indicator", "area"], ("indicator_id",)),
        (INDICATOR_REVISIONS, "month", ["source", "indicator", "area"], ("indicator_id", "revision")),
        (
            INCIDENT_COUNTS,
            "window_date",
            ["source", "grain", "category"],
            ("source", "grain", "window_start", "area", "category", "kind"),
        ),
        (POLLS, "started_at", ["source"], ("poll_id",)),
        (DEAD_LETTERS, "observed_at", ["source", "reason"], ("dead_id",)),
        (DRIFT, "observed_at", ["source"], ("kafka_partition", "kafka_offset")),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_tables_are_partitioned_by_month_and_clustered(
    table: Table, partition: str, cluster: list[str], key: tuple[str, ...]
) -> None:
    made = table.definition("p", "d")
    assert (made.time_partitioning.type_, made.time_partitioning.field) == ("MONTH", partition)
    assert made.clustering_fields == cluster
    assert table.key == key
    assert made.labels["application"] == "civicwire"
    assert made.description.startswith("One row per")


def test_a_field_that_came_later_is_not_required() -> None:
    required = {column.name: column.required for column in INCIDENTS.columns}
    assert required["incident_id"]
    assert not required["quality_flags"]
    assert not required["occurred_local"]


def test_staged_rows_expire_by_day_and_no_staged_column_is_required() -> None:
    for stage in STAGES.values():
        made = stage.definition("p", "d")
        assert (made.time_partitioning.type_, made.time_partitioning.expiration_ms) == ("DAY", 86_400_000)
        assert not any(column.required for column in stage.columns)
        assert len({column.name for column in stage.columns}) == len(stage.columns)


def test_a_field_of_a_type_without_a_column_type_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'position'"):
        tables._column({"name": "position", "type": {"type": "map", "values": "string"}, "doc": "."})
