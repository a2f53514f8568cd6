"""Rows into the stage: a Parquet load job when many wait, appends through the Storage Write API when few."""

from __future__ import annotations

import datetime as dt
import io
import time

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

from schemas.errors import RetriableError
from stream_jobs.warehouse.connection import RETRY_SECONDS, Warehouse
from stream_jobs.warehouse.tables import BATCH_ID, STAGED_AT, Stage

LOAD_FROM_ROWS = 500
"""Measured on the emulator (bench/warehouse.py): a load job takes 0.05 s for any number of rows up to 5,000; appends
take 0.05 s for 100 rows, 0.12 s for 500 and 1.1 s for 5,000. On BigQuery a load job takes seconds, but is free."""
APPEND_BYTES = 4_000_000
"""A request may have 10 MB; Arrow's size in memory is near its size on the wire."""
# The library's own polling starts with a second, which is long beside a load of 0.2 s.
_POLL_SECONDS, _POLL_SECONDS_MAX = 0.02, 1.0
_MICROSECOND = pa.timestamp("us", tz="UTC")


def complete(stage: Stage, rows: pa.Table, batch_id: str, now: dt.datetime) -> pa.Table:
    """Return decoded rows with the batch's own columns, in the order of ``stage``."""
    count = len(rows)
    at = pa.repeat(pa.scalar(now, _MICROSECOND), count)
    batch = {"loaded_at": at, STAGED_AT: at, BATCH_ID: pa.repeat(pa.scalar(batch_id), count)}
    arrays = [batch[name] if name in batch else rows.column(name) for name in stage.arrow.names]
    return pa.table(arrays, schema=stage.arrow)


def name(warehouse: Warehouse, stage: Stage) -> str:
    """Return the full name of the stage's table."""
    return f"{warehouse.project}.{warehouse.stage}.{stage.name}"


def put(warehouse: Warehouse, stage: Stage, rows: pa.Table, load_from_rows: int) -> None:
    """Write the complete rows of one batch into the stage.

    Raises:
        RetriableError: the warehouse refused rows; nothing of the batch has been merged.
    """
    if len(rows) >= load_from_rows:
        _load(warehouse, stage, rows)
    else:
        _append(warehouse, stage, rows)


def remove(warehouse: Warehouse, stage: Stage, batch_ids: list[str]) -> None:
    """Remove merged batches from the stage. What a crash leaves there expires."""
    parameter = bigquery.ArrayQueryParameter(BATCH_ID, "STRING", batch_ids)
    sql = f"delete from `{name(warehouse, stage)}` where {BATCH_ID} in unnest(@{BATCH_ID})"  # noqa: S608
    warehouse.query(sql, parameter)


def _load(warehouse: Warehouse, stage: Stage, rows: pa.Table) -> None:
    file = io.BytesIO()
    pq.write_table(rows, file, compression="snappy")
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
    )
    job = warehouse.client.load_table_from_file(
        file, name(warehouse, stage), rewind=True, size=file.tell(), job_config=config
    )
    pause = _POLL_SECONDS
    while not job.done():
        time.sleep(pause)
        pause = min(pause * 2, _POLL_SECONDS_MAX)
    job.result()


def _append(warehouse: Warehouse, stage: Stage, rows: pa.Table) -> None:
    stream = f"projects/{warehouse.project}/datasets/{warehouse.stage}/tables/{stage.name}/streams/_default"
    schema = types.ArrowSchema(serialized_schema=stage.arrow.serialize().to_pybytes())
    per_request = max(1, APPEND_BYTES * len(rows) // max(rows.nbytes, 1))
    requests = [
        types.AppendRowsRequest(
            write_stream=stream,
            arrow_rows=types.AppendRowsRequest.ArrowData(
                writer_schema=schema,
                rows=types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes()),
            ),
        )
        for batch in rows.combine_chunks().to_batches(max_chunksize=per_request)
    ]
    for response in warehouse.writer.append_rows(iter(requests), timeout=RETRY_SECONDS):
        if response.error.code:
            raise RetriableError(
                f"The warehouse refused rows for {stream}: {response.error.message} "
                "No offset was committed: run `civicwire load` again."
            )
