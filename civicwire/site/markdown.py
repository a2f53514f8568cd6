"""Markdown as the site's pages need it: plain text made harmless, tables, code."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CODE = re.compile(r"(`[^`]+`)")
_MEANS_SOMETHING = re.compile(r"([\\*_\[\]|])")
_FENCE = re.compile(r"^\s*(`{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is made.

    Attributes:
        path: of its file in the tree of pages, which is that of the checkout.
        title: its heading, and its name in the navigation.
        body: what follows the heading.
        searched: whether the site's search finds it.
    """

    path: str
    title: str
    body: str
    searched: bool = True

    @property
    def text(self) -> str:
        """The whole file."""
        head = "" if self.searched else "---\nsearch: {exclude: true}\n---\n\n"
        return f"{head}# {escaped(self.title)}\n\n{self.body.strip()}\n"


def escaped(text: str) -> str:
    """Return plain text on one line; what stands between backticks stays code."""
    pieces = _CODE.split(" ".join(text.split()))
    return "".join(piece if index % 2 else _plain(piece) for index, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return _MEANS_SOMETHING.sub(r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """Return text as code inside a line; none for nothing."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    """Return several texts as code inside a line."""
    return ", ".join(map(code, texts))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def block(text: str, language: str) -> str:
    """Return text as a block of code, under a fence that nothing in it can end."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def folded(title: str, markdown: str) -> str:
    """Return Markdown that is shown when a reader opens it."""
    inside = "\n".join(f"    {line}" if line else "" for line in markdown.splitlines())
    return f'??? note "{title}"\n\n{inside}'


def sections(*parts: str) -> str:
    """Return parts below each other, without those that are empty."""
    return "\n\n".join(part for part in parts if part)
