"""``python -m civicwire.site [--to FOLDER]``: make the documentation site, which opens from the file system.

dbt's own pages have the warehouse's catalogue where the emulator runs, and none where it does not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from html.parser import HTMLParser
from pathlib import Path

import yaml

from civicwire.bootstrap import environments
from civicwire.commands import build
from civicwire.settings import ROOT, Settings
from civicwire.site import marts, tree
from schemas.errors import CivicwireError, ConfigError, FatalError

FOLDER = ROOT / "build" / "docs"
_INDEX = "search/search_index.json"
"""What every site has that was made here."""


def make(folder: Path, settings: Settings) -> int:
    """Make the site in ``folder`` and return how many pages it has.

    Raises:
        ConfigError: the folder holds something else, or a feed, mart or page cannot be read.
        EnvironmentMissingError: an interpreter or a package installer is missing.
        FatalError: dbt or mkdocs failed; the message has what they said.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _INDEX).is_file())):
        raise ConfigError(f"{folder} is no site that was made here: name a folder that is empty or does not exist.")
    environment = environments.set_up_docs()
    planned = tree.plan()
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch) / "pages"
        planned.write(pages, lambda diagram: _run([environment.python.with_name("mermaidx"), "-i", "-"], diagram))
        (pages / marts.FOLDER / marts.DBT).write_bytes(build.docs(settings).read_bytes())
        configuration = Path(scratch) / tree.CONFIGURATION
        places = {"docs_dir": str(pages), "site_dir": str(folder.resolve())}
        configuration.write_text(yaml.safe_dump(planned.configuration | places), encoding="utf-8")
        _run([environment.python.with_name("mkdocs"), "build", "--quiet", "--config-file", configuration])
    for page in folder.rglob("*.html"):
        _check(page)
    return len(planned.pages)


def _run(command: list[str | Path], given: str = "") -> str:
    """Run a program of the site's environment and return its output."""
    done = subprocess.run(list(map(str, command)), input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FatalError(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


class _Loaded(HTMLParser):
    """Collects the addresses from which a page loads something when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        address = found.get("href") if tag == "link" and found.get("rel") != "canonical" else found.get("src")
        if address and address.startswith(("http:", "https:", "//")):
            self.addresses.append(address)


def _check(page: Path) -> None:
    loaded = _Loaded()
    loaded.feed(page.read_text(encoding="utf-8"))
    if loaded.addresses:
        raise FatalError(
            f"{page.name} loads {', '.join(loaded.addresses)}: put what it needs into civicwire/site/assets."
        )


def main() -> int:
    """Return 0 when the site is made, 1 when a step failed, 2 for wrong input, 3 when this machine lacks something."""
    parser = argparse.ArgumentParser(prog="python -m civicwire.site", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the site (build/docs)")
    started = time.monotonic()
    folder = parser.parse_args().to
    try:
        pages = make(folder, Settings())
    except CivicwireError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{pages} pages in {time.monotonic() - started:.1f} s: open {folder / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
