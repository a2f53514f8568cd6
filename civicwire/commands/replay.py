"""``civicwire replay``: make the topics and tables anew beside the live ones, compare, swap, go back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from stream_jobs.versions import Versions
    from stream_jobs.warehouse.compare import Difference

EXAMPLES_SHOWN = 5
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


class What(StrEnum):
    """What a replay does anew; what follows in the stream goes with it."""

    normalize = "normalize"
    windows = "windows"
    load = "load"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(  # noqa: PLR0917 (typer makes options of them)
    job: Annotated[What | None, typer.Option(help="Make this anew, and what follows it, beside what is live.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Compare what was made with what is live, again.")] = False,
    swap: Annotated[bool, typer.Option("--swap", help="Make it the live one; goes on with a broken-off swap.")] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Go back to what was live before; undoes a broken-off swap.")
    ] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what is not live: a replay, or what was kept.")] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(help="Compare these feeds alone; with --job load, write their rows alone anew. Repeatable."),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=_FORMATS,
            help="UTC. Compare rows observed from then on; with --job load, write messages from then on again.",
        ),
    ] = None,
    exactly_once: Annotated[bool, typer.Option(help="With --job: the new jobs write in transactions.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay a job beside the live line, compare old and new, then swap without a reader seeing a gap.

    With no option: which generation is live, and what stands beside it. Differences are no error: a replay after a
    mended SQL file is meant to differ. Needs the broker, the registry, Flink and the warehouse (`civicwire up`).
    """
    from civicwire.replay import Replay
    from civicwire.settings import Settings

    if sum((job is not None, compare, swap, rollback, drop)) > 1:
        raise ConfigError("Choose one of --job, --compare, --swap, --rollback and --drop.")
    bounds: dict[str, Any] = {"sources": source or (), "since": since.replace(tzinfo=UTC) if since else None}
    if any(bounds.values()) and not (job or compare):
        raise ConfigError("--source and --from belong to --job load or --compare.")
    with _shown() as told:
        made = Replay(Settings(), told=lambda text: typer.echo(text, err=True), progress=told)
        if job is not None:
            made.prepare(job.value, exactly_once=exactly_once, **bounds)
            found = made.compare(examples=EXAMPLES_SHOWN, **bounds)
        elif compare:
            found = made.compare(examples=EXAMPLES_SHOWN, **bounds)
        elif swap:
            made.swap()
        elif rollback:
            made.rollback()
        elif drop:
            made.drop()
        state = made.state()
    if job is not None or compare:
        _print_differences(found, as_json=as_json)
    else:
        _print_state(state, as_json=as_json)


@contextmanager
def _shown() -> Iterator[Callable[[str, int], None]]:
    """Yield what shows how many records are left for each stage: bars on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        known: dict[str, tuple[TaskID, int]] = {}

        def told(stage: str, left: int) -> None:
            task, most = known.get(stage, (None, 0))
            if task is None:
                task = bars.add_task(stage, total=max(left, 1))
            most = max(most, left)
            known[stage] = (task, most)
            bars.update(task, total=max(most, 1), completed=max(most, 1) - left)

        yield told


def _print_differences(found: list[Difference], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(one) | {"total": one.total} for one in found], default=str))
        return
    from rich.table import Table

    from civicwire.commands import console

    names = ("old_rows", "new_rows", "only_old", "only_new", "differing", "moving")
    grid = Table("table", box=None)
    for name in names:
        grid.add_column(name.replace("_", " "), justify="right")
    for one in found:
        grid.add_row(one.table, *(f"{getattr(one, name):,}" for name in names))
    out = console()
    out.print(grid)
    for one in found:
        for example in one.examples:
            key = " ".join(str(value) for value in example.key.values())
            changes = "; ".join(f"{name}: {old} -> {new}" for name, (old, new) in example.values.items())
            out.print(f"{one.table} {key}: {f'only {example.only}' if example.only else changes}", markup=False)
    total = sum(one.total for one in found)
    out.print(f"{total:,} rows differ" if total else "Nothing differs")


def _print_state(state: Versions, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(state), default=str))
        return
    from rich.table import Table

    from civicwire.commands import console

    grid = Table("generation", "state", "made by", "topics", box=None)
    for one in state.generations:
        what = "live" if one.number == state.live else "replayed" if one.number > state.live else "kept"
        own = ", ".join(f"{name}.v{version}" for name, version in sorted(one.versions.items()))
        grid.add_row(str(one.number), what, one.job, own)
    out = console()
    out.print(grid)
    if state.holding:
        out.print(f"A swap to generation {state.target} was broken off: --swap goes on with it, --rollback undoes it.")
