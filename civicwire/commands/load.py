"""``civicwire load``: from the topics into the warehouse."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from stream_jobs.warehouse.writer import Report

_SKIP_PARTS = 3


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(load)


def load(  # noqa: PLR0917 (typer makes options of them)
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep loading what arrives, until SIGTERM or Ctrl-C finishes the batch.")
    ] = False,
    every: Annotated[
        float, typer.Option(help="With --follow: longest wait for more messages, in seconds. On BigQuery take 60.")
    ] = 0.1,
    rows: Annotated[int, typer.Option(help="Messages in a batch.", min=1)] = 200_000,
    load_from: Annotated[
        int, typer.Option(help="Rows of one topic in a batch from which a load job is used, not appends.", min=1)
    ] = 500,
    skip: Annotated[
        list[str] | None,
        typer.Option(help="TOPIC:PARTITION:OFFSET of a message to leave out because it cannot be decoded."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Load the topics into the warehouse until it has everything that they hold now."""
    from civicwire.settings import Settings
    from stream_jobs.warehouse.writer import Limits, Writer

    settings = Settings()
    limits = Limits(rows=rows, flush_seconds=every, load_from_rows=load_from)
    skipped = [_message(text) for text in skip or []]
    with Writer.of(settings, limits=limits, skip=skipped) as writer:
        if follow:
            from civicwire import heartbeat, logs, stopping

            logs.configure(settings.log_format)
            heartbeat.stop(settings)
            report = writer.run(stopping.on_signal(), lambda: heartbeat.beat(settings))
        else:
            report = writer.catch_up()
    _print(report, as_json=as_json)


def _message(text: str) -> tuple[str, int, int]:
    parts = text.rsplit(":", 2)
    if len(parts) != _SKIP_PARTS or not (parts[1].isdigit() and parts[2].isdigit()):
        raise ConfigError(f"--skip {text!r} names no message: write it as TOPIC:PARTITION:OFFSET, as the error does.")
    return parts[0], int(parts[1]), int(parts[2])


def _print(report: Report, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    summary = f"{report.read:,} messages in {report.batches} batches, {report.seconds:.1f} s"
    if not sys.stdout.isatty():
        for name, table in report.tables.items():
            typer.echo(f"{name}\t{table.read}\t{table.merged}\t{table.seconds:.2f}")
        typer.echo(summary)
        return
    from rich.console import Console
    from rich.table import Table

    grid = Table("table")
    for heading in ("read", "changed", "seconds"):
        grid.add_column(heading, justify="right")
    for name, table in report.tables.items():
        grid.add_row(name, f"{table.read:,}", f"{table.merged:,}", f"{table.seconds:.2f}")
    console = Console()
    console.print(grid)
    console.print(summary)
