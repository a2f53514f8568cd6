"""Runs inside the Flink environment: one Java, a local cluster in it, bounded tables from files.

Input (standard input): ``settings``, ``batch`` (``definitions`` and ``inserts``, run to their end) and ``streaming``
(``definitions``, ``settings`` and ``queries`` by name, whose changelogs are collected). Argument: the file that gets
the changelogs, one JSON line for each change: ``[query, row kind, [values]]``. Beside it, ``plan`` says how the batch
ran, and ``plan.pasted`` how it would run as ``civicwire jobs sql`` prints it, unbounded.
"""

import json
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

sys.path.append(str(Path(__file__).parents[3]))
from stream_jobs.submit import define


def environment(settings, *, streaming):
    configuration = Configuration()
    for key, value in settings.items():
        configuration.set_string(key, value)
    builder = EnvironmentSettings.new_instance()
    builder = builder.in_streaming_mode() if streaming else builder.in_batch_mode()
    return TableEnvironment.create(builder.with_configuration(configuration).build())


def together_in(tables, inserts):
    together = tables.create_statement_set()
    for insert in inserts:
        together.add_insert_sql(insert)
    return together


def main():
    request = json.load(sys.stdin)
    batch = environment(request["settings"], streaming=False)
    for definition in request["batch"]["definitions"]:
        define(batch, definition)
    together = together_in(batch, request["batch"]["inserts"])
    Path(sys.argv[1]).with_name("plan").write_text(together.explain(), encoding="utf-8")
    together.execute().wait()
    pasted = environment(request["settings"], streaming=True)
    for definition in request["batch"]["definitions"]:
        pasted.execute_sql(definition)
    plan = together_in(pasted, request["batch"]["inserts"]).explain()
    Path(sys.argv[1]).with_name("plan.pasted").write_text(plan, encoding="utf-8")
    stream = environment({**request["settings"], **request["streaming"]["settings"]}, streaming=True)
    for definition in request["streaming"]["definitions"]:
        define(stream, definition)
    with Path(sys.argv[1]).open("w", encoding="utf-8") as lines:
        for name, query in request["streaming"]["queries"].items():
            changes = stream.execute_sql(query).collect()
            lines.writelines(
                json.dumps([name, str(row.get_row_kind()), list(row)], default=str) + "\n" for row in changes
            )


main()
