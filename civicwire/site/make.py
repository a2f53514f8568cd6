"""Make the site of a tree of pages: mkdocs in an environment of its own, and dbt's pages beside those of the marts."""

from __future__ import annotations

import os
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import yaml

from civicwire.bootstrap import environments
from civicwire.bootstrap.environments import Environment
from civicwire.commands import build
from civicwire.settings import Settings
from civicwire.site import marts, tree
from schemas.errors import ConfigError, FatalError

_INDEX = "search/search_index.json"
"""What every site has that was made here."""


def make(folder: Path, settings: Settings) -> int:
    """Make the site of this checkout in ``folder`` and return how many pages it has.

    Raises:
        ConfigError: the folder holds something else, or a feed, a mart or the navigation cannot be used.
        EnvironmentMissingError: an interpreter, a package installer or dbt is missing.
        FatalError: dbt or mkdocs failed; the message has what they said.
    """
    _check_free(folder)
    planned = tree.plan()
    render(planned, build.docs(settings), folder, environments.set_up_docs())
    return len(planned.pages)


def render(planned: tree.Tree, dbt: Path, folder: Path, environment: Environment) -> None:
    """Make the site of a tree in ``folder``, whose content goes; ``dbt`` is the file of dbt's own pages.

    Raises:
        FatalError: a link leads nowhere, a page is in no navigation or loads something from elsewhere, a diagram cannot
            be drawn; the message says which.
    """
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch) / "pages"
        planned.write(pages, lambda diagram: _run([environment.python.with_name("mermaidx"), "-i", "-"], diagram))
        (pages / marts.FOLDER).mkdir(exist_ok=True)
        (pages / marts.FOLDER / marts.DBT).write_bytes(dbt.read_bytes())
        configuration = Path(scratch) / tree.CONFIGURATION
        places = {"docs_dir": str(pages), "site_dir": str(folder.resolve())}
        configuration.write_text(yaml.safe_dump(planned.configuration | places), encoding="utf-8")
        # Not --quiet: it hides warnings from strict mode as well.
        _run([environment.python.with_name("mkdocs"), "build", "--config-file", configuration])
    for page in sorted(folder.rglob("*.html")):
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        if loaded.addresses:
            name = page.relative_to(folder).as_posix()
            raise FatalError(f"{name} loads {', '.join(loaded.addresses)}: take it into civicwire/site/assets.")


def _check_free(folder: Path) -> None:
    """Mkdocs empties the folder of the site first, so it must not be anybody's."""
    if folder.exists() and not (folder.is_dir() and ((folder / _INDEX).is_file() or not any(folder.iterdir()))):
        raise ConfigError(f"{folder} is no site that was made here: name a folder that is empty or does not exist.")


def _run(command: list[str | Path], given: str = "") -> str:
    """Run a program of the site's environment and return its output."""
    done = subprocess.run(
        list(map(str, command)),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    if done.returncode:
        raise FatalError(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


class _Loaded(HTMLParser):
    """Collects the addresses elsewhere from which a page loads something when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one tag."""
        found = dict(attrs)
        loads = tag == "link" and found.get("rel") not in {"canonical", "next", "prev"}
        address = (found.get("href") if loads else found.get("src")) or ""
        if address.startswith(("http:", "https:", "//")):
            self.addresses.append(address)
