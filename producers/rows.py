"""What a row is between the portal and the topic: text columns, an identity, a hash; or a dead letter."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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
    """One usable row: its identity, its known columns, the others, and the hash of all of them."""

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


def shaper(source: Source) -> Callable[[Published], Row]:
    """Return the function that turns a published row of ``source`` into a usable one.

    The function raises RecordError (``key_missing``) for a row without an identity.
    """
    columns = frozenset(source.columns)
    renames = source.renames
    ignored: dict[str, bool] = {}
    record_id = source.record_id
    event_time = source.event_time

    def is_ignored(name: str) -> bool:
        if name not in ignored:
            ignored[name] = any(fnmatch.fnmatchcase(name, pattern) for pattern in source.ignore_columns)
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
            elif not is_ignored(name):
                extras[name] = value
        parts = [known.get(column, "").strip() for column in record_id]
        if not all(parts):
            missing = ", ".join(column for column, part in zip(record_id, parts, strict=True) if not part)
            raise RecordError("key_missing", f"The row has no value in {missing}, so it has no identity.")
        everything = {**extras, **known} if extras else known
        return Row(
            record_id="|".join(parts),
            known=known,
            extras=extras,
            content_hash=content_hash(sorted(everything.items())),
            event_time=known.get(event_time),
            updated_at=published.updated_at,
        )

    return shape
