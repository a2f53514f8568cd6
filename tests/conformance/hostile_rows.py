"""Rows that no city should publish and some do: every column spoilt, one at a time and all together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from producers.catalog import Source
from producers.rows import Published, Shaper
from schemas.errors import RecordError

VALUES: tuple[str | None, ...] = (
    None,
    "",
    "   ",
    "\u00a0\t\n ",
    "x" * 10_000,
    "9" * 400,
    'it\'s "quoted" \\ `row` ; -- /* {{ category }} */ %_',
    "🚓👮🏽‍♀️ ñ é \u202e",
    "\x00\x01\x1f",
    "2026-13-45T25:61:61.000",
    "2026-02-30 10:00:00",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999999+99:99",
    "13/32/2026 13:61:61 PM",
    "2/30/2026 0:00:00 AM",
    "-99999999999999",
    "99999999999999",
    "1e400",
    "NaN",
    "-Infinity",
    '{"latitude": [], "coordinates": {"0": "x"}}',
)
"""Blank, long, quoted, foreign, and dates and numbers that are none."""


def events(source: Source, genuine: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Raw events that the poller could publish of such rows: first and later revisions, changes and ends.

    A row that has no identity is left out: it is a dead letter of the poll and never becomes an event.
    """
    shape = Shaper(source)
    columns = source.columns
    number = 0
    for value in VALUES:
        spoilt: list[Mapping[str, str | None]] = [{column: value} for column in columns]
        spoilt.append(dict.fromkeys(columns, value))
        spoilt.append(dict.fromkeys((c for c in columns if c not in source.key_columns), value))
        for change in spoilt:
            base = genuine[number % len(genuine)]
            row = {name: text for name, text in {**base["row"], **change}.items() if text not in (None, "")}
            try:
                shaped = shape(Published(dict(row), b""))
            except RecordError:
                continue
            number += 1
            whole = dict.fromkeys(columns) | shaped.known
            for revision, op in ((1, "insert"), (2, "revise"), (3, "delete")) if len(change) > 1 else ((1, "insert"),):
                yield {**base, "record_id": shaped.record_id, "revision": revision, "op": op, "row": whole}
