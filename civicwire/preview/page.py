"""The pages: panels where Grafana would put them, one below the other on a phone; and an index of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from civicwire.preview import charts, parts
from civicwire.preview.document import Dashboard
from civicwire.preview.period import Period
from civicwire.preview.results import Answers, Mark, Result

_STYLE = Path(__file__).with_name("page.css")
_FIT = "addEventListener('load', () => document.querySelectorAll('.js-plotly-plot').forEach(Plotly.Plots.resize))"
"""A chart is drawn while the page is still being read, when its panel does not have its final height."""
_HEADER_PIXELS = 84
"""What a panel's title, description and frame take of its height."""
_FEW = 4
"""Values of a variable that are named; of more their number is told."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the pages say beside the panels.

    Attributes:
        made_at: UTC instant.
        warehouse: where the figures come from.
        feeds: one line for each feed.
        held: what the warehouse holds, for panels without rows.
        siblings: title and file of every page of the preview.
    """

    made_at: datetime
    warehouse: str
    feeds: tuple[str, ...]
    held: str
    siblings: tuple[tuple[str, str], ...] = ()


def render(dashboard: Dashboard, answers: Answers, period: Period, facts: Facts) -> str:
    """Return the page of a dashboard: HTML that loads nothing but the charts' script beside it."""
    panels = "\n".join(_panel(result, period, answers.marks, facts) for result in answers.panels)
    links = "".join(f'<a href="{escape(url)}" rel="noopener">{escape(title)}</a>' for title, url in dashboard.links)
    closing = (*facts.feeds, f"{_origin(facts)}, with the queries of the Grafana dashboard {dashboard.uid}.")
    errors = "".join(f'<p class="failure">{escape(error)}</p>' for error in answers.errors)
    head = f"""<header>
{_pages(facts, dashboard.title)}
<h1>{escape(dashboard.title)}</h1>
<p>{escape(dashboard.description)}</p>
<nav><span>{escape(str(period))}</span>{_variables(dashboard, answers)}{links}</nav>
{errors}</header>"""
    return _document(dashboard.title, head, f'<main class="grid">\n{panels}\n</main>', closing, charted=True)


def index(cards: list[tuple[Dashboard, str, str]], facts: Facts) -> str:
    """Return the index of the pages: for each dashboard a card with its title, words, and how its panels are."""
    shown = "\n".join(
        f'<a class="card" href="{escape(file)}"><h2>{escape(dashboard.title)}</h2>'
        f"<p>{escape(dashboard.description)}</p><p>{escape(state)}</p></a>"
        for dashboard, file, state in cards
    )
    head = (
        "<header><h1>civicwire dashboards</h1><p>The dashboards as Grafana shows them, without Grafana: variables at "
    )
    head += "their defaults, queries run on the warehouse.</p></header>"
    closing = (*facts.feeds, f"{_origin(facts)}.")
    return _document("Dashboards", head, f'<main class="cards">\n{shown}\n</main>', closing, charted=False)


def _document(title: str, head: str, body: str, closing: tuple[str, ...], *, charted: bool) -> str:
    footer = "\n".join(f"<p>{escape(line)}</p>" for line in closing)
    script = '<script src="plotly.min.js"></script>\n' if charted else ""
    fit = f"<script>{_FIT}</script>\n" if charted else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · civicwire</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
{script}</head>
<body>
{head}
{body}
<footer>
{footer}
</footer>
{fit}</body>
</html>
"""


def _origin(facts: Facts) -> str:
    return f"Made {facts.made_at:%Y-%m-%d %H:%M} UTC by civicwire from {facts.warehouse}"


def _pages(facts: Facts, here: str) -> str:
    """Return links to the other pages."""
    links = "".join(
        f"<b>{escape(title)}</b>" if title == here else f'<a href="{escape(file)}">{escape(title)}</a>'
        for title, file in facts.siblings
    )
    return f'<nav class="pages"><a href="index.html">All dashboards</a>{links}</nav>' if links else ""


def _variables(dashboard: Dashboard, answers: Answers) -> str:
    """Return each variable with its value in words."""
    shown = ""
    for variable in dashboard.variables:
        if not variable.label:
            continue
        words = variable.shown
        values = answers.variables.get(variable.name, ())
        if words == "all":
            words = f"all ({', '.join(values)})" if len(values) <= _FEW else f"all {len(values)}"
        shown += f"<span>{escape(variable.label)}: <b>{escape(words)}</b></span>"
    return shown


def _panel(result: Result, period: Period, marks: tuple[Mark, ...], facts: Facts) -> str:
    panel = result.panel
    place = f"grid-column:{panel.x + 1}/span {panel.w};grid-row:{panel.y + 1}/span {panel.h}"
    if panel.kind == "row":
        return f'<h2 class="row" style="{place}">{escape(panel.title)}</h2>'
    if panel.kind == "text":
        return f'<section class="panel plain" style="{place}">{parts.words(result)}</section>'
    state = " broken" if result.error else " empty" if result.empty else ""
    return (
        f'<section class="panel {panel.kind}{state}" id="panel-{panel.id}" style="{place}">'
        f'<h3>{escape(panel.title)}</h3><p class="about">{escape(panel.description)}</p>'
        f"{_body(result, period, marks, facts)}"
        f"<details><summary>Query</summary><pre>{escape((result.sql or '').strip())}</pre></details>"
        "</section>"
    )


def _body(result: Result, period: Period, marks: tuple[Mark, ...], facts: Facts) -> str:
    """Return what stands in the panel; a kind that is not known is shown as a table, as all of them have rows."""
    if result.error:
        return parts.failure(result)
    if result.empty:
        return parts.nothing(result, _why(result, period, facts))
    panel = result.panel
    if panel.kind == "stat":
        return parts.figures(result)
    if panel.kind == "timeseries":
        figure = charts.over_time(result, period, marks)
    elif panel.kind == "barchart":
        figure = charts.ranking(result) if panel.is_ranking else charts.bars(result)
    elif panel.kind == "piechart":
        figure = charts.pie(result)
    elif panel.kind == "geomap":
        figure = charts.places(result)
    elif panel.is_heat_map:
        figure = charts.heat_map(result)
    else:
        return parts.table(result)
    height = max(panel.h * parts.ROW_PIXELS - _HEADER_PIXELS, 150)
    return f'<div class="chart" style="--height:{height}px">{charts.embedded(figure, f"chart-{panel.id}")}</div>'


def _why(result: Result, period: Period, facts: Facts) -> str:
    """Return where the query looked and, when it asked the marts, what they hold."""
    asked = result.panel.sql or ""
    looked = f"The query looked from {period}." if "$__timeFilter" in asked or "${__from" in asked else ""
    return f"{looked} {facts.held if '_marts.' in asked else ''}".strip()
