"""The peer of bench/streams.py: incidents counted by month, area and category with Quix Streams 3.

Runs in an environment of its own. Arguments: broker, number of events, folder for state; standard input: the Avro
schema of an incident. An older revision than the known one is left out; a newer one takes the earlier away from its
month and adds itself. State is on disk with changelog topics, as in the job that it is compared with. Prints JSON.
"""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import fastavro
from quixstreams import Application
from quixstreams.models.serializers import Deserializer, SerializationContext

HEADER_BYTES = 5
IDLE_SECONDS = 8


class Incident(Deserializer):
    """Decodes what follows the registry's header."""

    def __init__(self, schema: Any) -> None:
        super().__init__()
        self._schema = fastavro.parse_schema(schema)

    def __call__(self, value: bytes, ctx: SerializationContext) -> Any:  # noqa: ARG002  the library's signature
        """Return the incident."""
        return fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), self._schema, None)


def changes(incident: dict[str, Any], state: Any) -> list[list[Any]]:
    """Return what the revision does to the counts: ``[window, incidents]`` of what it was and of what it is."""
    known = state.get("known")
    if known is not None and incident["revision"] <= known[0]:
        return []
    window = "|".join((incident["occurred_local"][:7], incident["area"], incident["category"], incident["source"]))
    now = [window, int(not incident["deleted"])]
    state.set("known", [incident["revision"], *now])
    return [[known[1], -known[2]], now] if known is not None else [now]


def count(change: list[Any], state: Any) -> dict[str, Any]:
    """Return the window's count after the change."""
    total = state.get("incidents", 0) + change[1]
    state.set("incidents", total)
    return {"window": change[0], "incidents": total}


def main() -> None:
    """Read the topic once and print how long it took from the first event to the last."""
    broker, events, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    seen: list[float] = []
    application = Application(
        broker_address=broker,
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
        commit_interval=5.0,
        on_message_processed=lambda *_: seen.append(time.perf_counter()),
        consumer_extra_config={"fetch.min.bytes": 100_000, "queued.min.messages": 200_000},
        producer_extra_config={"linger.ms": 20, "compression.type": "lz4"},
    )
    source = application.topic(
        "incidents", value_deserializer=Incident(json.loads(sys.stdin.read())), key_deserializer="bytes"
    )
    rows = application.dataframe(source).apply(changes, stateful=True, expand=True)
    rows = rows.group_by(lambda change: change[0], name="window", key_deserializer="str", key_serializer="str")
    rows.apply(count, stateful=True).to_topic(application.topic("bench-quix-counts", value_serializer="json"))
    application.run(timeout=IDLE_SECONDS)
    seconds = seen[-1] - seen[0]
    found = {"seconds": round(seconds, 1), "events_per_second": round(events / seconds), "handled": len(seen)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
