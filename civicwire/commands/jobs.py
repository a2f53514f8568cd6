"""``jobs``: the stream jobs on Flink."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from civicwire.settings import Settings
    from stream_jobs.session import Launcher, Running, Session, Started

FOLLOW_SECONDS = 5
"""Between two looks at the jobs; Flink itself restarts a job whose task manager died."""
JSON = typer.Option(False, "--json", help="Print JSON instead of a table.")


class Chosen(StrEnum):
    """Which jobs a command is about."""

    normalize = "normalize"
    windows = "windows"
    all = "all"


JOB = typer.Argument(Chosen.all, help="Which job.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="Start, stop and list the stream jobs on Flink.")
    group.command()(start)
    group.command()(stop)
    group.command("cancel", hidden=True)(stop)
    group.command("ls")(list_jobs)
    group.command()(sql)
    app.add_typer(group, name="jobs")


def start(
    job: Chosen = JOB,
    fresh: bool = typer.Option(False, help="Ignore checkpoints; the window counts are rebuilt from the start."),
    exactly_once: bool = typer.Option(False, help="Write in transactions that end with each checkpoint."),
    follow: bool = typer.Option(False, "--follow", "-f", help="Go on: start again what stops, until SIGTERM."),
    as_json: bool = JSON,
) -> None:
    """Start what does not run, each job from its last checkpoint; what runs is left alone.

    Normalise reads the feeds that have been polled. When it runs and others have been polled since, it is stopped and
    started anew with them; it goes on where it was. Before the first poll it reads every feed there is, which takes
    longer to start; with --follow the first poll is waited for.

    Needs the broker, the registry and Flink (`civicwire up`).
    """
    from civicwire.settings import Settings

    if follow:
        _follow(Settings(), _names(job), exactly_once=exactly_once)
        return
    started = start_jobs(Settings(), _names(job), fresh=fresh, exactly_once=exactly_once)
    _print(
        [{"job": one.name, "action": one.action, "id": one.id, "checkpoint": one.checkpoint} for one in started],
        as_json=as_json,
    )


def start_jobs(
    settings: Settings,
    names: list[str] | None = None,
    *,
    fresh: bool = False,
    exactly_once: bool = False,
    versions: Mapping[str, int] | None = None,
    as_they_ran: bool = False,
) -> list[Started]:
    """Start the named jobs (by default all) that do not run; see ``stream_jobs.session.Session.start``.

    Normalise covers the feeds whose raw topic exists, all feeds where none does.

    Args:
        settings: the home.
        names: normalize, windows or both.
        fresh: take no checkpoint.
        exactly_once: write in transactions.
        versions: the versions of topics of another generation than the live one.
        as_they_ran: take the statements, the feeds and the guarantee of each job's last start, where there was one.

    Raises:
        EnvironmentMissingError: broker, registry or Flink do not run.
        FatalError: Flink refused a job.
        RetriableError: the broker or the job manager does not answer.
    """
    from stream_jobs.jobs import JOBS, normalize, versioned
    from stream_jobs.tables import Cluster
    from stream_jobs.versions import current

    endpoints = settings.require("kafka", "registry", "flink")
    kafka, registry = str(endpoints.kafka), str(endpoints.registry)
    of = current(kafka, registry).current.versions if versions is None else versions
    cluster = Cluster(kafka, registry, exactly_once=exactly_once, versions=of)
    session = _session(settings)
    jobs = []
    for name in names or JOBS:
        known = session.ran(versioned(name, name, of)) if as_they_ran else None
        where = cluster if known is None else replace(cluster, exactly_once=known.exactly_once)
        if name == Chosen.normalize:
            made = normalize(where, feeds_polled(kafka) if known is None else known.feeds)
        else:
            made = JOBS[name](where)
        jobs.append(made if known is None else session.as_it_ran(made))
    return session.start(jobs, cluster, _launcher(settings), fresh=fresh)


def _launcher(settings: Settings) -> Launcher:
    """Return how jobs are submitted: to the embedded cluster, or with the distribution that the settings name."""
    from civicwire.stack import flink
    from civicwire.stack.installed import Installed
    from stream_jobs.session import Launcher

    installed = Installed(settings.parts)
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    if settings.flink_home is None:
        client = flink.client(settings.home, installed)
        return Launcher(client.python, client.environment, logs / "jobs.log")
    environment = {
        "FLINK_HOME": str(settings.flink_home),
        "FLINK_CONF_DIR": str(settings.flink_home / "conf"),
        "FLINK_LIB_DIR": str(settings.flink_home / "lib"),
        "FLINK_LOG_DIR": str(logs),
        **flink.CLIENT,
    }
    return Launcher(installed.flink_python, environment, logs / "jobs.log")


def _follow(settings: Settings, names: list[str], *, exactly_once: bool) -> None:
    """Look every few seconds and start what does not run or reads too few feeds, until a signal comes."""
    import structlog

    from civicwire import heartbeat, logs, stopping
    from schemas.errors import CivicwireError

    logs.configure(settings.log_format)
    log = structlog.get_logger("civicwire.jobs")
    stop = stopping.on_signal()
    heartbeat.stop(settings)
    while not stop.is_set():
        try:
            if feeds_polled(str(settings.require("kafka").kafka)) is None:
                log.info("no feed has been polled yet")
            else:
                for one in start_jobs(settings, names, exactly_once=exactly_once):
                    if one.action != "already running":
                        log.info(one.action, job=one.name, id=one.id, checkpoint=one.checkpoint)
                running = _session(settings).running()
                if len(running) == len(names) and all(job.tasks_running == job.tasks for job in running):
                    heartbeat.beat(settings)
                else:
                    heartbeat.stop(settings)
        except CivicwireError as error:  # the cluster may come back
            heartbeat.stop(settings)
            log.warning("jobs could not be looked after", kind=type(error).__name__, error=str(error))
        stop.wait(FOLLOW_SECONDS)


def feeds_polled(kafka: str) -> list[str] | None:
    """Return the feeds whose raw topic exists and which can be normalised; None before the first poll.

    Raises:
        RetriableError: the broker does not answer.
    """
    from confluent_kafka import KafkaException

    from producers import tail
    from schemas import topics
    from schemas.errors import RetriableError
    from stream_jobs.jobs import feeds

    raw = {topics.raw(source).name: source for source in feeds()}
    try:
        present = {name for name, _ in tail.partitions(kafka, list(raw))}
    except KafkaException as error:
        raise RetriableError(
            f"The broker at {kafka} does not answer: {error}. Check it with `civicwire status`."
        ) from error
    return [source for name, source in raw.items() if name in present] or None


def stop(
    job: Chosen = JOB,
    savepoint: bool = typer.Option(False, help="End with a savepoint, which another version of Flink can read."),
    as_json: bool = JSON,
) -> None:
    """Stop what runs; its last checkpoint, or the savepoint, stays and `start` goes on from it."""
    from civicwire.settings import Settings

    settings = Settings()
    stopped = _session(settings).stop(list(_live(settings, _names(job)).values()), savepoint=savepoint)
    _print([{"job": one.name, "id": one.id, "checkpoint": one.checkpoint} for one in stopped], as_json=as_json)


def list_jobs(as_json: bool = JSON) -> None:
    """List the jobs that run. Exit code 1: a live one does not, or not all of its tasks do.

    Those of a generation beside the live one have a version in their name.
    """
    from civicwire.settings import Settings
    from stream_jobs.jobs import JOBS

    settings = Settings()
    running = {job.name: job for job in _session(settings).running()}
    live = list(_live(settings, list(JOBS)).values())
    beside = sorted(running.keys() - live)
    _print([_row(name, running.get(name)) for name in (*live, *beside)], as_json=as_json)
    if any(name not in running or running[name].tasks_running < running[name].tasks for name in live):
        raise typer.Exit(1)


def _live(settings: Settings, names: list[str]) -> dict[str, str]:
    """Return the jobs by name, each with the name under which its live version runs."""
    from stream_jobs.jobs import versioned
    from stream_jobs.versions import current

    endpoints = settings.endpoints()
    of = current(endpoints.kafka, endpoints.registry).current.versions if endpoints.kafka else {}
    return {name: versioned(name, name, of) for name in names}


def sql(name: str = typer.Argument(help="A file of stream_jobs, for example normalize/san_diego_calls.")) -> None:
    """Print a SQL file as it runs: filled in, with the tables it needs before it. Ready for Flink's SQL shell."""
    from civicwire.settings import Settings
    from schemas.errors import ConfigError
    from stream_jobs import jobs, tables

    path = jobs.FOLDER / f"{name}.sql"
    job, _, _ = name.partition("/")
    if job not in jobs.JOBS or not path.is_file():
        found = (each for folder in jobs.JOBS for each in (jobs.FOLDER / folder).glob("*.sql"))
        files = sorted(str(each.relative_to(jobs.FOLDER).with_suffix("")) for each in found)
        raise ConfigError(f"There is no SQL file {name!r}: choose from {', '.join(files)}.")
    endpoints = Settings().endpoints()
    cluster = tables.Cluster(endpoints.kafka or "localhost:9092", endpoints.registry or "http://localhost:8081")
    script = jobs.script(path)
    needed: list[str] = []
    for definition in reversed(jobs.JOBS[job](cluster).definitions):
        if _makes_what(definition, "\n".join([*needed, script])):
            needed.insert(0, f"{definition};")
    typer.echo("\n\n".join([*needed, script]))


def _makes_what(definition: str, text: str) -> bool:
    """Whether ``definition`` makes a table or view that ``text`` uses and does not make itself."""
    name = definition.split()[3].strip("`")
    return bool(re.search(rf"\b(?:from|into|table) {name}\b", text)) and f"view {name} " not in text


def _names(job: Chosen) -> list[str]:
    from stream_jobs.jobs import JOBS

    return list(JOBS) if job is Chosen.all else [job.value]


def _session(settings: Settings) -> Session:
    from stream_jobs.session import Session

    return Session(str(settings.require("flink").flink), settings.home / "flink")


def _row(name: str, job: Running | None) -> dict[str, Any]:
    if job is None:
        return {"job": name, "state": "stopped"}
    return {
        "job": name,
        "state": job.state,
        "tasks": f"{job.tasks_running}/{job.tasks}",
        "restarts": job.restarts,
        "id": job.id,
        "checkpoint": job.checkpoint,
        "failure": job.failure,
    }


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*("" if row.get(column) is None else str(row.get(column)) for column in columns))
    Console().print(table if rows else "No job was running.")
