"""The commands of the command line, one module each; every module has ``register(app)``."""

from __future__ import annotations

from importlib import import_module

import typer
from rich.console import Console

PIPE_WIDTH = 160
"""Columns of a table that goes to a file or a pipe, where nobody can widen the window."""

MODULES = (
    "stack",
    "poll",
    "backfill",
    "replay",
    "verify",
    "dead",
    "jobs",
    "load",
    "build",
    "preview",
    "dashboards",
    "look",
    "asof",
    "backup",
    "metrics",
    "source",
    "sandbox",
    "demo",
)


def register(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    for name in MODULES:
        import_module(f"civicwire.commands.{name}").register(app)


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or wide enough for every table where there is none."""
    made = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, soft_wrap=True, width=PIPE_WIDTH)
