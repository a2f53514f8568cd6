"""The pages that are written by hand, as they lie in the checkout: a link works on a code host and on the site."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from civicwire.site.markdown import Page, block

FILES = "files"
"""Folder of the pages that show a file to which a page links."""
DIAGRAMS = "diagrams"
_FENCED = re.compile(r"^([ \t]*)(`{3,})(\w*)[ \t]*\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
_SHOWN_AS_THEY_ARE = {".md", ".png", ".svg"}
_LANGUAGES = {".avsc": "json", ".py": "python", ".yaml": "yaml", ".yml": "yaml", ".sql": "sql", ".tf": "terraform"}


class Pages:
    """Pages of the checkout, and what they ask for: files that they link to, diagrams that they hold.

    Attributes:
        linked: paths of files to be copied, such as pictures.
        shown: paths of files to be shown as pages of their own, such as code.
        diagrams: path of a picture to what is drawn on it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.linked: set[str] = set()
        self.shown: set[str] = set()
        self.diagrams: dict[str, str] = {}

    def read(self, path: str) -> str:
        """Return the text of a page, with links to code led to pages that show it and diagrams led to pictures."""
        text = (self._root / path).read_text(encoding="utf-8")
        return _outside_code(
            text, lambda prose: _LINK.sub(lambda link: self._link(path, link), prose), self._diagram(path)
        )

    def _link(self, path: str, link: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(path).parent / link[1])
        if "://" in link[1] or not (self._root / target).is_file():
            return link[0]  # an address, or a link that leads nowhere, which mkdocs complains of
        if PurePosixPath(target).suffix in _SHOWN_AS_THEY_ARE:
            if not target.endswith(".md"):
                self.linked.add(target)
            return link[0]
        self.shown.add(target)
        return _relative(_shown_at(target), path)

    def _diagram(self, path: str) -> Callable[[str], str]:
        def draw(code: str) -> str:
            name = f"{DIAGRAMS}/{path.removesuffix('.md').replace('/', '-')}-{len(self.diagrams) + 1}.svg"
            self.diagrams[name] = code
            picture = _relative(name, path)
            return f"[![Diagram; a click shows it whole]({picture})]({picture})\n{{ .diagram }}\n"

        return draw

    def files(self) -> list[Page]:
        """Return a page for each file to which a page that was read links."""
        return [
            Page(
                _shown_at(path),
                path,
                block(
                    (self._root / path).read_text(encoding="utf-8"), _LANGUAGES.get(PurePosixPath(path).suffix, "text")
                ),
                searched=False,
            )
            for path in sorted(self.shown)
        ]


def _outside_code(text: str, prose: Callable[[str], str], diagram: Callable[[str], str]) -> str:
    """Return ``text`` with ``prose`` done to all but blocks of code, and ``diagram`` to those that are Mermaid's."""
    made, end = [], 0
    for fence in _FENCED.finditer(text):
        made += [prose(text[end : fence.start()]), diagram(fence[4]) if fence[3] == "mermaid" else fence[0]]
        end = fence.end()
    return "".join([*made, prose(text[end:])])


def _shown_at(path: str) -> str:
    # No page may begin with a dot: mkdocs would leave it out.
    return f"{FILES}/{path.lstrip('.')}.md"


def _relative(target: str, page: str) -> str:
    return os.path.relpath(target, PurePosixPath(page).parent)
