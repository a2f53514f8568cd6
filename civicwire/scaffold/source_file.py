"""``producers/sources/<key>.yaml``."""

from __future__ import annotations

from typing import Any

import yaml

from civicwire.scaffold.draft import Draft
from civicwire.scaffold.words import one_line

GUESSED = "guessed"


def text(draft: Draft) -> str:
    """Return the source file; every guess stands in a comment beside what it led to."""
    guess = draft.guess
    why = {about: reason for about, _, reason in guess.why}
    lines = [
        f"# {one_line(draft.title)}: {one_line(draft.url)}",
        f"# Drafted by `civicwire source new` from {len(draft.dataset.rows):,} rows. Check what says {GUESSED},",
        "# and say here what is particular about the feed.",
        *(f"# {one_line(note)}" for note in draft.dataset.notes),
        f"key: {draft.key}",
        f"title: {scalar(one_line(draft.title))}",
        f"kind: {draft.kind}",
        "counts:",
        f"  unit: {draft.counts}",
        f"  means: {scalar(draft.means)}",
        f"time_zone: {draft.time_zone}",
        f"licence: {scalar(one_line(draft.licence))}",
        "protocol:",
        *(f"  {name}: {scalar(value)}" for name, value in draft.dataset.protocol.items()),
        f"record_id: {scalar([draft.names[name] for name in guess.key] or 'hash')}  # {_reason(why['record_id'])}",
        f"event_time: {draft.names[guess.event.column]}  # {_reason(why['event_time'])}",
    ]
    if guess.event.form.catalog != "iso":
        lines.append(f"event_time_format: {guess.event.form.catalog}")
    lines.append("cadence_minutes: 1440  # a daily look; say how often the city publishes")
    renamed = {name: given for name, given in draft.names.items() if name != given}
    if renamed:
        lines.append("renames:")
        lines += [f"  {scalar(name)}: {given}" for name, given in renamed.items()]
    if guess.watched:
        watched = scalar([draft.names[name] for name in guess.watched])
        lines.append(f"vocabularies: {watched}  # {_reason(why['vocabularies'])}")
    if guess.ignored:
        lines.append(f"ignore_columns: {scalar(guess.ignored)}  # {why['ignore_columns']}")
    return "\n".join(lines) + "\n"


def _reason(why: str) -> str:
    return why if why == "as you said" else f"{GUESSED}: {why}"


def scalar(value: Any) -> str:
    """Return a value as YAML in one line, quoted where it has to be."""
    if isinstance(value, list):
        return "[" + ", ".join(_item(item) if isinstance(item, str) else scalar(item) for item in value) + "]"
    if isinstance(value, str) and not value.isprintable():
        return _quoted(value)
    return str(yaml.safe_dump({"_": value}, allow_unicode=True, width=1_000_000)).removeprefix("_: ").strip()


def _item(text: str) -> str:
    """Return text as an item of a list in brackets, where a comma or a bracket has a meaning too."""
    bare = text.replace("_", "a").isalnum() and text.isascii() and not text.isdigit()
    return scalar(text) if bare else _quoted(text)


def _quoted(text: str) -> str:
    return str(yaml.safe_dump(text, allow_unicode=True, width=1_000_000, default_style='"')).strip()
