"""``civicwire poll``: look at the portals once and publish what changed."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer
from rich.table import Table

COLUMNS = ("inserted", "revised", "deleted", "reappeared", "unchanged", "dead", "late", "requests")


def poll(
    sources: Annotated[list[str] | None, typer.Argument(help="Keys of the sources; all when left out.")] = None,
    accept_shrink: Annotated[
        bool, typer.Option(help="Believe a complete scan that lost more rows than the source's shrink_limit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipts as JSON lines.")] = False,
) -> None:
    """Poll each source once: every new, revised, deleted or reappeared row is published, in one transaction a source.

    Exit code 1 when a source failed (the others are polled all the same), 2 for an unknown source, 3 when Kafka or the
    registry is not running.
    """
    from civicwire.commands import console
    from civicwire.polling import connections
    from civicwire.settings import Settings
    from producers import catalog
    from producers.poll import Poller
    from schemas.errors import CivicwireError

    settings = Settings()
    chosen = [catalog.find(key) for key in sources] if sources else list(catalog.load_all().values())
    reach = connections(settings)
    failed = False
    table = Table("source", "status", "scan", *COLUMNS, "seconds")
    errors = console(stderr=True)
    for source in chosen:
        started = time.perf_counter()
        try:
            poller = Poller(source, reach)
            try:
                receipt = poller.poll(accept_shrink=accept_shrink)
            finally:
                poller.close()
        except CivicwireError as error:
            failed = True
            errors.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
            continue
        if as_json:
            typer.echo(json.dumps(receipt, default=_iso))
        counts = [f"{receipt[name]:,}" for name in COLUMNS]
        seconds = f"{time.perf_counter() - started:.1f}"
        table.add_row(source.key, receipt["status"], receipt["scan"], *counts, seconds)
    if not as_json and table.row_count:
        console().print(table)
    if failed:
        raise typer.Exit(1)


def _iso(value: Any) -> str:
    """Return an instant as ISO text."""
    return str(value.isoformat())


def register(app: typer.Typer) -> None:
    """Add ``poll``."""
    app.command()(poll)
