"""The peer of bench/streams.py: incidents counted by window, area, category and kind with Quix Streams 3.

Runs in an environment of its own. Arguments: broker, number of events, folder for state, grains (month, or
hour,day,month); standard input: the Avro schema of an incident. An older revision than the known one is left out; a
newer one takes the earlier away from its windows and adds itself. A window has the columns of incident_counts. State is
on disk with changelog topics, as in the job that it is compared with. Prints JSON.
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


LENGTHS = {"hour": 13, "day": 10, "month": 7}
SUMS = ("incidents", "deleted", "revised", "late", "first_incidents")


def changes(incident: dict[str, Any], state: Any, grains: list[str]) -> list[list[Any]]:
    """Return what the revision does: ``[window, observed at, restated at, sums]`` of what it was and of what it is."""
    known = state.get("known")
    revision, deleted, late = incident["revision"], incident["deleted"], incident["late"]
    if known is not None and revision <= known[0]:
        return []
    observed = incident["observed_at"].isoformat()
    restated = observed if revision > 1 or late else None
    rest = "|".join((incident["area"], incident["category"], incident["source"], incident["kind"]))
    sums = [int(not deleted), int(deleted), int(revision > 1), int(late and not deleted)]
    state.set("known", [revision, incident["occurred_local"], rest, sums])
    steps = [(incident["occurred_local"], rest, [*sums, int(revision == 1 and not late)])]
    if known is not None:
        steps.append((known[1], known[2], [*(-value for value in known[3]), 0]))
    return [
        [f"{grain}|{local[: LENGTHS[grain]]}|{others}", observed, restated, values]
        for local, others, values in steps
        for grain in grains
    ]


def count(change: list[Any], state: Any) -> dict[str, Any]:
    """Return the window's counts after the change."""
    window, observed, restated, values = change
    before = state.get("counts") or {"first_observed_at": observed, "restatements": 0, "restated_at": None}
    after = {name: before.get(name, 0) + value for name, value in zip(SUMS, values, strict=True)}
    again = restated is not None and restated != before["restated_at"]
    after |= {
        "first_observed_at": min(before["first_observed_at"], observed),
        "last_observed_at": observed,
        "restatements": before["restatements"] + again,
        "restated_at": restated or before["restated_at"],
    }
    state.set("counts", after)
    return {"window": window, **after}


def main() -> None:
    """Read the topic once and print how long it took from the first event to the last."""
    broker, events, folder, grains = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4].split(",")
    seen: list[float] = []
    application = Application(
        broker_address=broker,
        consumer_group=f"bench-quix-{len(grains)}",
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
    rows = application.dataframe(source).apply(
        lambda incident, state: changes(incident, state, grains), stateful=True, expand=True
    )
    rows = rows.group_by(lambda change: change[0], name="window", key_deserializer="str", key_serializer="str")
    rows.apply(count, stateful=True).to_topic(application.topic("bench-quix-counts", value_serializer="json"))
    application.run(timeout=IDLE_SECONDS)
    seconds = seen[-1] - seen[0]
    found = {"seconds": round(seconds, 1), "events_per_second": round(events / seconds), "handled": len(seen)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
