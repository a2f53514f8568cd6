"""What the tests of the poll protocol share: one empty set of topics, an empty ledger, and what was published."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient

from civicwire.sandbox.client import SandboxClient
from civicwire.stack import Stack
from producers import catalog, tail
from producers.poll import Connections, Poller
from schemas import kafka_topics, registry, topics

DECIMAL = re.compile(r"-?\d+\.\d+")
AUSTIN, SAN_DIEGO, NIBRS = "austin_crime_reports", "san_diego_calls", "la_nibrs_offenses"
CSV_PATH = "police_calls_for_service/pd_calls_for_service_{}_datasd.csv"
HEADER_LINE = b'"incident_num","date_time","day_of_week","call_type","beat","priority"\n'


class Line:
    """One empty set of topics, an empty ledger folder and an empty portal."""

    def __init__(self, broker: Stack, folder: Path) -> None:
        endpoints = broker.endpoints
        assert endpoints.kafka
        assert endpoints.registry
        assert endpoints.portal
        self.connections = Connections(endpoints.kafka, endpoints.registry, folder / "ledgers", endpoints.portal)
        self.portal = SandboxClient(endpoints.portal)
        self._pollers: list[Poller] = []

    def poller(self, source: str, **changes: Any) -> Poller:
        declared = catalog.find(source)
        protocol = declared.protocol.model_copy(update=changes)
        poller = Poller(declared.model_copy(update={"protocol": protocol}), self.connections)
        self._pollers.append(poller)
        return poller

    def poll(self, source: str, **options: Any) -> dict[str, Any]:
        return self.poller(source).poll(**options)

    def reset(self) -> None:
        for feed in (AUSTIN, SAN_DIEGO, NIBRS):
            self.portal.seed(feed, rows=0)
        self.portal.delete_file(CSV_PATH.format(current_year()))
        self.portal.clear_faults()
        self.portal.clear_requests()

    def delete_topics(self) -> None:
        """Delete every topic of ours and wait until the broker says so."""
        admin = AdminClient({"bootstrap.servers": self.connections.kafka})
        mine = [name for name in admin.list_topics(timeout=10).topics if not name.startswith("_")]
        for future in admin.delete_topics(mine).values() if mine else ():
            future.result()
        while any(name in admin.list_topics(timeout=10).topics for name in mine):
            pass

    def close(self) -> None:
        for poller in self._pollers:
            poller.close()

    def read(self, topic: str) -> list[dict[str, Any]]:
        if not kafka_topics.partitions(self.connections.kafka, [topic]):
            return []
        batches = tail.read(self.connections.kafka, [topic], {}, lambda _: None)
        url = self.connections.registry
        return [registry.decode(url, message.value() or b"") for batch in batches for message in batch]

    def raw(self, source: str) -> list[dict[str, Any]]:
        return self.read(topics.raw(source).name)

    def current(self, source: str) -> dict[str, dict[str, str]]:
        """The rows that a reader of the raw topic believes to exist."""
        newest: dict[str, dict[str, Any]] = {}
        for event in self.raw(source):
            known = newest.get(event["record_id"])
            assert known is None or event["revision"] != known["revision"], "a revision was published twice (I3)"
            if known is None or event["revision"] > known["revision"]:
                newest[event["record_id"]] = event
        return {
            identity: {**{k: v for k, v in event["row"].items() if v is not None}, **event["extras"]}
            for identity, event in newest.items()
            if event["op"] not in ("delete", "expire")
        }

    def truth(self, source: str) -> dict[str, dict[str, str]]:
        key = catalog.find(source).record_id[0]
        rows = {}
        for row in self.portal.truth(source):
            rows[row[key]] = {name: text(value) for name, value in row.items() if value not in (None, "")}
        return rows

    def published(self, source: str) -> Counter[tuple[tuple[str, str], ...]]:
        """What the portal publishes, each row by its schema columns, equal rows counted."""
        declared = catalog.find(source)
        columns = set(declared.columns)
        rows: Counter[tuple[tuple[str, str], ...]] = Counter()
        for row in self.portal.truth(source):
            named = {declared.renames.get(n, n): text(value) for n, value in row.items() if value not in (None, "")}
            if declared.protocol.name == "arcgis":
                named = {name.lower(): value for name, value in named.items()}
            if declared.protocol.name in ("arcgis", "ckan"):  # JSON numbers have no closing zeros
                named = {name: str(float(v)) if DECIMAL.fullmatch(v) else v for name, v in named.items()}
            rows[tuple(sorted((name, value) for name, value in named.items() if name in columns))] += 1
        return rows

    def known(self, source: str) -> Counter[tuple[tuple[str, str], ...]]:
        """What a reader of the raw topic believes to exist."""
        columns = set(catalog.find(source).columns)
        return Counter(
            tuple(sorted((name, value) for name, value in row.items() if name in columns))
            for row in self.current(source).values()
        )

    def serve_csv(self, *lines: bytes, head: bytes = HEADER_LINE) -> None:
        self.portal.put_file(CSV_PATH.format(current_year()), head + b"".join(line + b"\n" for line in lines))


def text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )


def current_year() -> int:
    return datetime.now(UTC).astimezone(catalog.find(SAN_DIEGO).zone).year
