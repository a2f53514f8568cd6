"""``civicwire preview``: the dashboard as one static page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def preview(
    out: Annotated[Path | None, typer.Option(help="The page; <home>/preview.html when left out.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Also write a PNG of the page (needs Chromium).")] = None,
    time_from: Annotated[str | None, typer.Option("--from", help="Start of the period: now-3y/M, 2024-01-31 …")] = None,
    time_to: Annotated[str | None, typer.Option("--to", help="End of the period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Render the dashboard to one HTML page without Grafana, by running each panel's query on the warehouse.

    Exit code 1 when a panel's query failed (the page shows its error), 2 for a period that cannot be read, 3 when the
    warehouse is not running.
    """
    from rich.console import Console

    from civicwire.preview import picture as camera
    from civicwire.preview.make import make
    from civicwire.settings import Settings

    settings = Settings()
    made = make(settings, out or settings.home / "preview.html", time_from=time_from, time_to=time_to)
    if picture is not None:
        camera.take(made.file, picture)
    if as_json:
        panels = [
            {
                "id": result.panel.id,
                "title": result.panel.title,
                "type": result.panel.kind,
                "rows": len(result.rows),
                "seconds": round(result.seconds, 3),
                "error": result.error,
            }
            for result in made.results
        ]
        answer = {
            "ok": not made.failed,
            "file": str(made.file),
            "picture": str(picture) if picture else None,
            "from": made.period.start.isoformat(),
            "to": made.period.end.isoformat(),
            "panels": panels,
        }
        typer.echo(json.dumps(answer, indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for result in made.failed:
            console.print(f"panel {result.panel.id} {result.panel.title}: {result.error}", markup=False, style="red")
        empty = sum(result.empty and not result.error for result in made.results)
        console.print(
            f"{len(made.results)} panels, {len(made.failed)} failed, {empty} without rows: {made.file}", markup=False
        )
        if picture is not None:
            console.print(f"picture: {picture}", markup=False)
    if made.failed:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add ``preview``."""
    app.command()(preview)
