"""How many bytes BigQuery would bill for a query, estimated: the emulator says 0 for every job, dry run or not.

BigQuery bills the columns that a query reads, whole, of the partitions that it cannot leave out. Views are opened,
unused columns and conditions are pushed down to the tables (sqlglot), and the size of what is left is asked of the
tables themselves: 8 bytes a number, date or time, 1 a bool, 2 and its bytes a string. Only conditions that compare
the partition column with constants prune. Clustering is left out: the true figure is above this only by BigQuery's
minimum of 10 MB a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import sqlglot
from google.cloud import bigquery
from sqlglot import exp
from sqlglot.optimizer import optimize
from sqlglot.optimizer.pushdown_predicates import pushdown_predicates
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

_FIXED = {"BOOL": 1, "BOOLEAN": 1}
_TEXT = {"STRING", "BYTES"}


class Scanner:
    """Estimates queries on one warehouse; tables are looked at once, so make a new one when their rows changed."""

    def __init__(self, client: bigquery.Client) -> None:
        """Look at nothing yet."""
        self._client = client
        self._table = lru_cache(maxsize=None)(self._client.get_table)
        self._measured = lru_cache(maxsize=None)(self._measure)

    def bytes_scanned(self, sql: str) -> int:
        """Return the estimate for ``sql``, one GoogleSQL query with its variables and macros filled in."""
        query = self._open_views(sqlglot.parse_one(sql, read="bigquery"))
        schema: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
        for table in query.find_all(exp.Table):
            if found := self._find(table):
                columns = {field.name: field.field_type for field in found.schema}
                schema.setdefault(found.project, {}).setdefault(found.dataset_id, {})[found.table_id] = columns
                table.set("catalog", exp.to_identifier(found.project, quoted=True))
        rules = (qualify, pushdown_projections, pushdown_predicates)
        done = optimize(query, schema=schema, dialect="bigquery", rules=rules, validate_qualify_columns=False)
        return sum(self._measured(*one) for scope in traverse_scope(done) for one in self._reads(scope))

    def _find(self, table: exp.Table) -> bigquery.Table | None:
        return self._table(f"{table.catalog or self._client.project}.{table.db}.{table.name}") if table.db else None

    def _open_views(self, query: exp.Expression) -> exp.Expression:
        while views := [one for one in query.find_all(exp.Table) if (found := self._find(one)) and found.view_query]:
            for table in views:
                found = self._find(table)
                assert found is not None
                inner = sqlglot.parse_one(str(found.view_query), read="bigquery")
                table.replace(
                    exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
                )
        return query

    def _reads(self, scope: Scope) -> Iterator[tuple[str, tuple[str, ...], str]]:
        """Yield table, columns and pruning condition of each table that the scope itself reads."""
        where = scope.expression.args.get("where")
        conjuncts = [] if where is None else _conjuncts(where.this)
        for alias, source in scope.sources.items():
            if not isinstance(source, exp.Table) or not (table := self._find(source)):
                continue
            columns = {column.name for column in scope.columns if column.table == alias}
            field = table.time_partitioning.field if table.time_partitioning else None
            pruning = [
                _unqualified(condition).sql(dialect="bigquery")
                for condition in conjuncts
                if field and _prunes(condition, alias, field)
            ]
            name = f"{table.project}.{table.dataset_id}.{table.table_id}"
            yield name, tuple(sorted(columns)), " and ".join(f"({one})" for one in pruning)

    def _measure(self, name: str, columns: tuple[str, ...], condition: str) -> int:
        types = {field.name: field.field_type for field in self._table(name).schema}
        sizes = [
            f"coalesce(sum(2 + byte_length(`{column}`)), 0)"
            if types.get(column) in _TEXT
            else f"{_FIXED.get(types.get(column, ''), 8)} * count(`{column}`)"
            for column in columns
            if column in types
        ]
        if not sizes:
            return 0
        sql = f"select {' + '.join(sizes)} from `{name}`" + (f" where {condition}" if condition else "")
        return int(next(iter(self._client.query(sql).result()))[0])


def _conjuncts(condition: exp.Expression) -> list[exp.Expression]:
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _prunes(condition: exp.Expression, alias: str, field: str) -> bool:
    """Return whether a condition compares only the bare partition column, on one side, with constants."""
    columns = list(condition.find_all(exp.Column))
    bare = all(isinstance(column.parent, exp.Predicate) for column in columns)
    own = all(column.table == alias and column.name == field for column in columns)
    return bool(columns) and bare and own and not condition.find(exp.Subquery, exp.Select)


def _unqualified(condition: exp.Expression) -> exp.Expression:
    copy = condition.copy()
    for column in copy.find_all(exp.Column):
        column.set("table", None)
    return copy
