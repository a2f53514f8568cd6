"""``civicwire poll``: look at the portals once and publish what changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from producers.catalog import Source
    from producers.poll import Connections, Difference

COLUMNS = ("inserted", "revised", "deleted", "expired", "reappeared", "unchanged", "dead", "late", "requests")


def poll(  # noqa: C901, PLR0912, PLR0917 - the options of one command
    sources: Annotated[list[str] | None, typer.Argument(help="Keys of the sources; all when left out.")] = None,
    accept_shrink: Annotated[
        bool, typer.Option(help="Believe a complete scan that lost more rows than the source's shrink_limit.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Find what would be published, and publish nothing.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="With --dry-run: print each row that differs, its fields before and after.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: each source at its own cadence, until Ctrl-C or SIGTERM.")
    ] = False,
    at_once: Annotated[int, typer.Option(min=1, max=32, help="With --follow: how many are polled together.")] = 2,
    every: Annotated[float, typer.Option(min=0, help="With --follow: seconds between polls; 0 is each cadence.")] = 0,
    since: Annotated[
        str | None,
        typer.Option(
            envvar="CIVICWIRE_SINCE",
            help="First day of a feed that has never been polled (YYYY-MM-DD); see `civicwire backfill`.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipts as JSON lines.")] = False,
) -> None:
    """Poll each source once: every new, revised, deleted or reappeared row is published, in one transaction a source.

    Exit code 1 when a source failed (the others are polled all the same), 2 for an unknown source, 3 when Kafka or the
    registry is not running.
    """
    from civicwire.commands import console
    from civicwire.polling import collect_garbage_seldom, connections
    from civicwire.settings import Settings
    from producers import catalog
    from producers.poll import Poller
    from schemas.errors import CivicwireError, ConfigError, UnreachableError

    if diff and not dry_run:
        raise ConfigError("--diff shows what a dry run finds: add --dry-run.")
    settings = Settings()
    collect_garbage_seldom()
    chosen = [catalog.find(key) for key in sources] if sources else list(catalog.load_all().values())
    reach = connections(settings, _day(since) if since else None)
    if follow:
        _follow(chosen, reach, at_once=at_once, every=every, as_json=as_json)
        return
    failed = False
    table = Table("source", "status", "scan", *COLUMNS, "seconds")
    errors = console(stderr=True)
    for source in chosen:
        started = time.perf_counter()
        try:
            poller = Poller(source, reach)
            try:
                if dry_run:
                    preview = poller.preview(accept_shrink=accept_shrink)
                    receipt = preview.receipt
                    if diff:
                        _print_differences(source.key, preview.differences, as_json=as_json)
                else:
                    receipt = poller.poll(accept_shrink=accept_shrink)
            finally:
                poller.close()
        except UnreachableError:
            raise  # no other feed would fare better
        except CivicwireError as error:
            failed = True
            errors.print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
            continue
        if as_json:
            typer.echo(json.dumps(receipt, default=_iso))
        counts = [f"{receipt[name]:,}" for name in COLUMNS]
        seconds = f"{time.perf_counter() - started:.1f}"
        table.add_row(source.key, receipt["status"], receipt["scan"], *counts, seconds)
    if dry_run and not as_json:
        console().print("Dry run: nothing was published, the cursors stay.")
    if not as_json and table.row_count:
        console().print(table)
    if failed:
        raise typer.Exit(1)


def _day(text: str) -> str:
    from datetime import date

    from schemas.errors import ConfigError

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ConfigError(f"{text!r} is no day: write it like 2026-11-21.") from None


def _follow(chosen: list[Source], reach: Connections, *, at_once: int, every: float, as_json: bool) -> None:
    """Poll until a signal; exit code 1 when other processes have taken over every source."""
    import structlog

    from civicwire import heartbeat, logs, stopping
    from civicwire.follow import Feed, Follower
    from civicwire.settings import Settings
    from schemas.errors import CivicwireError

    settings = Settings()
    logs.configure(settings.log_format)
    heartbeat.stop(settings)
    polled: set[str] = set()
    log = structlog.get_logger("civicwire.poll")

    def told(feed: Feed, receipt: dict[str, Any] | None, error: CivicwireError | None) -> None:
        about = {"source": feed.source.key, "phase": feed.phase, "next_in_seconds": round(feed.wait().total_seconds())}
        if receipt is None:
            polled.discard(feed.source.key)
            heartbeat.stop(settings)
            log.error("poll failed", **about, kind=type(error).__name__, error=str(error))
            return
        polled.add(feed.source.key)
        if len(polled) == len(chosen):
            heartbeat.beat(settings)
        log.info("polled", **about, **{name: receipt[name] for name in COLUMNS if receipt[name]})
        if as_json:
            typer.echo(json.dumps({**receipt, "phase": feed.phase}, default=_iso))

    follower = Follower(chosen, reach, told, at_once=at_once, every=every)
    stop = stopping.on_signal()
    follower.run(stop)
    if not stop.is_set():
        raise typer.Exit(1)


def _print_differences(source: str, differences: Iterable[Difference], *, as_json: bool) -> None:
    from civicwire.commands import console

    out = console()
    for one in differences:
        if as_json:
            fields = {name: {"before": old, "after": new} for name, (old, new) in one.fields().items()}
            about = {"source": source, "record_id": one.record_id, "op": one.op, "revision": one.revision}
            typer.echo(json.dumps({**about, "late": one.late, "fields": fields}))
            continue
        late = " late" if one.late else ""
        out.print(f"[bold]{one.op}{late}[/bold] {escape(one.record_id)}", highlight=False)
        for name, (old, new) in one.fields().items():
            sides = [escape(side) if side is not None else "-" for side in (old, new)]
            out.print(f"    {escape(name)}: [red]{sides[0]}[/red] -> [green]{sides[1]}[/green]", highlight=False)


def _iso(value: Any) -> str:
    """Return an instant as ISO text."""
    return str(value.isoformat())


def register(app: typer.Typer) -> None:
    """Add ``poll``."""
    app.command()(poll)
