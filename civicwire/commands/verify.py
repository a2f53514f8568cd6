"""``civicwire verify``: prove that what is held is what the portal holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer


def verify(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Keys of the sources; all that were polled by default.")
    ] = None,
    warehouse: Annotated[bool, typer.Option(help="Compare with the warehouse too.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a comparison.")] = False,
) -> None:
    """Read each feed whole and compare portal, raw topic, ledger and warehouse row by row. Nothing is changed.

    Exit code 1 when something differs or a portal could not be read, 2 for an unknown source, 3 when a part is not
    running.
    """
    from rich.markup import escape
    from rich.table import Table

    from civicwire.commands import console
    from civicwire.polling import last_receipts
    from civicwire.settings import Settings
    from civicwire.verify import examples
    from civicwire.verify import verify as compare
    from producers import catalog
    from schemas.errors import CivicwireError, ConfigError, EnvironmentMissingError

    settings = Settings()
    chosen = [catalog.find(key) for key in sources or sorted(last_receipts(settings))]
    if not chosen:
        raise ConfigError("Nothing was polled yet: `civicwire poll` first.")
    table = Table("source", "compared", "rows", "equal", "differences", "note")
    good = True
    for source in chosen:
        try:
            found = compare(settings, source, warehouse=warehouse)
        except EnvironmentMissingError:
            raise
        except CivicwireError as error:
            good = False
            console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}")
            continue
        for one in found:
            good = good and one.equal
            if as_json:
                typer.echo(json.dumps({"source": source.key, "equal": one.equal, **asdict(one)}))
                continue
            told = ", ".join(f"{count:,} {kind}" for kind, count in one.differences.items())
            told = f"{told} ({examples(one)})" if told else ""
            equal = "yes" if one.equal else "[red]no[/red]"
            table.add_row(source.key, f"{one.left}, {one.right}", f"{one.rows:,}", equal, escape(told), one.note)
    if not as_json and table.row_count:
        console().print(table)
    if not good:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add ``verify``."""
    app.command()(verify)
