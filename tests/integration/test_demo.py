"""The demo, small: every feed through the line, every dashboard filled, and panels that show the portal's truth."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from civicwire import demo_truth
from civicwire.demo_feeds import DEMO_FEEDS, total
from civicwire.preview import picture
from civicwire.preview.document import read
from civicwire.preview.make import GENERATED
from civicwire.settings import ROOT
from producers import catalog

pytestmark = [pytest.mark.parts, pytest.mark.timeout(1500)]
ROWS = 3_000
WELL_WHEN_EMPTY = {("is_it_true", 42)}
"""Panels of what went wrong, which say so when nothing did: dead letters."""


@dataclass(frozen=True)
class Shown:
    found: dict[str, Any]
    home: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return civicwire(self.home, *words)


def civicwire(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "civicwire.cli", *words]
    environment = os.environ | {"CIVICWIRE_HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One run of the demo in a home of its own, whose stack stays up for the tests."""
    home = tmp_path_factory.mktemp("demo")
    try:
        told = civicwire(home, "demo", "--rows", str(ROWS), "--json")
        assert told.returncode == 0, told.stderr
        yield Shown(json.loads(told.stdout), home)
    finally:
        civicwire(home, "down", "--purge")


def test_the_demo_polls_every_feed_of_the_catalog(demo: Shown):
    assert {feed.source for feed in DEMO_FEEDS} == set(catalog.load_all())
    inserted = {receipt["source"]: receipt["inserted"] for receipt in demo.found["receipts"]}
    assert inserted == {feed.source: feed.rows(ROWS) for feed in DEMO_FEEDS}
    assert sum(inserted.values()) == total(ROWS)


def test_a_panel_of_every_dashboard_shows_the_portals_truth(demo: Shown):
    assert demo.found["equal"] is True
    titles = {path.stem: read(path).title for path in GENERATED.rglob("*.json")}
    compared = {one["source"]: one for one in demo.found["figures"]}
    for check in demo_truth.CHECKS:
        figure = compared[titles[check.page]]
        assert figure["portal"] == figure["warehouse"]
        assert sum(figure["portal"].values()) > 0, figure
    assert {check.page for check in demo_truth.CHECKS} == set(titles)


def test_every_panel_of_every_dashboard_is_filled(demo: Shown):
    told = demo.run("preview", "--json")
    assert told.returncode == 0, told.stdout
    answer = json.loads(told.stdout)
    assert len(answer["dashboards"]) == 7
    empty = {(one["name"], panel["id"]) for one in answer["dashboards"] for panel in one["panels"] if not panel["rows"]}
    assert empty <= WELL_WHEN_EMPTY


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here (apt-get install chromium)")
def test_chromium_draws_every_chart_and_no_panel_has_failed_or_is_empty(demo: Shown, tmp_path: Path):
    pages = sorted(path for path in (demo.home / "preview").glob("*.html"))
    pictures = picture.take(pages, tmp_path)
    assert all(one.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for one in pictures)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for width in (1280, 390):
            view = browser.new_page(viewport={"width": width, "height": 900})
            errors: list[str] = []
            view.on("pageerror", lambda error, told=errors: told.append(str(error)))
            for page in pages:
                view.goto(page.as_uri())
                view.wait_for_function(picture.DRAWN)
                assert errors == [], page.name
                bad = view.eval_on_selector_all(".panel.broken, .panel.empty", "found => found.map(one => one.id)")
                allowed = {f"panel-{number}" for name, number in WELL_WHEN_EMPTY if name == page.stem}
                assert set(bad) <= allowed, page.name
                undrawn = view.eval_on_selector_all(
                    ".js-plotly-plot", "found => found.filter(one => !one.querySelector('.main-svg *')).length"
                )
                assert undrawn == 0, page.name
                across = view.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert across <= 0, f"{page.name} is wider than a window of {width} pixels"
        browser.close()
