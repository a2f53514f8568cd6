"""The site as mkdocs makes it: what must fail fails, and the rest opens from the file system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from civicwire.bootstrap import environments
from civicwire.settings import ROOT
from civicwire.site import tree
from civicwire.site.make import render
from schemas.errors import FatalError


@pytest.fixture(scope="module")
def environment() -> environments.Environment:
    """The site's own environment, which `make docs` makes as well."""
    return environments.set_up_docs()


@pytest.fixture
def small() -> tree.Tree:
    """Three pages under this checkout's configuration."""
    configuration = yaml.safe_load((ROOT / tree.CONFIGURATION).read_text(encoding="utf-8"))
    configuration["nav"] = ["README.md", "docs/design.md", "marts/index.md"]
    pages = {
        "README.md": "# Start\n\nSee [the design](docs/design.md#rooms).\n",
        "docs/design.md": "# Design\n\n## Rooms\n\nBack to the [start](../README.md).\n",
        "marts/index.md": "# Marts\n\n[dbt's pages](dbt.html)\n",
    }
    copies = {f"assets/{file.name}": file for file in tree.ASSETS.iterdir()}
    return tree.Tree(pages, copies, {}, configuration)


@pytest.fixture
def made(tmp_path, environment) -> Callable[[tree.Tree], Path]:
    """Make the site of a tree and return its folder."""

    def make(planned: tree.Tree) -> Path:
        dbt = tmp_path / "static_index.html"
        dbt.write_text("<html><body>dbt</body></html>", encoding="utf-8")
        render(planned, dbt, tmp_path / "site", environment)
        return tmp_path / "site"

    return make


def test_a_site_has_its_pages_diagrams_and_a_search_that_needs_no_server(small, made):
    start = small.pages | {"README.md": small.pages["README.md"] + "![drawn](diagrams/1.svg)\n"}
    site = made(replace(small, pages=start, diagrams={"diagrams/1.svg": "flowchart LR\n  portal --> topic\n"}))
    assert 'href="docs/design.html#rooms"' in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "marts" / "dbt.html").is_file()
    assert "portal" in (site / "diagrams" / "1.svg").read_text(encoding="utf-8")
    assert (site / "search" / "search_index.js").is_file()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"docs/design.md": "# Design\n\n## Rooms\n\n[gone](gone.md)\n"}, "'docs/gone.md' is not found"),
        ({"docs/design.md": "# Design\n\n## Other\n"}, "does not contain an anchor '#rooms'"),
        ({"docs/lost.md": "# Lost\n"}, "docs/lost.md"),
        (
            {"docs/design.md": "## Rooms\n\n<img src='https://example.org/x.png'>\n"},
            "design.html loads https://example.org",
        ),
    ],
    ids=["a link to nowhere", "a heading that is gone", "a page in no navigation", "a picture from elsewhere"],
)
def test_what_a_reader_would_trip_over_fails(changed, said, small, made):
    with pytest.raises(FatalError, match=said):
        made(replace(small, pages=small.pages | changed))
