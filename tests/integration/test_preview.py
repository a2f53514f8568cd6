"""The dashboard's own queries on the warehouse emulator, and the page that is made of them."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from marts_data import AUSTIN, MadeMarts
from typer.testing import CliRunner

from civicwire.cli import app
from civicwire.preview import make as making
from civicwire.preview import picture
from civicwire.preview.make import Preview, make

pytestmark = pytest.mark.parts
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def preview(made_marts: MadeMarts, tmp_path_factory: pytest.TempPathFactory) -> Preview:
    return make(made_marts.settings, tmp_path_factory.mktemp("preview") / "preview.html")


def _broken(tmp_path: Path, panel: int) -> Path:
    board: dict[str, Any] = json.loads(making.GENERATED.read_text(encoding="utf-8"))
    board["panels"] = [one for one in board["panels"] if one["id"] in {1, panel}]
    found = next(one for one in board["panels"] if one["id"] == panel)
    found["targets"][0]["rawSql"] = "select no_such_column from ${dataset}_marts.city_month_trend"
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(board), encoding="utf-8")
    return file


def test_every_panel_returns_rows(preview: Preview):
    assert preview.failed == ()
    assert [result.panel.title for result in preview.results if result.empty] == []
    assert len(preview.results) == 15


def test_every_column_of_every_result_has_a_heading(preview: Preview):
    for result in preview.results:
        nameless = [column for column in result.columns if column not in result.panel.overrides and column != "time"]
        assert nameless == [], result.panel.title


def test_the_figures_are_those_of_the_rows(made_marts: MadeMarts, preview: Preview):
    page = preview.file.read_text(encoding="utf-8")
    panel = re.search(r'id="panel-1".*?</section>', page, re.DOTALL)
    assert panel is not None
    austin = sum(row["source"] == AUSTIN for row in made_marts.made.live)
    shown = re.findall(r'class="value">([^<]+)<', panel[0])
    assert shown == [f"{austin:,}", f"{len(made_marts.made.live) - austin:,}"]


def test_the_heat_map_has_seven_days_from_monday_and_24_hours(made_marts: MadeMarts, preview: Preview):
    result = next(one for one in preview.results if one.panel.id == 21)
    assert [row[0] for row in result.rows] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    first_month = preview.period.start.date()
    expected = sum(
        row["source"] == AUSTIN
        and row["time_precision"] != "day"
        and row["occurred_date"].replace(day=1) >= first_month
        for row in made_marts.made.live
    )
    assert sum(cell or 0 for row in result.rows for cell in row[1:]) == expected


def test_the_page_loads_nothing_and_holds_the_charts_script_once(preview: Preview):
    page = preview.file.read_text(encoding="utf-8")
    assert re.findall(r'<(?:script|img|iframe)[^>]+src=|<link[^>]+href=|@import|url\(["\']?http', page[-400_000:]) == []
    assert len(re.findall(r"plotly\.js v\d", page)) == 1


def test_a_query_that_fails_shows_its_error_and_the_command_exits_with_1(
    made_marts: MadeMarts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(making, "GENERATED", _broken(tmp_path, 12))
    monkeypatch.setattr(make, "__kwdefaults__", {**make.__kwdefaults__, "source": making.GENERATED})
    for name in ("home", "dataset", "warehouse", "warehouse_grpc"):
        monkeypatch.setenv(f"CIVICWIRE_{name.upper()}", str(getattr(made_marts.settings, name)))
    page = tmp_path / "page.html"
    told = CliRunner().invoke(app, ["preview", "--out", str(page)])
    assert told.exit_code == 1
    assert "panel 12 Austin crime reports per month" in told.stdout
    assert "no_such_column" in told.stdout
    text = page.read_text(encoding="utf-8")
    panel = re.search(r'id="panel-12".*?</section>', text, re.DOTALL)
    assert panel is not None
    assert "The query failed" in panel[0]
    assert "no_such_column" in panel[0]
    assert text.count('class="failure"') == 1, "the other panel is shown all the same"
    answer = json.loads(CliRunner().invoke(app, ["preview", "--out", str(page), "--json"]).stdout)
    assert [one["id"] for one in answer["panels"] if one["error"]] == [12]
    assert answer["ok"] is False


def test_a_period_without_rows_says_what_the_marts_hold(made_marts: MadeMarts, tmp_path: Path):
    made = make(made_marts.settings, tmp_path / "page.html", time_from="2001-01-01", time_to="2001-12-31")
    assert made.failed == ()
    page = made.file.read_text(encoding="utf-8")
    assert "No rows in this period" in page
    assert "2001-01-01 to 2001-12-31" in page
    assert f"The marts hold {len(made_marts.made.live):,} incidents" in page


def test_a_warehouse_without_marts_says_how_to_build_them(made_marts: MadeMarts, tmp_path: Path):
    elsewhere = made_marts.settings.model_copy(update={"dataset": "nowhere"})
    made = make(elsewhere, tmp_path / "page.html")
    assert len(made.failed) == len(made.results)
    page = made.file.read_text(encoding="utf-8")
    assert page.count("Run `civicwire build`") == len(made.results)
    assert "figures could not be read" in page


def test_now_is_the_given_instant(made_marts: MadeMarts, tmp_path: Path):
    board: dict[str, Any] = json.loads(making.GENERATED.read_text(encoding="utf-8"))
    (tmp_path / "empty.json").write_text(json.dumps({**board, "panels": []}), encoding="utf-8")
    now = datetime(2026, 2, 3, tzinfo=UTC)
    made = make(made_marts.settings, tmp_path / "page.html", source=tmp_path / "empty.json", now=now)
    assert made.period.start == datetime(2023, 2, 1, tzinfo=UTC)
    assert "Made 2026-02-03 00:00 UTC" in made.file.read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium here (apt-get install chromium)")
def test_chromium_draws_every_chart_and_takes_a_picture(preview: Preview, tmp_path: Path):
    picture.take(preview.file, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(PNG)
