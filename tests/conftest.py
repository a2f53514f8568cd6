"""Fixtures that every level of tests shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real portal rows; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real portal rows are not here ({folder}); set CIVICWIRE_REAL_DATA to their folder")
    return folder


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
