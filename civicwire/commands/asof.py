"""``civicwire asof``: what was known when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import Annotated

import typer


def asof(
    when: Annotated[str, typer.Argument(help="A day (its end, UTC) or an instant: 2026-11-20, 2026-11-20T08:00.")],
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    by: Annotated[str, typer.Option(help="source, kind, month, category, status, area; several by commas.")] = "source",
    show_sql: Annotated[bool, typer.Option("--sql", help="Print the query instead of running it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row.")] = False,
) -> None:
    """Count the incidents as they were known at a past day or instant, before later rows, revisions and deletes.

    Exit code 2 for a time or a column that cannot be, 3 when the warehouse is not running.
    """
    from rich.table import Table

    from civicwire import asof as bitemporal
    from civicwire.commands import console
    from civicwire.settings import Settings
    from schemas.errors import ConfigError

    names = [name.strip() for name in by.split(",") if name.strip()]
    if show_sql:
        typer.echo(bitemporal.sql(names), nl=False)
        return
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        raise ConfigError(f"{when!r} is no day or instant: write it like 2026-11-20 or 2026-11-20T08:00.") from None
    if "T" not in when and " " not in when:
        moment = datetime.combine(moment.date(), time.max)
    rows = bitemporal.counts(Settings(), moment.replace(tzinfo=moment.tzinfo or UTC), names, source)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row, default=str, ensure_ascii=False))
        return
    table = Table(*(rows[0] if rows else ["nothing was known"]))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console().print(table)


def register(app: typer.Typer) -> None:
    """Add ``asof``."""
    app.command()(asof)
