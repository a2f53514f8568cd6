"""Values as people read them, by Grafana's unit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

_SPANS = ((86_400 * 365.25, "year"), (86_400 * 30.44, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))
_EXACT_BELOW = 10


def text(value: Any, unit: str | None) -> str:
    """Return ``value`` as text: ``locale`` separates thousands, ``s`` is a span of seconds, null is a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if unit == "s":
        return span(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def span(seconds: float) -> str:
    """Return a span of time in its largest unit, with one decimal while it is small: 2.1 days, 34 minutes."""
    for size, name in _SPANS:
        amount = seconds / size
        if amount >= 1:
            shown = f"{amount:.1f}".removesuffix(".0") if amount < _EXACT_BELOW else f"{amount:.0f}"
            return f"{shown} {name}" + ("" if shown == "1" else "s")
    return f"{seconds:.0f} seconds"
