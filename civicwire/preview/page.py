"""One page for one dashboard: panels where Grafana would put them, one below the other on a phone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from plotly.offline import get_plotlyjs

from civicwire.preview import charts, parts
from civicwire.preview.document import Dashboard
from civicwire.preview.period import Period
from civicwire.preview.results import Result

_STYLE = Path(__file__).with_name("page.css")
_FIT = "addEventListener('load', () => document.querySelectorAll('.js-plotly-plot').forEach(Plotly.Plots.resize))"
"""A chart is drawn while the page is still being read, when its panel does not have its final height."""
_ROW_PIXELS = 30
_HEADER_PIXELS = 84
"""What a panel's title, description and frame take of its height."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says beside the panels.

    Attributes:
        made_at: UTC instant.
        warehouse: where the figures come from.
        feeds: one line for each feed.
        held: what the warehouse holds, for panels without rows.
    """

    made_at: datetime
    warehouse: str
    feeds: tuple[str, ...]
    held: str


def render(dashboard: Dashboard, results: list[Result], period: Period, facts: Facts) -> str:
    """Return the page: HTML with its styles and scripts inside, which loads nothing from anywhere."""
    panels = "\n".join(_panel(result, period, facts) for result in results)
    links = "".join(f'<a href="{escape(url)}" rel="noopener">{escape(title)}</a>' for title, url in dashboard.links)
    origin = f"Made {facts.made_at:%Y-%m-%d %H:%M} UTC by civicwire from {facts.warehouse}"
    closing = (*facts.feeds, f"{origin}, with the queries of the Grafana dashboard {dashboard.uid}.")
    footer = "\n".join(f"<p>{escape(line)}</p>" for line in closing)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(dashboard.title)} · civicwire</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
<script>{get_plotlyjs()}</script>
</head>
<body>
<header>
<h1>{escape(dashboard.title)}</h1>
<p>{escape(dashboard.description)}</p>
<nav><span>{escape(str(period))}</span>{links}</nav>
</header>
<main class="grid">
{panels}
</main>
<footer>
{footer}
</footer>
<script>{_FIT}</script>
</body>
</html>
"""


def _panel(result: Result, period: Period, facts: Facts) -> str:
    panel = result.panel
    place = f"grid-column:{panel.x + 1}/span {panel.w};grid-row:{panel.y + 1}/span {panel.h}"
    if panel.kind == "row":
        return f'<h2 class="row" style="{place}">{escape(panel.title)}</h2>'
    if panel.kind == "text":
        return f'<section class="panel plain" style="{place}">{parts.words(result)}</section>'
    return (
        f'<section class="panel {panel.kind}{" broken" if result.error else ""}" id="panel-{panel.id}" style="{place}">'
        f'<h3>{escape(panel.title)}</h3><p class="about">{escape(panel.description)}</p>'
        f"{_body(result, period, facts)}"
        f"<details><summary>Query</summary><pre>{escape((result.sql or '').strip())}</pre></details>"
        "</section>"
    )


def _body(result: Result, period: Period, facts: Facts) -> str:
    """Return what stands in the panel; a kind that is not known is shown as a table, as all of them have rows."""
    if result.error:
        return parts.failure(result)
    if result.empty:
        return parts.nothing(result, _why(result, period, facts))
    panel = result.panel
    if panel.kind == "stat":
        return parts.figures(result)
    if panel.kind == "timeseries":
        figure = charts.over_time(result, period)
    elif panel.kind == "barchart":
        figure = charts.ranking(result)
    elif panel.is_heat_map:
        figure = charts.heat_map(result)
    else:
        return parts.table(result)
    height = max(panel.h * _ROW_PIXELS - _HEADER_PIXELS, 150)
    return f'<div class="chart" style="--height:{height}px">{charts.embedded(figure, f"chart-{panel.id}")}</div>'


def _why(result: Result, period: Period, facts: Facts) -> str:
    """Return where the query looked and, when it asked the marts, what they hold."""
    asked = result.panel.sql or ""
    looked = f"The query looked from {period}." if "$__timeFilter" in asked else ""
    return f"{looked} {facts.held if '_marts.' in asked else ''}".strip()
