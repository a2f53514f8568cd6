"""What a row is between the portal and the topic: text columns, an identity, a hash; or a dead letter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
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


@dataclass(slots=True)
class Published:
    """One row as the portal published it.

    Attributes:
        values: published column names to what the portal gave: text, None, or for JSON any value whose numbers are kept
            as text. The portal's own fields, whose names begin with a colon, may be among them and are left out later.
        given: the bytes that the portal sent for the row, or the function that cuts them out of their page.
        updated_at: the portal's own time of the row's last change in UTC, if it has one.
    """

    values: Mapping[str, Any]
    given: bytes | Callable[[], bytes]
    updated_at: datetime | None = None

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
    published: Published
    columns: Columns

    @property
    def content_hash(self) -> str:
        """The digest as it stands in events: lower-case hexadecimal."""
        return self.digest.hex()

    @property
    def known(self) -> dict[str, str]:
        """The values of the columns that the schema knows, by their names there, without nulls."""
        return _texts(self.published.values, self.columns.known)

    @property
    def extras(self) -> dict[str, str]:
        """The values of the other columns, by their published names, without nulls."""
        return _texts(self.published.values, self.columns.extras)

    @property
    def event_time(self) -> str | None:
        """The event's time as ISO text, None where there is none that can be read."""
        name = self.columns.event_time
        return self.columns.read_event_time(as_text(self.published.values[name])) if name is not None else None


@dataclass(frozen=True, slots=True)
class Columns:
    """One set of published column names, understood once for all rows that have it.

    Attributes:
        known: pairs of the schema's name and the published one.
        extras: the same of columns that the schema does not know; both names are equal.
        prefixes: what stands in front of each value when the content is hashed, in the order of ``cells``.
        cells: returns the values of a row in the order of their columns' names.
        keys: the published names of the key columns, None for one that is not there.
        event_time: the published name of the event's time, None if it is not there.
        read_event_time: turns that column's text into ISO text.
        doubled: published names that share their column with another one; the last that has a value counts.
    """

    known: tuple[tuple[str, str], ...]
    extras: tuple[tuple[str, str], ...]
    prefixes: tuple[str, ...]
    cells: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    keys: tuple[str | None, ...]
    event_time: str | None
    read_event_time: Callable[[str | None], str | None]
    doubled: frozenset[str]


def _texts(values: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> dict[str, str]:
    texts = ((column, as_text(values[name])) for column, name in names)
    return {column: text for column, text in texts if text is not None}


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
        self._schema = frozenset(source.columns)
        self._keys = source.key_columns
        self._read_event_time = event_time_reader(source)
        self._columns: dict[tuple[str, ...], Columns] = {}

    def __call__(self, published: Published) -> Row:
        """Return the usable row.

        Raises:
            RecordError: it has no identity (``key_missing``), or a text that cannot be stored (``text_invalid``).
        """
        values = published.values
        names = tuple(values)
        columns = self._columns.get(names) or self._understand(names)
        if columns.doubled and any(as_text(values[name]) is None for name in columns.doubled):
            filled = {name: v for name, v in values.items() if name not in columns.doubled or as_text(v) is not None}
            return self(replace(published, values=filled))
        named = [
            prefix + (value if value.__class__ is str else str(as_text(value)))
            for prefix, value in zip(columns.prefixes, columns.cells(values), strict=True)
            if value or (value is not None and value != "")
        ]
        canonical = RECORD_SEPARATOR.join(named)
        try:
            content = canonical.encode()
        except UnicodeEncodeError as error:
            raise RecordError("text_invalid", f"A value holds half a character ({error.reason}).") from error
        digest = blake2b(content, digest_size=HASH_BYTES).digest()
        if self._keys:
            record_id = self._natural(values, columns)
            if "\x00" in record_id:
                raise RecordError("text_invalid", "The row's key holds a NUL character.")
        elif self._is_plain(canonical, len(named), columns):
            record_id = digest.hex()
        else:
            record_id = self._hashed(values, columns)
        return Row(record_id, digest, published, columns)

    def _natural(self, values: Mapping[str, Any], columns: Columns) -> str:
        parts = [(as_text(values[name]) or "").strip() if name is not None else "" for name in columns.keys]
        if not all(parts):
            missing = ", ".join(column for column, part in zip(self._keys, parts, strict=True) if not part)
            raise RecordError("key_missing", f"The row has no value in {missing}, so it has no identity.")
        return "|".join(parts)

    @staticmethod
    def _is_plain(canonical: str, values: int, columns: Columns) -> bool:
        """Return whether the identity is the content's own hash: no other columns and no blanks to fold.

        A separator inside of a value is such a blank.
        """
        return (
            bool(values)
            and not columns.extras
            and canonical.count(UNIT_SEPARATOR) == values
            and canonical.count(RECORD_SEPARATOR) == values - 1
            and _NEEDS_FOLDING.search(canonical) is None
        )

    @staticmethod
    def _hashed(values: Mapping[str, Any], columns: Columns) -> str:
        known = _texts(values, columns.known)
        if not known:
            raise RecordError("key_missing", "The row has no value in any known column, so it has no identity.")
        return identity_hash(known)

    def _understand(self, names: tuple[str, ...]) -> Columns:
        renames, keep = self._source.renames, self._source.drift != "freeze"
        known: dict[str, str] = {}
        extras: list[str] = []
        doubled: set[str] = set()
        for name in names:
            if (column := renames.get(name, name)) in self._schema:
                doubled.update({name, known[column]} if column in known else ())
                known[column] = name
            elif keep and not is_system(name) and not self._source.ignores(name):
                extras.append(name)
        ordered = sorted([*known.items(), *zip(extras, extras, strict=True)])
        published = [name for _, name in ordered]
        found = Columns(
            known=tuple(known.items()),
            extras=tuple(zip(extras, extras, strict=True)),
            prefixes=tuple(column + UNIT_SEPARATOR for column, _ in ordered),
            cells=itemgetter(*published) if len(published) > 1 else lambda values: tuple(values[n] for n in published),
            keys=tuple(known.get(column) for column in self._keys),
            event_time=known.get(self._source.event_time),
            read_event_time=self._read_event_time,
            doubled=frozenset(doubled),
        )
        if len(self._columns) >= COLUMN_SETS:
            self._columns.clear()
        self._columns[names] = found
        return found
