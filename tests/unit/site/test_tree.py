"""The site as a whole: every page is in the navigation, and the navigation names nothing that there is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from civicwire.settings import ROOT, Settings
from civicwire.site import tree
from civicwire.site.make import make
from civicwire.site.markdown import block, escaped
from schemas.errors import ConfigError

CONFIGURATION = yaml.safe_load((ROOT / tree.CONFIGURATION).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def planned() -> tree.Tree:
    return tree.plan()


def test_every_page_of_docs_is_in_the_navigation():
    named = set(tree.leaves(CONFIGURATION["nav"]))
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= named, "put it where a reader looks for it, in mkdocs.yml"


def test_every_page_that_is_made_is_in_the_navigation_once(planned):
    named = list(tree.leaves(planned.configuration["nav"]))
    assert len(named) == len(set(named))
    assert {path for path in planned.pages if not path.startswith("files/")} == set(named)


def test_the_start_is_the_readme_itself(planned):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert planned.pages["README.md"].split("## Step by step")[1] == readme.split("## Step by step")[1]


def test_a_page_that_nobody_has_put_into_the_navigation_is_there_for_mkdocs_to_refuse(tmp_path):
    root = _checkout(tmp_path, [{"Start": "README.md"}])
    (root / "docs" / "lost.md").write_text("# Lost\n", encoding="utf-8")
    made = tree.plan(root)
    assert "docs/lost.md" in made.pages
    assert "docs/lost.md" not in tree.leaves(made.configuration["nav"])


def test_a_navigation_that_names_what_is_gone_is_refused(tmp_path):
    root = _checkout(tmp_path, [{"Start": "README.md"}, {"More": ["docs/gone.md", "towns/"]}])
    with pytest.raises(ConfigError, match=r"there is no docs/gone\.md, towns/"):
        tree.plan(root)


def test_no_page_asks_for_fonts_scripts_or_counters_elsewhere():
    assert CONFIGURATION["theme"]["font"] is False
    assert CONFIGURATION["use_directory_urls"] is False
    assert "analytics" not in CONFIGURATION["extra"]
    for script in CONFIGURATION["extra"]["polyfills"]:
        assert (tree.ASSETS / Path(script).name).is_file()


def test_a_folder_that_holds_something_else_is_not_emptied(tmp_path):
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="no site that was made here"):
        make(tmp_path, Settings(home=tmp_path / "home"))
    assert (tmp_path / "letter.txt").read_text(encoding="utf-8") == "mine"


def test_text_of_a_feed_is_never_read_as_markup():
    assert escaped("a | b <c> *d* _e_ `f_*` [g] & h") == r"a \| b &lt;c&gt; \*d\* \_e\_ `f_*` \[g\] &amp; h"
    assert block("a\n```\nb", "text") == "````text\na\n```\nb\n````"


def _checkout(folder: Path, nav: list[object]) -> Path:
    (folder / "docs").mkdir()
    (folder / "README.md").write_text("# One\n", encoding="utf-8")
    (folder / tree.CONFIGURATION).write_text(yaml.safe_dump({"nav": nav}), encoding="utf-8")
    return folder
