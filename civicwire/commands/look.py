"""``civicwire topic`` and ``civicwire query``: look at any topic and any table."""

from __future__ import annotations

import json
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
) -> None:
    """Run SQL on the warehouse and print the rows.

    Exit code 2 for SQL that the warehouse refuses, 3 when it is not running.
    """
    from google.cloud import bigquery
    from rich.table import Table

    from civicwire.commands import console
    from civicwire.settings import Settings
    from stream_jobs.warehouse.connection import connect, explained

    settings = Settings()
    warehouse = connect(settings)
    config = bigquery.QueryJobConfig(default_dataset=f"{settings.project}.{settings.dataset}")
    try:
        with explained():
            rows = list(warehouse.client.query(sql, job_config=config).result())
    finally:
        warehouse.close()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(dict(row.items()), default=_plain, ensure_ascii=False))
        return
    table = Table(*(rows[0].keys() if rows else ["no rows"]))
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console().print(table)


def _plain(value: Any) -> str:
    """Return bytes as text and everything else that JSON lacks in its own words."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def register(app: typer.Typer) -> None:
    """Add both."""
    app.command()(topic)
    app.command()(query)
