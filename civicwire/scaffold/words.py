"""Text from a portal made fit for people and files, and names made of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LONGEST_NAME = 40
"""Characters of a feed's or a column's name: lines of SQL that hold one stay within 120."""
LONGEST_LINE = 300
"""Characters of a portal's text that are kept in a comment, a doc or a title."""


def one_line(text: object, longest: int = LONGEST_LINE) -> str:
    """Return ``text`` as one line of printable characters without markup, cut at ``longest``; empty for None."""
    if text is None:
        return ""
    bare = re.sub(r"<[^<>]{0,500}>", " ", str(text))
    kept = "".join(character if character.isprintable() else " " for character in bare)
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def is_plain(text: str) -> bool:
    """Return whether ``text`` can stand in a file as it is: printable, in one line, and short."""
    return text == one_line(text) and "<" not in text


def column_names(published: Iterable[str]) -> dict[str, str]:
    """Return the schema's name of each published column: letters, digits and underscores, each only once."""
    given: dict[str, str] = {}
    taken: set[str] = set()
    for position, name in enumerate(published, start=1):
        plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("ß", "ss"))
        bare = "".join(character for character in plain if not unicodedata.combining(character))
        slug = re.sub(r"[^a-z0-9]+", "_", bare.lower().encode("ascii", "replace").decode()).strip("_")[:LONGEST_NAME]
        if not slug or not slug[0].isalpha():
            slug = f"column_{slug or position}"
        unique, number = slug, 2
        while unique in taken:
            unique, number = f"{slug}_{number}", number + 1
        taken.add(unique)
        given[name] = unique
    return given
