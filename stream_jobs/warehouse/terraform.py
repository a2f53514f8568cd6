"""``python -m stream_jobs.warehouse.terraform``: write Terraform's tables and topics; ``--check`` only compares.

The module reads JSON, so that a column is added in one place, the Avro file: ``terraform/tables/*.json`` are the tables
that the writer keeps, ``terraform/tables/stage/*.json`` those of its stage, ``terraform/topics.json`` the topics.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from schemas import loader, topics
from stream_jobs.warehouse.tables import STAGES, TABLES

MODULE = Path(__file__).resolve().parent.parent.parent / "terraform"
GENERATED = ("tables/*.json", "tables/stage/*.json", "topics.json")
_AS_ANSWERED = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
"""The names by which BigQuery's API answers; with others every plan would have to know that they are the same."""


def documents() -> dict[str, str]:
    """Return the JSON text of every generated file by its path in the module."""
    found = {f"tables/{table.name}.json": _table(table.definition("project", "dataset")) for table in TABLES}
    for stage in STAGES.values():
        found[f"tables/stage/{stage.name}.json"] = _table(stage.definition("project", "dataset"))
    found["topics.json"] = {topic.name: _topic(topic) for topic in _topics()}
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in found.items()}


def stale(module: Path = MODULE) -> list[str]:
    """Return the generated files of ``module`` that are missing, differ from the code or belong to nothing."""
    wanted = documents()
    present = {
        path.relative_to(module).as_posix(): path.read_text(encoding="utf-8")
        for pattern in GENERATED
        for path in module.glob(pattern)
    }
    return sorted(path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path))


def write(module: Path = MODULE) -> list[str]:
    """Make ``module`` agree with the code and return the files that were changed or removed."""
    changed = stale(module)
    wanted = documents()
    for path in changed:
        file = module / path
        if path in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[path], encoding="utf-8")
        else:
            file.unlink()
    return changed


def _table(table: bigquery.Table) -> dict[str, Any]:
    """Return what the client would ask BigQuery for, in the words of Terraform's resource."""
    asked = table.to_api_repr()
    partition, columns = asked["timePartitioning"], asked["schema"]["fields"]
    expires = partition.get("expirationMs")
    return {
        "description": asked["description"],
        "partition": {
            "type": partition["type"],
            "field": partition["field"],
            "expiration_ms": int(expires) if expires else None,
        },
        "require_partition_filter": bool(asked.get("requirePartitionFilter")),
        "clustering": asked["clustering"]["fields"],
        "labels": asked["labels"],
        "schema": [{**column, "type": _AS_ANSWERED.get(column["type"], column["type"])} for column in columns],
    }


def _topics() -> list[topics.Topic]:
    """Return the shared topics and the raw topic of every feed that has a schema."""
    feeds = sorted(path.stem for path in (loader.FOLDER / "raw").glob("*.avsc"))
    return [*topics.SHARED, *map(topics.raw, feeds)]


def _topic(topic: topics.Topic) -> dict[str, Any]:
    return {"partitions": topic.partitions, "configs": topic.config}


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m stream_jobs.warehouse.terraform", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file is stale")
    if parser.parse_args().check:
        paths = stale()
        if paths:
            sys.stderr.write(f"Stale in terraform/: {', '.join(paths)}. Run `make generate` and commit.\n")
        return 1 if paths else 0
    for path in write():
        sys.stdout.write(f"terraform/{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
