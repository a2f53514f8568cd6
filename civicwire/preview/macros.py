"""Expand what Grafana and its BigQuery data source expand in a query: variables first, macros after them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from civicwire.preview.period import Period
from schemas.errors import ConfigError

INTERVAL = timedelta(days=1)
"""What $__interval means here: with a period of years, Grafana's own choice is near a day."""

_DAY = "date:YYYY-MM-DD"
_VARIABLE = re.compile(r"\$\{(?P<braced>\w+)(?::(?P<form>[\w:-]+))?\}|\$(?P<plain>(?!__)[A-Za-z_]\w*)")
_MACRO = re.compile(r"\$__(\w+)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def expand(sql: str, period: Period, variables: Mapping[str, tuple[str, ...]]) -> str:
    """Return ``sql`` as it would reach BigQuery.

    Args:
        sql: a panel's query.
        period: the dashboard's period; UTC instants, as in the data source.
        variables: the values of each variable; one that allows several has as many.

    Raises:
        ConfigError: an unknown variable, format or macro, or a macro with wrong arguments.
    """
    return _macros(_variables(sql, period, variables), period)


def _variables(sql: str, period: Period, variables: Mapping[str, tuple[str, ...]]) -> str:
    built_in = {"__from": (_milliseconds(period.start),), "__to": (_milliseconds(period.end),)}

    def value(match: re.Match[str]) -> str:
        name, form = match["braced"] or match["plain"], match["form"]
        values = {**variables, **built_in}.get(name)
        if values is None:
            raise ConfigError(f"The query uses the variable {name!r}, which the dashboard does not have.")
        if form is None and len(values) == 1:
            return values[0]
        if form == "singlequote":
            return ",".join("'" + one.replace("'", "\\'") + "'" for one in values)
        if form == "csv":
            return ",".join(values)
        if form == _DAY and name in built_in:
            return f"{period.start if name == '__from' else period.end:%Y-%m-%d}"
        if form == "date:iso" and name in built_in:
            return _rfc3339(period.start if name == "__from" else period.end, milliseconds=True)
        raise ConfigError(f"${{{name}{':' + form if form else ''}}} is not expanded here: use singlequote or csv.")

    return _VARIABLE.sub(value, sql)


def _macros(sql: str, period: Period) -> str:
    done, rest = "", sql
    while match := _MACRO.search(rest):
        arguments, end = _arguments(rest, match.end())
        inner = [_macros(argument, period) for argument in arguments]
        done += rest[: match.start()] + _macro(match[1], inner, period)
        rest = rest[end:]
    return done + rest


def _arguments(sql: str, at: int) -> tuple[list[str], int]:
    """Return the macro's arguments and the position behind them; none when no parenthesis follows at once."""
    if not sql[at:].startswith("("):
        return [], at
    depth, found, start = 0, [], at + 1
    for position in range(at, len(sql)):
        letter = sql[position]
        depth += (letter == "(") - (letter == ")")
        if (letter == "," and depth == 1) or depth == 0:
            found.append(sql[start:position].strip())
            start = position + 1
        if depth == 0:
            return [one for one in found if one], position + 1
    raise ConfigError(f"A macro's parenthesis is not closed: {sql[at:][:60]!r}.")


def _macro(name: str, arguments: list[str], period: Period) -> str:
    start, end = _rfc3339(period.start), _rfc3339(period.end)
    filters = {
        "timeFilter": "{column} >= '{start}' AND {column} <= '{end}'",
        "timeFrom": "{column} >= '{start}'",
        "timeTo": "{column} <= '{end}'",
    }
    values = {
        "timeFrom": f"TIMESTAMP('{start}')",
        "timeTo": f"TIMESTAMP('{end}')",
        "interval": f"{INTERVAL.days}d",
        "interval_ms": str(int(INTERVAL.total_seconds() * 1000)),
    }
    if name in filters and len(arguments) == 1:
        return filters[name].format(column=arguments[0], start=start, end=end)
    if name in values and not arguments:
        return values[name]
    if name == "timeGroup" and len(arguments) == 2:  # noqa: PLR2004 a column and an interval
        return _time_group(arguments[0], arguments[1].strip("'\""))
    raise ConfigError(
        f"$__{name}({', '.join(arguments)}) is no macro of the BigQuery data source, or has the wrong arguments: "
        "use timeFilter, timeFrom, timeTo, timeGroup, interval or interval_ms."
    )


def _time_group(column: str, interval: str) -> str:
    if interval.endswith("M"):
        return (
            f'TIMESTAMP((PARSE_DATE("%Y-%m-%d",CONCAT( CAST((EXTRACT(YEAR FROM {column})) AS STRING),'
            f"'-',CAST((EXTRACT(MONTH FROM {column})) AS STRING),'-','01'))))"
        )
    amount, unit = interval[:-1], interval[-1:]
    if not amount.isdigit() or unit not in _UNIT_SECONDS:
        raise ConfigError(f"$__timeGroup has no interval {interval!r}: use a number and s, m, h, d, w or M.")
    milliseconds = int(amount) * _UNIT_SECONDS[unit] * 1000
    return f"TIMESTAMP_MILLIS(DIV(UNIX_MILLIS({column}), {milliseconds}) * {milliseconds})"


def _rfc3339(at: datetime, *, milliseconds: bool = False) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{at.microsecond // 1000:03}Z" if milliseconds else "Z")


def _milliseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))
