"""The stack with its real parts: it answers, survives, restarts what dies and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from confluent_kafka.admin import AdminClient
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from civicwire.stack import Stack, kafka, state
from schemas import kafka_topics
from schemas.topics import Topic

pytestmark = pytest.mark.parts
WAIT_SECONDS = 120
"""A bound for a machine under load."""
PARTS = ("kafka", "registry", "warehouse")
TOPIC = Topic("kept", "cursor", 1)
SUBJECT = {"schema": json.dumps({"type": "record", "name": "Kept", "fields": [{"name": "id", "type": "string"}]})}


@dataclass(frozen=True)
class Home:
    """A home whose stack is run by the command line."""

    folder: Path

    def civicwire(self, *arguments: str, exit_code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "civicwire.cli", *arguments],
            env=os.environ | {"CIVICWIRE_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout

    def up(self) -> dict[str, str]:
        return json.loads(self.civicwire("up", "--detach", "--json", "--parts", ",".join(PARTS)))

    def content(self) -> dict[str, Any]:
        return state.read(self.folder)

    def processes(self) -> list[psutil.Process]:
        content = self.content()
        entries = [content["supervisor"], *content["processes"].values()]
        found = [state.running(entry) for entry in entries]
        assert all(found), content
        return [process for process in found if process]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    folder = Path(tempfile.mkdtemp(prefix="civicwire-test-"))
    yield Home(folder / "home")
    subprocess.run(
        [sys.executable, "-m", "civicwire.cli", "down"],
        env=os.environ | {"CIVICWIRE_HOME": str(folder / "home")},
        check=False,
    )
    shutil.rmtree(folder)


def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def warehouse(endpoints: dict[str, str]) -> bigquery.Client:
    return bigquery.Client(
        "civicwire-local", AnonymousCredentials(), client_options={"api_endpoint": endpoints["warehouse"]}
    )


def test_every_part_of_the_stack_answers(stack: Stack):
    endpoints = stack.endpoints.model_dump()
    assert AdminClient({"bootstrap.servers": endpoints["kafka"]}).list_topics(timeout=10).brokers
    assert requests.get(f"{endpoints['registry']}/subjects", timeout=10).json() is not None
    overview = requests.get(f"{endpoints['flink']}/overview", timeout=10).json()
    assert overview["taskmanagers"] == 1
    assert overview["slots-total"] >= 4
    assert [tuple(row) for row in warehouse(endpoints).query("select 1, 'a'").result()] == [(1, "a")]


def test_a_cluster_id_that_looks_like_an_option_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One random id in 64 begins with a hyphen."""
    monkeypatch.setattr(kafka.uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xfb" * 16))
    with Stack(tmp_path, ("kafka",)) as stack:
        assert AdminClient({"bootstrap.servers": stack.endpoints.kafka or ""}).list_topics(timeout=10).brokers


def test_an_unknown_topic_is_an_error_and_not_a_new_topic(stack: Stack):
    admin = AdminClient({"bootstrap.servers": stack.endpoints.kafka or ""})
    admin.list_topics("mistyped", timeout=10)
    assert "mistyped" not in admin.list_topics(timeout=10).topics


def test_the_parts_listen_on_the_loopback_interface_only(stack: Stack):
    # Flink's Prometheus reporter has no setting for its address, and Linux shows it on all of them.
    reporters = {stack.ports[name] for name in stack.ports if "metrics" in name}
    listening = {
        (connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port)
        for process in psutil.Process().children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {port for _, port in listening} >= set(stack.ports.values()) - reporters
    assert {ip for ip, port in listening if port not in reporters} == {"127.0.0.1"}


def test_data_survives_a_restart_and_the_addresses_stay(home: Home):
    first = home.up()
    kafka_topics.ensure(first["kafka"], [TOPIC])
    schema_id = requests.post(f"{first['registry']}/subjects/kept-value/versions", json=SUBJECT, timeout=10).json()[
        "id"
    ]
    warehouse(first).query("create table civicwire.kept as select 7 as id").result()
    was = home.processes()

    assert "Stopped" in home.civicwire("down")
    assert not [process for process in was if process.is_running()]
    second = home.up()

    assert second == first
    assert TOPIC.name in AdminClient({"bootstrap.servers": second["kafka"]}).list_topics(timeout=10).topics
    found = requests.get(f"{second['registry']}/subjects/kept-value/versions/latest", timeout=10).json()
    assert found["id"] == schema_id
    assert [row.id for row in warehouse(second).query("select id from civicwire.kept").result()] == [7]


def test_a_killed_part_is_named_and_started_again(home: Home):
    endpoints = home.up()
    killed = home.content()["processes"]["registry"]
    os.kill(killed["pid"], signal.SIGKILL)

    def restarted() -> bool:
        entry = home.content()["processes"]["registry"]
        return entry["restarts"] == 1 and entry["state"] == "healthy"

    until(restarted)
    rows = {row["process"]: row for row in json.loads(home.civicwire("status", "--json"))["parts"]}
    assert rows["registry"]["pid"] != killed["pid"]
    assert rows["registry"]["restarts"] == 1
    assert "registry was killed by SIGKILL; the last lines of" in rows["registry"]["last_error"]
    assert "registry was killed by SIGKILL" in (home.folder / "logs" / "supervisor.log").read_text(encoding="utf-8")
    assert requests.get(f"{endpoints['registry']}/subjects", timeout=10).ok


def test_a_killed_supervisor_leaves_no_process_and_the_next_start_finds_its_way(home: Home):
    endpoints = home.up()
    supervisor, *children = home.processes()
    supervisor.kill()
    assert not psutil.wait_procs(children, timeout=WAIT_SECONDS)[1]
    rows = json.loads(home.civicwire("status", "--json", exit_code=1))["parts"]
    assert {row["state"] for row in rows} == {"dead"}
    assert home.up() == endpoints


def test_purge_stops_everything_and_deletes_the_home(home: Home):
    home.up()
    was = home.processes()
    home.civicwire("down", "--purge")
    assert not [process for process in was if process.is_running()]
    assert not home.folder.exists()
