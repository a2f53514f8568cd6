"""What hangs on a column of a feed: columns of the incident model, marts and panels, read from the SQL that is run.

A name that an expression uses makes the expression's own name depend on it, statement by statement, from the
normalise file over the windows and the dbt models to the queries of the dashboards. Names are followed, not scopes, so
that now and then more is named than is touched, and never less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from civicwire.settings import ROOT
from producers import catalog
from producers.drift import Affected
from schemas import loader, topics
from stream_jobs import jobs

MODELS = ROOT / "dbt" / "models"
DASHBOARDS = ROOT / "dashboards" / "generated"
TABLES = {
    topic.name: topic.schema
    for topic in (topics.INCIDENTS, topics.PERSONS, topics.INDICATORS, topics.INCIDENT_COUNTS, topics.ARRIVALS)
}
"""Tables that stream jobs fill, and the schemas of their columns."""

_REFERENCE = re.compile(r"\{\{\s*(?:ref|source)\(\s*(?:'\w+'\s*,\s*)?'(\w+)'\s*\)\s*\}\}")
_CONFIG = re.compile(r"\A\s*\{\{\s*config\(.*?^\s*\}\}", re.DOTALL | re.MULTILINE)
"""A model's config, in which a hook may hold jinja of its own."""
_OF_COLUMN = re.compile(r"\{\{\s*\w+\('(\w+)'\)\s*\}\}")
"""A macro of one column: what it makes depends on that column."""
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_LITERAL = re.compile(r"'([^']*)'")
_WORD = re.compile(r"[a-zA-Z_]\w*")


@dataclass
class Uses:
    """What one piece of SQL makes of names.

    Attributes:
        made: name to the names that its expressions use.
        filters: names on which it depends which rows there are.
        results: the names of its last select; None where that is a star.
    """

    made: dict[str, set[str]] = field(default_factory=dict)
    filters: set[str] = field(default_factory=set)
    results: set[str] | None = None

    def reached(self, names: Iterable[str]) -> set[str]:
        """Return the names whose values depend on any of ``names``."""
        touched = set(names)
        while more := {name for name, uses in self.made.items() if name not in touched and uses & touched}:
            touched |= more
        return touched

    def changed(self, names: Iterable[str]) -> set[str]:
        """Return the names of the result that may change with ``names``: all if these decide about its rows."""
        touched = self.reached(names)
        results = self.results if self.results is not None else set(self.made) or touched
        return results if self.filters & touched else results & touched


@cache
def uses(sql: str, dialect: str) -> Uses:
    """Return what the statements of ``sql`` make of names; ``row.x`` is the name of a feed's column x.

    The same SQL is asked about each column of a feed and read once.

    Raises:
        sqlglot.errors.SqlglotError: the SQL is not of the dialect.
    """
    found = Uses()
    for statement in filter(None, sqlglot.parse(sql, read=dialect)):
        for select in statement.find_all(exp.Select):
            for projection in select.expressions:
                if not projection.is_star:
                    found.made.setdefault(projection.alias_or_name, set()).update(_names(projection))
            for condition in _conditions(select):
                found.filters.update(_names(condition))
        last = statement if isinstance(statement, exp.Select) else statement.expression
        if isinstance(last, exp.Select):
            starred = any(projection.is_star for projection in last.expressions)
            found.results = None if starred else {one.alias_or_name for one in last.expressions}
        for unnest in statement.find_all(exp.Unnest):
            for name, values in _unnested(unnest):
                found.made.setdefault(name, set()).update(values)
    return found


def _conditions(select: exp.Select) -> Iterator[exp.Expression]:
    """Yield the conditions that decide which rows a select gives."""
    conditions = [select.args.get(part) for part in ("where", "having", "qualify")]
    conditions += [join.args.get("on") for join in select.args.get("joins") or ()]
    yield from (condition for condition in conditions if condition is not None)


def _names(node: exp.Expression) -> Iterator[str]:
    for column in node.find_all(exp.Column):
        yield f"row.{column.name}" if column.table == "row" else column.name


def _unnested(unnest: exp.Unnest) -> Iterator[tuple[str, set[str]]]:
    """Yield the names that ``unnest(array [row(…)]) as alias (names)`` gives to values, and what these use."""
    alias = unnest.args.get("alias")
    columns = [column.name for column in alias.columns] if alias is not None else []
    for array in unnest.expressions:
        for row in array.expressions:
            yield from zip(columns, (set(_names(value)) for value in row.expressions), strict=False)


@dataclass(frozen=True)
class Query:
    """A dbt model or a panel: its name, the tables it reads, its SQL, and the literals in it."""

    name: str
    reads: frozenset[str]
    sql: str
    literals: frozenset[str]

    def concerns(self, source: catalog.Source) -> bool:
        """Return whether the query may read rows of the feed: it names no feeds or kinds, or this one among them."""
        keys, kinds = _vocabulary()
        feeds, of_kind = self.literals & keys, self.literals & kinds
        # Persons have the kind of the incident that they took part in.
        any_kind = not of_kind or source.kind == "person"
        return (not feeds or source.key in feeds) and (any_kind or source.kind in of_kind)


@cache
def _vocabulary() -> tuple[frozenset[str], frozenset[str]]:
    sources = catalog.load_all().values()
    return frozenset(one.key for one in sources), frozenset(one.kind for one in sources)


@cache
def models(folder: Path = MODELS) -> tuple[Query, ...]:
    """Return the dbt models of ``folder``."""
    found = []
    for path in sorted(folder.rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        reads = frozenset(_REFERENCE.findall(text))
        named = _OF_COLUMN.sub(r"\1", _REFERENCE.sub(r"\1", _CONFIG.sub("", text)))
        sql = _JINJA.sub(" ", named)
        found.append(Query(path.stem, reads, sql, frozenset(_LITERAL.findall(sql))))
    return tuple(found)


@cache
def panels(folder: Path = DASHBOARDS) -> tuple[Query, ...]:
    """Return the panels of the generated dashboards, each by the titles of dashboard and panel."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        for panel in _panels(dashboard.get("panels") or []):
            for target in panel.get("targets") or []:
                sql = str(target.get("rawSql") or "")
                words = frozenset(_WORD.findall(sql))
                name = f"{dashboard['title']}: {panel.get('title') or panel.get('id')}"
                found.append(Query(name, words, sql, frozenset(_LITERAL.findall(sql))))
    return tuple(found)


def _panels(listed: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in listed:
        yield panel
        yield from _panels(panel.get("panels") or [])


def model_columns(source: str, column: str) -> dict[str, set[str]]:
    """Return the columns of incidents (or indicators, …) whose values depend on a column of the feed's schema."""
    return _results(_normalised(source), {f"row.{column}"})


@cache
def _normalised(source: str) -> list[str]:
    """Return the statements that make records of the model, dead letters left out, as a parser of SQL reads them."""
    return [
        text.replace("`", '"').replace("as bytes)", "as varbinary)")
        for text in jobs.statements(jobs.NORMALIZE / f"{source}.sql")
        if not text.startswith("insert into dead_letters")
    ]


def _results(statements: list[str], names: set[str]) -> dict[str, set[str]]:
    """Return the columns that depend on ``names`` of each table that the statements fill."""
    reached = uses(";\n".join(statements), "trino").reached(names)
    filled = [statement.split(maxsplit=3)[2] for statement in statements if statement.startswith("insert into")]
    columns = {table: reached & set(loader.field_names(TABLES[table])) for table in filled if table in TABLES}
    return {table: found for table, found in columns.items() if found}


def _windows() -> list[str]:
    files = sorted(jobs.WINDOWS.glob("*.sql"))
    return [text.replace("`", '"') for path in files for text in jobs.statements(path)]


def affected(source: catalog.Source, column: str) -> Affected:
    """Return what depends on the column ``column`` of the feed's schema.

    Args:
        source: the feed.
        column: the column by its name in ``schemas/raw``; one that the schema does not have reaches nothing.
    """
    tables = model_columns(source.key, column) if column in source.columns else {}
    touched = dict(tables)
    if topics.INCIDENTS.name in touched:
        touched |= _results(_windows(), touched[topics.INCIDENTS.name])
    marts: set[str] = set()
    waiting = [model for model in models() if model.concerns(source)]
    while ready := [one for one in waiting if not one.reads & {other.name for other in waiting}]:
        for model in ready:
            waiting.remove(model)
            names = set().union(*(touched.get(table, set()) for table in model.reads))
            if names and (reached := _reached(model, names)):
                touched[model.name] = reached
                marts.add(model.name)
    shown = [
        panel.name
        for panel in panels()
        if panel.concerns(source) and any(panel.reads & touched[table] for table in panel.reads & touched.keys())
    ]
    columns = sorted({name for names in tables.values() for name in names})
    staging = {model.name for model in models() if model.name.startswith(("stg_", "int_"))}
    return Affected(tuple(columns), tuple(sorted(marts - staging)), tuple(dict.fromkeys(shown)))


def _reached(model: Query, names: set[str]) -> set[str]:
    try:
        return uses(model.sql, "bigquery").changed(names)
    except sqlglot.errors.SqlglotError:
        # A model with a macro that does not read as SQL: whatever it says depends on what it reads.
        return set(_WORD.findall(model.sql)) if names & set(_WORD.findall(model.sql)) else set()
