"""Run the panels' queries on the warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.cloud import bigquery
from requests.exceptions import RequestException

from civicwire.preview.document import Dashboard, Panel
from civicwire.preview.macros import expand
from civicwire.preview.period import Period
from schemas.errors import ConfigError

THREADS = 4
QUERY_TIMEOUT_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Result:
    """What a panel's query gave: columns and rows in order, or the error.

    Attributes:
        panel: the panel.
        sql: the expanded query or what was asked of Prometheus; the raw query when it could not be expanded; None for
            a panel without one.
        columns: names of the columns.
        rows: values of each row, in the order of the columns.
        seconds: wall clock of the query.
        error: what went wrong, None when nothing did.
    """

    panel: Panel
    sql: str | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    seconds: float = 0.0
    error: str | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show: no row, or rows of nulls behind a name or a time."""
        named = len(self.columns) > 1
        return all(value is None for row in self.rows for value in row[named:])


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that an annotation marks on the charts over time."""

    time: datetime
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the warehouse answered for one dashboard.

    Attributes:
        panels: the result of every panel, in the panels' order.
        variables: values of each variable that queries use.
        marks: what the annotations mark, by time.
        errors: of variables and annotations, with their names.
    """

    panels: tuple[Result, ...]
    variables: Mapping[str, tuple[str, ...]]
    marks: tuple[Mark, ...] = ()
    errors: tuple[str, ...] = ()


def run(
    client: bigquery.Client,
    dashboard: Dashboard,
    period: Period,
    chosen: Mapping[str, tuple[str, ...]] | None = None,
    measure: Measure | None = None,
) -> Answers:
    """Return the answers to a dashboard's queries; one that fails becomes an error and stops nothing.

    Args:
        client: of the warehouse.
        dashboard: whose queries to run.
        period: of the dashboard.
        chosen: values of variables instead of their own.
        measure: answers the panels that ask Prometheus; without it they have no rows.
    """
    values: dict[str, tuple[str, ...]] = {one.name: one.values for one in dashboard.variables} | dict(chosen or {})
    ask = _asker(client, period, values)
    errors: list[str] = []
    for variable in dashboard.variables:
        if variable.sql is not None and variable.name not in (chosen or {}):
            _, _, rows, error = ask(variable.sql)
            # Grafana asks for nothing where a variable has no value; so does an empty text.
            values[variable.name] = tuple(str(row[0]) for row in rows) or ("",)
            if error:
                errors.append(f"variable {variable.name}: {error}")
    marks: list[Mark] = []
    for name, sql in dashboard.annotations.items():
        _, columns, rows, error = ask(sql)
        if error:
            errors.append(f"annotation {name}: {error}")
        marks += (_mark(dict(zip(columns, row, strict=True))) for row in rows)
    with ThreadPoolExecutor(THREADS) as pool:
        panels = tuple(pool.map(lambda panel: _result(panel, ask, measure), dashboard.panels))
    return Answers(panels, values, tuple(marks), tuple(errors))


def _mark(row: Mapping[str, Any]) -> Mark:
    return Mark(row["time"], str(row.get("title", "")), str(row.get("text", "")))


Measure = Callable[[str], Mapping[str, float]]
"""Answers what a panel asks Prometheus: values by the label's value."""
Asked = tuple[str, tuple[str, ...], tuple[tuple[Any, ...], ...], str | None]
"""The SQL as it was sent, names of the columns, the rows, and what went wrong."""


def _result(panel: Panel, ask: Callable[[str], Asked], measure: Measure | None) -> Result:
    if panel.metric is not None:
        rows = tuple(sorted(measure(panel.metric).items())) if measure is not None else ()
        return Result(panel, panel.metric, ("name", "value"), rows)
    if panel.sql is None:
        return Result(panel)
    started = time.monotonic()
    sql, columns, rows, error = ask(panel.sql)
    return Result(panel, sql, columns, rows, time.monotonic() - started, error)


def _asker(client: bigquery.Client, period: Period, variables: Mapping[str, tuple[str, ...]]) -> Callable[[str], Asked]:
    def ask(written: str) -> Asked:
        sql = written
        try:
            sql = expand(written, period, variables)
            found = client.query(sql).result(timeout=QUERY_TIMEOUT_SECONDS)
            columns = tuple(field.name for field in found.schema)
            return sql, columns, tuple(tuple(row.values()) for row in found), None
        except NotFound as error:
            hint = "Run `civicwire build`, which makes the marts, or set CIVICWIRE_DATASET."
            return sql, (), (), f"{error.message}\n{hint}"
        except (ConfigError, GoogleAPIError, RequestException, TimeoutError) as error:
            return sql, (), (), str(error) or repr(error)

    return ask
