"""``civicwire build``: rebuild the marts with dbt and run their tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from civicwire.settings import ROOT, Settings
from schemas.errors import ConfigError, EnvironmentMissingError, FatalError

PROJECT = ROOT / "dbt"
EMPTY_SECONDS = 5
"""With --follow: pause after a build that failed or found nothing to count, so that a home that fills is soon shown."""
_GOOD = {"success", "pass", "no-op"}
_ENDED_BADLY = {"error", "fail", "runtime error"}


@dataclass(frozen=True, slots=True)
class Node:
    """What became of one node of the dbt project.

    Attributes:
        name: as in the project; a unit test is ``model::test``.
        kind: seed, model, test or unit_test.
        status: dbt's own word: success, pass, warn, fail, error or skipped.
        seconds: wall clock.
        rows: rows of a table that was built, where the warehouse says so.
        message: dbt's words for a node that did not pass.
    """

    name: str
    kind: str
    status: str
    seconds: float
    rows: int | None = None
    message: str | None = None

    @property
    def failed(self) -> bool:
        """Whether this node makes the build fail."""
        return self.status in _ENDED_BADLY


@dataclass(frozen=True, slots=True)
class Build:
    """One build: its nodes in order of completion and its wall clock seconds, dbt's start included."""

    nodes: tuple[Node, ...]
    seconds: float

    @property
    def failed(self) -> tuple[Node, ...]:
        """The nodes that failed; those skipped because of them are not among them."""
        return tuple(node for node in self.nodes if node.failed)


def run(
    settings: Settings,
    *,
    select: Iterable[str] = (),
    full_refresh: bool = False,
    unit_tests: bool = False,
    while_loading: bool = False,
    progress: Callable[[str], object] = str,
) -> Build:
    """Build the marts in ``<dataset>_marts`` and test them; dbt is a child process that keeps its files in the home.

    Args:
        settings: which warehouse.
        select: dbt's node selection, everything when empty.
        full_refresh: drop and make seeds and tables anew.
        unit_tests: also run the models' unit tests, which need no data and belong to development.
        while_loading: let an equation between tables that differ for a moment warn instead of fail.
        progress: called with one plain line for each finished node.

    Raises:
        ConfigError: the selection matches nothing.
        EnvironmentMissingError: the warehouse is not running, or dbt is not installed.
        FatalError: dbt ended before it ran any node; the message holds its words.
    """
    selection = list(select)
    options = [
        *(["--select", *selection] if selection else []),
        *(["--full-refresh"] if full_refresh else []),
        *([] if unit_tests else ["--exclude-resource-type", "unit_test"]),
    ]
    results, seconds = _dbt(
        settings,
        ["build"],
        options,
        artifact="run_results.json",
        progress=progress,
        while_loading=while_loading,
    )
    nodes = tuple(_nodes(results))
    if not nodes:
        raise ConfigError(
            f"Nothing in {PROJECT.name}/ matches {' '.join(selection)!r}: name a model, or leave --select out."
        )
    return Build(nodes, seconds)


def freshness(settings: Settings, progress: Callable[[str], object] = str) -> Build:
    """Ask how long ago the writer last wrote each source table; one node for each, failed when it is too long ago.

    Raises:
        EnvironmentMissingError: the warehouse is not running, or dbt is not installed.
        FatalError: dbt ended before it ran any node; the message holds its words.
    """
    results, seconds = _dbt(settings, ["source", "freshness"], [], artifact="sources.json", progress=progress)
    nodes = tuple(
        Node(
            name=result["unique_id"].rsplit(".", 1)[1],
            kind="source",
            status=result["status"],
            seconds=round(result["execution_time"], 3),
            message=None if result["status"] == "pass" else f"last written at {result['max_loaded_at']}",
        )
        for result in results["results"]
    )
    return Build(nodes, seconds)


def docs(settings: Settings, progress: Callable[[str], object] = str) -> Path:
    """Have dbt write its own pages about the project as one file, and return where that is.

    The catalogue in them (columns and sizes as the warehouse has them) is the running emulator's. Where none runs, and
    for BigQuery, it is empty, so that pages can be made without a warehouse.

    Raises:
        EnvironmentMissingError: dbt is not installed.
        FatalError: dbt wrote no pages; the message holds its words.
    """
    folder = settings.home.resolve() / "dbt" / "docs"
    generate = ["docs", "generate", "--static"]
    if settings.endpoints().warehouse is None:
        # To compile a model dbt asks the warehouse, so the project is only read.
        _run_dbt(settings, ["parse"], [], folder / "manifest.json", progress)
        generate += ["--no-compile", "--empty-catalog"]
    return _run_dbt(settings, generate, [], folder / "static_index.html", progress)


def _dbt(
    settings: Settings,
    verb: list[str],
    options: list[str],
    *,
    artifact: str,
    progress: Callable[[str], object],
    while_loading: bool = False,
) -> tuple[dict[str, Any], float]:
    """Run dbt on the warehouse; return its artifact and the wall clock seconds."""
    settings.require("warehouse")
    _make_dataset(settings)
    started = time.monotonic()
    written = settings.home.resolve() / "dbt" / "target" / artifact
    _run_dbt(settings, verb, options, written, progress, while_loading=while_loading)
    loaded: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return loaded, time.monotonic() - started


def _run_dbt(
    settings: Settings,
    verb: list[str],
    options: list[str],
    written: Path,
    progress: Callable[[str], object],
    *,
    while_loading: bool = False,
) -> Path:
    """Run dbt as a child process with its files in the home; return ``written``, which it writes beside the others."""
    dbt = Path(sys.executable).with_name("dbt")
    if not dbt.is_file():
        raise EnvironmentMissingError(f"dbt is not in {dbt.parent}. Install the core environment with `make setup`.")
    logs = settings.home.resolve() / "dbt" / "logs"
    written.unlink(missing_ok=True)
    command = [
        str(dbt),
        *("--log-format", "json", "--log-level-file", "none", "--no-version-check", "--no-use-colors"),
        *verb,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target", settings.target),
        *("--target-path", str(written.parent), "--log-path", str(logs)),
        *options,
    ]
    complaints = _follow(command, _environment(settings, while_loading=while_loading), progress)
    if not written.is_file():
        raise FatalError(f"dbt ended before it wrote {written.name}. {complaints} Its files are in {written.parent}.")
    return written


def _make_dataset(settings: Settings) -> None:
    """Make the marts' dataset with the labels and the expiry of the settings, which dbt would make without them."""
    if settings.target != "bigquery" and settings.table_expiry_days is None and not settings.labels:
        return
    from stream_jobs.warehouse.connection import connect, explained
    from stream_jobs.warehouse.tables import ensure_dataset

    warehouse = connect(settings)
    try:
        with explained():
            ensure_dataset(warehouse, f"{settings.dataset}_marts")
    finally:
        warehouse.close()


def _environment(settings: Settings, *, while_loading: bool) -> dict[str, str]:
    """Return the environment in which dbt/profiles.yml names the warehouse of these settings."""
    return {
        **os.environ,
        "CIVICWIRE_TARGET": settings.target,
        "CIVICWIRE_PROJECT": settings.project,
        "CIVICWIRE_DATASET": settings.dataset,
        "CIVICWIRE_LOCATION": settings.location,
        "CIVICWIRE_WAREHOUSE": settings.endpoints().warehouse or "",
        "CIVICWIRE_MAXIMUM_BYTES_BILLED": str(settings.maximum_bytes_billed),
        "CIVICWIRE_EQUATIONS": "warn" if while_loading else "error",
    }


def _follow(command: list[str], environment: dict[str, str], progress: Callable[[str], object]) -> str:
    """Run dbt, pass on each finished node and return what it said at level error."""
    said: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as child:
        for line in child.stdout or ():
            try:
                event: dict[str, Any] = json.loads(line)
            except json.JSONDecodeError:
                said.append(line.strip())
                continue
            info, data = event["info"], event.get("data", {})
            if info["level"] == "error":
                said.append(str(info["msg"]).strip())
            node = data.get("node_info")
            if node and "execution_time" in data and node["resource_type"] != "exposure":
                status = data["status"] if node["resource_type"] == "unit_test" else node["node_status"]
                progress(f"{status:<8} {data['execution_time']:5.1f} s  {node['node_name']}")
    return "\n".join(line for line in said if line)


def _nodes(results: dict[str, Any]) -> Iterable[Node]:
    """Read dbt's run_results.json; exposures are left out, as nothing is done with them."""
    for result in results["results"]:
        kind, _, rest = result["unique_id"].split(".", 2)
        if kind == "exposure":
            continue
        parts = rest.split(".")
        yield Node(
            name="::".join(parts) if kind == "unit_test" else parts[0],
            kind=kind,
            status=result["status"],
            seconds=round(result["execution_time"], 3),
            rows=(result.get("adapter_response") or {}).get("rows_affected"),
            message=None if result["status"] in _GOOD else result.get("message"),
        )


def build(  # noqa: PLR0917 typer passes options by name
    select: Annotated[
        list[str] | None, typer.Option("--select", "-s", help="Only these nodes, as dbt selects.")
    ] = None,
    full_refresh: Annotated[bool, typer.Option(help="Make seeds and tables anew.")] = False,
    unit_tests: Annotated[bool, typer.Option(help="Also run the models' unit tests (development).")] = False,
    while_loading: Annotated[
        bool, typer.Option(help="Equations between tables only warn: they differ for a moment while rows are loaded.")
    ] = False,
    only_freshness: Annotated[
        bool, typer.Option("--freshness", help="Build nothing: say how long ago each source table was written.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Build again and again, until Ctrl-C or SIGTERM.")
    ] = False,
    every: Annotated[float, typer.Option(min=1, help="With --follow: seconds between two builds.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Rebuild the marts with dbt and test them.

    Exit code 1 when a node failed, 2 for a selection that matches nothing, 3 when the warehouse is not running.
    """
    from rich.console import Console

    console = Console(stderr=as_json, highlight=False, soft_wrap=True)

    def progress(line: str) -> None:
        console.print(line, markup=False, style="dim")

    if follow:
        _again_and_again(Settings(), select or (), every, while_loading=while_loading)
        return
    if only_freshness:
        done = freshness(Settings(), progress)
    else:
        done = run(
            Settings(),
            select=select or (),
            full_refresh=full_refresh,
            unit_tests=unit_tests,
            while_loading=while_loading,
            progress=progress,
        )
    if as_json:
        answer = {"ok": not done.failed, "seconds": round(done.seconds, 3), "nodes": [asdict(n) for n in done.nodes]}
        typer.echo(json.dumps(answer, indent=2))
    else:
        _summary(console, done)
    if done.failed:
        raise typer.Exit(1)


def _again_and_again(settings: Settings, select: Iterable[str], every: float, *, while_loading: bool) -> None:
    """Build until a signal comes; well is a build that failed nowhere and after which the marts hold rows."""
    import structlog

    from civicwire import heartbeat, logs, stopping
    from schemas.errors import CivicwireError

    logs.configure(settings.log_format)
    log = structlog.get_logger("civicwire.build")
    stop = stopping.on_signal()
    heartbeat.stop(settings)
    while not stop.is_set():
        pause = every
        try:
            done = run(settings, select=select, while_loading=while_loading)
            rows = 0 if done.failed else _rows(settings)
        except CivicwireError as error:  # the warehouse may come back
            heartbeat.stop(settings)
            log.warning("build failed", kind=type(error).__name__, error=str(error))
            stop.wait(min(every, EMPTY_SECONDS))
            continue
        failed = {node.name: node.message for node in done.failed}
        say = log.error if failed else log.info
        say("built", nodes=len(done.nodes), seconds=round(done.seconds, 1), rows=rows, failed=failed or None)
        if failed or not rows:
            heartbeat.stop(settings)
            pause = min(every, EMPTY_SECONDS)
        else:
            heartbeat.beat(settings)
        stop.wait(pause)


def _rows(settings: Settings) -> int:
    """Return how many incidents the trend counts: with none, a dashboard shows nothing."""
    from stream_jobs.warehouse.connection import connect, explained

    warehouse = connect(settings)
    try:
        with explained():
            marts = f"`{settings.project}.{settings.dataset}_marts`"
            found = warehouse.query(f"select coalesce(sum(incidents), 0) from {marts}.city_month_trend")  # noqa: S608
            return int(next(iter(found))[0])
    finally:
        warehouse.close()


def _summary(console: Any, done: Build) -> None:
    """Print models with their rows, tests with their outcome, and each failure in full."""
    from rich.table import Table

    title = f"{len(done.nodes)} nodes, {len(done.failed)} failed, {done.seconds:.1f} s"
    table = Table(title=title, title_justify="left")
    for heading in ("what", "status"):
        table.add_column(heading)
    for heading in ("rows", "seconds"):
        table.add_column(heading, justify="right")
    for node in done.nodes:
        if node.kind in {"seed", "model", "source"}:
            rows = "" if node.rows is None else f"{node.rows:,}"
            table.add_row(node.name, node.status, rows, f"{node.seconds:.1f}")
    tests = [node for node in done.nodes if node.kind in {"test", "unit_test"}]
    passed = sum(node.status == "pass" for node in tests)
    if tests:
        table.add_row(f"{len(tests)} tests", f"{passed} passed", "", f"{sum(node.seconds for node in tests):.1f}")
    console.print(table)
    for node in done.nodes:
        if node.message and node.status != "skipped":
            console.print(
                f"{node.status} {node.name}: {node.message}", markup=False, style="red" if node.failed else "yellow"
            )
    if done.failed:
        console.print("Look at the rows of a failed test with its SQL under <home>/dbt/target/compiled.", style="red")


def register(app: typer.Typer) -> None:
    """Add ``build``."""
    app.command()(build)
