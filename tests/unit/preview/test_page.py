"""The page, from results that were made by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from civicwire.preview.document import Dashboard, Panel, Variable
from civicwire.preview.page import Facts, index, render
from civicwire.preview.period import Period
from civicwire.preview.results import Answers, Mark, Result

PERIOD = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC))
FACTS = Facts(datetime(2025, 1, 1, tzinfo=UTC), "a warehouse", ("feed a: 5 incidents.",), "The marts hold 5 incidents.")


def _panel(kind: str, **changes: Any) -> Panel:
    values: dict[str, Any] = {
        "id": 7,
        "kind": kind,
        "title": "A <title>",
        "description": "What it shows.",
        "x": 12,
        "y": 3,
        "w": 12,
        "h": 8,
        "sql": "select 1 from x_marts.y where $__timeFilter(t)",
        "no_value": "No rows in this period",
        "options": {},
        "defaults": {},
        "overrides": {},
    }
    return Panel(**{**values, **changes})


def _board(*results: Result, variables: tuple[Variable, ...] = ()) -> Dashboard:
    return Dashboard("uid-1", "Board & co", "About", "now-1y", "now", tuple(r.panel for r in results), variables)


def _page(*results: Result, marks: tuple[Mark, ...] = ()) -> str:
    return render(_board(*results), Answers(results, {}, marks), PERIOD, FACTS)


def test_a_panel_stands_where_the_grid_says_and_its_title_is_escaped():
    page = _page(Result(_panel("stat"), "select 1", ("n",), ((5,),)))
    assert "grid-column:13/span 12;grid-row:4/span 8" in page
    assert "A &lt;title&gt;" in page
    assert "A <title>" not in page


def test_large_figures_are_named_by_the_rows_text():
    page = _page(Result(_panel("stat", defaults={"unit": "locale"}), "", ("feed", "n"), (("A", 1234), ("B", 5))))
    assert re.findall(r'class="value">([^<]+)<', page) == ["1,234", "5"]
    assert re.findall(r'class="name">([^<]+)<', page) == ["A", "B"]


def test_large_figures_of_one_row_are_named_by_their_headings():
    overrides = {"late": {"displayName": "Late rows", "unit": "s"}}
    page = _page(Result(_panel("stat", overrides=overrides), "", ("late", "n"), ((120, 3),)))
    assert re.findall(r'class="name">([^<]+)<', page) == ["Late rows", "n"]
    assert "2 <small>minutes</small>" in page


def test_a_failed_query_shows_its_error_and_its_sql():
    page = _page(Result(_panel("stat"), "select <nonsense>", error="Syntax error at <line 1>"))
    assert "The query failed" in page
    assert "Syntax error at &lt;line 1&gt;" in page
    assert "select &lt;nonsense&gt;" in page


@pytest.mark.parametrize("kind", ["stat", "timeseries", "barchart", "piechart", "geomap", "table"])
@pytest.mark.parametrize("rows", [(), ((None, None),), (("Mon", None), ("Tue", None))])
def test_no_rows_say_so_with_the_period_and_what_there_is(kind: str, rows: tuple[Any, ...]):
    page = _page(Result(_panel(kind), "", ("a", "b"), rows))
    assert "No rows in this period" in page
    assert "2024-01-01 to 2024-12-31" in page
    assert "The marts hold 5 incidents." in page


def test_no_rows_of_a_table_beside_the_marts_say_nothing_of_the_marts():
    page = _page(Result(_panel("table", sql="select 1 from x.letters where $__timeFilter(t)"), "", ("a",), ()))
    assert "2024-01-01 to 2024-12-31" in page
    assert "The marts hold" not in page


def test_zero_is_a_figure_and_not_an_empty_state():
    page = _page(Result(_panel("stat"), "", ("n",), ((0,),)))
    assert 'class="value">0<' in page
    assert 'class="nothing"' not in page


def test_bars_over_time_keep_their_headings_and_colours_and_span_the_period():
    overrides = {"n": {"displayName": "Complete month", "color": {"mode": "fixed", "fixedColor": "#123456"}}}
    rows = ((datetime(2024, 5, 1, tzinfo=UTC), 3), (datetime(2024, 6, 1, tzinfo=UTC), 4))
    page = _page(Result(_panel("timeseries", overrides=overrides), "", ("time", "n"), rows))
    assert '"name":"Complete month"' in page
    assert "#123456" in page
    assert '"range":["2023-12-' in page


def test_a_ranking_keeps_the_querys_order():
    panel = _panel("barchart", options={"showValue": "always", "orientation": "horizontal"})
    page = _page(Result(panel, "", ("name", "n"), (("theft", 9), ("arson", 1))))
    assert '"y":["theft","arson"]' in page
    assert '"autorange":"reversed"' in page


def test_coloured_cells_become_a_heat_map_with_the_panels_scheme():
    defaults = {
        "color": {"mode": "continuous-greens"},
        "custom": {"cellOptions": {"type": "color-background"}},
    }
    rows = (("Mon", 1, 2), ("Tue", None, 4))
    page = _page(Result(_panel("table", defaults=defaults), "", ("day", "h00", "h01"), rows))
    assert '"type":"heatmap"' in page
    assert '"z":[[1,2],[0,4]]' in page
    assert "#3a7d44" in page


def test_a_table_puts_numbers_right_and_colours_what_is_alarming():
    steps = [{"color": "text", "value": None}, {"color": "#b3541e", "value": 1}]
    overrides = {"failed": {"displayName": "Failed", "color": {"mode": "thresholds"}, "thresholds": {"steps": steps}}}
    rows = (("A", 0), ("B", 2))
    page = _page(Result(_panel("table", overrides=overrides), "", ("feed", "failed"), rows))
    assert '<th class="number">Failed</th>' in page
    assert '<td class="number">0</td>' in page
    assert '<b style="color:#b3541e">2</b>' in page


def test_a_gauge_cell_shows_its_share_of_the_largest():
    overrides = {"n": {"custom.cellOptions": {"type": "gauge"}}}
    page = _page(Result(_panel("table", overrides=overrides), "", ("n",), ((10,), (5,))))
    assert re.findall(r"width:([\d.]+)%", page.split("</style>")[1]) == ["100.0", "50.0"]


def test_the_page_carries_title_origin_and_feeds():
    page = _page()
    assert "<title>Board &amp; co · civicwire</title>" in page
    assert "feed a: 5 incidents." in page
    assert "Made 2025-01-01 00:00 UTC by civicwire from a warehouse" in page


def test_lines_keep_their_gaps_and_their_axis_its_name():
    overrides = {"n": {"displayName": "Austin"}, "m": {"displayName": "Estimate", "custom.lineStyle": {"fill": "dash"}}}
    custom = {"drawStyle": "line", "axisLabel": "100 = own mean"}
    months = [datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    rows = tuple(zip(months, (100, None, 90), (1, 2, 3), strict=True))
    panel = _panel("timeseries", overrides=overrides, defaults={"custom": custom})
    page = _page(Result(panel, "", ("time", "n", "m"), rows))
    assert '"y":[100,null,90]' in page
    assert '"connectgaps":false' in page
    assert '"dash":"dash"' in page
    assert "100 = own mean" in page


def test_what_annotations_mark_is_drawn_where_it_lies_in_the_period():
    rows = ((datetime(2024, 5, 1, tzinfo=UTC), 3), (datetime(2024, 6, 1, tzinfo=UTC), 4))
    inside = Mark(datetime(2024, 5, 20, tzinfo=UTC), "Austin: definition", "What happened")
    outside = Mark(datetime(2020, 5, 20, tzinfo=UTC), "Austin: long ago", "")
    page = _page(Result(_panel("timeseries"), "", ("time", "n"), rows), marks=(inside, outside))
    assert "Austin: definition" in page
    assert "long ago" not in page


def test_bars_stand_in_groups_or_on_each_other():
    overrides = {"women": {"displayName": "Women"}, "men": {"displayName": "Men"}}
    rows = (("0-17", 3, 4), ("18-29", 5, 6))
    for stacking, mode in (("none", "group"), ("normal", "stack")):
        panel = _panel("barchart", overrides=overrides, options={"orientation": "vertical", "stacking": stacking})
        page = _page(Result(panel, "", ("name", "women", "men"), rows))
        assert f'"barmode":"{mode}"' in page
        assert '"x":["0-17","18-29"],"y":[3,5]' in page


def test_a_pie_names_its_slices_and_shades_them_by_their_value():
    defaults = {"color": {"mode": "continuous-reds"}, "unit": "locale"}
    page = _page(Result(_panel("piechart", defaults=defaults), "", ("name", "n"), (("theft", 1200), ("arson", 300))))
    assert '"theft  1,200"' in page
    assert '"80 %"' in page
    assert len(set(re.findall(r"rgb\([\d, ]+\)", page))) == 2


def test_a_map_draws_plain_coordinates_and_asks_no_net():
    style = {"color": {"fixed": "#123456"}, "opacity": 0.5, "size": {"field": "n"}}
    overrides = {"n": {"displayName": "Reports", "unit": "locale"}}
    panel = _panel("geomap", options={"layers": [{"config": {"style": style}}]}, overrides=overrides)
    page = _page(Result(panel, "", ("latitude", "longitude", "n"), ((30.2, -97.7, 5), (30.3, -97.8, 20))))
    assert '"x":[-97.7,-97.8],"y":[30.2,30.3]' in page
    assert '"size":[13.0,26.0]' in page, "the area and not the diameter grows with the number"
    assert "Reports: 20" in page
    assert "mapbox" not in page


def test_the_cells_of_shares_keep_what_is_missing():
    defaults = {
        "color": {"mode": "continuous-blues"},
        "unit": "percentunit",
        "custom": {"cellOptions": {"type": "color-background"}},
    }
    page = _page(Result(_panel("table", defaults=defaults), "", ("month", "d0", "d7"), (("2024-01", 0.5, None),)))
    assert '"z":[[0.5,null]]' in page


def test_a_stat_of_every_column_shows_the_texts_too():
    options = {"reduceOptions": {"fields": "/.*/"}}
    page = _page(Result(_panel("stat", options=options), "", ("hour", "n"), (("18:00 to 18:59", 55),)))
    assert re.findall(r'class="value">([^<]+)<', page) == ["18:00 ", "55"]


def test_variables_are_told_with_their_values():
    variables = (
        Variable("per", "Per", "Month", ("month",)),
        Variable("city", "City", "all", ("A", "B")),
        Variable("area", "Area", "all", (), "select 1"),
        Variable("dataset", "", "", ("a_dataset",)),
    )
    answers = Answers((), {"per": ("month",), "city": ("A", "B"), "area": tuple("abcdefg")})
    page = render(_board(variables=variables), answers, PERIOD, FACTS)
    shown = re.findall(r"<span>(\w+): <b>([^<]+)</b></span>", page)
    assert shown == [("Per", "Month"), ("City", "all (A, B)"), ("Area", "all 7")]
    assert "a_dataset" not in page


def test_a_variable_that_fails_is_told_on_the_page():
    answers = Answers((), {}, errors=("variable area: Not found <x>",))
    assert "variable area: Not found &lt;x&gt;" in render(_board(), answers, PERIOD, FACTS)


def test_the_index_leads_to_every_page_and_says_how_its_panels_are():
    page = index([(_board(), "austin.html", "14 panels, 1 failed")], FACTS)
    assert 'href="austin.html"' in page
    assert "Board &amp; co" in page
    assert "14 panels, 1 failed" in page
    assert "<script" not in page
