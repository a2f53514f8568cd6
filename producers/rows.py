"""What a row is between the portal and the topic: text columns, an identity, a hash; or a dead letter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from operator import itemgetter
from typing import Any

from producers.catalog import Source
from schemas.errors import RecordError

UNIT_SEPARATOR = "\x1f"
RECORD_SEPARATOR = "\x1e"
HASH_BYTES = 16
COLUMN_SETS = 4_096
"""Sets of column names that are remembered: rows without their nulls have many, a hostile portal no end of them."""
_NEEDS_FOLDING = re.compile(rf"[^\S {UNIT_SEPARATOR}{RECORD_SEPARATOR}]|  |{UNIT_SEPARATOR} | {RECORD_SEPARATOR}| $")
"""Blanks in the canonical content that the identity of a row without a key does not distinguish."""


Values = Any
"""A mapping of published column names to values, or a list of the values where all rows have the same columns."""


@dataclass(slots=True)
class Published:
    """One row as the portal published it.

    Attributes:
        values: published column names to what the portal gave: text, None, or for JSON any value whose numbers are kept
            as text. The portal's own fields, whose names begin with a colon, may be among them and are left out later.
            A list where all rows have the same columns, which ``names`` then tells.
        given: the bytes that the portal sent for the row, or the function that cuts them out of their page.
        updated_at: the portal's own time of the row's last change in UTC, if it has one.
        names: the published column names of a list of values.
    """

    values: Values
    given: bytes | Callable[[], bytes]
    updated_at: datetime | None = None
    names: tuple[str, ...] | None = None

    @property
    def original(self) -> bytes:
        """The bytes that the portal sent for the row."""
        return self.given if isinstance(self.given, bytes) else self.given()


@dataclass(slots=True)
class Row:
    """One usable row: its identity, the digest of its content, and the rest when it is asked for.

    Nearly every row of a scan is unchanged, and of an unchanged row nothing but identity and digest is needed.

    Attributes:
        record_id: the natural key; without one first the hash of the known columns, which ``numbered`` makes whole.
        digest: of all columns, 16 bytes; ``content_hash`` is the same as text.
        published: what the portal gave.
        columns: how its column names are understood.
    """

    record_id: str
    digest: bytes
    published: Published = field(compare=False)
    columns: Columns = field(compare=False)

    @property
    def content_hash(self) -> str:
        """The digest as it stands in events: lower-case hexadecimal."""
        return self.digest.hex()

    @property
    def known(self) -> dict[str, str]:
        """The values of the columns that the schema knows, by their names there, without nulls."""
        return self.columns.known.texts(self.published.values)

    @property
    def extras(self) -> dict[str, str]:
        """The values of the other columns, by their published names, without nulls."""
        return self.columns.extras.texts(self.published.values)

    @property
    def event_time(self) -> str | None:
        """The event's time as ISO text, None where there is none that can be read."""
        columns = self.columns
        return columns.read_event_time(as_text(columns.event_time(self.published.values)))

    @property
    def cells(self) -> list[str | None]:
        """The values of the schema's columns in its order, None where the row has none."""
        return [
            cell if cell.__class__ is str else as_text(cell) for cell in self.columns.row.cells(self.published.values)
        ]


Place = str | int | None
"""Where a row's values have a column: its published name, its index in a list, or nowhere."""


class Cells:
    """Some columns of a row: their names in the schema and the quick way to their values."""

    def __init__(self, columns: Sequence[str], places: Sequence[Place]) -> None:
        self.columns = tuple(columns)
        self.cells = _getter(tuple(places))

    def texts(self, values: Values) -> dict[str, str]:
        """Return the row's values of these columns as text, without nulls."""
        if not self.columns:
            return {}
        return {
            column: value if value.__class__ is str else str(as_text(value))
            for column, value in zip(self.columns, self.cells(values), strict=True)
            if value or (value is not None and value != "")
        }


def _getter(places: tuple[Place, ...]) -> Callable[[Values], Sequence[Any]]:
    """Return the function that gives the values at ``places``, None where there is none."""
    if len(places) > 1 and None not in places:
        return itemgetter(*places)
    if not any(isinstance(place, str) for place in places):
        present = [(at, place) for at, place in enumerate(places) if place is not None]
        empty = [None] * len(places)

        def of_list(values: Values) -> Sequence[Any]:
            found: list[Any] = empty.copy()
            for at, place in present:
                found[at] = values[place]
            return found

        return of_list
    return lambda values: [values.get(place) for place in places]


@dataclass(frozen=True, slots=True)
class Columns:
    """One set of published column names, understood once for all rows that have it.

    Attributes:
        known: the columns that the schema knows and the rows have.
        extras: the others.
        row: all columns of the schema, in its order.
        hashed: known and extras in the order in which the content is hashed.
        prefixes: what stands in front of each value then.
        keys: the key columns.
        event_time: gives the value of the event's time as published.
        read_event_time: turns its text into ISO text.
        doubled: published names that share their column with another one; the last that has a value counts.
    """

    known: Cells
    extras: Cells
    row: Cells
    hashed: Cells
    prefixes: tuple[str, ...]
    keys: Cells
    event_time: Callable[[Values], Any]
    read_event_time: Callable[[str | None], str | None]
    doubled: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dead:
    """One row that cannot be used, with the reason code and the bytes that the portal sent."""

    dead_id: str
    reason: str
    detail: str
    payload: bytes


def is_system(name: str) -> bool:
    """Return whether a published name is one of the portal's own fields; computed columns (``:@…``) are not."""
    return name.startswith(":") and not name.startswith(":@")


def as_text(value: Any) -> str | None:
    """Return a JSON value as text: text as it is, objects and lists as canonical JSON, null and empty text as None.

    Numbers never pass through floating point: pages are parsed with numbers kept as their digits.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def content_hash(values: Iterable[tuple[str, str]]) -> str:
    """Return the hash of named values sorted by name; a null value and an absent one are the same, and left out."""
    canonical = RECORD_SEPARATOR.join([name + UNIT_SEPARATOR + value for name, value in values])
    return blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()


def dead_letter(source: str, reason: str, detail: str, payload: bytes) -> Dead:
    """Return a dead letter whose id depends on source, reason and bytes alone: writing it again changes nothing."""
    digest = blake2b(digest_size=HASH_BYTES)
    for part in (source.encode(), reason.encode(), payload):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return Dead(f"{source}:poll:{digest.hexdigest()}", reason, detail, payload)


def identity_hash(known: Mapping[str, str]) -> str:
    """Return what stands for a natural key: the hash of the known columns, whatever their runs of blanks.

    Columns that the schema does not know are left out, so that a column added by the publisher revises every row
    instead of replacing it.
    """
    return content_hash(sorted((name, " ".join(value.split())) for name, value in known.items() if value.strip()))


def numbered(row: Row, scope: str, occurrence: int) -> Row:
    """Return the row of a feed without a natural key as the ``occurrence``-th equal one of its scope.

    So exact duplicates are kept, and equal rows of two files are two rows.
    """
    return replace(row, record_id=":".join(filter(None, (scope, row.record_id, str(occurrence)))))


_US_TIME = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([AP])M)?)?", re.IGNORECASE
)
NOON = 12


def event_time_reader(source: Source) -> Callable[[str | None], str | None]:
    """Return the function that turns the column of the event's time into ISO text, None where it cannot.

    ``iso`` text is taken as it is. ``epoch_ms`` is a UTC instant and becomes civil time in the source's zone, ``us`` is
    civil already, ``year`` is the year's first day.
    """

    def epoch_ms(value: str) -> str:
        moment = datetime.fromtimestamp(int(value) / 1000, source.zone)
        return moment.replace(tzinfo=None).isoformat(timespec="seconds")

    def us(value: str) -> str:
        match = _US_TIME.fullmatch(value.strip())
        if match is None:
            raise ValueError(value)
        month, day, year, hour, minute, second, half = match.groups(default="0")
        hours = int(hour)
        if half in "APap":
            hours = hours % NOON + (NOON if half in "Pp" else 0)
        moment = datetime(int(year), int(month), int(day), hours, int(minute), int(second))  # noqa: DTZ001 - civil
        return moment.isoformat(timespec="seconds")

    def year(value: str) -> str:
        return datetime(int(value), 1, 1).date().isoformat()  # noqa: DTZ001 - civil

    formats: dict[str, Callable[[str], str]] = {"iso": str, "epoch_ms": epoch_ms, "us": us, "year": year}
    parse = formats[source.event_time_format]

    def read(value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, OverflowError, OSError):
            return None

    return read


class Shaper:
    """Turns the published rows of one source into usable ones.

    Args:
        source: the feed. Its ``renames`` and ``ignore_columns`` apply, and with drift policy ``freeze`` columns that
            the schema does not know are left out.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._order = tuple(source.columns)
        self._keys = source.key_columns
        self._read_event_time = event_time_reader(source)
        self._of_mappings: dict[tuple[str, ...], Columns] = {}
        self._of_lists: dict[tuple[str, ...], Columns] = {}

    def __call__(self, published: Published) -> Row:
        """Return the usable row.

        Raises:
            RecordError: it has no identity (``key_missing``), or a text that cannot be stored (``text_invalid``).
        """
        values = published.values
        if published.names is None:
            names = tuple(values)
            columns = self._of_mappings.get(names) or self._understand(names, names, self._of_mappings)
        else:
            names = published.names
            columns = self._of_lists.get(names) or self._understand(names, range(len(names)), self._of_lists)
        if columns.doubled:
            named = dict(zip(names, values, strict=True)) if isinstance(values, list) else values
            left = {name: v for name, v in named.items() if name not in columns.doubled or as_text(v) is not None}
            if len(left) < len(named):
                return self(replace(published, values=left, names=None))
        named_values = [
            prefix + (value if value.__class__ is str else str(as_text(value)))
            for prefix, value in zip(columns.prefixes, columns.hashed.cells(values), strict=True)
            if value or (value is not None and value != "")
        ]
        canonical = RECORD_SEPARATOR.join(named_values)
        try:
            content = canonical.encode()
        except UnicodeEncodeError as error:
            raise RecordError("text_invalid", f"A value holds half a character ({error.reason}).") from error
        digest = blake2b(content, digest_size=HASH_BYTES).digest()
        if self._keys:
            record_id = self._natural(values, columns)
        elif self._is_plain(canonical, len(named_values), columns):
            record_id = digest.hex()
        else:
            record_id = self._hashed(values, columns)
        return Row(record_id, digest, published, columns)

    def _natural(self, values: Values, columns: Columns) -> str:
        parts = [(as_text(value) or "").strip() for value in columns.keys.cells(values)]
        if not all(parts):
            missing = ", ".join(column for column, part in zip(self._keys, parts, strict=True) if not part)
            raise RecordError("key_missing", f"The row has no value in {missing}, so it has no identity.")
        record_id = parts[0] if len(parts) == 1 else "|".join(parts)
        if "\x00" in record_id:
            raise RecordError("text_invalid", "The row's key holds a NUL character.")
        return record_id

    @staticmethod
    def _is_plain(canonical: str, values: int, columns: Columns) -> bool:
        """Return whether the identity is the content's own hash: no other columns and no blanks to fold.

        A separator inside of a value is such a blank.
        """
        return (
            bool(values)
            and not columns.extras.columns
            and canonical.count(UNIT_SEPARATOR) == values
            and canonical.count(RECORD_SEPARATOR) == values - 1
            and _NEEDS_FOLDING.search(canonical) is None
        )

    @staticmethod
    def _hashed(values: Values, columns: Columns) -> str:
        known = columns.known.texts(values)
        if not known:
            raise RecordError("key_missing", "The row has no value in any known column, so it has no identity.")
        return identity_hash(known)

    def _understand(
        self, names: tuple[str, ...], places: Sequence[Place], seen: dict[tuple[str, ...], Columns]
    ) -> Columns:
        renames, keep = self._source.renames, self._source.drift != "freeze"
        known: dict[str, Place] = {}
        extras: dict[str, Place] = {}
        published: dict[str, str] = {}
        doubled: set[str] = set()
        for name, place in zip(names, places, strict=True):
            if (column := renames.get(name, name)) in self._order:
                doubled.update({name, published[column]} if column in published else ())
                known[column], published[column] = place, name
            elif keep and not is_system(name) and not self._source.ignores(name):
                extras[name] = place
        everything = sorted({**extras, **known}.items())
        event_time = _getter((known.get(self._source.event_time),))
        found = Columns(
            known=Cells(list(known), list(known.values())),
            extras=Cells(list(extras), list(extras.values())),
            row=Cells(self._order, [known.get(column) for column in self._order]),
            hashed=Cells([column for column, _ in everything], [place for _, place in everything]),
            prefixes=tuple(column + UNIT_SEPARATOR for column, _ in everything),
            keys=Cells(self._keys, [known.get(column) for column in self._keys]),
            event_time=lambda values: event_time(values)[0],
            read_event_time=self._read_event_time,
            doubled=frozenset(doubled),
        )
        if len(seen) >= COLUMN_SETS:
            seen.clear()
        seen[names] = found
        return found
