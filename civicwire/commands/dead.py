"""``civicwire dead``: rows that could not be used, what was sent, and reading them again."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from civicwire.dead import Wanted

SOURCE = Annotated[str | None, typer.Option(help="Only of this source.")]
STAGE = Annotated[str | None, typer.Option(help="Only of this stage: poll or normalise.")]
REASON = Annotated[str | None, typer.Option(help="Only with this reason code.")]
SINCE = Annotated[str | None, typer.Option(help="Only met at or after this ISO date or instant (UTC).")]
JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def ls(
    source: SOURCE = None, stage: STAGE = None, reason: REASON = None, since: SINCE = None, as_json: JSON = False
) -> None:
    """Count the dead letters by source, stage and reason, with the id of the newest. Exit code 3: no broker."""
    from rich.table import Table

    from civicwire.commands import console
    from civicwire.dead import summary
    from civicwire.settings import Settings

    found = summary(Settings(), _wanted(source, stage, reason, since))
    if as_json:
        for row in found:
            typer.echo(json.dumps(row))
        return
    columns = ("source", "stage", "reason", "letters", "first", "last", "newest")
    table = Table(*columns)
    for row in found:
        table.add_row(*(str(row[name]) for name in columns))
    console().print(table if found else "No dead letters.")


def show(
    dead_id: Annotated[str, typer.Argument(help="The id, as `civicwire dead ls` names it.")],
    payload: Annotated[bool, typer.Option("--payload", help="Write only the bytes that were sent.")] = False,
) -> None:
    """Show one dead letter as JSON, or with --payload exactly the bytes that were sent. Exit code 2: not there."""
    from civicwire.dead import Wanted, letters
    from civicwire.settings import Settings
    from schemas.errors import ConfigError

    letter = next(letters(Settings(), Wanted(dead_id=dead_id)), None)
    if letter is None:
        raise ConfigError(f"There is no dead letter {dead_id}: `civicwire dead ls` names some.")
    if payload:
        sys.stdout.buffer.write(letter["payload"])
        sys.stdout.buffer.flush()
        return
    typer.echo(json.dumps(letter, default=_plain, ensure_ascii=False, indent=2))


def replay(  # noqa: PLR0917 - the options of one command
    source: SOURCE = None,
    stage: STAGE = None,
    reason: REASON = None,
    since: SINCE = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what normalise has refused after a replay: its SQL is mended now.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Read dead letters again with today's source files and SQL; what can be used now is published.

    It can be repeated: a letter whose row has been published since is left alone, and one that was refused after a
    replay waits for --again. Exit code 1 when letters are still dead, 3 when the broker or the registry is not running.
    """
    from rich.table import Table

    from civicwire.commands import console
    from civicwire.dead import replay as read_again
    from civicwire.settings import Settings

    done = read_again(Settings(), _wanted(source, stage, reason, since), again=again)
    columns = ("letters", "published", "superseded", "still dead")
    table = Table("source", *columns)
    for name, one in done.items():
        counts = {"letters": one.letters, "published": one.published}
        counts |= {"superseded": one.superseded, "still dead": one.still_dead}
        if as_json:
            typer.echo(json.dumps({"source": name, **{k.replace(" ", "_"): v for k, v in counts.items()}}))
        table.add_row(name, *(f"{counts[column]:,}" for column in columns))
    if not as_json:
        console().print(table if done else "No dead letters.")
    if any(one.still_dead for one in done.values()):
        raise typer.Exit(1)


def _wanted(source: str | None, stage: str | None, reason: str | None, since: str | None) -> Wanted:
    from civicwire.dead import Wanted
    from schemas.errors import ConfigError

    try:
        moment = datetime.fromisoformat(since) if since else None
    except ValueError:
        raise ConfigError(
            f"{since!r} is no ISO date or instant: write it like 2026-11-21 or 2026-11-21T08:00."
        ) from None
    if moment is not None:
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return Wanted(source, stage, reason, moment)


def _plain(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def register(app: typer.Typer) -> None:
    """Add ``dead``."""
    group = typer.Typer(
        no_args_is_help=True, help="Rows that could not be used: list them, look at one, read them again."
    )
    group.command("ls")(ls)
    group.command("show")(show)
    group.command("replay")(replay)
    app.add_typer(group, name="dead")
