"""A page for every mart and seed, of the dbt project's .yml and .sql files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from civicwire import lineage
from civicwire.settings import ROOT
from civicwire.site.markdown import Page, block, code, codes, escaped, folded, sections, table
from schemas.errors import ConfigError

PROJECT = ROOT / "dbt"
FOLDER = "marts"
DBT = "dbt.html"
"""dbt's own pages: one file, beside those of the marts."""
_MATERIALIZED = re.compile(r"materialized='(\w+)'")
_PARTITION = re.compile(r"partition_by=\{'field': '(\w+)'")
_COMMENT = re.compile(r"(?:^-- .*\n)+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Table:
    """A mart or a seed: the entry of its .yml file and the file that makes it."""

    kind: str
    entry: dict[str, Any]
    unit_tests: tuple[dict[str, Any], ...]
    made_by: Path

    @property
    def name(self) -> str:
        """Its name in the warehouse."""
        return str(self.entry["name"])

    @property
    def description(self) -> str:
        """What it is."""
        return str(self.entry["description"])


def pages(project: Path = PROJECT) -> list[Page]:
    """Return the page of each mart, then of each seed, and before them one that lists them.

    Raises:
        ConfigError: a .yml file describes a table that nothing makes, or nothing describes one that is made.
    """
    tables = [*_tables(project, "mart"), *_tables(project, "seed")]
    exposures = _read(project / "models" / "exposures.yml")["exposures"]
    equations = {path.stem: path.read_text(encoding="utf-8") for path in sorted((project / "tests").glob("*.sql"))}
    return [_index(tables), *(_page(one, tables, exposures, equations, project) for one in tables)]


def path(name: str) -> str:
    """Return the path of the page of a mart or seed."""
    return f"{FOLDER}/{name}.md"


def _tables(project: Path, kind: str) -> Iterator[Table]:
    folder, ending, group = {
        "mart": (project / "models" / "marts", "sql", "models"),
        "seed": (project / "seeds", "csv", "seeds"),
    }[kind]
    described = {}
    for file in sorted(folder.glob("*.yml")):
        content = _read(file)
        for entry in content[group]:
            tests = tuple(one for one in content.get("unit_tests", ()) if one["model"] == entry["name"])
            described[entry["name"]] = (entry, tests)
    made = {file.stem: file for file in sorted(folder.glob(f"*.{ending}"))}
    if odd := described.keys() ^ made.keys():
        raise ConfigError(
            f"{', '.join(sorted(odd))}: a .{ending} file in {folder} and the .yml that describes it go together. "
            "Add the one that is missing."
        )
    for name, file in made.items():
        entry, tests = described[name]
        yield Table(kind, entry, tests, file)


@cache
def _read(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


def _index(tables: Iterable[Table]) -> Page:
    def rows(kind: str) -> Iterator[tuple[str, str]]:
        return ((f"[{code(one.name)}]({one.name}.md)", escaped(one.description)) for one in tables if one.kind == kind)

    return Page(
        f"{FOLDER}/index.md",
        "Marts",
        sections(
            "What dashboards and people query, in the dataset `<dataset>_marts`. "
            "[The marts in words](../docs/marts.md) says how they are built, tested and what they cost. "
            f"[dbt's own pages]({DBT}) have every node, staging and intermediate views too, its SQL and the graph.",
            table(("mart", "what it is"), rows("mart")),
            "## Seeds",
            "Tables that are files of the project: what feeds count, their breaks, the categories, look-ups.",
            table(("seed", "what it is"), rows("seed")),
        ),
    )


def _page(
    one: Table, tables: list[Table], exposures: list[dict[str, Any]], equations: dict[str, str], project: Path
) -> Page:
    return Page(
        path(one.name),
        one.name,
        sections(
            escaped(one.description),
            _what_it_is(one, tables, project),
            "## Columns",
            _columns(one),
            "## Tests",
            _tests(one, equations),
            "## Used by",
            _users(one, exposures),
            "" if one.kind == "seed" else _sql(one),
        ),
    )


def _what_it_is(one: Table, tables: list[Table], project: Path) -> str:
    models = {query.name: query.reads for query in lineage.models(project / "models")}
    meta = one.entry.get("config", {}).get("meta", {})
    readers = sorted(name for name, reads in models.items() if one.name in reads)
    rows = [
        *([("a row for each", code(meta["grain"]))] if "grain" in meta else []),
        ("made as", _made_as(one, project)),
        *([("made of", _links(sorted(models[one.name]), tables))] if one.kind == "mart" else []),
        ("read by models", _links(readers, tables)),
        *((said, escaped(str(meta[said]))) for said in ("freshness", "owner") if said in meta),
    ]
    return table(("what", "of this table"), rows)


def _made_as(one: Table, project: Path) -> str:
    if one.kind == "seed":
        return f"a seed, {code(one.made_by.name)}"
    sql = one.made_by.read_text(encoding="utf-8")
    own, field = _MATERIALIZED.search(sql), _PARTITION.search(sql)
    usual = _read(project / "dbt_project.yml")["models"]["civicwire"]["marts"]["+materialized"]
    return (own[1] if own else str(usual)) + (f", a partition for each {code(field[1])}" if field else "")


def _links(names: Iterable[str], tables: list[Table]) -> str:
    pages_of = {one.name for one in tables}
    return ", ".join(f"[{code(name)}]({name}.md)" if name in pages_of else code(name) for name in names) or "none"


def _columns(one: Table) -> str:
    types = one.entry.get("config", {}).get("column_types", {})
    rows = []
    for column in one.entry["columns"]:
        name = column["name"]
        required = any(found["type"] == "not_null" for found in column.get("constraints", ()))
        kind = column.get("data_type") or types.get(name) or ""
        rows.append((code(name), kind + (", never null" if required else ""), escaped(column.get("description", ""))))
    return table(("column", "type", "what it is"), rows)


def _tests(one: Table, equations: dict[str, str]) -> str:
    told = [*_data_tests(one.entry.get("data_tests", ()), "")]
    for column in one.entry["columns"]:
        told += _data_tests(column.get("data_tests", ()), column["name"])
    told += [(code(name), "business equation", _said(sql)) for name, sql in equations.items() if f"'{one.name}'" in sql]
    told += [(code(test["name"]), "unit test", escaped(test.get("description", ""))) for test in one.unit_tests]
    if not told:
        return "None of its own."
    return table(("test", "kind", "what it holds"), told)


def _data_tests(tests: Iterable[Any], column: str) -> Iterator[tuple[str, str, str]]:
    for test in tests:
        ((kind, options),) = test.items() if isinstance(test, dict) else ((test, {}),)
        arguments = ", ".join(f"{name} {_argument(value)}" for name, value in options.get("arguments", {}).items())
        what = f"of {code(column)}" if column else ""
        yield code(options.get("name", kind)), kind.replace("_", " "), " ".join(filter(None, (what, arguments)))


def _argument(value: Any) -> str:
    return codes(map(str, value)) if isinstance(value, list) else code(str(value))


def _said(sql: str) -> str:
    """Return the comment that says what a singular test holds."""
    found = _COMMENT.search(sql)
    words = " ".join(line.removeprefix("-- ") for line in found[0].splitlines()) if found else ""
    return escaped(words.removeprefix("Business equation: "))


def _users(one: Table, exposures: list[dict[str, Any]]) -> str:
    read = re.compile(rf"_marts\.{one.name}\b")
    panels: dict[str, list[str]] = {}
    for panel in lineage.panels():
        dashboard, _, title = panel.name.partition(": ")
        shown = panels.setdefault(dashboard, [])
        if read.search(panel.sql) and title not in shown:
            shown.append(title)
    rows = [
        (
            escaped(exposure["label"]),
            code(exposure["name"]),
            escaped("; ".join(panels.get(exposure["label"], []))) or "variables and annotations",
        )
        for exposure in exposures
        if f"ref('{one.name}')" in exposure["depends_on"]
    ]
    if not rows:
        return "No dashboard."
    what = "[Dashboards](../docs/dashboards.md), which the dbt project has as exposures:"
    return sections(what, table(("dashboard", "exposure", "panels"), rows))


def _sql(one: Table) -> str:
    text = one.made_by.read_text(encoding="utf-8")
    return sections("## How it is made", folded(f"dbt/models/marts/{one.made_by.name}", block(text, "sql")))
