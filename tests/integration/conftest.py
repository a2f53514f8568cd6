"""Real parts, started once for the whole session."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import marts_data
import marts_feeds
import pytest
from marts_data import MadeMarts

from civicwire.commands import build
from civicwire.settings import Settings
from civicwire.stack import Stack
from stream_jobs.warehouse.connection import connect

HOME_VARIABLE = "CIVICWIRE_HOME"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Broker, registry, Flink and warehouse on an empty home; ``CIVICWIRE_HOME`` points at it while they run.

    One stack serves all tests, so a test uses names (topics, groups, tables) of its own or cleans up.
    """
    with tempfile.TemporaryDirectory(prefix="civicwire-test-") as home:
        running = Stack(Path(home), ("kafka", "registry", "flink", "warehouse"))
        before = os.environ.get(HOME_VARIABLE)
        os.environ[HOME_VARIABLE] = home
        try:
            with running:
                yield running
        finally:
            if before is None:
                del os.environ[HOME_VARIABLE]
            else:
                os.environ[HOME_VARIABLE] = before


@pytest.fixture(scope="session")
def kafka_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Only broker and registry, for tests that need no more; the full stack when that is running anyway."""
    if any("stack" in item.fixturenames for item in request.session.items if isinstance(item, pytest.Function)):
        yield request.getfixturevalue("stack")
        return
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as home,
        Stack(Path(home), ("kafka", "registry")) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def made_marts() -> Iterator[MadeMarts]:
    """A warehouse of its own with made rows, and the marts that one build made of them."""
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as home,
        Stack(Path(home), ("warehouse",)) as running,
    ):
        endpoints = running.endpoints
        settings = Settings(
            home=Path(home),
            dataset="made",
            target="emulator",
            warehouse=endpoints.warehouse,
            warehouse_grpc=endpoints.warehouse_grpc,
        )
        now = datetime.now(UTC)
        made = marts_data.make(now, size=4_000)
        marts_feeds.add(made, now)
        warehouse = connect(settings)
        marts_data.fill(warehouse, made)
        yield MadeMarts(settings, made, warehouse, build.run(settings, unit_tests=True))
        warehouse.close()
