"""The tables of a whole generation at once: kept beside the live ones, put in their place, removed.

The live tables get other rows in one transaction over all of them, so a reader sees each table whole, and all of them
of the same generation. A copy job for each table was tried in thought and left: between two of them counts would be of
another generation than rows, and on the emulator a copied table loses which of its columns are required.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.cloud import bigquery

from stream_jobs.warehouse.connection import Warehouse, explained
from stream_jobs.warehouse.tables import TABLES, ensure_tables

COPY_SECONDS = 600


def make(warehouse: Warehouse, generation: int) -> Warehouse:
    """Return the dataset of ``generation``, made like the live one where it is not there yet.

    Raises:
        FatalError, RetriableError: the warehouse refused or does not answer.
    """
    beside = warehouse.beside(generation)
    with explained("Nothing that is live has changed: run it again."):
        ensure_tables(beside)
    return beside


def keep(warehouse: Warehouse, generation: int, without: Sequence[str] = ()) -> None:
    """Copy the live tables into the dataset of ``generation``, over what is there, without the rows of some feeds.

    Raises:
        FatalError, RetriableError: the warehouse refused or does not answer.
    """
    beside = make(warehouse, generation)
    config = bigquery.CopyJobConfig(write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE)
    with explained("The live tables have not changed: run it again."):
        for table in TABLES:
            warehouse.client.copy_table(
                f"{warehouse.project}.{warehouse.dataset}.{table.name}",
                f"{warehouse.project}.{beside.dataset}.{table.name}",
                job_config=config,
            ).result(timeout=COPY_SECONDS)
            if without:
                warehouse.query(
                    f"delete from `{warehouse.project}.{beside.dataset}.{table.name}` where source in unnest(@sources)",  # noqa: S608
                    bigquery.ArrayQueryParameter("sources", "STRING", list(without)),
                )


def replace(warehouse: Warehouse, generation: int) -> None:
    """Put the rows of ``generation`` in the place of the live ones; readers see the one or the other.

    Raises:
        FatalError, RetriableError: the warehouse refused or does not answer; the live tables are as they were.
    """
    with explained("The live tables are whole: run it again."):
        warehouse.query(statement(warehouse, generation))


def statement(warehouse: Warehouse, generation: int) -> str:
    """Return the script that replaces the rows of all live tables in one transaction."""
    live, beside = (f"{warehouse.project}.{one.dataset}" for one in (warehouse, warehouse.beside(generation)))
    steps = ["begin transaction"]
    for table in TABLES:
        columns = ", ".join(f"`{column.name}`" for column in table.columns)
        steps.append(f"truncate table `{live}.{table.name}`")
        steps.append(f"insert into `{live}.{table.name}` ({columns}) select {columns} from `{beside}.{table.name}`")  # noqa: S608
    return ";\n".join([*steps, "commit transaction"])


def drop(warehouse: Warehouse, generation: int) -> None:
    """Remove the dataset of ``generation`` and its stage, if they are there.

    Raises:
        FatalError, RetriableError: the warehouse refused or does not answer.
    """
    beside = warehouse.beside(generation)
    with explained("Run it again."):
        for dataset in (beside.dataset, beside.stage):
            warehouse.client.delete_dataset(f"{warehouse.project}.{dataset}", delete_contents=True, not_found_ok=True)
