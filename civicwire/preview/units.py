"""Values as people read them, by Grafana's unit."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

_SPANS = ((86_400 * 365.25, "year"), (86_400 * 30.44, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))
_EXACT_BELOW = 10
_SECONDS = {"s": 1, "h": 3_600}


def text(value: Any, unit: str | None, decimals: int | None = None) -> str:
    """Return ``value`` as text; null is a dash.

    Args:
        value: of a result.
        unit: Grafana's: ``locale`` separates thousands, ``s`` and ``h`` are spans of time, ``percentunit`` is a
            fraction of 1, ``bytes`` counts in 1,024, ``suffix:words`` puts words behind.
        decimals: digits behind the point; None leaves it to the unit.
    """
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return _number(value, unit or "", decimals)


def _number(value: float, unit: str, decimals: int | None) -> str:
    if unit in _SECONDS:
        return span(value * _SECONDS[unit])
    if unit == "bytes":
        return _bytes(value)
    if unit == "percentunit":
        return f"{100 * value:.{1 if decimals is None else decimals}f} %"
    if decimals is None:
        decimals = 0 if float(value).is_integer() else 2
    return f"{value:,.{decimals}f} {unit.removeprefix('suffix:') if unit.startswith('suffix:') else ''}".rstrip()


def _bytes(count: float) -> str:
    for size, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count:.0f} B"


def span(seconds: float) -> str:
    """Return a span of time in its largest unit, with one decimal while it is small: 2.1 days, 34 minutes."""
    for size, name in _SPANS:
        amount = seconds / size
        if amount >= 1:
            shown = f"{amount:.1f}".removesuffix(".0") if amount < _EXACT_BELOW else f"{amount:.0f}"
            return f"{shown} {name}" + ("" if shown == "1" else "s")
    return f"{seconds:.1f} seconds" if 0 < seconds < _EXACT_BELOW else f"{seconds:.0f} seconds"
