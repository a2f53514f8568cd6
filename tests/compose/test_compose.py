"""The compose file, exercised: all services but Grafana come up healthy, and no kill or restart loses anything.

Opt-in (`make test-compose`), as root, with a Docker daemon on this machine. Base images are made on the spot unless
CIVICWIRE_COMPOSE_IMAGES=official; with those, Grafana is started too.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stand_ins

from civicwire.demo import LIVE_FEEDS as FEEDS
from civicwire.demo import Demo
from civicwire.demo_feeds import CHANGES
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import ROOT, Settings

pytestmark = pytest.mark.compose

OFFICIAL = os.environ.get("CIVICWIRE_COMPOSE_IMAGES") == "official"
PROJECT = "civicwire-test"
IMAGES = ("civicwire", "flink", "jobs", "warehouse", "registry", *(("grafana",) if OFFICIAL else ()))
SERVICES = (
    "kafka",
    "registry",
    "jobmanager",
    "taskmanager",
    "warehouse",
    "portal",
    "poller",
    "jobs",
    "writer",
    "marts",
)
UP_SECONDS = 900
EQUAL_SECONDS = 600
LOOK_SECONDS = 1.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Line:
    """The running project and the way to its portal and its warehouse."""

    environment: dict[str, str]
    portal: SandboxClient
    settings: Settings

    def compose(self, *arguments: str) -> str:
        command = ["docker", "compose", "--project-name", PROJECT, "--env-file", ".env.example", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=UP_SECONDS
        )
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr[-4000:]}"
        return done.stdout

    def states(self) -> dict[str, dict[str, Any]]:
        rows = (json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines())
        return {row["Service"]: row for row in rows}

    def kill(self, service: str) -> None:
        """Kill the container's first process from outside, as a machine that runs out of memory would."""
        container = self.states()[service]["ID"]
        found = subprocess.run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", container],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        os.kill(int(found.stdout), signal.SIGKILL)

    def healthy(self, *services: str) -> bool:
        states = self.states()
        return all(states[service]["Health"] == "healthy" for service in services)

    def change(self) -> None:
        for feed in FEEDS:
            version = int(self.portal.health()["feeds"][feed]["version"])
            self.portal.mutate(feed, **CHANGES, seed=version)

    def differing(self, *, marts: bool = False) -> list[dict[str, Any]]:
        """Return the demo's figures that are not the portal's truth now."""
        demo = Demo(self.settings, lambda _: None)
        for feed in FEEDS:
            demo.compare_feed(self.portal, feed)
        return [
            figure
            for figure in demo.outcome.figures
            if figure["portal"] != figure["warehouse"] and (marts or "mart" not in figure["figure"])
        ]


def until(what: Callable[[], bool], seconds: float, told: Callable[[], object]) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if what():
                return
        except Exception:  # a part that is being restarted answers anything
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, told()
        time.sleep(LOOK_SECONDS)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CIVICWIRE_", "COMPOSE_"))}
    asked = subprocess.run(["docker", "compose", "version"], env=environment, capture_output=True, check=False)
    answers = subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False)
    if asked.returncode or answers.returncode:
        pytest.fail(
            "A Docker daemon and its compose plugin are needed: docs/operations.md says how, also without root."
        )
    ports = {name: free_port() for name in ("GRAFANA", "FLINK", "WAREHOUSE", "PORTAL")}
    environment |= {f"CIVICWIRE_COMPOSE_{name}_PORT": str(port) for name, port in ports.items()}
    environment |= {
        "CIVICWIRE_COMPOSE_ROWS": "1000",
        "CIVICWIRE_COMPOSE_POLL_EVERY": "5",
        "CIVICWIRE_COMPOSE_BUILD_EVERY": "20",
        "CIVICWIRE_COMPOSE_VERSION": "test",
        "DOCKER_BUILDKIT": "1" if OFFICIAL else "0",
    }
    if not OFFICIAL:
        stand_ins.main()
    for target in IMAGES if "CIVICWIRE_COMPOSE_BUILT" not in os.environ else ():
        command = ["docker", "build", "-q", "--network", "host", "--target", target, "--file", "docker/Dockerfile"]
        subprocess.run([*command, "--tag", f"civicwire/{target}:test", "."], cwd=ROOT, env=environment, check=True)
    home = tmp_path_factory.mktemp("compose")
    settings = Settings(
        home=home,
        target="emulator",
        warehouse=f"http://127.0.0.1:{ports['WAREHOUSE']}",
        warehouse_grpc="127.0.0.1:1",  # only read here
    )
    found = Line(environment, SandboxClient(f"http://127.0.0.1:{ports['PORTAL']}"), settings)
    try:
        found.compose("up", "--wait", "--no-build", *(() if OFFICIAL else SERVICES))
        yield found
    finally:
        logs = Path(os.environ.get("CIVICWIRE_COMPOSE_LOGS", home)) / "compose.log"
        logs.write_text(found.compose("logs", "--no-color"), encoding="utf-8")
        found.compose("down", "--volumes", "--timeout", "20")


def test_when_up_returns_the_marts_hold_the_rows_of_the_portal(line: Line) -> None:
    assert line.healthy(*SERVICES)
    until(lambda: not line.differing(marts=True), EQUAL_SECONDS, lambda: line.differing(marts=True))


def test_the_command_inside_is_the_command_outside(line: Line) -> None:
    told = json.loads(line.compose("exec", "--no-TTY", "poller", "civicwire", "status", "--json"))
    assert {row["source"]: row["rows"] for row in told["feeds"] if row["rows"]} == dict.fromkeys(FEEDS, 1000)
    assert {job["state"] for job in told["jobs"]} == {"RUNNING"}


def test_nothing_listens_beyond_loopback_and_nobody_is_root(line: Line) -> None:
    for service, state in line.states().items():
        assert {port["URL"] for port in state["Publishers"] or []} <= {"127.0.0.1", ""}, service
        assert line.compose("exec", "--no-TTY", service, "id", "-u").strip() != "0", service


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_container_comes_back_and_loses_nothing(line: Line, service: str) -> None:
    line.change()
    line.kill(service)
    until(lambda: line.healthy(*SERVICES) and not line.differing(), EQUAL_SECONDS, line.differing)


def test_a_restart_of_everything_loses_nothing(line: Line) -> None:
    line.change()
    line.compose("restart", "--timeout", "20", *SERVICES)
    until(lambda: line.healthy(*SERVICES) and not line.differing(marts=True), EQUAL_SECONDS, line.differing)


def test_every_feed_verifies_row_by_row(line: Line) -> None:
    told = line.compose("exec", "--no-TTY", "poller", "civicwire", "verify", *FEEDS, "--json")
    assert {row["equal"] for row in map(json.loads, told.splitlines())} == {True}


def test_down_leaves_nothing(line: Line) -> None:
    line.compose("down", "--volumes", "--timeout", "20")
    for what in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        command = ["docker", *what, "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}"]
        done = subprocess.run(command, env=line.environment, capture_output=True, text=True, check=True)
        assert done.stdout == ""
