"""The dashboards' own queries on the warehouse emulator, and the pages that are made of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from marts_data import AUSTIN, SAN_DIEGO, MadeMarts
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.preview import make as making
from civicwire.preview.make import GENERATED, INDEX, SCRIPT, Preview, make
from dashboards import alerts
from stream_jobs.warehouse.connection import Warehouse

pytestmark = pytest.mark.parts


@pytest.fixture(scope="module")
def preview(made_marts: MadeMarts, tmp_path_factory: pytest.TempPathFactory) -> Preview:
    return make(made_marts.settings, tmp_path_factory.mktemp("preview"))


def board(name: str, folder: str = "cities") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GENERATED / folder / f"{name}.json").read_text(encoding="utf-8"))
    return found


def written(tmp_path: Path, changed: dict[str, Any]) -> Path:
    folder = tmp_path / "boards"
    folder.mkdir(exist_ok=True)
    (folder / "board.json").write_text(json.dumps(changed), encoding="utf-8")
    return folder


def test_no_query_of_a_panel_a_variable_or_an_annotation_fails(preview: Preview):
    assert [(result.panel.title, result.error) for result in preview.failed] == []
    assert preview.errors == ()
    assert {page.name for page in preview.pages} == {path.stem for path in GENERATED.rglob("*.json")}


def test_every_column_of_every_result_has_a_heading(preview: Preview):
    for page in preview.pages:
        for result in page.results:
            known = {"time", *result.panel.overrides}
            nameless = [one for one in result.columns if one not in known and result.panel.metric is None]
            assert nameless == [], f"{page.name}: {result.panel.title}"


def test_every_panel_of_a_feed_that_has_rows_is_filled(preview: Preview):
    # The made rows have no coordinates, and offences of their own words.
    assert [result.panel.id for result in preview.page("austin").results if result.empty] == [41]


def test_every_alert_rule_returns_a_value_for_each_feed(made_marts: MadeMarts):
    settings = made_marts.settings
    warehouse = Warehouse(settings.project, settings.dataset, settings.location, settings.warehouse)
    try:
        for alert in alerts.ALERTS:
            if alert.sql is None:
                continue
            sql = alert.sql.replace("${CIVICWIRE_DATASET}", settings.dataset)
            rows = [tuple(row.values()) for row in warehouse.client.query(sql).result()]
            assert {AUSTIN, SAN_DIEGO} <= {row[0] for row in rows}, alert.name
            assert all(len(row) == 2 for row in rows), alert.name
            assert all(isinstance(row[1], (int, float)) for row in rows if row[0] in {AUSTIN, SAN_DIEGO}), alert.name
    finally:
        warehouse.close()


def test_the_figures_are_those_of_the_rows(made_marts: MadeMarts, preview: Preview):
    page = preview.page("austin")
    start = page.period.start.date()
    expected = sum(
        row["source"] == AUSTIN and row["occurred_date"].replace(day=1) >= start for row in made_marts.made.live
    )
    assert page.panel(2).rows[0][0] == expected
    panel = re.search(r'id="panel-2".*?</section>', page.file.read_text(encoding="utf-8"), re.DOTALL)
    assert panel is not None
    assert f'class="value">{expected:,}<' in panel[0]


def test_the_heat_map_has_seven_days_from_monday_and_24_hours(made_marts: MadeMarts, preview: Preview):
    page = preview.page("austin")
    result = page.panel(23)
    assert [row[0] for row in result.rows] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    first_month = page.period.start.date()
    expected = sum(
        row["source"] == AUSTIN
        and row["time_precision"] != "day"
        and row["occurred_date"].replace(day=1) >= first_month
        for row in made_marts.made.live
    )
    assert sum(cell or 0 for row in result.rows for cell in row[1:]) == expected


def test_the_pages_load_nothing_but_the_script_beside_them(preview: Preview):
    folder = preview.index.parent
    assert (folder / SCRIPT).stat().st_size > 1_000_000
    for page in [preview.index, *(one.file for one in preview.pages)]:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)|<link[^>]+href|@import|url\(["\']?http', text)
        assert set(loaded) <= {SCRIPT}
        assert len(text) < 2_000_000, "the charts' script is there once, not in every page"


def test_the_index_leads_to_every_page_and_each_page_to_the_others(preview: Preview):
    names = {page.file.name for page in preview.pages}
    assert set(re.findall(r'href="(\w+\.html)"', preview.index.read_text(encoding="utf-8"))) == names
    for page in preview.pages:
        links = set(re.findall(r'href="(\w+\.html)"', page.file.read_text(encoding="utf-8")))
        assert links == names - {page.file.name} | {INDEX}


def test_a_query_that_fails_shows_its_error_and_the_command_exits_with_1(
    made_marts: MadeMarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    changed = board("austin")
    changed["panels"] = [one for one in changed["panels"] if one["id"] in {2, 11}]
    broken = next(one for one in changed["panels"] if one["id"] == 11)
    broken["targets"][0]["rawSql"] = "select no_such_column from ${dataset}_marts.city_month_trend"
    source = written(tmp_path, changed)
    monkeypatch.setattr(make, "__kwdefaults__", {**make.__kwdefaults__, "source": source})
    for name in ("home", "dataset", "warehouse", "warehouse_grpc"):
        monkeypatch.setenv(f"CIVICWIRE_{name.upper()}", str(getattr(made_marts.settings, name)))
    out = tmp_path / "pages"
    told = CliRunner().invoke(app, ["preview", "--out", str(out)])
    assert told.exit_code == 1
    assert "panel 11 Reports per year" in told.stdout
    assert "no_such_column" in told.stdout
    text = (out / "board.html").read_text(encoding="utf-8")
    panel = re.search(r'id="panel-11".*?</section>', text, re.DOTALL)
    assert panel is not None
    assert "The query failed" in panel[0]
    assert "no_such_column" in panel[0]
    assert text.count('class="failure"') == 1, "the other panel is shown all the same"
    answer = json.loads(CliRunner().invoke(app, ["preview", "--out", str(out), "--json"]).stdout)
    assert [one["id"] for one in answer["dashboards"][0]["panels"] if one["error"]] == [11]
    assert answer["ok"] is False


def test_a_variable_whose_query_fails_is_told_and_stops_no_other_panel(made_marts: MadeMarts, tmp_path: Path):
    changed = board("austin")
    sector = next(one for one in changed["templating"]["list"] if one["name"] == "sector")
    sector["query"]["rawSql"] = "select nothing_like_it from ${dataset}_marts.city_month_trend"
    made = make(made_marts.settings, tmp_path / "pages", source=written(tmp_path, changed))
    assert len(made.errors) == 1
    assert "variable sector" in made.errors[0]
    assert made.failed == ()
    page = made.pages[0]
    assert not page.panel(31).empty, "a panel that does not use it"
    assert page.panel(12).empty, "a panel that does"


def test_some_dashboards_alone_and_one_that_is_not_there(
    made_marts: MadeMarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    made = make(made_marts.settings, tmp_path, names=["pipeline"])
    assert [page.name for page in made.pages] == ["pipeline"]
    assert not (tmp_path / "austin.html").exists()
    monkeypatch.setenv("CIVICWIRE_HOME", str(made_marts.settings.home))
    told = CliRunner().invoke(app, ["preview", "-d", "nothing", "--out", str(tmp_path)])
    assert "There is no dashboard nothing: use some of" in str(told.exception)


def test_a_period_without_rows_says_what_the_marts_hold(made_marts: MadeMarts, tmp_path: Path):
    made = make(made_marts.settings, tmp_path, names=["austin"], time_from="2001-01-01", time_to="2001-12-31")
    assert made.failed == ()
    page = made.pages[0].file.read_text(encoding="utf-8")
    assert "No rows in this period" in page
    assert "2001-01-01 to 2001-12-31" in page
    assert f"The marts hold {len(made_marts.made.live):,} incidents" in page


def test_a_warehouse_without_marts_says_how_to_build_them(made_marts: MadeMarts, tmp_path: Path):
    elsewhere = made_marts.settings.model_copy(update={"dataset": "nowhere"})
    made = make(elsewhere, tmp_path, names=["austin"])
    assert len(made.failed) == len(made.results)
    page = made.pages[0].file.read_text(encoding="utf-8")
    assert page.count("Run `civicwire build`") >= len(made.results)
    assert "figures could not be read" in page


def test_now_is_the_given_instant(made_marts: MadeMarts, tmp_path: Path):
    source = written(tmp_path, {**board("austin"), "panels": []})
    now = datetime(2026, 2, 3, tzinfo=UTC)
    made = make(made_marts.settings, tmp_path / "pages", source=source, now=now)
    assert made.pages[0].period.start == datetime(2021, 1, 1, tzinfo=UTC)
    assert "Made 2026-02-03 00:00 UTC" in made.pages[0].file.read_text(encoding="utf-8")


def test_a_folder_without_dashboards_says_how_to_write_them(made_marts: MadeMarts, tmp_path: Path):
    with pytest.raises(making.ConfigError, match="python -m dashboards"):
        make(made_marts.settings, tmp_path / "pages", source=tmp_path)
