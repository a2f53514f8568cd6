"""``civicwire demo``: everything at once, on real parts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

DEFAULT_ROWS = 20_000
LIVE_HOME = ".civicwire-live"


def demo(
    rows: Annotated[
        int, typer.Option(envvar="CIVICWIRE_DEMO_ROWS", min=100, help="Rows in the sandbox portal, all feeds together.")
    ] = DEFAULT_ROWS,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 1,
    live: Annotated[
        bool, typer.Option(help="Poll the last 30 days of the real portals instead of the sandbox.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Run the whole line: start the parts, poll, stream, load, change rows live, build the marts, show the dashboard.

    The stack stays up afterwards, so that you can look at every topic and table; `civicwire down` stops it. Exit code 1
    when a step failed or a figure differs from the portal's truth.
    """
    from civicwire.commands import console as wide
    from civicwire.demo import Demo
    from civicwire.settings import ROOT, Settings

    if live and "CIVICWIRE_HOME" not in os.environ:
        # Recent rows of real portals and sandbox rows must not meet in one home.
        os.environ["CIVICWIRE_HOME"] = str(ROOT / LIVE_HOME)
    settings = Settings()
    console = wide(stderr=as_json)
    running = Demo(settings, console.print)
    outcome = running.run_live() if live else running.run(rows, seed)
    if as_json:
        answer = {
            "equal": outcome.equal,
            "seconds": {**outcome.seconds, "total": round(outcome.total, 1)},
            "receipts": outcome.receipts,
            "changes": outcome.changes,
            "figures": outcome.figures,
            "preview": outcome.preview,
        }
        typer.echo(json.dumps(answer, default=str))
    else:
        _print(console, settings.home, outcome)
    if not outcome.equal:
        raise typer.Exit(1)


def _print(console: Any, home: Path, outcome: Any) -> None:
    from rich.table import Table

    if outcome.changes:
        table = Table(title="Live change: seconds from the portal", title_justify="left")
        for column in ("source", "new", "late", "revised", "deleted", "polled", "in the warehouse", "windows restated"):
            table.add_column(column, justify="left" if column == "source" else "right")
        for change in outcome.changes:
            table.add_row(*(str(value) for value in change.values()))
        console.print(table)
    if outcome.figures:
        table = Table(title="Warehouse against the portal's truth", title_justify="left")
        for column in ("feed or dashboard", "figure or panel", "portal", "warehouse", "equal"):
            table.add_column(column)
        for figure in outcome.figures:
            same = figure["portal"] == figure["warehouse"]
            table.add_row(
                figure["source"],
                figure["figure"],
                _short(figure["portal"]),
                _short(figure["warehouse"]),
                "[green]yes[/green]" if same else "[red]no[/red]",
            )
        console.print(table)
    spent = ", ".join(f"{step} {seconds} s" for step, seconds in outcome.seconds.items())
    console.print(f"{outcome.total:.0f} s in all ({spent})")
    console.print(
        f"\nLook at the dashboards  {outcome.preview}\n"
        "Look at the feeds       civicwire status\n"
        "Look at the jobs        civicwire jobs ls\n"
        f"Stop, keeping the data  civicwire down          (data: {home})"
    )


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return f"{sum(value.values()):,} in {len(value)} groups"
    return f"{value:,}"


def register(app: typer.Typer) -> None:
    """Add ``demo``."""
    app.command()(demo)
