"""Swaps of a replayed load on real parts without Flink: crashed at each step, undone, rolled back, bounded."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from test_warehouse import OPS, counts_history, history, incident

from civicwire.replay import Replay
from civicwire.settings import Settings
from civicwire.stack import Stack
from schemas import kafka_topics, loader, registry, topics, wire
from schemas.errors import ConfigError, RetriableError
from stream_jobs import versions
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1800)]
IN_CI = ("exchanged", "offsets")
"""Steps of a swap: right after the transaction over all tables, and after the group's move."""


def chaos(*steps: str) -> list[Any]:
    """The other steps are half a minute each."""
    return [pytest.param(step, marks=pytest.mark.chaos) for step in steps]


class Crashed(Exception):  # noqa: N818  a test's own
    """A process that is killed at a step, as far as the steps are concerned."""


class Home:
    """Topics with rows, and the tables of the live generation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        reach = settings.require("kafka", "registry")
        self.kafka, self.registry = str(reach.kafka), str(reach.registry)
        kafka_topics.ensure(self.kafka, topics.SHARED)

    def send(self, topic: topics.Topic, rows: list[tuple[str, Any]]) -> None:
        encode = wire.encoder(registry.register(self.registry, topic), loader.parsed(topic.schema))
        producer = Producer({"bootstrap.servers": self.kafka})
        for key, row in rows:
            producer.produce(topic.name, None if row is None else encode(row), key)
        assert producer.flush(30) == 0

    def load(self) -> None:
        with Writer.of(self.settings) as writer:
            writer.catch_up()

    def replay(self, crash_at: str | None = None, **options: Any) -> Replay:
        def checkpoint(step: str) -> None:
            if step == crash_at:
                raise Crashed(step)

        return Replay(self.settings, checkpoint=checkpoint, **options)

    def state(self) -> versions.Versions:
        return versions.current(self.kafka, self.registry)

    def query(self, sql: str) -> list[dict[str, Any]]:
        warehouse = connect(self.settings)
        try:
            dataset = f"{self.settings.project}.{self.settings.dataset}"
            return [dict(row.items()) for row in warehouse.query(sql.replace("DATASET", dataset))]
        finally:
            warehouse.close()

    def tables(self) -> dict[str, list[str]]:
        found = {}
        for name in ("incidents", "incident_revisions", "incident_counts"):
            rows = self.query(f"select * except (loaded_at) from `DATASET.{name}`")
            found[name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in rows)
        return found

    def other_way(self) -> tuple[Callable[[Replay], versions.Versions], int]:
        """Return how to make the generation beside the live one live, by swap or rollback, and its number."""
        if self.state().beside is None:
            self.replay().prepare("load")
        beside = self.state().beside
        assert beside is not None
        return (Replay.swap if beside.number > self.state().live else Replay.rollback), beside.number

    def alone(self) -> None:
        """Leave nothing beside the live generation."""
        if self.state().beside is not None:
            self.replay().drop()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    chance = random.Random(7)  # noqa: S311  reproducible, not secret
    with (
        tempfile.TemporaryDirectory(prefix="civicwire-test-") as folder,
        Stack(Path(folder), ("kafka", "registry", "warehouse")) as stack,
    ):
        ends = stack.endpoints.model_dump(exclude={"flink", "portal"})
        made = Home(Settings(home=Path(folder), **ends))
        made.send(topics.INCIDENTS, history(incident, chance, 20, 80, OPS))
        made.send(topics.INCIDENT_COUNTS, counts_history(chance, 8, 40))
        made.load()
        yield made


def test_what_a_replayed_load_makes_equals_the_live_tables(home: Home) -> None:
    home.replay().prepare("load")
    found = home.replay().compare()
    assert {one.table: one.total for one in found if one.total} == {}
    assert {one.table: one.old_rows for one in found} == {one.table: one.new_rows for one in found}
    assert next(one.old_rows for one in found if one.table == "incidents") > 0


@pytest.mark.parametrize(
    "step", [*IN_CI, *chaos("ready", "held", "caught up", "copied", "kept", "replaced", "stopped", "live")]
)
def test_a_swap_that_crashes_at_any_step_ends_right_when_it_is_run_again(home: Home, step: str) -> None:
    before = home.tables()
    go, number = home.other_way()
    with pytest.raises(Crashed):
        go(home.replay(crash_at=step))
    if step == "ready":
        go(home.replay())
    elif step != "live":
        assert home.state().holding
        with pytest.raises(ConfigError, match="broken off"):
            home.replay().compare()
        home.replay().swap()
    assert (home.state().live, home.state().holding) == (number, False)
    assert home.tables() == before


@pytest.mark.parametrize("step", [*IN_CI, *chaos("held", "copied", "kept")])
def test_a_swap_that_is_broken_off_can_be_undone(home: Home, step: str) -> None:
    before, live = home.tables(), home.state().live
    go, _ = home.other_way()
    with pytest.raises(Crashed):
        go(home.replay(crash_at=step))
    home.replay().rollback()
    assert (home.state().live, home.state().holding) == (live, False)
    assert home.tables() == before


def test_what_arrives_after_swaps_and_rollbacks_arrives_once_and_a_drop_leaves_it(home: Home) -> None:
    go, _ = home.other_way()
    go(home.replay())
    home.send(topics.INCIDENTS, [("test:900", incident(900, 1)), ("test:900", incident(900, 2, "revise"))])
    home.load()
    found = home.query("select revision from `DATASET.incidents` where incident_id = 'test:900'")
    assert [row["revision"] for row in found] == [2]
    home.alone()
    assert home.state().beside is None
    with pytest.raises(ConfigError, match="nothing to drop"):
        home.replay().drop()
    datasets = home.query("select schema_name from INFORMATION_SCHEMA.SCHEMATA")
    assert not [row["schema_name"] for row in datasets if row["schema_name"].startswith(f"{home.settings.dataset}_v")]


def test_wrong_rows_of_a_feed_are_named_with_both_values_and_mended_by_its_load_alone(home: Home) -> None:
    home.alone()
    before = home.tables()
    home.send(
        topics.INCIDENTS, [("other:1", {**incident(1, 1), "incident_id": "other:1", "source": "san_diego_calls"})]
    )
    home.load()
    home.query("update `DATASET.incidents` set category = 'damaged' where source = 'san_diego_calls'")
    home.query("update `DATASET.incidents` set area = 'damaged' where incident_id = 'test:900'")
    home.replay().prepare("load", sources=["san_diego_calls"])
    (found,) = [one for one in home.replay().compare() if one.total]
    assert (found.table, found.differing, found.only_old, found.only_new) == ("incidents", 1, 0, 0)
    assert found.examples[0].key == {"incident_id": "other:1"}
    assert found.examples[0].values["category"][0] == "damaged"
    home.replay().swap()
    (mended,) = home.query("select category from `DATASET.incidents` where incident_id = 'other:1'")
    assert mended["category"] != "damaged"
    (kept,) = home.query("select area from `DATASET.incidents` where incident_id = 'test:900'")
    assert kept["area"] == "damaged", "rows of another feed are those of the live tables"
    home.alone()
    home.replay().prepare("load")
    home.replay().swap()
    assert set(before["incidents"]) <= set(home.tables()["incidents"])


def test_rows_that_were_lost_since_an_instant_come_back(home: Home) -> None:
    home.alone()
    since = datetime.now(UTC)
    home.send(topics.INCIDENTS, [("test:901", incident(901, 1))])
    home.load()
    home.query("delete from `DATASET.incidents` where incident_id = 'test:901'")
    before = home.tables()["incidents"]
    home.replay().prepare("load", since=since)
    (found,) = [one for one in home.replay().compare() if one.total]
    assert (found.table, found.only_new) == ("incidents", 1)
    home.replay().swap()
    after = home.tables()["incidents"]
    assert set(before) < set(after)
    assert len(after) == len(before) + 1


def test_bounds_that_cannot_be_kept_are_refused_with_what_to_do_instead(home: Home) -> None:
    home.alone()
    with pytest.raises(ConfigError, match="civicwire replay --compare"):
        home.replay().prepare("windows", sources=["san_diego_calls"])
    with pytest.raises(ConfigError, match="No such source"):
        home.replay().prepare("load", sources=["nowhere"])
    with pytest.raises(ConfigError, match="Choose --source or --from"):
        home.replay().prepare("load", sources=["san_diego_calls"], since=datetime.now(UTC))
    with pytest.raises(ConfigError, match="begin with"):
        home.replay().swap()
    with pytest.raises(ConfigError, match="nothing to go back to"):
        home.replay().rollback()


def test_a_writer_that_does_not_leave_is_named_and_the_hold_is_undone(home: Home) -> None:
    home.alone()
    home.replay().prepare("load")
    with Writer.of(home.settings, generation=home.state().current) as deaf:
        deaf.catch_up()
        with pytest.raises(RetriableError, match="have not left"):
            home.replay(hold_seconds=0).swap()
    assert not home.state().holding
    assert home.state().current.previous is None


def test_the_live_generation_is_not_replayed_twice_at_once(home: Home) -> None:
    home.other_way()
    with pytest.raises(ConfigError, match="there already"):
        home.replay().prepare("load", since=datetime.now(UTC))
