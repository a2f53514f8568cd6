"""Window counts restate themselves: they equal a recount of the facts after any order of events."""

from __future__ import annotations

import stream_cases
from stream_rows import arrivals, counts


def test_counts_equal_a_recount_whatever_is_repeated_and_replayed(flink):
    expected = counts(stream_cases.INCIDENTS)
    assert len(expected) > 1000
    assert flink.counts == expected


def test_arrivals_equal_a_recount_whatever_is_repeated_and_replayed(flink):
    expected = arrivals(stream_cases.INCIDENTS)
    assert all(sum(row[at] for row in expected.values()) for at in range(14) if at != 5)
    assert flink.arrivals == expected


def test_the_scenarios_hold_every_kind_of_change():
    ops = {incident["op"] for incident in stream_cases.INCIDENTS}
    assert ops == {"insert", "revise", "delete", "reappear", "withdraw"}
    seen = [(incident["incident_id"], incident["revision"]) for incident in stream_cases.INCIDENTS]
    assert len(set(seen)) < len(seen)
    assert sorted(seen) != seen
