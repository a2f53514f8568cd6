"""Which feeds the suite is about, and one broker, registry, portal and Flink run for all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import feed_run
import hostile_rows
import pytest
from feed_under_test import FeedUnderTest

from civicwire.sandbox.client import SandboxClient
from civicwire.stack import Stack
from producers import catalog
from producers.poll import Connections

HOME = Path(__file__).parent


def chosen(config: pytest.Config) -> list[str]:
    """The keys that were asked for, every feed of the catalog by default."""
    there = sorted(path.stem for path in catalog.FOLDER.glob("*.yaml"))
    wanted: list[str] = config.getoption("source") or there
    if unknown := sorted(set(wanted) - set(there)):
        raise pytest.UsageError(f"--source {', '.join(unknown)}: there is no such feed; use one of {', '.join(there)}")
    return wanted


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "key" in metafunc.fixturenames:
        metafunc.parametrize("key", chosen(metafunc.config), scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HOME in item.path.parents:
            item.add_marker(pytest.mark.parts)


@pytest.fixture(scope="session")
def feed_of() -> Iterator[Callable[[str], FeedUnderTest]]:
    """A function that gives a feed, seeded and polled once on the session's own broker and portal."""
    started: dict[str, FeedUnderTest] = {}
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-conformance-") as home,
        Stack(Path(home), ("kafka", "registry", "portal")) as stack,
    ):
        endpoints = stack.endpoints
        assert endpoints.kafka
        assert endpoints.registry
        assert endpoints.portal
        connections = Connections(endpoints.kafka, endpoints.registry, Path(home) / "ledgers", endpoints.portal)
        portal = SandboxClient(endpoints.portal)

        def feed(key: str) -> FeedUnderTest:
            if key not in started:
                started[key] = FeedUnderTest(key, connections, portal)
            return started[key]

        yield feed
        for one in started.values():
            one.close()


@pytest.fixture
def feed(key: str, feed_of: Callable[[str], FeedUnderTest]) -> Iterator[FeedUnderTest]:
    """The feed with a portal at rest, whatever the tests before have done to it."""
    found = feed_of(key)
    found.settle()
    yield found
    found.portal.clear_faults()


@dataclass
class Normalised:
    """Events of one feed that went through its SQL, and the records that came out, by the event's number.

    ``failure`` says why the SQL failed, empty where it did not; then nothing came out.
    """

    genuine: list[dict[str, Any]]
    hostile: list[dict[str, Any]]
    records: dict[str, dict[int, list[dict[str, Any]]]] = field(default_factory=dict)
    failure: str = ""

    def of(self, topic: str, number: int) -> list[dict[str, Any]]:
        return self.records[topic].get(number, [])


@pytest.fixture(scope="session")
def normalised(
    request: pytest.FixtureRequest,
    feed_of: Callable[[str], FeedUnderTest],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Normalised]:
    """Every chosen feed's first rows and hostile ones through the SQL, all in one Java.

    A job that fails does not say in which feed's SQL, so then each feed is run by itself.
    """
    wanted = [feed_of(key) for key in chosen(request.config)]
    found = {
        one.key: Normalised(one.first_events, [*hostile_rows.events(one.source, one.first_events)]) for one in wanted
    }
    failed = _run(found, tmp_path_factory.mktemp("together"))
    for key in found if failed else ():
        found[key].failure = _run({key: found[key]}, tmp_path_factory.mktemp(key))
    return found


def _run(feeds: dict[str, Normalised], folder: Path) -> str:
    try:
        made = feed_run.run(folder, {key: [*one.genuine, *one.hostile] for key, one in feeds.items()})
    except AssertionError as error:
        return str(error)
    for key, one in feeds.items():
        one.records = {}
        for topic, records in made.records.items():
            by_number = one.records.setdefault(topic, {})
            for record in records:
                if record["source"] == key:
                    by_number.setdefault(record["raw_offset"], []).append(record)
    return ""
