"""The pages that mkdocs makes the site of: laid out as in the checkout, with those that are made beside them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from civicwire.settings import ROOT
from civicwire.site import checkout, feeds, marts, topics
from civicwire.site.markdown import Page
from schemas.errors import ConfigError

CONFIGURATION = "mkdocs.yml"
ASSETS = Path(__file__).parent / "assets"


@dataclass(frozen=True, slots=True)
class Tree:
    """All that mkdocs is given.

    Attributes:
        pages: path to text of each page.
        copies: path in the tree to the file that is copied there.
        diagrams: path of a picture to what is drawn on it, in Mermaid's language.
        configuration: of mkdocs, with the pages that are made in the navigation.
    """

    pages: dict[str, str]
    copies: dict[str, Path]
    diagrams: dict[str, str]
    configuration: dict[str, Any]

    def write(self, folder: Path, draw: Callable[[str], str]) -> None:
        """Write everything but mkdocs' configuration into ``folder``; ``draw`` makes SVG of a diagram."""
        drawn = {path: draw(diagram) for path, diagram in self.diagrams.items()}
        for path, text in (self.pages | drawn).items():
            _made_room(folder / path).write_text(text, encoding="utf-8")
        for path, file in self.copies.items():
            shutil.copyfile(file, _made_room(folder / path))


def plan(root: Path = ROOT) -> Tree:
    """Return the tree of a checkout.

    Raises:
        ConfigError: the navigation of mkdocs.yml names a page or a folder that there is not.
    """
    configuration: dict[str, Any] = yaml.safe_load((root / CONFIGURATION).read_text(encoding="utf-8"))
    made = {f"{room.FOLDER}/": room.pages() for room in (feeds, topics, marts)}
    written = checkout.Pages(root)
    named = {path for path in leaves(configuration["nav"]) if path not in made}
    if missing := sorted(path for path in named if not (root / path).is_file()):
        raise ConfigError(f"{CONFIGURATION}: there is no {', '.join(missing)}: correct the navigation.")
    # A page of docs/ that nobody has put into the navigation is in the tree, so that mkdocs says so.
    unnamed = {path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")}
    pages = {path: written.read(path) for path in sorted(named | unnamed)}
    for page in [*(page for listed in made.values() for page in listed), *written.files()]:
        pages[page.path] = page.text
    copies = {path: root / path for path in written.linked}
    copies |= {f"assets/{file.name}": file for file in ASSETS.iterdir()}
    return Tree(pages, copies, written.diagrams, configuration | {"nav": _filled(configuration["nav"], made)})


def leaves(nav: Any) -> Iterator[str]:
    """Yield every path of a navigation, in order."""
    if isinstance(nav, str):
        yield nav
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(item)


def _filled(nav: list[Any], made: dict[str, list[Page]]) -> list[Any]:
    """Return the navigation with the pages of a folder where the folder is named."""
    filled: list[Any] = []
    for item in nav:
        if isinstance(item, str) and item in made:
            index, *others = made[item]
            filled += [index.path, *({page.title: page.path} for page in others)]
        elif isinstance(item, dict):
            filled.append({title: _filled(one, made) if isinstance(one, list) else one for title, one in item.items()})
        else:
            filled.append(item)
    return filled


def _made_room(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
