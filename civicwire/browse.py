"""What the warehouse holds, and rows of it as files: the work of ``civicwire tables`` and ``civicwire query``.

Failures are the client library's own; ``connection.explained`` turns them into ours.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
from google.cloud import bigquery
from pyarrow import parquet

from schemas.errors import ConfigError
from stream_jobs.warehouse.connection import Warehouse


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view.

    Attributes:
        name: as a query of this warehouse names it: ``civicwire.incidents``.
        kind: TABLE or VIEW.
        rows: how many rows a table has; None for a view.
        partitioned_by: the column whose months or days are the partitions; None where there are none.
        description: what dbt's docs or the Avro file say of it.
    """

    name: str
    kind: str
    rows: int | None
    partitioned_by: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: ``kind`` is GoogleSQL's type, with ``ARRAY<>`` about a repeated one."""

    name: str
    kind: str
    required: bool
    description: str


def relations(warehouse: Warehouse) -> Iterator[Relation]:
    """Yield the tables and views of the home's dataset and of those that dbt builds beside it, by name.

    Stage tables, in which rows wait for their merge, are left out.

    """
    client = warehouse.client
    datasets = {dataset.dataset_id for dataset in client.list_datasets(warehouse.project)}
    for dataset in sorted(name for name in datasets if _ours(warehouse, name)):
        for item in sorted(client.list_tables(f"{warehouse.project}.{dataset}"), key=lambda item: item.table_id):
            yield _relation(client.get_table(item.reference))


def columns(warehouse: Warehouse, name: str) -> list[Column]:
    """Return the columns of a table or view; without a dataset in its name, of the home's dataset."""
    full = name if "." in name else f"{warehouse.dataset}.{name}"
    schema = warehouse.client.get_table(f"{warehouse.project}.{full}").schema
    return [Column(field.name, _kind(field), field.mode == "REQUIRED", field.description or "") for field in schema]


def run(warehouse: Warehouse, sql: str) -> bigquery.table.RowIterator:
    """Run a query in which tables of the home's dataset need no prefix, and return its rows."""
    config = bigquery.QueryJobConfig(default_dataset=f"{warehouse.project}.{warehouse.dataset}")
    return warehouse.client.query(sql, job_config=config).result()


def write_csv(rows: bigquery.table.RowIterator, to: IO[str]) -> int:
    """Write a header and the rows as CSV (RFC 4180, line feeds); return how many rows.

    Nothing is an empty field, an instant is ISO 8601 with its offset, nested values are JSON. A text stays as it is:
    a spreadsheet that opens the file may read one that begins with ``=`` as a formula.
    """
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow([field.name for field in rows.schema])
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007  counted
        writer.writerow([_cell(value) for value in row.values()])
    return count


def write_parquet(rows: bigquery.table.RowIterator, path: Path) -> int:
    """Write the rows as one Parquet file with BigQuery's types; return how many rows.

    Written beside and moved into its place, so that there is never half a file under that name.

    Raises:
        ConfigError: the file cannot be written.
    """
    # The Storage API would be a second service to reach, with rights of its own; rows for people are few.
    table: pa.Table = rows.to_arrow(create_bqstorage_client=False)
    half = path.with_name(f"{path.name}.part")
    try:
        parquet.write_table(table, half, compression="zstd")
        half.replace(path)
    except OSError as error:
        with suppress(OSError):
            half.unlink()
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from error
    return int(table.num_rows)


def _ours(warehouse: Warehouse, dataset: str) -> bool:
    return dataset == warehouse.dataset or (dataset.startswith(f"{warehouse.dataset}_") and dataset != warehouse.stage)


def _relation(table: bigquery.Table) -> Relation:
    view = table.table_type == "VIEW"
    partitioning = table.time_partitioning
    return Relation(
        name=f"{table.dataset_id}.{table.table_id}",
        kind="VIEW" if view else "TABLE",
        rows=None if view else table.num_rows,
        partitioned_by=partitioning.field if partitioning is not None else None,
        description=table.description or "",
    )


def _kind(field: bigquery.SchemaField) -> str:
    kind = field.field_type
    if kind in {"RECORD", "STRUCT"}:
        kind = f"STRUCT<{', '.join(f'{part.name} {_kind(part)}' for part in field.fields)}>"
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else str(kind)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else value
