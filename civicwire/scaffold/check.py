"""``civicwire source check``: do a feed's files fit together? In a second, without a broker, Flink or a portal."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException

from civicwire.sandbox import described
from producers import catalog
from schemas import loader
from schemas.errors import CivicwireError
from stream_jobs import crosswalk, jobs, taxonomy

TABLES = frozenset({"incidents", "persons", "indicators"})
WORDS = taxonomy.VOCABULARIES | {"category": tuple(taxonomy.categories())}
_FILLED_IN = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_FRAGMENT = re.compile(r"'(\w+[.](?:sql|jinja))'")
_NAME = re.compile(r"\b[a-z]\w*\b")
_NULLABLE = ["null", "string"]
_HEAD_ENDS = ("row", "extras")


def problems(key: str) -> list[str]:
    """Return what is wrong with the files of the feed ``key``, one sentence each that ends with the fix.

    Raises:
        ConfigError: there is no such feed.
    """
    try:
        source = catalog.find(key)
    except CivicwireError as error:
        if not (catalog.FOLDER / f"{key}.yaml").is_file():
            raise
        return [str(error)]
    found = [*_schema(key), *_sql(key), *_crosswalks(key)]
    return [*found, *(_described(source) if not found else ())]


def _schema(key: str) -> Iterator[str]:
    file = f"schemas/raw/{key}.avsc"
    try:
        schema = loader.document(f"raw/{key}")
        fastavro.parse_schema(schema)
        head = [(field["name"], field["type"]) for field in schema["fields"] if field["name"] not in _HEAD_ENDS]
        (row,) = (field["type"] for field in schema["fields"] if field["name"] == "row")
        columns: list[dict[str, Any]] = row["fields"]
    except (SchemaParseException, KeyError, ValueError, TypeError) as error:
        yield f"{file} is no schema of a raw event ({type(error).__name__}: {error}): copy the head of another feed's."
        return
    if [field["name"] for field in schema["fields"]][-2:] != [*_HEAD_ENDS] or head != _others_head(key):
        yield f"{file}: the fields before `row` differ from those of the other feeds: copy them from one of these."
    for column in columns:
        if column.get("type") != _NULLABLE or column.get("default", "") is not None:
            yield f'{file}: {column["name"]} is not ["null", "string"] with the default null: values stay as published.'
    for field in [schema, *schema["fields"], *columns]:
        if not str(field.get("doc") or "").strip():
            yield f"{file}: {field['name']} has no doc: say what it holds."


def _others_head(key: str) -> list[tuple[str, Any]]:
    other = min(path.stem for path in (loader.FOLDER / "raw").glob("*.avsc") if path.stem != key)
    return [(field["name"], field["type"]) for field in loader.document(f"raw/{other}")["fields"][:-2]]


def _sql(key: str) -> Iterator[str]:
    path = jobs.NORMALIZE / f"{key}.sql"
    name = f"stream_jobs/normalize/{key}.sql"
    if not path.is_file():
        yield f"{name} is missing: `civicwire source new` drafts one."
        return
    try:
        statements = jobs.statements(path)
    except CivicwireError as error:
        yield str(error)
        return
    inserts = {statement.split(maxsplit=3)[2] for statement in statements if statement.startswith("insert into ")}
    if not inserts & TABLES or "dead_letters" not in inserts:
        yield f"{name} must insert into incidents (or persons, or indicators) and into dead_letters, or rows vanish."
    if f"raw_{key}" not in " ".join(statements):
        yield f"{name} does not read raw_{key}: correct the table's name."


def _crosswalks(key: str) -> Iterator[str]:
    path = jobs.NORMALIZE / f"{key}.sql"
    try:
        found = crosswalk.of_source(key)
    except (CivicwireError, csv.Error, KeyError, UnicodeDecodeError) as error:
        yield f"stream_jobs/crosswalks/{key}: {error}"
        return
    if crosswalk.folder(key).name != key:
        return  # shared with other feeds, whose SQL uses some of it
    used = _names(path) if path.is_file() else set()
    by_file: dict[str, set[str]] = {}
    for target, one in found.items():
        by_file.setdefault(one.column, set()).add(target)
        words = WORDS.get(target)
        unknown = {*one.exact.values(), *one.patterns.values()} - {*(words or ()), "unmapped", ""}
        if words is not None and unknown:
            listed = ", ".join(sorted(unknown))
            yield f"stream_jobs/crosswalks/{key}: {listed} is no {target}: use the words of docs/incident-model.md."
    for column, targets in by_file.items():
        if not targets & used:
            file = f"stream_jobs/crosswalks/{key}/{column}.csv"
            yield f"{file} is used nowhere: write {{{{ {min(targets)} }}}} in the SQL, or remove it."


def _names(path: Path) -> set[str]:
    """Return the names that a SQL file and the fragments that it includes have filled in."""
    filled_in = _FILLED_IN.findall(path.read_text(encoding="utf-8"))
    fragments = [jobs.FRAGMENTS / name for text in filled_in for name in _FRAGMENT.findall(text)]
    names = {name for text in filled_in for name in _NAME.findall(text)}
    return names.union(*(_names(fragment) for fragment in fragments if fragment.is_file()))


def _described(source: catalog.Source) -> Iterator[str]:
    path = described.FOLDER / f"{source.key}.yaml"
    if not path.is_file():
        return
    name = f"civicwire/sandbox/described/{path.name}"
    try:
        description = described.read(path.read_text(encoding="utf-8"), name)
    except CivicwireError as error:
        yield str(error)
        return
    lower = source.protocol.name in ("arcgis", "csv_file")
    published = [column.name.strip().lower() if lower else column.name for column in description.columns]
    known = {source.renames.get(column, column) for column in published}
    if description.name != source.key:
        yield f"{name} describes {description.name}: rename one of them."
    if missing := {*source.key_columns, source.event_time} - known:
        yield f"{name} has no {', '.join(sorted(missing))}, which the source file names: add it there."
