"""A dashboard in the making: its head, which all of them share, and its panels, laid from left to right in bands.

A band is as wide as Grafana's grid, so that no two panels can overlap and none leaves a hole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.panels import DATASOURCE, DATASOURCE_TYPE, METRICS_TYPE, query

WIDTH = 24
"""Columns of Grafana's grid; a row of it is 30 pixels high."""
TAG = "civicwire"
PERIODS = (("Month", "month"), ("Quarter", "quarter"), ("Year", "year"))
BREAKS = """
select
    timestamp(break_date) as time,
    concat(sources.title, ': ', breaks.effect) as title,
    breaks.what as text,
    breaks.effect as tags
from ${{dataset}}_marts.breaks as breaks
inner join ${{dataset}}_marts.feeds as sources on breaks.source = sources.source
where breaks.source in ({sources})
order by time
"""


def quoted(values: Iterable[str]) -> str:
    """Return SQL literals of our own words, separated by commas."""
    return ", ".join(f"'{value}'" for value in values)


class Sheet:
    """Builds one dashboard.

    Args:
        uid: never changes: people link to it.
        title: of the dashboard.
        description: one or two sentences.
        since: where its period begins when nobody has chosen one, as Grafana writes times.
        tags: beside the tag that all dashboards have.
    """

    def __init__(self, uid: str, title: str, description: str, *, since: str, tags: Iterable[str]) -> None:
        self._y = 0
        self.board = (
            board.Dashboard(title)
            .uid(uid)
            .description(description)
            .tags([TAG, *tags])
            .timezone("utc")
            .time(since, "now")
            .refresh("")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .readonly()
            .link(
                board.DashboardLink("civicwire dashboards")
                .type(DashboardLinkType.DASHBOARDS)
                .tags([TAG])
                .as_dropdown(True)
                .include_vars(True)
                .keep_time(True)
            )
            .with_variable(
                board.DatasourceVariable("datasource")
                .label("Data source")
                .description("The BigQuery data source with civicwire's warehouse.")
                .type(DATASOURCE_TYPE)
            )
            .with_variable(board.ConstantVariable("dataset").label("BigQuery dataset").value("civicwire"))
        )

    def metrics(self) -> None:
        """Add the variable of the Prometheus that panels about jobs and parts ask."""
        self.board.with_variable(
            board.DatasourceVariable("prometheus")
            .label("Prometheus")
            .description("The Prometheus that scrapes civicwire metrics.")
            .type(METRICS_TYPE)
        )

    def link(self, title: str, url: str) -> None:
        """Add a link that opens beside the dashboard."""
        self.board.link(board.DashboardLink(title).url(url).target_blank(True))

    def period(self, chosen: str = "month") -> None:
        """Add the variable ``per``: what a bar over time stands for."""
        self.choice("per", "Per", "What a bar or a point over time stands for.", PERIODS, chosen)

    def choice(
        self,
        name: str,
        label: str,
        description: str,
        options: Iterable[tuple[str, str]],
        chosen: str | None = None,
    ) -> None:
        """Add a variable of fixed values (title, value): one of them when ``chosen`` is given, else all at first."""
        listed = list(options)
        variable = board.CustomVariable(name).label(label).description(description)
        variable.values(",".join(f"{title} : {value}" for title, value in listed))
        shown = [VariableOption(text=title, value=value, selected=value == chosen) for title, value in listed]
        if chosen is None:
            everything = VariableOption(text="All", value="$__all", selected=True)
            variable.multi(True).include_all(True).options([everything, *shown])
            variable.current(VariableOption(text=["All"], value=["$__all"], selected=True))
        else:
            title = next(title for title, value in listed if value == chosen)
            variable.options(shown).current(VariableOption(text=title, value=chosen, selected=True))
        self.board.with_variable(variable)

    def values_of(self, name: str, label: str, description: str, sql: str) -> None:
        """Add a variable whose values a query returns in its one column; all of them at first."""
        self.board.with_variable(
            board.QueryVariable(name)
            .label(label)
            .description(description)
            .datasource(DATASOURCE)
            .definition(sql.strip())
            .query(_variable_query(sql))
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.DISABLED)
            .multi(True)
            .include_all(True)
            .current(VariableOption(text=["All"], value=["$__all"], selected=True))
        )

    def breaks(self, sources: Iterable[str]) -> None:
        """Mark the days from which on these feeds cannot be compared with before, on every chart over time."""
        target = query(BREAKS.format(sources=quoted(sources)))
        self.board.annotation(
            board.AnnotationQuery()
            .name("Breaks")
            .datasource(DATASOURCE)
            .enable(True)
            .hide(False)
            .icon_color("#8a6d3b")
            .target(target)
        )

    def part(self, number: int, title: str) -> None:
        """Begin a part of the dashboard with a line across it."""
        self.board.with_row(board.Row(title).id(number).grid_pos(self._at(0, WIDTH, 1)))
        self._y += 1

    def band(self, height: int, *panels: tuple[int, Any]) -> None:
        """Lay panels side by side, each with its width; together they are as wide as the grid.

        Raises:
            ValueError: they are not.
        """
        if sum(width for width, _ in panels) != WIDTH:
            raise ValueError(f"The widths of the band at {self._y} make {sum(w for w, _ in panels)}, not {WIDTH}.")
        x = 0
        for width, panel in panels:
            self.board.with_panel(panel.grid_pos(self._at(x, width, height)))
            x += width
        self._y += height

    def build(self) -> Dashboard:
        """Return the dashboard."""
        return self.board.build()

    def _at(self, x: int, width: int, height: int) -> GridPos:
        return GridPos(h=height, w=width, x=x, y=self._y)


def _variable_query(sql: str) -> dict[str, object]:
    """Return the query of a variable as the data source's editor keeps it."""
    return {"rawSql": sql.strip() + "\n", "rawQuery": True, "format": 1, "editorMode": "code", "refId": "values"}
