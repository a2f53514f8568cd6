"""Run the BigQuery emulator with what dbt needs and it leaves out. Runs in the emulator's own environment, alone.

All corrections are on the emulator's side, so the pipeline's code is exactly what runs against BigQuery:

1. A finished ``CREATE TABLE … AS SELECT`` names its table as the job's destination, as BigQuery does (dbt looks the
   table up by it), while its result set stays empty.
2. ``SET (name) = (SELECT AS STRUCT …)``, which dbt's partition-replacing strategies emit, means
   ``SET name = (SELECT …)``.
3. ``GET /healthz`` answers once the database does.
4. A table and its required columns are looked up by name. The emulator lists all tables and all columns of all projects
   for each look, several times for each query: 35 to 50 ms and 5 to 10 ms with the tables of a demo, against 1 ms.
5. DuckDB imports pandas, which is not here, for each value that it is given; it learns so without a look at the disk.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN202
# The emulator's packages and their types are in another environment than the checkers.

import argparse
import re
import sys
from pathlib import Path

import duckdb
import uvicorn
from local_bigquery.api import jobs as jobs_api
from local_bigquery.app import app
from local_bigquery.catalog import names, tables
from local_bigquery.engine import database, types
from local_bigquery.errors import not_found
from local_bigquery.grpc import server as storage_api
from local_bigquery.jobs import query
from local_bigquery.settings import settings

CREATED_FROM_QUERY = "CREATE_TABLE_AS_SELECT"
STRUCT_ASSIGNMENT = re.compile(r"\bset\s*\(\s*(\w+)\s*\)\s*=\s*\(\s*select\s+as\s+struct\b", re.IGNORECASE)
OWN = "emulator"
"""The database in which the emulator keeps jobs and their results; all others are projects, one DuckLake each."""
LAKE = """
    with schemas as (
        select schema_id from {metadata}.ducklake_schema where schema_name = $1 and end_snapshot is null
    )

    select t.table_name, 'TABLE', coalesce(s.record_count, 0)::bigint
    from {metadata}.ducklake_table as t
    inner join schemas using (schema_id)
    left join {metadata}.ducklake_table_stats as s using (table_id)
    where t.end_snapshot is null and t.table_name = coalesce($2, t.table_name)
    union all
    select v.view_name, 'VIEW', 0
    from {metadata}.ducklake_view as v
    inner join schemas using (schema_id)
    where v.end_snapshot is null and v.view_name = coalesce($2, v.view_name)
    order by 1
"""
"""Tables and views of a dataset, or one of them, from the catalogue of DuckLake: name, kind, rows."""
GRACE_SECONDS = 3
"""How long open requests may take to end when the server is told to stop."""


def correct_jobs() -> None:
    """Put corrections 1 and 2 around the emulator's own functions."""
    execute, results = query.execute, jobs_api.results

    def execute_like_bigquery(cur, project_id, job_id, config, *args, **kwargs):
        if config.query and STRUCT_ASSIGNMENT.search(config.query):
            config = config.replace(query=STRUCT_ASSIGNMENT.sub(r"set \1 = (select", config.query))
        statistics, children, destination = execute(cur, project_id, job_id, config, *args, **kwargs)
        if destination is None and statistics.statementType == CREATED_FROM_QUERY:
            destination = statistics.ddlTargetTable
        return statistics, children, destination

    def results_like_bigquery(job, *args, **kwargs):
        statistics = job.statistics and job.statistics.query
        configured = job.configuration.query
        if statistics and statistics.statementType == CREATED_FROM_QUERY and configured.destinationTable:
            job = job.replace(configuration=job.configuration.replace(query=configured.without("destinationTable")))
        return results(job, *args, **kwargs)

    query.execute = execute_like_bigquery
    jobs_api.results = results_like_bigquery


class NoPandas:
    """Make correction 5: an importer that knows only that there is no pandas."""

    @staticmethod
    def find_spec(name, *_) -> None:
        """Say so, as Python's own importers do after they have looked."""
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def look_up_by_name() -> None:
    """Make correction 4: the functions return what the emulator's own return."""
    listed = database.objects

    def objects(project_id, dataset_id, table_id=None):
        try:
            if project_id != OWN:
                metadata = database.quote(f"__ducklake_metadata_{project_id}")
                return database.fetch(LAKE.format(metadata=metadata), [dataset_id, table_id])
            if table_id is not None:
                table = database.quote(project_id, dataset_id, table_id)
                return [(table_id, "TABLE", *database.fetch(f"select count(*) from {table}")[0])]  # noqa: S608
        except duckdb.CatalogException:
            return []
        return listed(project_id, dataset_id, table_id)

    def columns(project_id, dataset_id, table_id):
        table = tables.name(project_id, dataset_id, table_id)
        with database.cursor() as cur:
            try:
                required = {row[0] for row in cur.execute(f"describe {table}").fetchall() if row[2] == "NO"}
                relation = cur.sql(f"select * from {table} limit 0")  # noqa: S608
            except duckdb.CatalogException:
                raise not_found("Table", names.label(project_id, dataset_id, table_id)) from None
            return [
                types.field(name, kind, name in required)
                for name, kind in zip(relation.columns, relation.types, strict=True)
                if name != tables.INGESTION_TIME or dataset_id == tables.RESULTS
            ]

    database.objects = objects
    tables.columns = columns


@app.get("/healthz")
def health() -> dict[str, str]:
    """Answer once the database answers."""
    database.fetch("SELECT 1", [])
    return {"status": "ok"}


def main() -> None:
    """Serve REST and gRPC until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    settings.bigquery_host, settings.bigquery_port, settings.grpc_port = (
        arguments.host,
        arguments.port,
        arguments.grpc_port,
    )
    settings.default_project_id, settings.default_dataset_id = arguments.project, arguments.dataset
    settings.data_dir = arguments.data
    sys.meta_path.insert(0, NoPandas)
    correct_jobs()
    look_up_by_name()
    grpc_server, _ = storage_api.start(settings.bigquery_host, settings.grpc_port)
    uvicorn.run(
        app,
        host=settings.bigquery_host,
        port=settings.bigquery_port,
        log_level="warning",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    grpc_server.stop(None)
    database.connection().close()


if __name__ == "__main__":
    main()
