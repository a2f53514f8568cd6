"""What `civicwire source new` writes of very different datasets works from the first day."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_dataset
import pytest
import yaml

from civicwire.sandbox.client import SandboxClient

pytestmark = pytest.mark.parts
ROWS = 1_500
UUID = "0f3c1c4e-8e0a-4b7e-9a53-3f3b1f0c2d11"
CALLS = "/police_calls_for_service/pd_calls_for_service_{year}_datasd.csv"
DRAFTS = {
    "draft_offences": ("la_crime_2020_2024", "/d/2nrs-mtv8", "crime_report", "America/Los_Angeles"),
    "draft_facts": ("catalonia_hate_facts", "/resource/y48r-ae59.json", "hate_crime", "Europe/Madrid"),
    "draft_accidents": ("denver_traffic_accidents", "", "accident", "America/Denver"),
    "draft_areas": ("california_laus", "", "service_request", "America/Los_Angeles"),
    "draft_contacts": (
        "denver_311_archive",
        "/sharing/rest/content/items/5bdb9b3033d74782a4c410e548887ede/data",
        "service_request",
        "America/Denver",
    ),
    "draft_calls": ("san_diego_calls", CALLS, "call_for_service", "America/Los_Angeles"),
    "draft_hostile": ("hostile", f"/dataset/hostile/resource/{UUID}", "crime_report", "America/Chicago"),
    "draft_hostile_file_of_a_very_long_name_x": (
        "hostile_file",
        "/open/hostile_{year}.csv",
        "call_for_service",
        "America/Chicago",
    ),
}
"""Key to the sandbox portal's feed, what is pasted (empty: the feed's own path), the kind and the zone."""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[SandboxClient]:
    command = [sys.executable, "-m", "civicwire.sandbox", "--port", "0", "--state", str(tmp_path / "portal")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = SandboxClient(json.loads(process.stdout.readline())["portal"])
        client.wait_ready()
        client.publish(hostile_dataset.description("hostile", "ckan", UUID))
        client.publish(hostile_dataset.description("hostile_file", "csv", "/open/hostile_{year}.csv"))
        yield client
        process.terminate()


def scaffold(checkout: Any, portal: SandboxClient, key: str) -> None:
    feed, pasted, kind, zone = DRAFTS[key]
    year = portal.seed(feed, rows=ROWS)["until"][:4]
    address = portal.base_url + (pasted or portal.health()["feeds"][feed]["path"]).format(year=year)
    protocol = ("--protocol", "csv_file") if "/content/items/" in pasted else ()
    command = ("source", "new", key, "--from", address, "--time-zone", zone, "--kind", kind, *protocol)
    done = checkout.run("civicwire.cli", *command)
    assert done.returncode == 0, done.stderr


def test_drafts_of_every_protocol_and_of_a_hostile_portal_conform_and_are_well_formed(
    checkout: Any, portal: SandboxClient
):
    before = checkout.files()
    for key in DRAFTS:
        scaffold(checkout, portal, key)
    written = checkout.files() - before
    assert {Path(path).stem for path in written if "crosswalks" not in path} == set(DRAFTS)
    assert all("evil" not in yaml.safe_load(source_file(checkout, key)) for key in DRAFTS)
    for key in ("draft_hostile", "draft_hostile_file_of_a_very_long_name_x"):
        sql = (checkout.folder / f"stream_jobs/normalize/{key}.sql").read_text(encoding="utf-8")
        assert set(sql) - set(map(chr, range(32, 127))) <= {"\n", "…"}
        assert not any(word in sql for word in ("drop table", 'evil"', "<script", "os.system", "$("))
    done = checkout.run("civicwire.cli", "source", "check", *DRAFTS)
    assert done.returncode == 0, done.stderr
    done = checkout.run("sqlfluff", "lint", "--disable-progress-bar", *sorted(p for p in written if p.endswith(".sql")))
    assert done.returncode == 0, done.stdout
    chosen = [word for key in DRAFTS for word in ("--source", key)]
    done = checkout.run("pytest", "-q", "-p", "no:cacheprovider", *chosen)
    assert done.returncode == 0, done.stdout[-6000:]


def source_file(checkout: Any, key: str) -> str:
    return str((checkout.folder / f"producers/sources/{key}.yaml").read_text(encoding="utf-8"))
