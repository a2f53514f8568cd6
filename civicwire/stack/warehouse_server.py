"""Run the BigQuery emulator with what dbt needs and it leaves out. Runs in the emulator's own environment, alone.

All corrections are on the emulator's side, so the pipeline's code is exactly what runs against BigQuery:

1. A finished ``CREATE TABLE … AS SELECT`` names its table as the job's destination, as BigQuery does (dbt looks the
   table up by it), while its result set stays empty.
2. ``SET (name) = (SELECT AS STRUCT …)``, which dbt's partition-replacing strategies emit, means
   ``SET name = (SELECT …)``.
3. ``GET /healthz`` answers once the database does.
"""

# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN003, ANN202
# The emulator's packages and their types are in another environment than the checkers.

import argparse
import re
from pathlib import Path

import uvicorn
from local_bigquery.api import jobs as jobs_api
from local_bigquery.app import app
from local_bigquery.engine import database
from local_bigquery.grpc import server as storage_api
from local_bigquery.jobs import query
from local_bigquery.settings import settings

CREATED_FROM_QUERY = "CREATE_TABLE_AS_SELECT"
STRUCT_ASSIGNMENT = re.compile(r"\bset\s*\(\s*(\w+)\s*\)\s*=\s*\(\s*select\s+as\s+struct\b", re.IGNORECASE)
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
    correct_jobs()
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
