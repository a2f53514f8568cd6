"""``civicwire backup`` and ``civicwire restore``: the topics as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

JSON = typer.Option(False, "--json", help="Print what was written as JSON.")


def backup(folder: Annotated[Path, typer.Argument(help="A new folder.")], as_json: bool = JSON) -> None:
    """Write every topic with keys, values, headers and schemas into files. Pollers and jobs may go on meanwhile.

    Exit code 2 when the folder holds something, 3 when the broker or the registry is not running.
    """
    from civicwire.backup import backup as write
    from civicwire.commands import console
    from civicwire.settings import Settings

    manifest = write(Settings(), folder, console(stderr=as_json).print)
    if as_json:
        typer.echo(json.dumps(manifest))


def restore(folder: Annotated[Path, typer.Argument(help="What backup wrote.")], as_json: bool = JSON) -> None:
    """Fill an empty broker and registry from a backup: every record at its offset, every reader where it was.

    Exit code 2 for a folder that is no backup or a broker that is not empty, 3 when broker or registry do not run.
    """
    from civicwire.backup import restore as read
    from civicwire.commands import console
    from civicwire.settings import Settings

    manifest = read(Settings(), folder, console(stderr=as_json).print)
    if as_json:
        typer.echo(json.dumps(manifest))


def register(app: typer.Typer) -> None:
    """Add both."""
    app.command()(backup)
    app.command()(restore)
