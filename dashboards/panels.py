"""The few kinds of panel that the dashboards are made of, in one style.

Every panel has an id, a title, a description, one query and, for each column that the query returns, a heading and a
unit. A query names its columns in snake case; headings are set here, because BigQuery does not take every heading as a
column name. Where a panel stands is decided by the sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bigquery,
    common,
    geomap,
    piechart,
    prometheus,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import bigquery as bigquery_models
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import geomap as geomap_models
from grafana_foundation_sdk.models import piechart as piechart_models
from grafana_foundation_sdk.models import text as text_models
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)

DATASOURCE_TYPE = "grafana-bigquery-datasource"
DATASOURCE = shapes.DataSourceRef(DATASOURCE_TYPE, "${datasource}")
"""The dashboards' variable: whoever has several data sources chooses one."""
METRICS_TYPE = "prometheus"
METRICS = shapes.DataSourceRef(METRICS_TYPE, "${prometheus}")
"""The Prometheus that scrapes ``civicwire metrics``; of the panels about jobs and parts alone."""
NUMBER = "locale"
"""Grafana's unit for whole numbers with separators of thousands."""
SECONDS = "s"
HOURS = "h"
SHARE = "percentunit"
"""A fraction of 1, shown in percent."""
INDEX = "none"
"""A number without a unit: an index, a coefficient, a rank."""
BYTES = "bytes"
NO_ROWS = "No rows in this period"
INK = "#33475b"
"""Of figures that belong to no feed."""
ALERT = "#b3541e"
GREY = "#b9c2c9"
"""Of what is unknown or not complete."""


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a result is shown.

    Attributes:
        name: in the result.
        heading: for people; empty where the rows' own text names the values.
        unit: Grafana's unit; None for text.
        colour: of its series.
        width: of a table's column in pixels.
        cell: Grafana's cell options in a table.
        alert: colour the cell when the value is above 0.
        dashed: draw its line dashed: what is estimated and not counted.
        decimals: digits behind the point; None leaves it to the unit.
    """

    name: str
    heading: str
    unit: str | None = None
    colour: str | None = None
    width: int | None = None
    cell: dict[str, Any] | None = None
    alert: bool = False
    dashed: bool = False
    decimals: int | None = None

    @property
    def properties(self) -> list[DynamicConfigValue]:
        """As an override of Grafana's."""
        found = [DynamicConfigValue("displayName", self.heading)] if self.heading else []
        if self.unit is not None:
            found.append(DynamicConfigValue("unit", self.unit))
        if self.colour is not None:
            found.append(DynamicConfigValue("color", {"mode": "fixed", "fixedColor": self.colour}))
        if self.width is not None:
            found.append(DynamicConfigValue("custom.width", self.width))
        if self.cell is not None:
            found.append(DynamicConfigValue("custom.cellOptions", self.cell))
        if self.decimals is not None:
            found.append(DynamicConfigValue("decimals", self.decimals))
        if self.dashed:
            found.append(DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 4]}))
        if self.alert:
            steps = [{"color": "text", "value": None}, {"color": ALERT, "value": 1}]
            found.append(DynamicConfigValue("color", {"mode": "thresholds"}))
            found.append(DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}))
            found.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        return found


@dataclass(frozen=True, slots=True)
class View:
    """Where a map looks at first: the middle (WGS 84, degrees) and Grafana's zoom; 10 shows a large city."""

    latitude: float
    longitude: float
    zoom: int = 10


GAUGE = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
Built = TypeVar("Built", bound=Any)


def query(sql: str, *, over_time: bool = False) -> bigquery.Dataquery:
    """Return a query; ``over_time`` says that its column ``time`` is a time axis."""
    kind = bigquery_models.QueryFormat.TIMESERIES if over_time else bigquery_models.QueryFormat.TABLE
    return (
        bigquery.Dataquery()
        .ref_id("A")
        .datasource(DATASOURCE)
        .raw_query(True)
        .raw_sql(sql.strip() + "\n")
        .editor_mode(bigquery_models.EditorMode.CODE)
        .format(kind)
    )


def link(title: str, url: str) -> board.DashboardLink:
    """Return a link that opens beside the dashboard."""
    return board.DashboardLink(title).url(url).target_blank(True)


def figures(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    columns: Sequence[Column],
    every_column: bool = False,
    no_value: str = NO_ROWS,
) -> stat.Panel:
    """Return a panel of large figures: one for each row, named by its text, or one for each column of one row.

    ``every_column`` shows the texts of a single row as figures too.
    """
    shown = "/.*/" if every_column else ""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields(shown))
        .text_mode(shapes.BigValueTextMode.VALUE_AND_NAME)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .color_scheme(_fixed(INK))
    )
    headed = columns if every_column else _named_by_row(columns)
    return _dressed(panel, number, title, description, query(sql), headed, no_value)


def measured(number: int, title: str, description: str, *, metric: str, label: str, no_value: str) -> stat.Panel:
    """Return a panel of large figures from Prometheus: the newest value of ``metric`` for each value of ``label``."""
    target = prometheus.Dataquery().ref_id("A").datasource(METRICS).expr(metric).instant()
    return (
        stat.Panel()
        .id(number)
        .title(title)
        .description(description)
        .datasource(METRICS)
        .with_target(target.legend_format(f"{{{{{label}}}}}"))
        .reduce_options(common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields(""))
        .text_mode(shapes.BigValueTextMode.VALUE_AND_NAME)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .color_scheme(_fixed(INK))
        .unit(NUMBER)
        .no_value(no_value)
    )


def bars_over_time(
    number: int, title: str, description: str, *, sql: str, columns: Sequence[Column], no_value: str = NO_ROWS
) -> timeseries.Panel:
    """Return bars over the column ``time``, stacked: one colour for each of ``columns``."""
    panel = (
        _over_time()
        .draw_style(shapes.GraphDrawStyle.BARS)
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
        .fill_opacity(90)
        .line_width(0)
        .unit(NUMBER)
        .min(0)
        .decimals(0)
    )
    return _dressed(panel, number, title, description, query(sql, over_time=True), columns, no_value)


def lines_over_time(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    columns: Sequence[Column],
    unit: str,
    from_zero: bool = True,
    axis: str = "",
    no_value: str = NO_ROWS,
) -> timeseries.Panel:
    """Return lines over the column ``time`` on one axis, which ``axis`` names; a null interrupts its line."""
    panel = (
        _over_time()
        .draw_style(shapes.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(0)
        .show_points(shapes.VisibilityMode.AUTO)
        .point_size(5)
        .span_nulls(False)
        .unit(unit)
        .axis_label(axis)
    )
    if from_zero:
        panel.min(0)
    return _dressed(panel, number, title, description, query(sql, over_time=True), columns, no_value)


def bars(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    name: str,
    columns: Sequence[Column],
    stacked: bool = False,
    horizontal: bool = False,
    unit: str = NUMBER,
    decimals: int | None = 0,
    no_value: str = NO_ROWS,
) -> barchart.Panel:
    """Return bars side by side or stacked, a group for each value of the text column ``name``, in the query's order."""
    way = shapes.VizOrientation.HORIZONTAL if horizontal else shapes.VizOrientation.VERTICAL
    series = [column for column in columns if column.name != name]
    panel = (
        barchart.Panel()
        .orientation(way)
        .x_field(name)
        .show_value(shapes.VisibilityMode.NEVER)
        .stacking(shapes.StackingMode.NORMAL if stacked else shapes.StackingMode.NONE)
        .fill_opacity(90)
        .line_width(0)
        .bar_width(0.9)
        .group_width(0.8)
        .unit(unit)
        .legend(_legend(shown=len(series) > 1))
    )
    if decimals is not None:
        panel.decimals(decimals)
    return _dressed(panel, number, title, description, query(sql), columns, no_value)


def ranking(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    name: str,
    columns: Sequence[Column],
    unit: str = NUMBER,
    decimals: int = 0,
    no_value: str = NO_ROWS,
) -> barchart.Panel:
    """Return horizontal bars, one for each value of the text column ``name``, in the query's order."""
    panel = (
        barchart.Panel()
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .x_field(name)
        .show_value(shapes.VisibilityMode.ALWAYS)
        .fill_opacity(90)
        .line_width(0)
        .bar_width(0.75)
        .unit(unit)
        .min(0)
        .decimals(decimals)
        .legend(_legend(shown=False))
    )
    return _dressed(panel, number, title, description, query(sql), columns, no_value)


def pie(
    number: int, title: str, description: str, *, sql: str, columns: Sequence[Column], scheme: str
) -> piechart.Panel:
    """Return a ring of shares: a slice for each row, named by its text column, in shades of ``scheme`` by its value."""
    panel = (
        piechart.Panel()
        .pie_type(piechart_models.PieChartType.DONUT)
        .reduce_options(common.ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields("").limit(12))
        .color_scheme(board.FieldColor().mode(FieldColorModeId(scheme)))
        .display_labels([piechart_models.PieChartLabels.PERCENT])
        .legend(
            piechart.PieChartLegendOptions()
            .display_mode(shapes.LegendDisplayMode.TABLE)
            .placement(shapes.LegendPlacement.RIGHT)
            .show_legend(True)
            .values([piechart_models.PieChartLegendValues.VALUE, piechart_models.PieChartLegendValues.PERCENT])
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.SINGLE).sort(shapes.SortOrder.NONE))
        .unit(NUMBER)
        .min(0)
    )
    return _dressed(panel, number, title, description, query(sql), _named_by_row(columns))


def rows(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    columns: Sequence[Column],
    no_value: str = NO_ROWS,
) -> table.Panel:
    """Return a table."""
    panel = (
        table.Panel()
        .cell_height(shapes.TableCellHeight.SM)
        .color_scheme(_fixed(INK))
        .thresholds(board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(color="text")]))
    )
    return _dressed(panel, number, title, description, query(sql), columns, no_value)


def heat_map(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    name: Column,
    cells: Sequence[Column],
    scheme: str,
    unit: str = NUMBER,
    from_zero: bool = True,
    no_value: str = NO_ROWS,
) -> table.Panel:
    """Return a table whose cells are coloured by their value, one scale for all of them.

    Grafana's own heat map needs a time axis; weekday by hour has none.
    """
    panel = (
        table.Panel()
        .cell_height(shapes.TableCellHeight.SM)
        .cell_options(shapes.TableColoredBackgroundCellOptions(mode=shapes.TableCellBackgroundDisplayMode.BASIC))
        .color_scheme(board.FieldColor().mode(FieldColorModeId(scheme)))
        .unit(unit)
        .min_width(30)
        .align(shapes.FieldTextAlignment.CENTER)
    )
    if from_zero:
        panel.min(0)
    _dressed(panel, number, title, description, query(sql), cells, no_value)
    panel.override_by_name(name.name, [*name.properties, DynamicConfigValue("custom.cellOptions", {"type": "auto"})])
    return panel


def places(
    number: int,
    title: str,
    description: str,
    *,
    sql: str,
    columns: Sequence[Column],
    size: str,
    colour: str,
    view: View,
    no_value: str = "No row with coordinates in this period",
) -> geomap.Panel:
    """Return a map of circles at the columns ``latitude`` and ``longitude`` that grow with the column ``size``."""
    style = {
        "color": {"fixed": colour},
        "opacity": 0.55,
        "size": {"field": size, "fixed": 5, "min": 3, "max": 16},
        "symbol": {"fixed": "img/icons/marker/circle.svg", "mode": "fixed"},
    }
    markers = (
        common.MapLayerOptions()
        .type("markers")
        .name(title)
        .config({"showLegend": False, "style": style})
        .location(
            common.FrameGeometrySource()
            .mode(shapes.FrameGeometrySourceMode.COORDS)
            .latitude("latitude")
            .longitude("longitude")
        )
        .tooltip(True)
    )
    panel = (
        geomap.Panel()
        .basemap(common.MapLayerOptions().type("default").name("Streets"))
        .layers([markers])
        .view(_Middle(view))
        .controls(geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_attribution(True))
        .tooltip(geomap.TooltipOptions().mode(geomap_models.TooltipMode.DETAILS))
        .unit(NUMBER)
    )
    return _dressed(panel, number, title, description, query(sql), columns, no_value)


def note(number: int, title: str, description: str, *, html: str) -> text.Panel:
    """Return a panel of words; ``html`` is our own."""
    return (
        text.Panel()
        .id(number)
        .title(title)
        .description(description)
        .transparent(True)
        .mode(text_models.TextMode.HTML)
        .content(html)
    )


class _Middle(Builder[geomap_models.MapViewConfig]):
    """Where a map looks: the SDK's own builder takes whole degrees only, while Grafana reads any number."""

    def __init__(self, view: View) -> None:
        self._view = view

    def build(self) -> geomap_models.MapViewConfig:
        """Return it."""
        middle = geomap_models.MapViewConfig(id_val="coords", zoom=self._view.zoom, all_layers=True)
        middle.lat, middle.lon = self._view.latitude, self._view.longitude  # type: ignore[assignment]
        return middle


def _named_by_row(columns: Sequence[Column]) -> Sequence[Column]:
    """Return the columns without headings of numbers where a text stands beside them.

    Grafana names a figure or a slice by the text of its row, unless its column has a name of its own.
    """
    if all(column.unit is not None for column in columns):
        return columns
    return [column if column.unit is None else replace(column, heading="") for column in columns]


def _fixed(colour: str) -> board.FieldColor:
    return board.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(colour)


def _over_time() -> timeseries.Panel:
    return (
        timeseries.Panel()
        .legend(_legend(shown=True))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.NONE))
    )


def _legend(*, shown: bool) -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .show_legend(shown)
    )


def _dressed(  # noqa: PLR0917 - what every panel has
    panel: Built,
    number: int,
    title: str,
    description: str,
    target: bigquery.Dataquery,
    columns: Sequence[Column],
    no_value: str = NO_ROWS,
) -> Built:
    panel.id(number).title(title).description(description).datasource(DATASOURCE).with_target(target).no_value(no_value)
    for column in columns:
        panel.override_by_name(column.name, column.properties)
    return panel
