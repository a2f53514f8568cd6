"""``civicwire sandbox`` steers a portal from the command line, with the exit codes that scripts rely on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from civicwire.sandbox.client import SandboxClient

FEED = "san_diego_calls"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "civicwire.cli", "sandbox", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_feed_is_seeded_changed_and_told(portal: SandboxClient) -> None:
    there = ("--portal", portal.base_url, "--json")
    seeded = run("seed", FEED, "--rows", "1500", "--until", "2026-11-15", *there)
    assert json.loads(seeded.stdout)["rows"] == 1_500
    changed = json.loads(run("mutate", FEED, "--late", "2", "--delete", "1", *there).stdout)
    assert [len(changed[kind]) for kind in ("inserted", "late", "revised", "deleted")] == [0, 2, 0, 1]
    assert json.loads(run("truth", FEED, *there).stdout)["rows"] == 1_501
    rows = run("truth", FEED, "--rows", "--portal", portal.base_url).stdout.splitlines()
    assert [json.loads(row) for row in rows] == list(portal.truth(FEED))


def test_faults_are_set_listed_and_cleared(portal: SandboxClient) -> None:
    there = ("--portal", portal.base_url, "--json")
    run("faults", "status", "--status", "429", "--match", r"\.csv", "--times", "0", *there)
    listed = json.loads(run("faults", *there).stdout)["faults"]
    assert [(f["kind"], f["status"], f["times"]) for f in listed] == [("status", 429, None)]
    assert json.loads(run("faults", "--clear", *there).stdout)["faults"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("seed", "nowhere"), 2, "use one of austin_crime_reports, san_diego_calls"),
        (("faults", "earthquake"), 2, "Correct the request"),
        (("seed", FEED, "--until", "soon"), 2, "until"),
    ],
)
def test_what_the_portal_refuses_ends_with_2_and_one_line(
    portal: SandboxClient, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = run(*arguments, "--portal", portal.base_url)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_absent_portal_ends_with_3() -> None:
    assert run("truth", FEED, "--portal", "http://127.0.0.1:9").returncode == 3


def test_a_taken_port_ends_with_3(portal: SandboxClient) -> None:
    port = portal.base_url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "civicwire.sandbox", "--port", port],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 3
    assert "--port" in done.stderr
