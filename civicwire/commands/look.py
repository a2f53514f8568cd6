"""``civicwire topic``, ``tables`` and ``query``: look at any topic and any table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer


def topic(
    name: Annotated[str | None, typer.Argument(help="A topic, such as raw.san_diego_calls; none lists them.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest records of each partition to show.")] = 5,
    key: Annotated[str | None, typer.Option(help="Show every record with this key instead, oldest first.")] = None,
) -> None:
    """List the topics, or print records of one as JSON lines: partition, offset, time (UTC), key, value.

    Exit code 2 for a topic that does not exist, 3 when the broker or the registry is not running.
    """
    from civicwire.reading import records, sizes
    from civicwire.settings import Settings

    settings = Settings()
    if name is None:
        for found, count in sizes(settings).items():
            typer.echo(f"{found}\t{count}")
        return
    for record in records(settings, name, last=last, key=key):
        typer.echo(json.dumps(record, default=_plain, ensure_ascii=False))


def query(
    sql: Annotated[str, typer.Argument(help="GoogleSQL; tables of the home's dataset need no prefix.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    parquet: Annotated[
        Path | None, typer.Option("--parquet", help="Write a Parquet file instead of printing.", dir_okay=False)
    ] = None,
) -> None:
    """Run SQL on the warehouse and print the rows as a table, as JSON lines or as CSV, or write them as Parquet.

    Exit code 2 for SQL that the warehouse refuses or two forms at once, 3 when it is not running.
    """
    from contextlib import closing

    from civicwire import browse
    from civicwire.settings import Settings
    from schemas.errors import ConfigError
    from stream_jobs.warehouse.connection import connect, explained

    if as_json + as_csv + (parquet is not None) > 1:
        raise ConfigError("--json, --csv and --parquet are three forms of the same rows: choose one.")
    with closing(connect(Settings())) as warehouse, explained():
        rows = browse.run(warehouse, sql)
        if parquet is not None:
            count = browse.write_parquet(rows, parquet)
            typer.echo(f"{count:,} rows in {parquet}", err=True)
        elif as_csv:
            browse.write_csv(rows, sys.stdout)
        elif as_json:
            for row in rows:
                typer.echo(json.dumps(dict(row.items()), default=_plain, ensure_ascii=False))
        else:
            _print_rows(rows)


def _print_rows(rows: Iterable[Any]) -> None:
    from rich.table import Table

    from civicwire.commands import console

    found = list(rows)
    table = Table(*(found[0].keys() if found else ["no rows"]))
    for row in found:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console().print(table)


def tables(
    name: Annotated[str | None, typer.Argument(help="A table, such as civicwire_marts.builds; none: list.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the tables and views of the warehouse with their rows, or the columns of one with what they mean.

    Exit code 2 for a table that does not exist, 3 when the warehouse is not running.
    """
    from contextlib import closing
    from dataclasses import asdict

    from rich.table import Table

    from civicwire import browse
    from civicwire.commands import console
    from civicwire.settings import Settings
    from stream_jobs.warehouse.connection import connect, explained

    with closing(connect(Settings())) as warehouse, explained():
        found = list(browse.relations(warehouse)) if name is None else browse.columns(warehouse, name)
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one), ensure_ascii=False))
        return
    shown = Table(*(["table", "kind", "rows", "by", "what"] if name is None else ["column", "type", "null", "what"]))
    for one in found:
        if isinstance(one, browse.Relation):
            rows = "" if one.rows is None else f"{one.rows:,}"
            shown.add_row(one.name, one.kind.lower(), rows, one.partitioned_by or "", _first_sentence(one.description))
        else:
            shown.add_row(one.name, one.kind, "" if one.required else "yes", _first_sentence(one.description))
    console().print(shown)


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].removesuffix(".")


def _plain(value: Any) -> str:
    """Return bytes as text and everything else that JSON lacks in its own words."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def register(app: typer.Typer) -> None:
    """Add all three."""
    app.command()(topic)
    app.command()(tables)
    app.command()(query)
