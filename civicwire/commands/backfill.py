"""``civicwire backfill``: read history that a feed's bound has kept out, or a part of a feed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def backfill(  # noqa: PLR0917 - the options of one command
    source: Annotated[str | None, typer.Argument(help="Key of the source; left out with --file.")] = None,
    since: Annotated[str | None, typer.Option(help="First day to read, YYYY-MM-DD.")] = None,
    until: Annotated[
        str | None, typer.Option(help="First day not to read; a part that is held already is read again up to it.")
    ] = None,
    cut: Annotated[str, typer.Option("--slice", help="day, month or year: how much is read at a time.")] = "month",
    file: Annotated[Path | None, typer.Option(help="A reviewed request under backfills/.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print requests, rows and bytes of each slice; read none.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print slices or receipts as JSON lines.")] = False,
) -> None:
    """Read the rows of a feed from --since up to what is held, slice by slice, beside live polling.

    Stopped at any time, it goes on where it was. Exit code 1 when a slice failed, 2 for a request that cannot be, 3
    when Kafka or the registry is not running.
    """
    from pydantic import ValidationError

    from civicwire.backfill import Backfill, Request, read_file
    from civicwire.polling import collect_garbage_seldom
    from civicwire.settings import Settings
    from schemas.errors import ConfigError

    if file is not None:
        request = read_file(file)
    elif source is None or since is None:
        raise ConfigError("Name a source and --since, or a --file.")
    else:
        try:
            request = Request.model_validate({"source": source, "since": since, "until": until, "slice": cut})
        except ValidationError as error:
            problem = error.errors()[0]
            raise ConfigError(f"{problem['loc'][0]}: {problem['msg']}. Write days like 2026-11-21.") from error
    collect_garbage_seldom()
    work = Backfill(Settings(), request)
    try:
        if plan:
            _print_plan(work, as_json=as_json)
        else:
            _run(work, as_json=as_json)
    finally:
        work.close()


def _print_plan(work: Any, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from civicwire.commands import console

    table = Table("from", "to", "what", "requests", "rows", "bytes")
    rows = requests = size = 0
    for one in work.plan():
        if as_json:
            typer.echo(json.dumps({**asdict(one.slice), **asdict(one.estimate)}))
        counts = [f"{value:,}" if value is not None else "?" for value in (one.estimate.rows, one.estimate.bytes)]
        what = "new" if one.slice.widens else "again"
        table.add_row(one.slice.since, one.slice.until, what, f"{one.estimate.requests:,}", *counts)
        requests += one.estimate.requests
        rows += one.estimate.rows or 0
        size += one.estimate.bytes or 0
    table.add_row("in all", "", "", f"{requests:,}", f"{rows:,}", f"{size:,}", style="bold")
    if not as_json:
        console().print(table)


def _run(work: Any, *, as_json: bool) -> None:
    from civicwire.commands import console

    out = console()
    total = len(work.slices)
    done = 0

    def told(one: Any, receipt: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        if as_json:
            typer.echo(json.dumps({"since": one.since, "until": one.until, **receipt}, default=str))
            return
        counts = ", ".join(
            f"{receipt[name]:,} {name}" for name in ("rows_in", "inserted", "revised", "unchanged", "dead", "requests")
        )
        out.print(f"{done}/{total} {one.since} to {one.until}: {counts.replace('_', ' ')}", highlight=False)

    work.run(told)


def register(app: typer.Typer) -> None:
    """Add ``backfill``."""
    app.command()(backfill)
