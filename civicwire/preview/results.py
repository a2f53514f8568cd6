"""Run the panels' queries on the warehouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import GoogleAPIError, NotFound
from google.cloud import bigquery
from requests.exceptions import RequestException

from civicwire.preview.document import Panel
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
        sql: the expanded query; the raw one when it could not be expanded; None for a panel without a query.
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


def run(
    client: bigquery.Client, panels: tuple[Panel, ...], period: Period, variables: Mapping[str, tuple[str, ...]]
) -> list[Result]:
    """Return the result of every panel, in the panels' order; a query that fails becomes a result with an error."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_runner(client, period, variables), panels))


def _runner(
    client: bigquery.Client, period: Period, variables: Mapping[str, tuple[str, ...]]
) -> Callable[[Panel], Result]:
    def result(panel: Panel) -> Result:
        if panel.sql is None:
            return Result(panel)
        started = time.monotonic()
        sql = panel.sql
        try:
            sql = expand(panel.sql, period, variables)
            found = client.query(sql).result(timeout=QUERY_TIMEOUT_SECONDS)
            columns = tuple(field.name for field in found.schema)
            rows = tuple(tuple(row.values()) for row in found)
        except NotFound as error:
            hint = "Run `civicwire build`, which makes the marts, or set CIVICWIRE_DATASET."
            return Result(panel, sql, seconds=time.monotonic() - started, error=f"{error.message}\n{hint}")
        except (ConfigError, GoogleAPIError, RequestException, TimeoutError) as error:
            return Result(panel, sql, seconds=time.monotonic() - started, error=str(error) or repr(error))
        return Result(panel, sql, columns, rows, time.monotonic() - started)

    return result
