"""What is published now, counted: the figures that a warehouse must come to."""

from __future__ import annotations

from typing import Any

from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Store


def summary(store: Store) -> dict[str, Any]:
    """Return counts of the published rows: all, by event month, by category, by area, and null values by column.

    The event month is that of the first event column that has a value, local civil time; ``2400`` counts for the day
    that the portal names. A column that is no longer published counts as absent.
    """
    stored = {p.stored for p in store.state.columns}
    event = [quoted(c) for c in store.feed.event if c in stored]
    moment = f"coalesce({', '.join(event)}, '')" if len(event) > 1 else f"coalesce({event[0]}, '')" if event else "''"
    state = store.state
    newest, oldest = store.read(f"select max({moment}), min(nullif({moment}, '')) from \"rows\"").fetchone()  # noqa: S608
    return {
        "feed": store.feed.name,
        "rows": store.count(),
        "version": state.version,
        "rows_updated_at": state.rows_updated_at,
        "newest_event": newest or None,
        "oldest_event": oldest,
        "by_month": _counted(store, f"substr({moment}, 1, 7)"),
        "by_category": _counted(store, _column(store.feed.category, stored)),
        "by_area": _counted(store, _column(store.feed.area, stored)),
        "nulls": _nulls(store),
    }


def _column(name: str, stored: set[str]) -> str:
    return f"coalesce({quoted(name)}, '')" if name in stored else "''"


def _counted(store: Store, expression: str) -> dict[str, int]:
    """Return rows by ``expression``, in its order; the empty text stands for null."""
    sql = f'select {expression} as counted, count(*) from "rows" group by counted order by counted'  # noqa: S608
    return {str(value): int(rows) for value, rows in store.read(sql)}


def _nulls(store: Store) -> dict[str, int]:
    columns = store.state.columns
    counted = ", ".join(f"sum({quoted(p.stored)} is null or {quoted(p.stored)} = '')" for p in columns)
    values = store.read(f'select {counted} from "rows"').fetchone()  # noqa: S608 - our own identifiers
    return {p.column.field: int(n or 0) for p, n in zip(columns, values, strict=True)}
