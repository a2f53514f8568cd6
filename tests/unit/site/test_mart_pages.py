"""What the page of a mart says, against the dbt project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from civicwire.settings import ROOT
from civicwire.site import marts
from schemas.errors import ConfigError

PROJECT = ROOT / "dbt"
MARTS = sorted(path.stem for path in (PROJECT / "models" / "marts").glob("*.sql"))
SEEDS = sorted(path.stem for path in (PROJECT / "seeds").glob("*.csv"))


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return {page.path: page.text for page in marts.pages()}


@pytest.fixture
def project(tmp_path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "dbt", ignore=shutil.ignore_patterns("target", "logs")))


def _entry(name: str) -> dict[str, object]:
    content = yaml.safe_load((PROJECT / "models" / "marts" / f"{name}.yml").read_text(encoding="utf-8"))
    return content["models"][0]


def test_every_mart_and_seed_has_a_page_and_nothing_else_has_one(made):
    assert made.keys() == {"marts/index.md", *(f"marts/{name}.md" for name in [*MARTS, *SEEDS])}
    assert all(f"({name}.md)" in made["marts/index.md"] for name in [*MARTS, *SEEDS])


@pytest.mark.parametrize("name", MARTS)
def test_a_page_names_every_column_with_its_type_and_says_what_it_is(name, made):
    lines = made[f"marts/{name}.md"].splitlines()
    for column in _entry(name)["columns"]:
        (line,) = [line for line in lines if line.startswith(f"| `{column['name']}` | {column['data_type']}")]
        assert not line.endswith("|  |"), "it says nothing"


@pytest.mark.parametrize("name", MARTS)
def test_a_page_has_the_grain_and_the_test_that_keeps_it(name, made):
    entry = _entry(name)
    assert f"| a row for each | `{entry['config']['meta']['grain']}` |" in made[f"marts/{name}.md"]
    for test in entry.get("data_tests", []):
        ((kind, options),) = test.items()
        assert f"| `{options['name']}` | {kind.replace('_', ' ')} |" in made[f"marts/{name}.md"]


@pytest.mark.parametrize("name", [*MARTS, *SEEDS])
def test_a_page_names_the_dashboards_that_use_it_and_no_others(name, made):
    exposures = yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    used = made[f"marts/{name}.md"].split("## Used by")[1].split("## How it is made")[0]
    for exposure in exposures:
        assert (f"| `{exposure['name']}` |" in used) is (f"ref('{name}')" in exposure["depends_on"])


def test_a_page_names_unit_tests_equations_and_panels(made):
    comparison, areas = made["marts/city_comparison.md"], made["marts/incidents_by_area.md"]
    assert "| `breaks_divide_a_series_and_a_successor_does_not` | unit test | Where one feed ends" in comparison
    said = "every mart that counts incidents counts all of its kinds, each once, whatever it divides them by."
    assert f"| `marts_add_up_to_trend` | business equation | {said} |" in areas
    assert "marts_add_up_to_trend" not in comparison
    assert "Correlation by lag in months" in made["marts/unemployment_correlation.md"]


def test_a_page_links_what_the_mart_is_made_of_and_what_is_made_of_it(made):
    assert "| made of | [`breaks`](breaks.md), [`categories`](categories.md)" in made["marts/city_comparison.md"]
    assert "[`city_comparison`](city_comparison.md)" in made["marts/city_month_trend.md"]


def test_a_mart_that_nothing_describes_is_refused(project):
    (project / "models" / "marts" / "builds.yml").unlink()
    with pytest.raises(ConfigError, match=r"builds: a \.sql file"):
        marts.pages(project)


def test_a_description_of_a_mart_that_is_gone_makes_no_page(project):
    (project / "models" / "marts" / "builds.sql").unlink()
    with pytest.raises(ConfigError, match=r"builds: a \.sql file"):
        marts.pages(project)
