"""Two generations of the tables, row by row: what a replay would change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from schemas import loader
from stream_jobs.warehouse.connection import Parameter, Warehouse, explained
from stream_jobs.warehouse.tables import ARRIVALS, INCIDENT_COUNTS, POLLS, TABLES, Table

SQL = Path(__file__).parent / "sql" / "difference.sql"
COUNTS = """\
select
    countif(is_old) as old_rows,
    countif(is_new) as new_rows,
    countif(settled and not is_new) as only_old,
    countif(settled and not is_old) as only_new,
    countif(settled and differs) as differing,
    countif(not settled and (differs or not is_new or not is_old)) as moving,
from paired"""
EXAMPLES = """\
select * from paired
where settled and (differs or not is_new or not is_old)
order by {keys}
limit @examples"""
SEEN = {INCIDENT_COUNTS.name: "last_observed_at", ARRIVALS.name: "window_start", POLLS.name: "started_at"}
"""Column that says when a row was observed, where it is not ``observed_at``."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row that is not the same: its key, and of each column that differs the old and the new value.

    ``only`` is old or new where the other side has no such row.
    """

    key: dict[str, Any]
    values: dict[str, tuple[Any, Any]]
    only: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One table of two generations.

    Attributes:
        table: its name.
        old_rows: rows of the live generation.
        new_rows: rows of the other.
        only_old: rows that the other does not have.
        only_new: rows that the live one does not have.
        differing: rows of both whose values are not the same.
        moving: rows that are not the same and were written while the comparison ran: they may be on their way.
        examples: some of those that count.
    """

    table: str
    old_rows: int
    new_rows: int
    only_old: int
    only_new: int
    differing: int
    moving: int
    examples: tuple[Example, ...] = field(default=())

    @property
    def total(self) -> int:
        """Rows that are not the same."""
        return self.only_old + self.only_new + self.differing


def difference(
    warehouse: Warehouse,
    generation: int,
    table: Table,
    *,
    settled: dt.datetime,
    sources: Sequence[str] = (),
    since: dt.datetime | None = None,
    examples: int = 5,
) -> Difference:
    """Return how ``table`` of ``generation`` differs from the live one in the columns of its schema.

    Args:
        warehouse: the live dataset.
        generation: number of the other.
        table: which table.
        settled: UTC instant; whatever was published before it is in both. Compared with ``loaded_at``.
        sources: only rows of these feeds.
        since: only rows that either side observed from this instant on.
        examples: how many rows to bring along.

    Raises:
        FatalError, RetriableError: the warehouse refused or does not answer.
    """
    paired = statement(warehouse, generation, table, sources=bool(sources), since=since is not None)
    given: list[Parameter] = [bigquery.ScalarQueryParameter("settled", "TIMESTAMP", settled)]
    if sources:
        given.append(bigquery.ArrayQueryParameter("sources", "STRING", list(sources)))
    if since is not None:
        given.append(bigquery.ScalarQueryParameter("since", "TIMESTAMP", since))
    with explained("Nothing was changed: run it again."):
        (counts,) = warehouse.query(paired + COUNTS, *given)
        found = Difference(table.name, **dict(counts.items()))
        if not found.total or not examples:
            return found
        keys = ", ".join(f"`{name}`" for name in table.key)
        limit = bigquery.ScalarQueryParameter("examples", "INT64", examples)
        rows = list(warehouse.query(paired + EXAMPLES.format(keys=keys), *given, limit))
    return Difference(table.name, **dict(counts.items()), examples=tuple(_example(table, row) for row in rows))


def compared(table: Table) -> list[str]:
    """Return the columns that are compared: those of the schema but the key. Offsets and times of loading are not."""
    return [name for name in loader.field_names(table.topic.schema) if name not in table.key]


def statement(warehouse: Warehouse, generation: int, table: Table, *, sources: bool, since: bool) -> str:
    """Return the common part of the queries: the rows of both generations in pairs."""
    names = compared(table)
    beside = warehouse.beside(generation)
    seen = SEEN.get(table.name, "observed_at")
    wanted = ["true"]
    if sources:
        wanted.append("coalesce(o.source, n.source) in unnest(@sources)")
    if since:
        wanted.append(f"(o.{seen} >= @since or n.{seen} >= @since)")
    return SQL.read_text(encoding="utf-8").format(
        name=table.name,
        old=f"{warehouse.project}.{warehouse.dataset}.{table.name}",
        new=f"{warehouse.project}.{beside.dataset}.{table.name}",
        differs=" or ".join(f"o.`{name}` is distinct from n.`{name}`" for name in names) or "false",
        columns=",\n        ".join(
            [
                *(f"coalesce(o.`{name}`, n.`{name}`) as `{name}`" for name in table.key),
                *(f"o.`{name}` as `old_{name}`,\n        n.`{name}` as `new_{name}`" for name in names),
            ]
        ),
        same_key=" and ".join(f"o.`{name}` = n.`{name}`" for name in table.key),
        wanted=" and ".join(wanted),
    )


def all_tables(warehouse: Warehouse, generation: int, **how: Any) -> list[Difference]:
    """Return the difference of every table; ``how`` as for :func:`difference`."""
    return [difference(warehouse, generation, table, **how) for table in TABLES]


def _example(table: Table, row: Any) -> Example:
    pairs = {name: (row[f"old_{name}"], row[f"new_{name}"]) for name in compared(table)}
    only = None if row["is_old"] and row["is_new"] else "old" if row["is_old"] else "new"
    return Example(
        {name: row[name] for name in table.key},
        {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        only,
    )
