"""What a row is between the portal and the topic: text columns, an identity, a hash; or a dead letter."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from producers.catalog import Source
from schemas.errors import RecordError

UNIT_SEPARATOR = "\x1f"
RECORD_SEPARATOR = "\x1e"
HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Published:
    """One row as the portal published it.

    ``values`` maps published column names to text (None where the portal gave no value); ``original`` are the bytes
    that the portal sent for it; ``updated_at`` is the portal's own time of the row's last change in UTC, if it has one.
    """

    values: dict[str, str | None]
    original: bytes
    updated_at: datetime | None = None
    portal_id: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row: its identity, its known columns, the others, and the hash of all of them.

    Without a natural key, ``record_id`` is first the hash of the known columns, which ``numbered`` makes whole.
    """

    record_id: str
    known: dict[str, str]
    extras: dict[str, str]
    content_hash: str
    event_time: str | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Dead:
    """One row that cannot be used, with the reason code and the bytes that the portal sent."""

    dead_id: str
    reason: str
    detail: str
    payload: bytes


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
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).hexdigest()


def dead_letter(source: str, reason: str, detail: str, payload: bytes) -> Dead:
    """Return a dead letter whose id depends on source, reason and bytes alone: writing it again changes nothing."""
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
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


def shaper(source: Source) -> Callable[[Published], Row]:
    """Return the function that turns a published row of ``source`` into a usable one.

    The function raises RecordError (``key_missing``) for a row without an identity.
    """
    columns = frozenset(source.columns)
    renames = source.renames
    ignored: dict[str, bool] = {}
    keys = source.key_columns
    event_time = source.event_time
    frozen = source.drift == "freeze"
    read_event_time = event_time_reader(source)

    def is_ignored(name: str) -> bool:
        if name not in ignored:
            ignored[name] = source.ignores(name)
        return ignored[name]

    def shape(published: Published) -> Row:
        known: dict[str, str] = {}
        extras: dict[str, str] = {}
        for name, value in published.values.items():
            if value is None:
                continue
            column = renames.get(name, name)
            if column in columns:
                known[column] = value
            elif not is_ignored(name) and not frozen:
                extras[name] = value
        parts = [known.get(column, "").strip() for column in keys]
        if not all(parts):
            missing = ", ".join(column for column, part in zip(keys, parts, strict=True) if not part)
            raise RecordError("key_missing", f"The row has no value in {missing}, so it has no identity.")
        if not keys and not known:
            raise RecordError("key_missing", "The row has no value in any known column, so it has no identity.")
        everything = {**extras, **known} if extras else known
        return Row(
            record_id="|".join(parts) if keys else identity_hash(known),
            known=known,
            extras=extras,
            content_hash=content_hash(sorted(everything.items())),
            event_time=read_event_time(known.get(event_time)),
            updated_at=published.updated_at,
        )

    return shape
