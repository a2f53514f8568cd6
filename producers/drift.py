"""What changed about a feed's columns between two polls: added, dropped, renamed, retyped; and what hangs on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from producers.catalog import Source

SAME = 0.9
"""So much of a dropped column's values must stand in an added one for the two to be one column renamed."""

STOPPING = ("column_dropped", "column_renamed", "column_retyped")
"""Changes that stop the poll of a feed whose columns are frozen."""

Pair = tuple[Mapping[str, str], Mapping[str, str]]
"""A revised row's columns before and after, by their names in the schema."""


@dataclass(frozen=True, slots=True)
class Affected:
    """What depends on a column of a feed: columns of the incident model, marts, and panels by their titles."""

    columns: tuple[str, ...] = ()
    marts: tuple[str, ...] = ()
    panels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """One change.

    Attributes:
        kind: column_added, column_dropped, column_renamed, column_retyped, value_added (a value never seen before),
            values_added (so many that they are not told one by one) or vocabulary_unbounded.
        column: the column by its published name, the old one of a renamed column; by the schema's name where it is
            about values.
        detail: a sentence for a person.
        value: the value, if it is about one.
        rows: rows of the poll that have it.
    """

    kind: str
    column: str
    detail: str
    value: str | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a portal publishes now.

    Attributes:
        stated: their names by the portal's own word, None where it says nothing.
        types: the portal's words for their types, as far as it tells.
        extras: columns met in rows that the schema does not know.
    """

    stated: set[str] | None
    types: Mapping[str, str]
    extras: set[str]


def compare(
    source: Source, position: Mapping[str, str], now: Columns, revised: Callable[[], Iterable[Pair]]
) -> list[Drift]:
    """Return what changed since the cursor's ``position``; ``revised`` gives some rows, read only to find renames."""
    earlier = set(json.loads(position["columns"])) if "columns" in position else None
    schema = {*source.columns, *source.renames}
    present = (now.stated or set()) | now.extras
    known = schema if earlier is None else earlier | (schema if now.stated is None else set())
    added = {name for name in present - known if not ignored(source, name)}
    dropped = (earlier - present) if earlier is not None and now.stated is not None else set()
    renamed = _renamed(source, dropped, added, revised) if added and dropped else {}
    found = [
        Drift(
            "column_renamed",
            old,
            f"{source.title}: the column {old} is now called {new}."
            + ("" if new in source.renames else f" Add `{new}: {source.renames.get(old, old)}` under `renames`."),
        )
        for old, new in sorted(renamed.items())
    ]
    for name in sorted(added - {*renamed.values()}):
        where = "left out of the events" if source.drift == "freeze" else "in extras"
        detail = f"{source.title}: the column {name} is new; its values are {where} until schemas/raw has it."
        found.append(Drift("column_added", name, detail))
    found.extend(
        Drift("column_dropped", name, f"{source.title}: the column {name} is no longer there.")
        for name in sorted(dropped - renamed.keys())
    )
    before = json.loads(position["types"]) if "types" in position else {}
    for name in sorted(before.keys() & now.types.keys()):
        if before[name] != now.types[name]:
            detail = f"{source.title}: the column {name} was {before[name]} and is now {now.types[name]}."
            found.append(Drift("column_retyped", name, detail))
    return found


def position_after(source: Source, position: Mapping[str, str], now: Columns) -> dict[str, str]:
    """Return what the cursor is to remember for the next comparison."""
    after = {}
    if now.stated is not None or now.extras:
        before = json.loads(position["columns"]) if "columns" in position else [*source.columns, *source.renames]
        present = (now.stated or set()) | now.extras
        after["columns"] = json.dumps(sorted(present if now.stated is not None else present.union(before)))
    if now.types:
        after["types"] = json.dumps(now.types, sort_keys=True)
    return after


def stops(source: Source, found: Iterable[Drift]) -> list[Drift]:
    """Return those changes at which the source's policy stops the poll; a new value of a known column never does."""
    if source.drift == "evolve":
        return []
    return [one for one in found if one.kind in STOPPING or (source.drift == "stop" and one.kind == "column_added")]


def ignored(source: Source, name: str) -> bool:
    """Return whether a published column is no part of the rows."""
    return name.startswith(":") or source.ignores(name)


def _renamed(
    source: Source, dropped: set[str], added: set[str], revised: Callable[[], Iterable[Pair]]
) -> dict[str, str]:
    """Return old to new name, by ``renames`` in the source file or because the values are the same."""
    schema_name = {name: source.renames.get(name, name) for name in dropped | added}
    found = {old: new for old in dropped for new in added if schema_name[old] == schema_name[new]}
    left, offered = dropped - found.keys(), added - set(found.values())
    if not left or not offered:
        return found
    pairs = list(revised())
    for old in sorted(left):
        had = [(before[schema_name[old]], after) for before, after in pairs if schema_name[old] in before]
        for new in sorted(offered):
            same = sum(after.get(schema_name[new]) == value for value, after in had)
            if had and same >= SAME * len(had):
                found[old] = new
                offered.discard(new)
                break
    return found
