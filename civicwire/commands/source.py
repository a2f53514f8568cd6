"""``civicwire source``: add a feed, and check its files."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from civicwire.scaffold.propose import Proposal

source = typer.Typer(no_args_is_help=True, help="Add a feed from its portal's address, and check a feed's files.")

SANDBOX = "sandbox"
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class ProtocolName(StrEnum):
    """How a dataset is read."""

    socrata = "socrata"
    arcgis = "arcgis"
    ckan = "ckan"
    csv_file = "csv_file"


def register(app: typer.Typer) -> None:
    """Add ``source`` and its commands to ``app``."""
    app.add_typer(source, name="source")


@source.command()
def new(
    key: Annotated[str, typer.Argument(help="The feed's name: small letters, digits and underscores.")],
    *,
    url: Annotated[str, typer.Option("--from", help="Address of the dataset: its page, its API or its CSV file.")],
    time_zone: Annotated[
        str | None, typer.Option(help="IANA zone of the feed's civil times, like America/Chicago.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="crime_report, call_for_service, offence, hate_crime, accident or service_request."),
    ] = None,
    protocol: Annotated[ProtocolName | None, typer.Option(help="Where the address does not say it.")] = None,
    portal: Annotated[
        str | None,
        typer.Option(help="Base URL to ask instead of the address's own; `sandbox`: the running stack's portal."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Words for people; default: the portal's.")] = None,
    licence: Annotated[str | None, typer.Option(help="Default: what the portal states.")] = None,
    counts: Annotated[
        str | None, typer.Option(help="What one row is: incidents, highest_offence, offences, calls, …")
    ] = None,
    means: Annotated[str | None, typer.Option(help="That in a sentence, and what is left out.")] = None,
    record_id: Annotated[
        list[str] | None, typer.Option(help="Column of the key; several times for a longer one; `hash` for none.")
    ] = None,
    event_time: Annotated[str | None, typer.Option(help="Column of the event's time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the files instead of writing them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Draft a feed's files from what its portal says and a sample of its rows.

    What was guessed is printed and stands in the source file. Nothing that exists is overwritten. Exit code 1: the
    portal does not answer; 2: something that only a person can say is missing.
    """
    from civicwire.scaffold.propose import Wanted, propose, write
    from civicwire.settings import Settings

    wanted = Wanted(
        key=key,
        url=url,
        protocol=None if protocol is None else protocol.value,
        portal=str(Settings().require("portal").portal) if portal == SANDBOX else portal,
        time_zone=time_zone,
        kind=kind,
        title=title,
        licence=licence,
        counts=counts,
        means=means,
        record_id=tuple(record_id or ()),
        event_time=event_time,
    )
    proposal = propose(wanted)
    if as_json:
        _print_json(proposal, dry_run=dry_run)
    else:
        _print(proposal)
    if dry_run:
        if not as_json:
            for name, text in proposal.files.items():
                typer.echo(f"\n--- {name}\n{text}", nl=False)
        return
    write(proposal)
    if not as_json:
        typer.echo("Wrote")
        for name in proposal.files:
            typer.echo(f"  {name}")
        typer.echo(f"Next: check the guesses, then `civicwire source check {key}` and `pytest --source {key}`.")


@source.command()
def check(
    keys: Annotated[list[str] | None, typer.Argument(help="Keys of the sources; all of them by default.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check that a feed's files fit together: source, schema, SQL, crosswalks and the sandbox's description.

    Exit code 2: a file is wrong, or there is no such source.
    """
    from civicwire.commands import console
    from civicwire.scaffold.check import problems
    from producers import catalog

    chosen = keys or sorted(path.stem for path in catalog.FOLDER.glob("*.yaml"))
    found = {key: problems(key) for key in chosen}
    if as_json:
        typer.echo(json.dumps(found))
    for key, wrong in found.items() if not as_json else ():
        for one in wrong:
            console(stderr=True).print(f"{key}: {one}", markup=False)
        if not wrong:
            typer.echo(f"{key}: source, schema, SQL and crosswalks fit together")
    if any(found.values()):
        raise typer.Exit(2)


def _print(proposal: Proposal) -> None:
    """Print what was found and every guess with its reason."""
    from rich.table import Table

    from civicwire.commands import console
    from civicwire.scaffold.words import one_line

    draft = proposal.draft
    rows = len(draft.dataset.rows)
    total = "" if draft.dataset.total is None else f" of {draft.dataset.total:,}"
    out = console()
    out.print(
        f"{one_line(draft.title)}: {len(draft.dataset.columns)} columns, a sample of {rows:,}{total} rows", markup=False
    )
    table = Table("guessed", "taken", "because", title=None)
    for guess in draft.guess.why:
        table.add_row(*(_plain(text) for text in guess))
    out.print(table)
    for note in proposal.notes:
        out.print(f"Note: {one_line(note)}", markup=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    from civicwire.scaffold.words import one_line

    return escape(one_line(text))


def _print_json(proposal: Proposal, *, dry_run: bool) -> None:
    guesses = [{"about": about, "taken": taken, "why": why} for about, taken, why in proposal.guess.why]
    files: object = proposal.files if dry_run else [str(Path(name)) for name in proposal.files]
    typer.echo(
        json.dumps(
            {"key": proposal.draft.key, "guesses": guesses, "notes": proposal.notes, "files": files}, ensure_ascii=False
        )
    )
