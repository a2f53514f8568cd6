"""The panels that are not charts, as HTML: large figures, tables, words, and the states of having nothing to show."""

from __future__ import annotations

from html import escape
from typing import Any

from civicwire.preview import units
from civicwire.preview.document import Look
from civicwire.preview.results import Result

ROW_PIXELS = 30
"""Of Grafana's grid. A table is as high as its panel and scrolls, as there."""
_SHORT = 28
"""Characters of a text that stays on one line of a table."""


def figures(result: Result) -> str:
    """Return large figures: one for each row, named by its text, or one for each column of a single row.

    Grafana shows texts as figures only where the panel asks for every field.
    """
    every_column = bool(result.panel.options.get("reduceOptions", {}).get("fields"))
    named = not every_column and any(isinstance(value, str) for row in result.rows for value in row)
    shown: list[tuple[str, Any, Look]] = []
    if named:
        for row in result.rows:
            name = " ".join(value for value in row if isinstance(value, str))
            at = next(at for at, value in enumerate(row) if not isinstance(value, str))
            shown.append((name, row[at], result.panel.look(result.columns[at])))
    else:
        looks = [result.panel.look(column) for column in result.columns]
        shown = [(look.heading, value, look) for look, value in zip(looks, result.rows[0], strict=True)]
    figure = '<div class="figure"><div class="value">{}</div><div class="name">{}</div></div>'
    blocks = [figure.format(_value(value, look), escape(name)) for name, value, look in shown]
    return f'<div class="figures">{"".join(blocks)}</div>'


def _value(value: Any, look: Look) -> str:
    """Return a large figure; the words behind a number are smaller."""
    number, _, words = units.text(value, look.unit, look.decimals).partition(" ")
    return escape(number) + (f" <small>{escape(words)}</small>" if words else "")


def table(result: Result) -> str:
    """Return a table; numbers stand right, a gauge cell shows its share of the column's largest value."""
    looks = [result.panel.look(column) for column in result.columns]
    numeric = [all(_is_number(row[at]) for row in result.rows) for at in range(len(looks))]
    most = [max((row[at] or 0 for row in result.rows), default=0) if numeric[at] else 0 for at in range(len(looks))]
    heads = "".join(
        f"<th{_class(look.heading, right=numeric[at])}>{escape(look.heading)}</th>" for at, look in enumerate(looks)
    )
    lines = (
        "<tr>" + "".join(_cell(row[at], look, most[at], right=numeric[at]) for at, look in enumerate(looks)) + "</tr>"
        for row in result.rows
    )
    height = f"max-height:{result.panel.h * ROW_PIXELS}px"
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="scroll" style="{height}">{table}</div>'


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _class(words: str, *, right: bool) -> str:
    name = "number" if right else "short" if len(words) <= _SHORT else "long"
    return f' class="{name}"'


def _cell(value: Any, look: Look, most: float, *, right: bool) -> str:
    words = escape(units.text(value, look.unit, look.decimals))
    if look.cell == "gauge" and most:
        bar = f'<i style="width:{100 * (value or 0) / most:.1f}%;background:{escape(look.colour or "#888")}"></i>'
        return f'<td class="gauge"><span class="bar">{bar}</span><span class="number">{words}</span></td>'
    if look.alert_at is not None and isinstance(value, (int, float)) and value >= look.alert_at:
        return f'<td{_class(words, right=right)}><b style="color:{escape(str(look.alert_colour))}">{words}</b></td>'
    return f"<td{_class(words, right=right)}>{words}</td>"


def words(result: Result) -> str:
    """Return a text panel's content, which is HTML of our own."""
    return f'<div class="words">{result.panel.options.get("content", "")}</div>'


def nothing(result: Result, why: str) -> str:
    """Return the state of a panel without rows, and why it has none."""
    return f'<div class="nothing"><b>{escape(result.panel.no_value)}</b><span>{escape(why)}</span></div>'


def failure(result: Result) -> str:
    """Return the state of a panel whose query failed."""
    return f'<div class="failure"><b>The query failed</b><pre>{escape(result.error or "")}</pre></div>'
