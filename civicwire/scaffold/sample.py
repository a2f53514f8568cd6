"""What a portal says of one dataset, with a bounded sample of its rows; the same for every protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SAMPLE_ROWS = 1_000
"""Enough to see a column's form and most of its codes; one request."""
LARGEST_ANSWER = 64 << 20
"""Bytes of one answer: a thousand rows take a few megabytes."""

ColumnType = Literal["text", "number", "floating_timestamp", "location", "epoch_ms"]
Row = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One published column.

    Attributes:
        name: as the feed's client hands it on, which is how ``renames`` and the schema know it.
        published: as the portal writes it; ArcGIS and files differ from ``name`` in letter case.
        title: the portal's words for people.
        description: what the portal says of it, empty where it says nothing.
        type: how the portal publishes it, in the words of the sandbox portal.
    """

    name: str
    published: str
    title: str = ""
    description: str = ""
    type: ColumnType = "text"


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset.

    Attributes:
        title: the portal's title, empty where it has none.
        description: what the portal says of it.
        licence: the licence that the portal states, empty where it states none.
        protocol: the mapping ``protocol`` of the source file.
        address: how the sandbox portal knows it: an id or a path.
        columns: in the portal's order.
        rows: the sample, by ``Column.name``; None for a blank.
        total: how many rows the portal counts, None where it does not.
        key: the column that the portal itself calls the key.
        notes: what a person should know of how it was read.
    """

    title: str
    description: str
    licence: str
    protocol: dict[str, Any]
    address: str
    columns: list[Column]
    rows: list[Row]
    total: int | None = None
    key: str | None = None
    notes: list[str] = field(default_factory=list)

    def values(self, column: str) -> list[str]:
        """Return the sample's values of a column that are not blank."""
        return [value for row in self.rows if (value := row.get(column)) is not None and value.strip()]

    def blank(self, column: str) -> bool:
        """Return whether some row of the sample has no value in the column."""
        return len(self.values(column)) < len(self.rows)


def is_number(text: str) -> bool:
    """Return whether text is a plain decimal number, as JSON would write it."""
    body = text.removeprefix("-")
    whole, point, fraction = body.partition(".")
    return whole.isascii() and whole.isdigit() and (not point or (fraction.isascii() and fraction.isdigit()))


def all_numbers(values: Iterable[str]) -> bool:
    """Return whether there are values and all are plain decimal numbers."""
    found = list(values)
    return bool(found) and all(map(is_number, found))
