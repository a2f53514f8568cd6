"""A sandbox portal in a process of its own, on a free port."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from civicwire.sandbox.client import SandboxClient


def start_portal(state: Path) -> tuple[subprocess.Popen[str], SandboxClient]:
    """Start a portal over ``state`` and return its process and a client once it answers."""
    command = [sys.executable, "-m", "civicwire.sandbox", "--port", "0", "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    client = SandboxClient(json.loads(process.stdout.readline())["portal"])
    client.wait_ready()
    return process, client


def stop_portal(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.wait(timeout=30) == 0
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture(scope="module")
def shared_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxClient]:
    process, client = start_portal(tmp_path_factory.mktemp("portal"))
    yield client
    stop_portal(process)


@pytest.fixture
def portal(shared_portal: SandboxClient) -> Iterator[SandboxClient]:
    """A portal without faults, given files or a token; what its feeds hold is left over from the test before."""
    yield shared_portal
    shared_portal.clear_faults()
    shared_portal.clear_requests()
    shared_portal.require_app_token(None)


@pytest.fixture
def start_portals(tmp_path: Path) -> Iterator[Callable[[], SandboxClient]]:
    """A function that starts a portal over one folder, after ending the one it started before."""
    running: list[subprocess.Popen[str]] = []

    def start() -> SandboxClient:
        while running:
            stop_portal(running.pop())
        process, client = start_portal(tmp_path / "state")
        running.append(process)
        return client

    yield start
    while running:
        stop_portal(running.pop())
