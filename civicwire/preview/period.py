"""The period of a dashboard: Grafana's relative times as instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from schemas.errors import ConfigError

_RELATIVE = re.compile(r"now(?P<shift>(?:[+-]\d+[smhdwMy])*)(?:/(?P<snap>[hdwMy]))?")
_STEP = re.compile(r"([+-])(\d+)([smhdwMy])")
_PLAIN = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Period:
    """From one UTC instant to another, both included."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, start: str, end: str, now: datetime) -> Period:
        """Return the period between two of Grafana's time expressions.

        Args:
            start: such as ``now-3y/M`` (rounded down to the month), or an ISO date or UTC instant.
            end: likewise; a rounded end is the last second of its unit, as in Grafana.
            now: the UTC instant that ``now`` means.

        Raises:
            ConfigError: an expression is neither, or the period ends before it starts.
        """
        period = cls(_instant(start, now, up=False), _instant(end, now, up=True))
        if period.end <= period.start:
            raise ConfigError(f"The period from {start!r} to {end!r} is empty: give an end after the start.")
        return period

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d} (UTC)"


def _instant(expression: str, now: datetime, *, up: bool) -> datetime:
    relative = _RELATIVE.fullmatch(expression.strip())
    if relative is None:
        try:
            given = datetime.fromisoformat(expression)
        except ValueError:
            raise ConfigError(f"{expression!r} is no time: use now-3y/M, now, 2024-01-31 or an ISO instant.") from None
        return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC)
    at = now
    for sign, amount, unit in _STEP.findall(relative["shift"]):
        at = _shift(at, int(sign + amount), unit)
    if relative["snap"]:
        at = _floor(at, relative["snap"])
        if up:
            at = _shift(at, 1, relative["snap"]) - timedelta(seconds=1)
    return at


def _shift(at: datetime, amount: int, unit: str) -> datetime:
    """Return ``at`` moved by whole units; a day that a month does not have becomes its last."""
    if unit in _PLAIN:
        return at + timedelta(**{_PLAIN[unit]: amount})
    months = at.year * 12 + at.month - 1 + amount * (12 if unit == "y" else 1)
    first = date(months // 12, months % 12 + 1, 1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return at.replace(year=first.year, month=first.month, day=min(at.day, last.day))


def _floor(at: datetime, unit: str) -> datetime:
    if unit == "h":
        return at.replace(minute=0, second=0, microsecond=0)
    day = datetime.combine(at.date(), time(), UTC)
    if unit == "w":
        return day - timedelta(days=day.weekday())
    if unit == "M":
        return day.replace(day=1)
    return day.replace(month=1, day=1) if unit == "y" else day
