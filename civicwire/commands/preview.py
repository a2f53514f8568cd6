"""``civicwire preview``: the dashboards as static pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from civicwire.preview.results import Result


def preview(  # noqa: PLR0917 typer passes options by name
    out: Annotated[Path | None, typer.Option(help="Folder of the pages; <home>/preview when left out.")] = None,
    dashboard: Annotated[
        list[str] | None, typer.Option("--dashboard", "-d", help="Only this dashboard, by its file name; repeatable.")
    ] = None,
    pictures: Annotated[Path | None, typer.Option(help="Also write a PNG of each page here (needs Chromium).")] = None,
    time_from: Annotated[str | None, typer.Option("--from", help="Start of the period: now-3y/M, 2024-01-31 …")] = None,
    time_to: Annotated[str | None, typer.Option("--to", help="End of the period.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Render the dashboards to HTML pages without Grafana, by running each panel's query on the warehouse.

    Exit code 1 when a query failed (the page shows its error), 2 for a period or a dashboard that cannot be read, 3
    when the warehouse is not running.
    """
    from civicwire.commands import console as wide
    from civicwire.preview import picture as camera
    from civicwire.preview.make import make
    from civicwire.settings import Settings

    settings = Settings()
    folder = out or settings.home / "preview"
    made = make(settings, folder, names=dashboard or (), time_from=time_from, time_to=time_to)
    taken = camera.take([page.file for page in made.pages], pictures) if pictures is not None else []
    if as_json:
        answer = {
            "ok": not made.failed and not made.errors,
            "index": str(made.index),
            "pictures": [str(one) for one in taken],
            "errors": list(made.errors),
            "dashboards": [
                {
                    "name": page.name,
                    "title": page.dashboard.title,
                    "file": str(page.file),
                    "from": page.period.start.isoformat(),
                    "to": page.period.end.isoformat(),
                    "panels": [_panel(result) for result in page.results],
                }
                for page in made.pages
            ],
        }
        typer.echo(json.dumps(answer, indent=2))
    else:
        console = wide()
        for page in made.pages:
            for result in page.failed:
                words = f"{page.dashboard.title}, panel {result.panel.id} {result.panel.title}: {result.error}"
                console.print(words, markup=False, style="red")
            empty = [result.panel.title for result in page.results if result.empty and not result.error]
            without = f", without rows: {', '.join(empty)}" if empty else ""
            console.print(f"{page.dashboard.title}: {len(page.results)} panels{without}", markup=False)
        for error in made.errors:
            console.print(error, markup=False, style="red")
        console.print(f"{made.index}", markup=False)
        for one in taken:
            console.print(f"picture: {one}", markup=False)
    if made.failed or made.errors:
        raise typer.Exit(1)


def _panel(result: Result) -> dict[str, Any]:
    return {
        "id": result.panel.id,
        "title": result.panel.title,
        "type": result.panel.kind,
        "rows": len(result.rows),
        "seconds": round(result.seconds, 3),
        "error": result.error,
    }


def register(app: typer.Typer) -> None:
    """Add ``preview``."""
    app.command()(preview)
