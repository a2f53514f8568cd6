"""From the stage into the tables: one MERGE a table, pruned to the months that the batch can touch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from google.cloud import bigquery

from stream_jobs.warehouse.connection import Warehouse
from stream_jobs.warehouse.tables import (
    ARRIVALS,
    BATCH_ID,
    DEAD_LETTERS,
    DRIFT,
    INCIDENT_COUNTS,
    INCIDENT_REVISIONS,
    INCIDENTS,
    INDICATOR_REVISIONS,
    INDICATORS,
    LOADED_AT,
    PERSON_REVISIONS,
    PERSONS,
    POLLS,
    Table,
)

FOLDER = Path(__file__).parent / "sql"

ORDER = {
    INCIDENTS.topic.name: (INCIDENT_REVISIONS, INCIDENTS),
    PERSONS.topic.name: (PERSON_REVISIONS, PERSONS),
    INDICATORS.topic.name: (INDICATOR_REVISIONS, INDICATORS),
    INCIDENT_COUNTS.topic.name: (INCIDENT_COUNTS,),
    ARRIVALS.topic.name: (ARRIVALS,),
    POLLS.topic.name: (POLLS,),
    DEAD_LETTERS.topic.name: (DEAD_LETTERS,),
    DRIFT.topic.name: (DRIFT,),
}
"""Tables of each topic, in the order of their merges. Revisions go first: whatever ``incidents`` holds of an id is
then in a month in which ``incident_revisions`` holds that id too, also after a crash between the two. The same is true
of persons."""

MOVING = {
    INCIDENTS.topic.name: INCIDENT_REVISIONS,
    PERSONS.topic.name: PERSON_REVISIONS,
    DEAD_LETTERS.topic.name: DEAD_LETTERS,
}
"""Topics of which the same key can come in another month than the table holds it in, and the table to ask.

The month of an indicator is part of its identity, so it never moves."""

OF_REVISION = (
    "revision",
    "op",
    "deleted",
    "observed_at",
    "source_updated_at",
    "poll_id",
    "raw_partition",
    "raw_offset",
    LOADED_AT.name,
)
"""Columns of ``incidents`` and ``persons`` that say which revision this is; all others are values."""

WITHDRAWABLE = frozenset({INCIDENTS.name, PERSONS.name})
"""Tables whose rows keep their values when a later revision cannot be normalised."""

Month = dt.date | None
"""First day of a month; None is the partition of rows without a date."""


def months_in(rows: pa.Table, partition: str) -> set[Month]:
    """Return the months of the rows' partition column."""
    dates: Any = pc.cast(rows.column(partition), pa.timestamp("us"), safe=False)
    months: list[dt.datetime | None] = pc.unique(pc.floor_temporal(dates, unit="month")).to_pylist()
    return {month.date() if month else None for month in months}


def months_held(warehouse: Warehouse, topic: str, stage: str, batch_id: str) -> set[Month]:
    """Return the months in which the warehouse holds keys of the batch, where these can differ from the batch's own."""
    table = MOVING.get(topic)
    if table is None:
        return set()
    sql = _template("months_held").format(
        partition=table.partition, key=table.key[0], target=_name(warehouse, table), stage=stage
    )
    return {row["held"] for row in warehouse.query(sql, _chosen(batch_id))}


def has_withdrawals(rows: pa.Table) -> bool:
    """Return whether any of the rows is a revision of an incident or person without an occurrence."""
    return "occurred_local" in rows.column_names and rows.column("occurred_local").null_count > 0


def merge(
    warehouse: Warehouse, table: Table, stage: str, batch_id: str, months: Iterable[Month], *, withdrawals: bool
) -> int:
    """Merge the batch's rows in ``stage`` into ``table`` and return how many rows that changed or added."""
    sql = statement(table, _name(warehouse, table), stage, months, withdrawals=withdrawals)
    done = warehouse.query(sql, _chosen(batch_id))
    return int(done.num_dml_affected_rows or 0)


def statement(table: Table, target: str, stage: str, months: Iterable[Month], *, withdrawals: bool) -> str:
    """Return the MERGE statement for ``table``; the query parameter ``batch_id`` chooses the rows of ``stage``.

    Withdrawals are rare and their statement is twice the work, so a batch without any gets the plain one.
    """
    names = [column.name for column in table.columns]
    rest = [name for name in names if name not in table.key]
    values = [name for name in rest if name not in OF_REVISION]
    template = "insert_once" if table.version is None else "latest"
    if table.name in WITHDRAWABLE and withdrawals:
        template = "withdrawn"
    return _template(template).format(
        name=table.name,
        version=table.version,
        target=target,
        stage=stage,
        key=", ".join(f"`{name}`" for name in table.key),
        same_key=" and ".join(f"t.`{name}` = s.`{name}`" for name in table.key),
        pruned=pruned(table, months),
        columns=", ".join(f"`{name}`" for name in names),
        inserted=", ".join(f"s.`{name}`" for name in names),
        set_all=_assign(rest),
        set_of_revision=_assign(OF_REVISION),
        of_revision=",\n        ".join(f"latest.`{name}`" for name in OF_REVISION),
        of_values=",\n        ".join(
            f"if(good.{table.key[0]} is null, latest.`{name}`, good.`{name}`) as `{name}`" for name in values
        ),
    )


def pruned(table: Table, months: Iterable[Month]) -> str:
    """Return a predicate on t's partition column with literal bounds, from which BigQuery prunes partitions."""
    column = f"t.{table.partition}"
    literal = "date" if any(c.name == table.partition and c.type == "DATE" for c in table.columns) else "timestamp"
    wanted = set(months)
    spans = [
        f"({column} >= {literal} '{first}' and {column} < {literal} '{end}')"
        for first, end in _spans(sorted(month for month in wanted if month is not None))
    ]
    if None in wanted:
        spans.append(f"{column} is null")
    return f"({' or '.join(spans)})" if spans else "false"


def _spans(months: list[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """Join neighbouring months: first day, and first day after."""
    spans: list[tuple[dt.date, dt.date]] = []
    for month in months:
        following = (month.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        if spans and spans[-1][1] == month:
            spans[-1] = (spans[-1][0], following)
        else:
            spans.append((month, following))
    return spans


def _assign(names: Iterable[str]) -> str:
    return ",\n    ".join(f"`{name}` = s.`{name}`" for name in names)


def _name(warehouse: Warehouse, table: Table) -> str:
    return f"{warehouse.project}.{warehouse.dataset}.{table.name}"


def _chosen(batch_id: str) -> bigquery.ScalarQueryParameter:
    return bigquery.ScalarQueryParameter(BATCH_ID, "STRING", batch_id)


@cache
def _template(name: str) -> str:
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
