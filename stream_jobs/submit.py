"""Runs inside the Flink environment: submits the jobs that standard input describes.

Input, one JSON object: ``settings`` (over the configuration in ``FLINK_CONF_DIR``), ``secrets`` (texts that must not be
told) and ``jobs``, a list of objects with ``name``, ``definitions``, ``inserts`` and ``settings``. The one argument is
the file that gets the answer, one JSON line for each job: ``name``, ``seconds`` and ``id`` or ``error`` (Flink logs to
standard output).

Everything is rendered by the caller, so this file needs nothing but PyFlink, and one Java serves all jobs: starting it
and loading the planner is what takes the time.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from pyflink.common import Configuration
from pyflink.java_gateway import get_gateway
from pyflink.table import EnvironmentSettings, TableEnvironment

VIEW = re.compile(r"create temporary view (?P<name>\w+) as\s")


def submit(request: dict[str, Any], answers: TextIO) -> bool:
    """Submit each job and write its answer; return whether all went well."""
    settings = EnvironmentSettings.new_instance().with_configuration(_configuration(request["settings"])).build()
    good = True
    for job in request["jobs"]:
        started = time.monotonic()
        answer: dict[str, Any] = {"name": job["name"]}
        try:
            answer["id"] = _submit(TableEnvironment.create(settings), job)
        except Exception as error:  # noqa: BLE001  a Java error of any kind is an answer for the caller
            good = False
            told = _without(request["secrets"], str(error))
            sys.stderr.write(f"{job['name']}: {told}\n")
            answer["error"] = _cause(told)
        answers.write(json.dumps({**answer, "seconds": round(time.monotonic() - started, 1)}) + "\n")
        answers.flush()
    return good


def _without(secrets: list[str], text: str) -> str:
    """Flink quotes a statement that it does not understand."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def _cause(trace: str) -> str:
    """Return the innermost cause of a Java stack trace in one line: the outer ones only say that something failed."""
    causes = [line for line in trace.splitlines() if line.startswith(("Caused by: ", ": "))]
    return (causes[-1] if causes else trace.splitlines()[0]).removeprefix("Caused by").removeprefix(": ")


def _configuration(settings: dict[str, str]) -> Configuration:
    """A program that is not started by ``flink run`` does not read the configuration folder by itself."""
    loaded = get_gateway().jvm.org.apache.flink.configuration.GlobalConfiguration.loadConfiguration()
    configuration = Configuration(j_configuration=loaded)
    for key, value in settings.items():
        configuration.set_string(key, value)
    return configuration


def _submit(environment: TableEnvironment, job: dict[str, Any]) -> str:
    for key, value in job["settings"].items():
        environment.get_config().set(key, value)
    for definition in job["definitions"]:
        define(environment, definition)
    together = environment.create_statement_set()
    for insert in job["inserts"]:
        together.add_insert_sql(insert)
    return str(together.execute().get_job_client().get_job_id())


def define(environment: TableEnvironment, definition: str) -> None:
    """Run the statement; a view becomes one plan that all who read it share.

    Flink expands a view that SQL creates anew for each statement that reads it, and then works its expressions out as
    often. One that is created from a query is planned once, and its rows go to all readers.
    """
    if view := VIEW.match(definition):
        environment.create_temporary_view(view["name"], environment.sql_query(definition[view.end() :]))
    else:
        environment.execute_sql(definition)


if __name__ == "__main__":
    with Path(sys.argv[1]).open("w", encoding="utf-8") as answer_file:
        all_good = submit(json.load(sys.stdin), answer_file)
    sys.exit(0 if all_good else 1)
