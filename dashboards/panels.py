"""The few kinds of panel that the dashboards are made of, in one style.

Every panel has an id, a title, a description, a place on the grid of 24 columns, one query and, for each column that
the query returns, a heading and a unit. A query names its columns in snake case; headings are set here, because
BigQuery does not take every heading as a column name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import barchart, bigquery, common, stat, table, text, timeseries
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.models import bigquery as bigquery_models
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import text as text_models
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    GridPos,
    Threshold,
    ThresholdsMode,
)

DATASOURCE = shapes.DataSourceRef("grafana-bigquery-datasource", "civicwire-bigquery")
"""The uid is that of dashboards/provisioning/datasources/."""
NUMBER = "locale"
"""Grafana's unit for whole numbers with separators of thousands."""
SECONDS = "s"
NO_ROWS = "No rows in this period"
INK = "#33475b"
"""Of figures that belong to no feed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands, in units of Grafana's grid: 24 columns wide, a row is 30 pixels high."""

    x: int
    y: int
    w: int
    h: int

    @property
    def grid(self) -> GridPos:
        """For the dashboard."""
        return GridPos(h=self.h, w=self.w, x=self.x, y=self.y)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a result is shown.

    Attributes:
        name: in the result.
        heading: for people.
        unit: Grafana's unit; None for text.
        colour: of its series.
        width: of a table's column in pixels.
        cell: Grafana's cell options in a table.
        alert: colour the cell when the value is above 0.
    """

    name: str
    heading: str
    unit: str | None = None
    colour: str | None = None
    width: int | None = None
    cell: dict[str, Any] | None = None
    alert: bool = False

    @property
    def properties(self) -> list[DynamicConfigValue]:
        """As an override of Grafana's."""
        found = [DynamicConfigValue("displayName", self.heading)]
        if self.unit is not None:
            found.append(DynamicConfigValue("unit", self.unit))
        if self.colour is not None:
            found.append(DynamicConfigValue("color", {"mode": "fixed", "fixedColor": self.colour}))
        if self.width is not None:
            found.append(DynamicConfigValue("custom.width", self.width))
        if self.cell is not None:
            found.append(DynamicConfigValue("custom.cellOptions", self.cell))
        if self.alert:
            steps = [{"color": "text", "value": None}, {"color": "#b3541e", "value": 1}]
            found.append(DynamicConfigValue("color", {"mode": "thresholds"}))
            found.append(DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}))
            found.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
        return found


GAUGE = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}


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


def figures(number: int, title: str, description: str, place: Place, *, sql: str, columns: list[Column]) -> stat.Panel:
    """Return a panel of large figures: one for each row, named by its text, or one for each column of one row."""
    panel = (
        stat.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .datasource(DATASOURCE)
        .with_target(query(sql))
        .reduce_options(common.ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields(""))
        .text_mode(shapes.BigValueTextMode.VALUE_AND_NAME)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .color_scheme(board.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(INK))
        .no_value(NO_ROWS)
    )
    for column in columns:
        panel.override_by_name(column.name, column.properties)
    return panel


def bars_over_time(
    number: int, title: str, description: str, place: Place, *, sql: str, columns: list[Column]
) -> timeseries.Panel:
    """Return bars over the column ``time``, stacked: one colour for each of ``columns``."""
    panel = (
        timeseries.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .datasource(DATASOURCE)
        .with_target(query(sql, over_time=True))
        .draw_style(shapes.GraphDrawStyle.BARS)
        .stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
        .fill_opacity(90)
        .line_width(0)
        .unit(NUMBER)
        .min(0)
        .decimals(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.NONE))
        .no_value(NO_ROWS)
    )
    for column in columns:
        panel.override_by_name(column.name, column.properties)
    return panel


def ranking(
    number: int, title: str, description: str, place: Place, *, sql: str, name: str, columns: list[Column]
) -> barchart.Panel:
    """Return horizontal bars, one for each value of the text column ``name``, in the query's order."""
    panel = (
        barchart.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .datasource(DATASOURCE)
        .with_target(query(sql))
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .x_field(name)
        .show_value(shapes.VisibilityMode.ALWAYS)
        .fill_opacity(90)
        .line_width(0)
        .bar_width(0.75)
        .unit(NUMBER)
        .min(0)
        .decimals(0)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(False)
        )
        .no_value(NO_ROWS)
    )
    for column in columns:
        panel.override_by_name(column.name, column.properties)
    return panel


def rows(
    number: int,
    title: str,
    description: str,
    place: Place,
    *,
    sql: str,
    columns: list[Column],
    no_value: str = NO_ROWS,
) -> table.Panel:
    """Return a table."""
    panel = (
        table.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .datasource(DATASOURCE)
        .with_target(query(sql))
        .cell_height(shapes.TableCellHeight.SM)
        .color_scheme(board.FieldColor().mode(FieldColorModeId.FIXED).fixed_color(INK))
        .thresholds(board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([Threshold(color="text")]))
        .no_value(no_value)
    )
    for column in columns:
        panel.override_by_name(column.name, column.properties)
    return panel


def heat_map(
    number: int, title: str, description: str, place: Place, *, sql: str, name: Column, cells: list[Column], scheme: str
) -> table.Panel:
    """Return a table whose cells are coloured by their value, one scale for all of them.

    Grafana's own heat map needs a time axis; weekday by hour has none.
    """
    panel = (
        table.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .datasource(DATASOURCE)
        .with_target(query(sql))
        .cell_height(shapes.TableCellHeight.SM)
        .cell_options(shapes.TableColoredBackgroundCellOptions(mode=shapes.TableCellBackgroundDisplayMode.BASIC))
        .color_scheme(board.FieldColor().mode(FieldColorModeId(scheme)))
        .unit(NUMBER)
        .min(0)
        .min_width(30)
        .align(shapes.FieldTextAlignment.CENTER)
        .no_value(NO_ROWS)
    )
    panel.override_by_name(name.name, [*name.properties, DynamicConfigValue("custom.cellOptions", {"type": "auto"})])
    for column in cells:
        panel.override_by_name(column.name, column.properties)
    return panel


def note(number: int, title: str, description: str, place: Place, *, html: str) -> text.Panel:
    """Return a panel of words; ``html`` is our own."""
    return (
        text.Panel()
        .id(number)
        .title(title)
        .description(description)
        .grid_pos(place.grid)
        .transparent(True)
        .mode(text_models.TextMode.HTML)
        .content(html)
    )


def heading(number: int, title: str, y: int) -> board.Row:
    """Return a line across the dashboard that begins a part of it."""
    return board.Row(title).id(number).grid_pos(Place(0, y, 24, 1).grid)
