"""``schemas/raw/<key>.avsc``."""

from __future__ import annotations

import json
from typing import Any

from civicwire.scaffold.draft import Draft
from civicwire.scaffold.sample import Column
from civicwire.scaffold.words import one_line
from schemas import loader

_BY_KEY = "the feed's natural key as published."
_BY_KEYS = "the natural key as published, its parts trimmed and joined with |."
_BY_HASH = "the feed publishes no key, so a hash of the row's content and a counter for equal rows."


def text(draft: Draft) -> str:
    """Return the Avro file: the head that every raw event has, and the columns with what the portal says of them."""
    head, extras = _shared(draft)
    about = one_line(draft.dataset.description).rstrip(". ")
    kept = "One change of one row. Values are kept as published, as text; null means that the portal gave no value."
    row = {
        "name": "row",
        "type": {
            "type": "record",
            "name": f"{draft.key}_row",
            "doc": "The row's known columns as published.",
            "fields": [
                {
                    "name": draft.names[column.name],
                    "type": ["null", "string"],
                    "default": None,
                    "doc": _doc(column, draft.names[column.name]),
                }
                for column in draft.dataset.columns
                if column.name in draft.names
            ],
        },
        "doc": "The row's known columns as published.",
    }
    schema = {
        "type": "record",
        "name": draft.key,
        "namespace": "civicwire.raw",
        "doc": f"{one_line(draft.title).rstrip('. ')}. {f'{about}. ' if about else ''}{kept}",
        "fields": [*head, row, extras],
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _shared(draft: Draft) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the fields before the row, and the one after it, as the other feeds have them."""
    other = min(path.stem for path in (loader.FOLDER / "raw").glob("*.avsc"))
    *head, _, extras = loader.document(f"raw/{other}")["fields"]
    identity = _BY_HASH if not draft.guess.key else _BY_KEY if len(draft.guess.key) == 1 else _BY_KEYS
    doc = f"Identity of the row inside its source: {identity} The Kafka key is the same text."
    return [{**field, "doc": doc} if field["name"] == "record_id" else field for field in head], extras


def _doc(column: Column, name: str) -> str:
    """Return the portal's own words for a column, or its title, and how it is published where that differs."""
    words = one_line(column.description) or one_line(column.title)
    words = words if words and words.lower() != name else "The portal says nothing of it"
    ended = words if words.endswith((".", "!", "?", "…")) else f"{words}."
    return ended if column.published == name else f"{ended} Published as {one_line(column.published)!r}."
