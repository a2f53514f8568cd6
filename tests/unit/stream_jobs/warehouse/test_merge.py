"""What the merge statements say; what they do is tested on the warehouse."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from stream_jobs.warehouse import merge
from stream_jobs.warehouse.tables import (
    DEAD_LETTERS,
    INCIDENT_COUNTS,
    INCIDENT_REVISIONS,
    INCIDENTS,
    INDICATOR_REVISIONS,
    INDICATORS,
    PERSON_REVISIONS,
    PERSONS,
    STAGES,
    TABLES,
    Table,
)

MONTH = dt.date(2026, 3, 1)


def statement(table: Table, *, withdrawals: bool) -> str:
    return merge.statement(table, "p.d.t", "p.d_stage.t", {MONTH}, withdrawals=withdrawals)


def whens(table: Table, *, withdrawals: bool) -> list[str]:
    """The clauses of the statement, from ``when`` on."""
    return statement(table, withdrawals=withdrawals).split("\nwhen ")[1:]


def test_neighbouring_months_become_one_literal_range_and_rows_without_a_date_their_own_term() -> None:
    months = [dt.date(2026, 1, 1), dt.date(2025, 12, 1), dt.date(2026, 3, 1), None]
    assert merge.pruned(INCIDENTS, months) == (
        "((t.occurred_date >= date '2025-12-01' and t.occurred_date < date '2026-02-01')"
        " or (t.occurred_date >= date '2026-03-01' and t.occurred_date < date '2026-04-01')"
        " or t.occurred_date is null)"
    )


def test_an_instant_as_partition_is_compared_with_timestamps() -> None:
    assert "timestamp '2026-03-01'" in merge.pruned(DEAD_LETTERS, [MONTH])


def test_no_month_matches_nothing() -> None:
    assert merge.pruned(INCIDENTS, []) == "false"


def test_the_months_of_a_batch_include_that_of_rows_without_a_date() -> None:
    days = pa.array([dt.date(2026, 3, 31), dt.date(2026, 3, 1), None, dt.date(2024, 2, 29)])
    assert merge.months_in(pa.table({"occurred_date": days}), "occurred_date") == {MONTH, dt.date(2024, 2, 1), None}


def test_the_months_of_instants_are_those_of_utc() -> None:
    last = dt.datetime(2026, 3, 31, 23, 59, tzinfo=dt.UTC)
    rows = pa.table({"observed_at": pa.array([last], pa.timestamp("us", tz="UTC"))})
    assert merge.months_in(rows, "observed_at") == {MONTH}


@pytest.mark.parametrize("withdrawals", [True, False])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_merge_is_pruned_takes_one_batch_and_inserts_every_column(table: Table, withdrawals: bool) -> None:
    text = statement(table, withdrawals=withdrawals)
    condition = text.split("\non ")[1].split("\nwhen ")[0]
    assert f"t.{table.partition} >=" in condition
    assert all(f"t.`{name}` = s.`{name}`" in condition for name in table.key)
    assert "batch_id = @batch_id" in text
    inserts = [clause for clause in whens(table, withdrawals=withdrawals) if "insert (" in clause]
    assert len(inserts) == 1
    for form in ("`{}`", "s.`{}`"):
        assert ", ".join(form.format(column.name) for column in table.columns) in inserts[0]


@pytest.mark.parametrize("table", [INCIDENT_REVISIONS, INDICATOR_REVISIONS, DEAD_LETTERS], ids=lambda table: table.name)
def test_a_table_whose_rows_never_change_is_never_updated(table: Table) -> None:
    assert not [clause for clause in whens(table, withdrawals=True) if "update set" in clause]


@pytest.mark.parametrize("withdrawals", [True, False])
@pytest.mark.parametrize(
    ("table", "version"),
    [(INCIDENTS, "revision"), (PERSONS, "revision"), (INDICATORS, "revision"), (INCIDENT_COUNTS, "version")],
)
def test_an_update_needs_a_higher_version(table: Table, version: str, withdrawals: bool) -> None:
    updates = [clause for clause in whens(table, withdrawals=withdrawals) if "update set" in clause]
    assert updates
    assert all(f"s.{version} > t.{version}" in clause.split("then")[0] for clause in updates)


@pytest.mark.parametrize(
    ("revisions", "current"),
    [(INCIDENT_REVISIONS, INCIDENTS), (PERSON_REVISIONS, PERSONS)],
    ids=["incidents", "persons"],
)
def test_revisions_are_taken_first_so_that_their_months_are_known_after_a_crash(
    revisions: Table, current: Table
) -> None:
    assert merge.ORDER[current.name] == (revisions, current)
    assert merge.MOVING[current.name] is revisions


def test_every_table_of_every_staged_topic_is_merged() -> None:
    assert merge.ORDER.keys() == STAGES.keys()
    assert {table.name for order in merge.ORDER.values() for table in order} == {table.name for table in TABLES}


def test_only_a_revision_without_an_occurrence_is_a_withdrawal() -> None:
    held = pa.array([dt.datetime(2026, 3, 5), None], pa.timestamp("us"))  # noqa: DTZ001 (a civil time)
    assert merge.has_withdrawals(pa.table({"occurred_local": held}))
    assert not merge.has_withdrawals(pa.table({"occurred_local": held[:1]}))
    assert not merge.has_withdrawals(pa.table({"window_start": held}))
