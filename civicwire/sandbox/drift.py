"""Drift: the published columns of a feed renamed, added and dropped, without touching what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from civicwire.sandbox.feeds import COLUMN_TYPES, Column
from schemas.errors import ConfigError


@dataclass(frozen=True)
class Published:
    """A column as published now: its definition and the SQLite column that holds it."""

    column: Column
    stored: str


Columns = tuple[Published, ...]


def _find(columns: Columns, field: str) -> Published:
    for published in columns:
        if published.column.field == field:
            return published
    raise ConfigError(f"There is no column {field}: use one of {', '.join(p.column.field for p in columns)}.")


def _refuse_taken(columns: Columns, field: str) -> None:
    if any(p.column.field == field for p in columns):
        raise ConfigError(f"There is a column {field} already: choose another name.")


def dropped(columns: Columns, fields: Sequence[str], key: str) -> Columns:
    """Return ``columns`` without ``fields``.

    Raises:
        ConfigError: one is not there or is the feed's key.
    """
    for field in fields:
        gone = _find(columns, field)
        if gone.stored == key:
            raise ConfigError(f"{field} is the key and cannot be dropped: rename it instead.")
        columns = tuple(p for p in columns if p != gone)
    return columns


def renamed(columns: Columns, names: Mapping[str, str]) -> Columns:
    """Return ``columns`` with new field names in the old places.

    Raises:
        ConfigError: an old name is not there or a new one is taken.
    """
    for old, new in names.items():
        before = _find(columns, old)
        _refuse_taken(columns, new)
        after = replace(before, column=replace(before.column, field=new, name=new))
        columns = tuple(after if p == before else p for p in columns)
    return columns


def added(columns: Columns, field: str, kind: str, stored: str) -> Columns:
    """Return ``columns`` with one more at the end, kept in the SQLite column ``stored``.

    Raises:
        ConfigError: the name is taken or the type unknown.
    """
    _refuse_taken(columns, field)
    if kind not in COLUMN_TYPES:
        raise ConfigError(f"{kind} is no column type: use one of {', '.join(COLUMN_TYPES)}.")
    return (*columns, Published(Column(field, field, COLUMN_TYPES[kind]), stored))
