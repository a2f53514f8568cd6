"""The panels that are charts, as plotly figures."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from civicwire.preview import units
from civicwire.preview.period import Period
from civicwire.preview.results import Result

INK, MUTED, GRID, PAPER = "#22303c", "#66757f", "#e6eaee", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SCHEMES = {
    "continuous-blues": ["#f3f7fa", "#c3d7e5", "#7fa9c6", "#2f6690", "#173a55"],
    "continuous-greens": ["#f3f8f3", "#c6dfc9", "#84b98b", "#3a7d44", "#1c4724"],
}
_FALLBACK = ["#f5f5f5", "#bdbdbd", "#5f5f5f", "#1f1f1f"]
_BAR_SLOTS = 40
"""A bar is at least as narrow as a fortieth of the period, so that two months do not fill the panel."""


def over_time(result: Result, period: Period) -> go.Figure:
    """Return stacked bars over the first column, across the whole period."""
    figure = _figure()
    times = [row[0] for row in result.rows]
    for at, column in enumerate(result.columns[1:], start=1):
        values = [row[at] for row in result.rows]
        if all(value is None for value in values):
            continue
        look = result.panel.look(column)
        figure.add_bar(
            x=times,
            y=values,
            name=look.heading,
            marker_color=look.colour,
            width=_bar_width(times, period),
            customdata=[[units.text(value, look.unit)] for value in values],
            hovertemplate="%{customdata[0]}<extra>" + look.heading + "</extra>",
        )
    figure.update_layout(
        barmode="stack",
        hovermode="x unified",
        showlegend=True,
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        margin={"l": 48, "r": 8, "t": 26, "b": 8},
    )
    margin = timedelta(milliseconds=_bar_width(times, period))
    figure.update_xaxes(range=[period.start - margin, period.end + margin], hoverformat="%B %Y", showgrid=False)
    figure.update_yaxes(rangemode="tozero", tickformat=",~d", nticks=6)
    return figure


def ranking(result: Result) -> go.Figure:
    """Return horizontal bars, the first row on top, with their values beside them."""
    figure = _figure()
    name, value = result.columns[:2]
    look = result.panel.look(value)
    labels = [str(row[0]) for row in result.rows]
    values = [row[1] for row in result.rows]
    words = [units.text(one, look.unit) for one in values]
    figure.add_bar(
        x=values,
        y=labels,
        orientation="h",
        marker_color=look.colour,
        text=words,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.update_layout(bargap=0.35, showlegend=False, margin={"l": 8, "r": 56, "t": 4, "b": 4})
    figure.update_xaxes(visible=False, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, ticks="", title=None, showgrid=False)
    figure.update_layout(meta={"name": result.panel.look(name).heading})
    return figure


def heat_map(result: Result) -> go.Figure:
    """Return the coloured cells of a table as a heat map: rows by the first column, the first row on top."""
    figure = _figure()
    headings = [result.panel.look(column).heading for column in result.columns[1:]]
    figure.add_heatmap(
        x=headings,
        y=[str(row[0]) for row in result.rows],
        z=[[cell or 0 for cell in row[1:]] for row in result.rows],
        zmin=0,
        colorscale=SCHEMES.get(result.panel.scheme, _FALLBACK),
        xgap=2,
        ygap=2,
        colorbar={"thickness": 8, "outlinewidth": 0, "tickformat": ",~d", "nticks": 4, "xpad": 6},
        hovertemplate="%{y} %{x}:00 to %{x}:59<br><b>%{z:,}</b><extra></extra>",
    )
    figure.update_layout(margin={"l": 8, "r": 8, "t": 4, "b": 8})
    figure.update_xaxes(type="category", showgrid=False, ticks="", side="bottom", tickangle=0, nticks=12)
    figure.update_yaxes(autorange="reversed", automargin=True, showgrid=False, ticks="")
    return figure


def _figure() -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        font={"family": FONT, "size": 12, "color": INK},
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        hoverlabel={"bgcolor": PAPER, "bordercolor": GRID, "font": {"family": FONT, "size": 12}},
        dragmode=False,
    )
    figure.update_xaxes(linecolor=GRID, tickcolor=GRID, tickfont={"color": MUTED}, fixedrange=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, tickfont={"color": MUTED}, fixedrange=True)
    return figure


def _bar_width(times: list[datetime], period: Period) -> float:
    """Return a bar's width in milliseconds: four fifths of the smallest step, within reason."""
    most = (period.end - period.start).total_seconds() / _BAR_SLOTS
    steps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
    return 0.8 * 1000 * min([most, *(step for step in steps if step > 0)])


def embedded(figure: Any, name: str) -> str:
    """Return the figure as a div and its script; the page must hold plotly's own script once."""
    return str(
        figure.to_html(
            full_html=False,
            include_plotlyjs=False,
            div_id=name,
            default_width="100%",
            default_height="100%",
            config={"displayModeBar": False, "responsive": True, "scrollZoom": False},
        )
    )
