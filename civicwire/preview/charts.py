"""The panels that are charts, as plotly figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from math import cos, radians, sqrt
from typing import Any

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from civicwire.preview import units
from civicwire.preview.period import Period
from civicwire.preview.results import Mark, Result

INK, MUTED, GRID, PAPER = "#22303c", "#66757f", "#e6eaee", "#ffffff"
MARKED = "#8a6d3b"
"""Of annotations."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
SCHEMES = {
    "continuous-blues": ["#f3f7fa", "#c3d7e5", "#7fa9c6", "#2f6690", "#173a55"],
    "continuous-greens": ["#f3f8f3", "#c6dfc9", "#84b98b", "#3a7d44", "#1c4724"],
    "continuous-purples": ["#f5f5fa", "#d3d3e6", "#9c9cc7", "#5b5b95", "#2f2f57"],
    "continuous-reds": ["#faf4f5", "#e7ccd2", "#c88d9a", "#9c4a5b", "#5a2531"],
    "continuous-YlRd": ["#fdf7ec", "#f2d9a8", "#dda15e", "#b5622e", "#6f2f14"],
}
_FALLBACK = ["#f5f5f5", "#bdbdbd", "#5f5f5f", "#1f1f1f"]
_BAR_SLOTS = 12
"""A bar is at least as narrow as a twelfth of the period, so that two bars do not fill the panel."""
_CIRCLE_PIXELS = 26
"""Diameter of the largest circle of a map."""
_NAMES = 12
"""Names below bars at most: of 24 hours every second."""
_LABELLED_SHARE = 0.04
"""Slices from here on have their share written on them."""
_LEGEND = {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}


def over_time(result: Result, period: Period, marks: Iterable[Mark] = ()) -> go.Figure:
    """Return stacked bars or lines over the first column, across the whole period, with what is marked in it."""
    figure = _figure()
    times = [row[0] for row in result.rows]
    drawn_as_bars = result.panel.defaults.get("custom", {}).get("drawStyle") != "line"
    for at, column in enumerate(result.columns[1:], start=1):
        values = [row[at] for row in result.rows]
        if all(value is None for value in values):
            continue
        look = result.panel.look(column)
        words = [[units.text(value, look.unit, look.decimals)] for value in values]
        shared = {"x": times, "y": values, "name": look.heading, "customdata": words}
        hover = "%{customdata[0]}<extra>" + look.heading + "</extra>"
        if drawn_as_bars:
            bar = {"width": _bar_width(times, period), "marker_color": look.colour}
            figure.add_bar(**shared, **bar, hovertemplate=hover)
        else:
            line = {"color": look.colour, "width": 2, "dash": "dash" if look.dashed else "solid"}
            figure.add_scatter(
                **shared, mode="lines+markers", line=line, marker={"size": 4}, connectgaps=False, hovertemplate=hover
            )
    figure.update_layout(
        barmode="stack",
        hovermode="x unified",
        showlegend=True,
        legend=_LEGEND,
        margin={"l": 8, "r": 8, "t": 26, "b": 8},
    )
    margin = timedelta(milliseconds=_bar_width(times, period)) if drawn_as_bars else timedelta()
    figure.update_xaxes(range=[period.start - margin, period.end + margin], hoverformat="%-d %B %Y", showgrid=False)
    _value_axis(figure, result, "y")
    _mark(figure, period, marks)
    return figure


def _mark(figure: go.Figure, period: Period, marks: Iterable[Mark]) -> None:
    shown = [mark for mark in marks if period.start <= mark.time <= period.end]
    for mark in shown:
        figure.add_vline(x=mark.time, line={"color": MARKED, "width": 1, "dash": "dot"})
    if shown:
        figure.add_scatter(
            x=[mark.time for mark in shown],
            y=[0] * len(shown),
            yaxis="y2",
            mode="markers",
            marker={"symbol": "triangle-up", "size": 8, "color": MARKED},
            customdata=[[mark.title] for mark in shown],
            hovertemplate="%{customdata[0]}<extra></extra>",
            name="Break",
            showlegend=True,
        )
        # An axis of its own, unseen, so that the marks stand at the bottom whatever the values are.
        figure.update_layout(yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True})


def ranking(result: Result) -> go.Figure:
    """Return horizontal bars, the first row on top, with their values beside them."""
    figure = _figure()
    name, value = result.columns[:2]
    look = result.panel.look(value)
    words = [units.text(row[1], look.unit, look.decimals) for row in result.rows]
    figure.add_bar(
        x=[row[1] for row in result.rows],
        y=[str(row[0]) for row in result.rows],
        orientation="h",
        marker_color=look.colour,
        text=words,
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )
    figure.update_layout(bargap=0.35, showlegend=False, margin={"l": 8, "r": 56, "t": 4, "b": 4})
    figure.update_xaxes(visible=False, rangemode="tozero")
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, ticks="", title=None, showgrid=False)
    figure.update_layout(meta={"name": result.panel.look(name).heading})
    return figure


def bars(result: Result) -> go.Figure:
    """Return bars side by side or stacked, a group for each row, named by the first column."""
    figure = _figure()
    lying = result.panel.options.get("orientation") == "horizontal"
    names = [str(row[0]) for row in result.rows]
    for at, column in enumerate(result.columns[1:], start=1):
        look = result.panel.look(column)
        values = [row[at] for row in result.rows]
        words = [[units.text(value, look.unit, look.decimals)] for value in values]
        figure.add_bar(
            x=values if lying else names,
            y=names if lying else values,
            orientation="h" if lying else "v",
            name=look.heading,
            marker_color=look.colour,
            customdata=words,
            hovertemplate=("%{y}" if lying else "%{x}") + ": %{customdata[0]}<extra>" + look.heading + "</extra>",
        )
    stacked = result.panel.options.get("stacking") == "normal"
    several = len(result.columns) > 2  # noqa: PLR2004 - a name and one series
    figure.update_layout(
        barmode="stack" if stacked else "group",
        bargap=0.25,
        showlegend=several,
        legend=_LEGEND,
        margin={"l": 8, "r": 8, "t": 26 if several else 8, "b": 8},
    )
    _value_axis(figure, result, "x" if lying else "y")
    if lying:
        figure.update_yaxes(type="category", autorange="reversed", automargin=True, showgrid=False)
    else:
        figure.update_xaxes(type="category", showgrid=False, ticks="", tickangle=0, nticks=_NAMES)
    return figure


def pie(result: Result) -> go.Figure:
    """Return a ring of shares in shades of the panel's scheme, the darker the larger."""
    figure = _figure()
    look = result.panel.look(result.columns[1])
    values = [row[1] or 0 for row in result.rows]
    most, total = max(values, default=0) or 1, sum(values) or 1
    shades = sample_colorscale(_scheme(result), [0.15 + 0.75 * value / most for value in values])
    labels = [f"{100 * value / total:.0f} %" if value / total >= _LABELLED_SHARE else "" for value in values]
    figure.add_pie(
        labels=[f"{row[0]}  {units.text(row[1], look.unit)}" for row in result.rows],
        values=values,
        hole=0.55,
        sort=False,
        direction="clockwise",
        marker={"colors": shades, "line": {"color": PAPER, "width": 2}},
        text=labels,
        textinfo="text",
        textposition="inside",
        hovertemplate="%{label} (%{percent})<extra></extra>",
        domain={"x": [0, 0.5]},
    )
    figure.update_layout(
        showlegend=True,
        legend={"x": 0.54, "y": 0.5, "xanchor": "left", "yanchor": "middle", "traceorder": "normal"},
        margin={"l": 4, "r": 4, "t": 4, "b": 4},
    )
    return figure


def places(result: Result) -> go.Figure:
    """Return circles at plain coordinates: no tiles from the net, and a degree as long as it is at that latitude."""
    figure = _figure()
    layer = result.panel.options["layers"][0]
    style = layer["config"]["style"]
    at = {column: position for position, column in enumerate(result.columns)}
    latitudes = [row[at["latitude"]] for row in result.rows]
    longitudes = [row[at["longitude"]] for row in result.rows]
    size = at[style["size"]["field"]]
    most = max((row[size] or 0 for row in result.rows), default=0) or 1
    others = [column for column in result.columns if column not in {"latitude", "longitude"}]
    looks = {column: result.panel.look(column) for column in others}
    hover = [
        ["<br>".join(f"{looks[c].heading}: {units.text(row[at[c]], looks[c].unit, looks[c].decimals)}" for c in others)]
        for row in result.rows
    ]
    figure.add_scatter(
        x=longitudes,
        y=latitudes,
        mode="markers",
        marker={
            "size": [max(_CIRCLE_PIXELS * sqrt((row[size] or 0) / most), 3) for row in result.rows],
            "color": style["color"]["fixed"],
            "opacity": style["opacity"],
            "line": {"width": 0},
        },
        customdata=hover,
        hovertemplate="%{customdata[0]}<br>%{y:.3f}, %{x:.3f}<extra></extra>",
    )
    middle = sum(latitudes) / len(latitudes)
    figure.update_layout(showlegend=False, margin={"l": 8, "r": 8, "t": 4, "b": 8})
    figure.update_xaxes(tickformat=".2f", ticksuffix="°", nticks=6, showgrid=True, gridcolor=GRID, zeroline=False)
    ratio = 1 / cos(radians(middle))
    figure.update_yaxes(tickformat=".2f", ticksuffix="°", nticks=6, scaleanchor="x", scaleratio=ratio, automargin=True)
    return figure


def heat_map(result: Result) -> go.Figure:
    """Return the coloured cells of a table as a heat map: rows by the first column, the first row on top."""
    figure = _figure()
    looks = [result.panel.look(column) for column in result.columns[1:]]
    percent = looks[0].unit == "percentunit"
    from_zero = result.panel.defaults.get("min") == 0
    figure.add_heatmap(
        x=[look.heading for look in looks],
        y=[str(row[0]) for row in result.rows],
        z=[[cell if percent else cell or 0 for cell in row[1:]] for row in result.rows],
        zmin=0 if from_zero else None,
        zmax=max((cell or 0 for row in result.rows for cell in row[1:]), default=1) if from_zero else None,
        colorscale=_scheme(result),
        xgap=2,
        ygap=2,
        hoverongaps=False,
        colorbar={
            "thickness": 8,
            "outlinewidth": 0,
            "tickformat": ".0%" if percent else ",~d",
            "nticks": 4,
            "xpad": 6,
        },
        customdata=[
            [[units.text(cell, look.unit, look.decimals)] for cell, look in zip(row[1:], looks, strict=True)]
            for row in result.rows
        ],
        hovertemplate="%{y}, %{x}<br><b>%{customdata[0]}</b><extra></extra>",
    )
    figure.update_layout(margin={"l": 8, "r": 8, "t": 4, "b": 8})
    figure.update_xaxes(type="category", showgrid=False, ticks="", side="bottom", tickangle=0, nticks=12)
    figure.update_yaxes(type="category", autorange="reversed", automargin=True, showgrid=False, ticks="")
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


def _value_axis(figure: go.Figure, result: Result, letter: str) -> None:
    """Give the axis of the values its unit, its name, and zero where the panel begins there."""
    defaults = result.panel.defaults
    percent = defaults.get("unit") == "percentunit"
    options: dict[str, Any] = {
        "tickformat": ".0%" if percent else ",~g",
        "nticks": 6,
        "automargin": True,
        "gridcolor": GRID,
        "title": {"text": defaults.get("custom", {}).get("axisLabel") or None, "font": {"color": MUTED, "size": 11}},
    }
    if defaults.get("min") == 0 or result.panel.kind == "barchart":
        options["rangemode"] = "tozero"
    (figure.update_xaxes if letter == "x" else figure.update_yaxes)(**options)


def _scheme(result: Result) -> Sequence[str]:
    return SCHEMES.get(result.panel.scheme, _FALLBACK)


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
