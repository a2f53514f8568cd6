"""The demo at 200,000 rows: too long for every push, run by ``make test-chaos``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from civicwire.demo import LIVE_FEEDS
from civicwire.demo_feeds import total
from civicwire.settings import ROOT

pytestmark = [pytest.mark.parts, pytest.mark.chaos, pytest.mark.timeout(3000)]


def civicwire(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "civicwire.cli", *words]
    environment = os.environ | {"CIVICWIRE_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


def test_the_demo_at_200_000_rows_ends_in_the_marts_with_the_portals_figures(tmp_path: Path):
    home = tmp_path / "home"
    try:
        first = civicwire(home, "demo", "--rows", "200000", "--json")
        assert first.returncode == 0, first.stderr
        found = json.loads(first.stdout)
        assert found["equal"] is True
        assert sum(receipt["inserted"] for receipt in found["receipts"]) == total(200_000)
        assert {figure["figure"] for figure in found["figures"]} >= {
            "rows",
            "rows by month (mart)",
            "rows by area (windows)",
        }
        pages = set(Path(found["preview"]).parent.glob("*.html")) - {Path(found["preview"])}
        assert len(pages) == len({figure["source"] for figure in found["figures"]} - set(LIVE_FEEDS)) == 7
        assert min(page.stat().st_size for page in pages) > 20_000
    finally:
        civicwire(home, "down", "--purge")
