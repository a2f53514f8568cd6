"""Every feed of the catalog through the whole line: portal, topics, both jobs, warehouse, and the proof of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from civicwire import asof, line
from civicwire.cli import app
from civicwire.commands.jobs import start_jobs
from civicwire.polling import connections, last_receipts
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import Settings
from civicwire.stack import Stack
from civicwire.verify import verify
from producers import catalog
from producers.clients.csv_file import LOOKS
from producers.poll import Poller
from stream_jobs.jobs import feeds
from stream_jobs.warehouse.connection import connect
from stream_jobs.warehouse.writer import Writer

pytestmark = pytest.mark.parts
SECONDS = 300
ROWS = 250


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with Stack(tmp_path_factory.mktemp("home")) as stack:
        yield Settings(home=stack.home)


def poll_all(settings: Settings) -> dict[str, int]:
    published: Counter[str] = Counter()
    for source in catalog.load_all().values():
        poller = Poller(source, connections(settings))
        # The files of past years are looked at in turn.
        looks = -(-len(getattr(source.protocol, "files", ())) // LOOKS)
        try:
            for _ in range(max(1, looks)):
                receipt = poller.poll()
                assert receipt["dead"] == 0, receipt
                counts = ("inserted", "revised", "reappeared", "deleted")
                published[source.key] += sum(receipt[name] for name in counts)
        finally:
            poller.close()
    return dict(published)


def carry_on(settings: Settings) -> None:
    line.wait_until_streamed(settings, SECONDS, lambda _: None)
    with Writer.of(settings) as writer:
        writer.catch_up()


def differences(settings: Settings) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (source.key, compared.right): compared.differences
        for source in catalog.load_all().values()
        for compared in verify(settings, source)
        if compared.differences
    }


def tables_with(settings: Settings, source: str) -> set[str]:
    """The tables that have rows of the feed."""
    with Writer.of(settings) as writer:
        return {
            name
            for name in ("incidents", "persons", "indicators", "incident_counts")
            if list(
                writer.warehouse.query(
                    f"select 1 from `{settings.project}.{settings.dataset}`.{name} where source = '{source}' limit 1"
                )
            )
        }


def current(settings: Settings) -> dict[str, int]:
    """Live incidents by source."""
    warehouse = connect(settings)
    try:
        sql = f"select source, countif(not deleted) from {settings.dataset}.incidents group by source"
        return dict(tuple(row) for row in warehouse.client.query(sql).result())
    finally:
        warehouse.close()


def test_every_feed_reaches_the_warehouse_and_every_change_after_it(settings: Settings):
    portal = SandboxClient(str(settings.require("portal").portal))
    sources = set(catalog.load_all())
    assert sources == set(feeds()), "a feed without a normalise file, or the reverse"
    assert sources == set(portal.health()["feeds"])
    for feed in sources:
        portal.seed(feed, rows=ROWS, seed=7)
    assert poll_all(settings) == dict.fromkeys(sources, ROWS)
    start_jobs(settings)
    carry_on(settings)
    assert differences(settings) == {}
    then = datetime.now(UTC)
    known_then = asof.counts(settings, then, ["source", "category"])
    for feed in sources:
        portal.mutate(feed, insert=6, late=2, revise=5, delete=4, seed=9)
    assert {source for source, found in differences(settings)} == sources
    changed = poll_all(settings)
    assert all(changed[feed] >= 17 for feed in sources), changed
    carry_on(settings)
    assert differences(settings) == {}
    assert poll_all(settings) == dict.fromkeys(sources, 0)
    kinds = {"person": {"persons"}, "indicator": {"indicators"}}
    for source in catalog.load_all().values():
        assert tables_with(settings, source.key) == kinds.get(source.kind, {"incidents", "incident_counts"})
    assert known_then
    assert asof.counts(settings, then, ["source", "category"]) == known_then, (
        "later changes do not change what was known"
    )
    now = {row["source"]: row["incidents"] for row in asof.counts(settings, datetime.now(UTC), ["source"])}
    assert now == current(settings)
    assert asof.counts(settings, datetime(2020, 1, 1, tzinfo=UTC), ["source"]) == []


def test_the_line_tells_prometheus_and_status_how_it_is(settings: Settings):
    portal = SandboxClient(str(settings.require("portal").portal))
    if not portal.summary("austin_crime_reports")["rows"]:
        portal.seed("austin_crime_reports", rows=ROWS, seed=7)
    poll_all(settings)
    start_jobs(settings)
    carry_on(settings)
    environment = {"CIVICWIRE_HOME": str(settings.home)}
    text = CliRunner().invoke(app, ["metrics", "--once"], env=environment).stdout
    told: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            told.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    assert told["civicwire_up"] == {(part,): 1 for part in ("feeds", "lag", "jobs", "stack")}
    for source, receipts in last_receipts(settings).items():
        for what in ("rows_in", "inserted", "revised", "deleted"):
            assert told["civicwire_poll_rows_total"][source, what] == sum(one[what] for one in receipts)
        assert told["civicwire_feed_rows"][source,] == receipts[-1]["live_rows"]
    assert set(told["civicwire_lag_messages"].values()) == {0}
    assert told["civicwire_job_tasks_running"] == {("normalize", "RUNNING"): 1, ("windows", "RUNNING"): 1}
    assert told["civicwire_job_checkpoint_bytes"]["windows",] > 0
    assert set(told["civicwire_part_healthy"].values()) == {1}
    status = json.loads(CliRunner().invoke(app, ["status", "--json"], env=environment).stdout)
    assert {(job["job"], job["state"], job["behind"]) for job in status["jobs"]} == {
        ("normalize", "RUNNING", 0),
        ("windows", "RUNNING", 0),
    }
