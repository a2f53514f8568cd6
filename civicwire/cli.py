"""The ``civicwire`` command. Each command lives in ``civicwire/commands/`` and imports its room when it runs."""

from __future__ import annotations

import sys
import warnings

import typer
from authlib.deprecate import AuthlibDeprecationWarning  # type: ignore[import-untyped]
from dotenv import load_dotenv
from rich.console import Console

from civicwire.commands import register
from civicwire.settings import ROOT
from schemas.errors import CivicwireError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False, help=__doc__)
register(app)


def main() -> None:
    """Run the command line; an error of ours becomes one line and its exit code, never a stack trace."""
    # The registry client imports a module that its own library deprecates; nobody here can act on that.
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    # The file that compose reads as well; the environment wins, and a child process reads it like its parent.
    load_dotenv(ROOT / ".env")
    try:
        app()
    except CivicwireError as error:
        Console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
