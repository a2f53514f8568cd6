"""Pictures of pages, by Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from schemas.errors import EnvironmentMissingError

WIDTH_PIXELS = 1280
"""Of a laptop's window."""
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].every(
    chart => chart._fullLayout && Math.abs(chart._fullLayout.height - chart.clientHeight) < 2)"""
"""Every chart is there and as high as its panel leaves it room."""


def take(pages: Iterable[Path], folder: Path, width: int = WIDTH_PIXELS) -> list[Path]:
    """Write a PNG of each of the whole ``pages`` (HTML files) into ``folder``, as wide as ``width`` pixels.

    Returns:
        The pictures, in the pages' order, named as they are.

    Raises:
        EnvironmentMissingError: there is no Chromium or no playwright; both are needed for pictures only.
    """
    browser_path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser_path is None:
        raise EnvironmentMissingError(
            "There is no Chromium for the picture: install it with `apt-get install chromium`."
        )
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development tool, not in the core lock
    except ImportError:
        raise EnvironmentMissingError("There is no playwright for the picture: run `make setup`.") from None
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        try:
            view = browser.new_page(viewport={"width": width, "height": 900})
            for page in pages:
                view.goto(page.resolve().as_uri())
                view.wait_for_function(DRAWN)
                pictures.append(folder / f"{page.stem}.png")
                view.screenshot(path=str(pictures[-1]), full_page=True)
        finally:
            browser.close()
    return pictures
