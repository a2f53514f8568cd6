"""What the producers are given by this home: where to publish, where to keep ledgers, which portal to ask."""

from __future__ import annotations

import gc
from typing import Any

from civicwire.settings import Settings
from producers.catalog import Source
from producers.drift import Affected
from producers.poll import Connections


def connections(settings: Settings, since: str | None = None) -> Connections:
    """Return the connections of the producers; ``since`` (ISO date) bounds a home that has not polled yet.

    Raises:
        EnvironmentMissingError: the broker or the registry is not running.
    """
    endpoints = settings.require("kafka", "registry")
    if endpoints.kafka is None or endpoints.registry is None:  # pragma: no cover - `require` has just checked
        raise AssertionError
    return Connections(
        kafka=endpoints.kafka,
        registry=endpoints.registry,
        ledgers=settings.home / "ledgers",
        portal=endpoints.portal,
        since=since,
        affected=_affected,
    )


def _affected(source: Source, column: str) -> Affected:
    """Return what depends on a column; the SQL is parsed only when something drifts."""
    from civicwire import lineage

    return lineage.affected(source, column)


def last_receipts(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return every poll receipt in the topic, oldest first, by source."""
    from producers import tail
    from schemas import kafka_topics, registry, topics

    reach = connections(settings)
    kafka_topics.ensure(reach.kafka, [topics.POLLS])
    receipts: dict[str, list[dict[str, Any]]] = {}
    for batch in tail.read(reach.kafka, [topics.POLLS.name], {}, lambda _ends: None):
        for message in batch:
            body = message.value() or b""
            receipt: Any = registry.decode(reach.registry, body)
            receipts.setdefault(receipt["source"], []).append(receipt)
    return receipts


def collect_garbage_seldom() -> None:
    """Let Python look for cycles less often: a page is tens of thousands of objects without one, looked at in vain.

    This is a setting of the process, so it is for the commands that poll.
    """
    gc.set_threshold(200_000, 50, 50)
