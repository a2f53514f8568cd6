"""The corrections of the emulator return what its own functions return; they run in its own environment."""

from __future__ import annotations

import json
import subprocess

import pytest

from civicwire.settings import ROOT, Settings
from civicwire.stack.installed import Installed

SERVER = ROOT / "civicwire" / "stack" / "warehouse_server.py"
BOTH_WAYS = """
import importlib.util, json, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("warehouse_server", sys.argv[1])
server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.settings import settings

settings.data_dir = Path(sys.argv[2])
settings.default_project_id, settings.default_dataset_id = "here", "city"
database.attach("there")
for sql in (
    "create table here.city.reports (id varchar not null, seen timestamp, n bigint not null)",
    "insert into here.city.reports select i::varchar, now(), i from range(1000) as t (i)",
    "delete from here.city.reports where n < 10",
    "create table here.city.gone (id varchar)",
    "drop table here.city.gone",
    "create table here.city.renamed_since (id varchar)",
    "alter table here.city.renamed_since rename to renamed",
    "alter table here.city.renamed add column more double",
    'create table here.city."Quoted Name" (id varchar)',
    "create view here.city.newest as select max(seen) as seen from here.city.reports",
    "create view here.city.replaced as select 1 as one",
    "create or replace view here.city.replaced as select 2 as two",
    "create schema here.dropped", "create table here.dropped.t (id varchar)",
    "drop table here.dropped.t", "drop schema here.dropped",
    "create schema there.city", "create table there.city.reports (other varchar)",
    'create table emulator._results."here:job" as select 1 as n union all select 2',
):
    database.execute(sql)

NAMES = ["reports", "gone", "renamed_since", "renamed", "Quoted Name", "newest", "replaced", "t", "job"]
PLACES = [("here", "city"), ("here", "dropped"), ("here", "nowhere"), ("there", "city"), ("unknown", "city")]
PLACES += [("here", "_results")]

def look():
    found = {}
    for place in PLACES:
        if place[1] != "_results":
            found["/".join(place)] = database.objects(*place)
        for name in NAMES:
            at = (*place, name)
            found["/".join(at)] = [database.objects(*tables.physical(*at)), tables.exists(*at)]
            try:
                found["/".join(at)] += [[field.dump() for field in tables.columns(*at)]]
            except server.database.duckdb.Error as error:
                found["/".join(at)] += [type(error).__name__]
            except Exception as error:
                found["/".join(at)] += [str(error)]
    return found

before = look()
server.look_up_by_name()
print(json.dumps([before, look()]))
"""


@pytest.fixture(scope="module")
def both_ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, list[object]], dict[str, list[object]]]:
    """What is found where: by the emulator's functions, and by ours."""
    installed = Installed(Settings().parts)
    done = subprocess.run(
        [
            str(installed.warehouse_python),
            *("-I", "-c", BOTH_WAYS, str(SERVER), str(tmp_path_factory.mktemp("data"))),
        ],
        env={"HOME": str(installed.warehouse_home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    own, ours = json.loads(done.stdout)
    return own, ours


def test_what_is_found_by_name_is_what_the_emulator_lists(both_ways):
    own, ours = both_ways
    assert ours == own


def test_tables_views_and_results_are_found_and_nothing_else(both_ways):
    _, ours = both_ways
    found = {place for place, what in ours.items() if place.count("/") == 2 and what[0]}
    assert found == {
        *(f"here/city/{name}" for name in ("reports", "renamed", "Quoted Name", "newest", "replaced")),
        "there/city/reports",
        "here/_results/job",
    }
