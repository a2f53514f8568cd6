"""``civicwire sandbox``: the local portal, started and steered from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from civicwire.sandbox.client import SandboxClient

sandbox = typer.Typer(no_args_is_help=True, help="A local portal that behaves like the real ones and knows the truth.")

PortalOption = Annotated[str | None, typer.Option("--portal", help="Base URL; default: the running stack's portal.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FeedArgument = Annotated[str, typer.Argument(help="Name of a feed that the portal publishes.")]


def register(app: typer.Typer) -> None:
    """Add ``sandbox`` and its commands to ``app``."""
    app.add_typer(sandbox, name="sandbox")


def _client(portal: str | None) -> SandboxClient:
    from civicwire.sandbox.client import SandboxClient
    from civicwire.settings import Settings

    return SandboxClient(portal or str(Settings().require("portal").portal))


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    """Print an answer: JSON, or its values as one line each."""
    if as_json:
        typer.echo(json.dumps(answer))
        return
    for name, value in answer.items():
        typer.echo(f"{name}: {json.dumps(value) if isinstance(value, dict | list) else value}")


@sandbox.command()
def serve(
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one and prints it.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    state: Annotated[Path | None, typer.Option(help="Folder that keeps the rows; default: in the home folder.")] = None,
    fill: Annotated[
        list[str] | None, typer.Option(help="Feed that gets made-up rows first if it holds none; repeatable.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="With --fill: how many rows each.")] = 10_000,
) -> None:
    """Serve the portal until interrupted."""
    from civicwire.sandbox.server import run
    from civicwire.settings import Settings

    run(host, port, state or Settings().home / "portal", fill=fill or (), rows=rows)


@sandbox.command()
def publish(
    file: Annotated[Path, typer.Argument(help="YAML file that describes the dataset; docs/add-a-city.md shows one.")],
    *,
    rows: Annotated[int, typer.Option(min=0, help="How many made-up rows to fill it with; 0 leaves them.")] = 0,
    portal: PortalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a dataset that a file describes, as a city would: columns, and rows drawn from its examples.

    Exit code 2: the file does not describe a dataset.
    """
    from schemas.errors import ConfigError

    try:
        description = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({error}): name a YAML file that describes a dataset.") from error
    client = _client(portal)
    published = client.publish(description)
    if rows:
        published["rows"] = client.seed(str(published["feed"]), rows)["rows"]
    _show(published, as_json=as_json)


@sandbox.command()
def seed(
    feed: FeedArgument,
    *,
    rows: Annotated[int, typer.Option(min=0, help="How many rows.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Equal seeds and days give equal rows.")] = 1,
    first: Annotated[str | None, typer.Option("--from", help="First day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day, YYYY-MM-DD; default: yesterday.")] = None,
    portal: PortalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a feed anew with made-up rows of the real shape."""
    _show(_client(portal).seed(feed, rows, seed, until=until, first=first), as_json=as_json)


@sandbox.command()
def mutate(
    feed: FeedArgument,
    *,
    insert: Annotated[int, typer.Option(min=0, help="New rows at the end.")] = 0,
    late: Annotated[int, typer.Option(min=0, help="New rows that happened well before the newest.")] = 0,
    revise: Annotated[int, typer.Option(min=0, help="Rows with a changed value.")] = 0,
    delete: Annotated[int, typer.Option(min=0, help="Rows that vanish.")] = 0,
    seed: Annotated[int, typer.Option(help="Which random changes.")] = 1,
    portal: PortalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a feed as its city does, and print the touched keys."""
    client = _client(portal)
    touched = client.mutate(feed, insert=insert, late=late, revise=revise, delete=delete, seed=seed)
    if as_json:
        _show(touched, as_json=True)
    else:
        _show(
            {kind: " ".join(change["key"] for change in changes) or "-" for kind, changes in touched.items()},
            as_json=False,
        )


@sandbox.command()
def truth(
    feed: FeedArgument,
    *,
    rows: Annotated[bool, typer.Option("--rows", help="Print every row as a line of JSON instead of counts.")] = False,
    portal: PortalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what the portal publishes now, counted or row by row."""
    client = _client(portal)
    if not rows:
        _show(client.summary(feed), as_json=as_json)
        return
    for row in client.truth(feed):
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


@sandbox.command()
def faults(
    kind: Annotated[
        str | None,
        typer.Argument(help="status, html, cut, empty_page, repeat_page, shuffle, drop_rows, slow or reset."),
    ] = None,
    *,
    match: Annotated[str, typer.Option(help="Regular expression on the decoded path and query.")] = ".*",
    times: Annotated[int, typer.Option(min=0, help="Requests to spoil; 0: all.")] = 1,
    after: Annotated[int, typer.Option(min=0, help="Matching requests to let pass first.")] = 0,
    status: Annotated[int, typer.Option(help="Code of kind status.")] = 500,
    clear: Annotated[bool, typer.Option("--clear", help="Forget all faults first.")] = False,
    portal: PortalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Spoil coming answers, or list the faults in force when no kind is given."""
    client = _client(portal)
    if clear:
        client.clear_faults()
    if kind is not None:
        client.add_fault(kind, match, times=times or None, after=after, status=status)
    listed = client.faults()
    if as_json:
        _show({"faults": listed}, as_json=True)
    else:
        _show(
            {
                str(i): f"{f['kind']} {f['match']} hits={f['hits']}/{f['times'] or 'all'}"
                for i, f in enumerate(listed, 1)
            },
            as_json=False,
        )
