"""Fixtures that every level of tests shares."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

ROOT = Path(__file__).resolve().parent.parent

SHARED = {"tests/integration": "made_marts", "tests/unit/stream_jobs": "flink"}
"""The fixture of each folder that takes most of a minute to make: one process makes it, for all files that name it."""


@cache
def _shared(file: str) -> str | None:
    """Return the costly fixture that a file of tests names, if it names one; asked again for each of its tests."""
    fixture = SHARED.get(Path(file).parent.as_posix())
    if fixture and re.search(rf"^def .*\b{fixture}\b", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE):
        return fixture
    return None


class Sharing(LoadFileScheduling):
    """Give whole files to processes, and files that name the same costly fixture to the same process."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _shared(file) or file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Have the files of tests shared out as above when several processes run them (``make test``)."""
    return Sharing(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real portal rows; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real portal rows are not here ({folder}); set CIVICWIRE_REAL_DATA to their folder")
    return folder


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout into which a feed can be written, with the installed parts of the real one.

    Attributes:
        folder: where it is.
        environment: what programs need in order to run from it; its ``CIVICWIRE_HOME`` is empty.
    """

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a Python module of the copy: ``civicwire.cli``, ``pytest`` or ``sqlfluff``, with its arguments."""
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def files(self) -> set[str]:
        """Return the paths of its source files."""
        return {
            path.relative_to(self.folder).as_posix()
            for room in ROOMS
            for path in (self.folder / room).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


ROOMS = ("civicwire", "producers", "schemas", "stream_jobs", "dashboards", "dbt", "docs", "tests")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of the checkout; what a test writes into it is gone with it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
        shutil.copytree(ROOT / room, folder / room, ignore=ignored)
    for file in ("pyproject.toml", ".sqlfluff"):
        shutil.copy(ROOT / file, folder / file)
    (folder / ".parts").symlink_to(Path(os.environ.get("CIVICWIRE_PARTS", ROOT / ".parts")).resolve())
    (folder / ".venv").symlink_to(Path(sys.prefix))
    there = {name: value for name, value in os.environ.items() if not name.startswith("CIVICWIRE_")}
    return Checkout(folder, {**there, "PYTHONPATH": str(folder), "CIVICWIRE_HOME": str(tmp_path / "home")})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--source",
        action="append",
        default=[],
        metavar="KEY",
        help="run the conformance suite for this feed alone (repeatable); without it, for every feed of the catalog",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Run the conformance suite and nothing else where a feed is named and no file is."""
    if config.getoption("source") and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args[:] = [str(ROOT / "tests" / "conformance")]
