"""``civicwire/sandbox/described/<key>.yaml``: what the sandbox portal needs to publish made-up rows of the feed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml

from civicwire.sandbox.described import Description, can_be_published
from civicwire.scaffold.draft import Draft
from civicwire.scaffold.sample import Column, all_numbers
from civicwire.scaffold.times import Form, form_of
from civicwire.scaffold.words import is_plain, one_line

EXAMPLES = 12
LONGEST_EXAMPLE = 200
_KINDS = {"csv_file": "csv"}


def text(draft: Draft) -> str | None:
    """Return the description, None where the sandbox portal cannot publish such columns or has none to revise."""
    guess = draft.guess
    published = {column.name: column.published for column in draft.dataset.columns}
    different = {name.lower() for name in published.values()}
    if len(different) < len(published) or not all(map(can_be_published, different)):
        return None
    columns = [_column(draft, column) for column in draft.dataset.columns if column.name in draft.names]
    changing = [
        str(one["name"])
        for one in columns
        if len([value for value in one.get("examples", ()) if value is not None]) > 1
        and one["name"] not in {published[name] for name in guess.key}
    ]
    if not changing:
        return None
    area = published.get(guess.area or "", changing[0])
    status = published.get(guess.status or "")
    content: dict[str, Any] = {
        "name": draft.key,
        "title": one_line(draft.title),
        "description": one_line(draft.dataset.description),
        "licence": one_line(draft.dataset.licence),
        "protocol": _KINDS.get(draft.dataset.protocol["name"], draft.dataset.protocol["name"]),
        "address": draft.dataset.address,
        "time_zone": draft.time_zone,
        "unique": [published[name] for name in guess.key],
        "event": published[guess.event.column],
        "category": published.get(guess.code or "", changing[0]),
        "area": area,
        "revise": status if status in changing else changing[0],
        "columns": columns,
    }
    Description.model_validate(content)
    head = f"# Made-up rows of {draft.key} for the sandbox portal, drawn from examples of the real ones.\n"
    return head + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def _column(draft: Draft, column: Column) -> dict[str, Any]:
    guess = draft.guess
    values = draft.dataset.values(column.name)
    described: dict[str, Any] = {"name": column.published}
    if column.title and one_line(column.title) != column.published:
        described["title"] = one_line(column.title)
    if column.description:
        described["description"] = one_line(column.description)
    kind = "text" if column.type == "number" and not all_numbers(values) else column.type
    if kind != "text":
        described["type"] = kind
    blank = [None] if draft.dataset.blank(column.name) else []
    form = _form(draft, column, values)
    if form is not None:
        described["time"] = form
        # Without its own time a made-up row would be a dead letter, which is true of few real ones.
        if blank and column.name != guess.event.column:
            described["examples"] = blank
    elif column.name in guess.key:
        described["examples"] = _examples(values)[:1] if len(guess.key) == 1 else _examples(values)
    else:
        described["examples"] = [*_examples(values), *blank]
    return described


def _form(draft: Draft, column: Column, values: list[str]) -> str | None:
    guess = draft.guess
    if guess.clock is not None and column.name == guess.clock[0]:
        return guess.clock[1]
    if column.name == guess.event.column:
        return guess.event.form.pattern
    if column.name == guess.month:
        return "%-m"
    found: Form | None = form_of(values, epoch=column.type == "epoch_ms")
    return found.pattern if found is not None else None


def _examples(values: list[str]) -> list[str]:
    """Return the commonest values that are short and plain."""
    fit = (value for value in values if is_plain(value) and len(value) <= LONGEST_EXAMPLE)
    return [value for value, _ in Counter(fit).most_common(EXAMPLES)]
