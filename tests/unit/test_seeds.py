"""What the source files and the taxonomy say of comparability stands in the dbt seeds."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest

from civicwire import seeds
from civicwire.settings import ROOT
from producers import catalog


def listed(name: str) -> list[dict[str, str]]:
    with (seeds.SEEDS / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_committed_seeds_are_up_to_date():
    assert seeds.stale() == [], "run `make generate` and commit dbt/seeds/"


def test_every_feed_says_what_it_counts():
    assert {row["source"]: row["unit"] for row in listed("feeds.csv")} == {
        source.key: source.counts.unit for source in catalog.load_all().values()
    }


def test_the_page_about_the_model_names_the_unit_and_the_breaks_of_every_feed():
    page = (ROOT / "docs" / "incident-model.md").read_text(encoding="utf-8")
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for source in catalog.load_all().values():
        said = [source.counts.unit, *(found.date.isoformat() for found in source.breaks)]
        assert [word for word in said if word not in lines[source.key]] == [], source.key


def test_the_page_about_the_model_has_every_category_as_it_is():
    page = (ROOT / "docs" / "incident-model.md").read_text(encoding="utf-8").splitlines()
    rows = (
        " | ".join(row[name] or "-" for name in ("category", "crime_against", "index_crime", "nibrs", "means"))
        for row in listed("categories.csv")
    )
    assert [row for row in rows if f"| {row} |" not in page] == []


def test_the_breaks_that_charts_must_mark_are_there():
    breaks = {(row["source"], row["break_date"]): row["effect"] for row in listed("breaks.csv")}
    assert breaks["la_crime_2020_2024", "2024-03-07"] == "level"
    assert breaks["la_crime_2020_2024", "2025-01-01"] == "ends"
    assert breaks["austin_crime_reports", "2021-01-01"] == "definition"
    assert breaks["austin_crime_reports", "2025-01-01"] == "columns"


def test_an_edited_and_a_missing_seed_are_stale_until_they_are_written(tmp_path: Path):
    assert seeds.write(tmp_path) == ["breaks.csv", "categories.csv", "feeds.csv"]
    assert seeds.stale(tmp_path) == []
    (tmp_path / "breaks.csv").write_text("source\n", encoding="utf-8")
    (tmp_path / "feeds.csv").unlink()
    (tmp_path / "san_diego_beats.csv").write_text("beat\n", encoding="utf-8")
    assert seeds.stale(tmp_path) == ["breaks.csv", "feeds.csv"]
    assert seeds.write(tmp_path) == ["breaks.csv", "feeds.csv"]
    assert (tmp_path / "san_diego_beats.csv").is_file(), "a seed that is not generated is left alone"


def test_a_new_break_makes_the_seed_stale(monkeypatch: pytest.MonkeyPatch):
    feeds = catalog.load_all()
    found = catalog.Break(date=date(2026, 1, 1), effect="level", what="Made for a test.")
    calls = feeds["san_diego_calls"].model_copy(update={"breaks": [found]})
    monkeypatch.setattr(catalog, "load_all", lambda: feeds | {calls.key: calls})
    assert seeds.stale() == ["breaks.csv"]


def test_check_exits_with_1_and_says_how_to_repair(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["seeds", "--check"])
    monkeypatch.setattr(seeds, "stale", lambda: ["feeds.csv"])
    assert seeds.main() == 1
    assert "make generate" in capsys.readouterr().err
