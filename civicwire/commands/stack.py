"""``up``, ``down``, ``status`` and ``doctor``: the local stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from schemas.errors import CivicwireError

if TYPE_CHECKING:
    from rich.console import Console

    from civicwire.settings import Settings
    from civicwire.stack import Stack

JSON = typer.Option(False, "--json", help="Print JSON instead of a table.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(doctor)


def up(
    detach: bool = typer.Option(False, "--detach", "-d", help="Return when all is healthy; the stack goes on."),
    parts: str = typer.Option("", help="Only these parts, separated by commas. All of them by default."),
    as_json: bool = JSON,
) -> None:
    """Start the local stack: broker, registry, Flink, warehouse and sandbox portal.

    In the foreground it stays, says what happens to the parts and stops them at Ctrl-C. Data lies in one folder
    (CIVICWIRE_HOME, by default .civicwire in the checkout) and survives. Exit code 1: a part
    did not start or stayed down.
    """
    from civicwire.settings import Settings
    from civicwire.stack import PARTS, running

    settings = Settings()
    chosen = [part.strip() for part in parts.split(",") if part.strip()]
    if not chosen:  # BigQuery itself takes the emulator's place
        chosen = [part for part in PARTS if part != "warehouse" or settings.target == "emulator"]
    tell = _console(stderr=as_json).print if as_json else _console().print
    if detach:
        endpoints = running.start_detached(settings, chosen, told=tell)
        _print_endpoints(endpoints, as_json=as_json)
        return

    def ready(stack: Stack) -> None:
        _print_endpoints(stack.endpoints.model_dump(exclude_none=True), as_json=as_json)
        tell(f"The stack runs in {settings.home}. Ctrl-C stops it.")

    if not running.run(settings, chosen, told=tell, ready=ready):
        raise typer.Exit(1)


def down(
    purge: bool = typer.Option(False, "--purge", help="Also delete the home folder with all data."),
    as_json: bool = JSON,
) -> None:
    """Stop the local stack and wait until nothing of it runs."""
    from civicwire.settings import Settings
    from civicwire.stack import running

    settings = Settings()
    outcome = running.stop(settings, purge=purge)
    if as_json:
        typer.echo(json.dumps(outcome))
        return
    stopped = "Stopped." if outcome["stopped"] else "Nothing was running."
    _console().print(stopped + (f" Deleted {settings.home}." if outcome["purged"] else ""))


def status(as_json: bool = JSON) -> None:
    """Show what runs and how each feed is doing. Exit code 1: something that should run does not."""
    from civicwire.settings import Settings
    from civicwire.stack import running

    settings = Settings()
    parts = running.parts_status(settings)
    feeds, trouble = _feeds(settings, parts)
    jobs = _jobs(settings)
    if parts or settings.endpoints().kafka is None:
        healthy = bool(parts) and all(row["state"] == "healthy" for row in parts)
    else:  # parts that somebody else started: they are well when they answer
        healthy = trouble is None and all(job["state"] == "RUNNING" for job in jobs)
    if as_json:
        told = {"home": str(settings.home), "parts": parts, "jobs": jobs, "feeds": feeds, "feeds_error": trouble}
        typer.echo(json.dumps(told))
    else:
        _print_status(settings, parts, jobs, feeds, trouble)
    if not healthy:
        raise typer.Exit(1)


def doctor(as_json: bool = JSON) -> None:
    """Check that this machine has what the stack needs, and say what to do. Exit code 3: it lacks something."""
    from civicwire.settings import Settings
    from civicwire.stack import checks

    found = checks.run(Settings())
    if as_json:
        typer.echo(json.dumps([check.as_dict() for check in found]))
    else:
        console = _console()
        for check in found:
            mark = "[green]good[/green]" if check.good else "[red]fix [/red]"
            console.print(f"{mark}  {check.name}: {check.found}" + (f"  ->  {check.fix}" if check.fix else ""))
    if not all(check.good for check in found):
        raise typer.Exit(3)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def _print_endpoints(endpoints: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(endpoints))
        return
    for name, address in endpoints.items():
        _console().print(f"  {name:15} {address}")


def _feeds(settings: Settings, parts: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    """Return the feeds' rows, or why there are none."""
    if not parts and settings.endpoints().kafka is None:
        return [], None
    from confluent_kafka import KafkaException

    try:
        from civicwire.commands import feeds_status

        return feeds_status.rows(settings), None
    except (CivicwireError, KafkaException, OSError) as error:  # what runs is told all the same
        return [], str(error)


def _jobs(settings: Settings) -> list[dict[str, Any]]:
    """Return the stream jobs with their checkpoints, restarts and lag; none where no job manager answers."""
    from confluent_kafka import KafkaException

    from civicwire import line
    from stream_jobs.session import Session

    address = settings.endpoints().flink
    if address is None:
        return []
    groups = {"normalize": line.NORMALISE_GROUP, "windows": line.WINDOWS_GROUP}
    try:
        behind = line.behind(settings)
        return [
            {
                "job": job.name,
                "state": job.state,
                "tasks": f"{job.tasks_running}/{job.tasks}",
                "restarts": job.restarts,
                "behind": behind[groups[job.name]] if job.name in groups else None,
                "checkpoint": job.checkpointed_at.isoformat(timespec="seconds") if job.checkpointed_at else None,
                "state_mb": round(job.checkpoint_bytes / 1e6, 1),
                "checkpoint_ms": job.checkpoint_ms,
                "failure": job.failure,
            }
            for job in Session(address, settings.home / "flink").running()
        ]
    except (CivicwireError, KafkaException, OSError):  # the parts' table says what does not run
        return []


def _print_status(
    settings: Settings,
    parts: list[dict[str, Any]],
    jobs: list[dict[str, Any]],
    feeds: list[dict[str, Any]],
    trouble: str | None,
) -> None:
    console = _console()
    if not parts and not feeds and trouble is None:
        console.print(f"Nothing runs in {settings.home}. `civicwire up` starts it.")
    shown = ("process", "state", "address", "pid", "memory_mb", "uptime", "restarts")
    _print_table("parts", shown, parts)
    for row in parts:
        if row["state"] != "healthy" and row["last_error"]:
            console.print(row["last_error"], markup=False)
    _print_table("jobs", tuple(jobs[0]) if jobs else (), jobs)
    _print_table("feeds", tuple(feeds[0]) if feeds else (), feeds)
    if trouble:
        console.print(f"feeds: {trouble}", markup=False)


def _print_table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return
    console = _console()
    if not console.is_terminal:
        typer.echo("\t".join(columns))
        for row in rows:
            typer.echo("\t".join("" if row[column] is None else str(row[column]) for column in columns))
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text("" if row[column] is None else str(row[column])) for column in columns))
    console.print(table)
