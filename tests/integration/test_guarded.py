"""The whole line against a broker and a registry that ask who is there: TLS, a login, an authority of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import guarded
import pytest
from guarded import Authority

from civicwire import line
from civicwire.sandbox.client import SandboxClient
from civicwire.settings import ROOT, Settings
from civicwire.stack import Stack
from civicwire.verify import verify
from producers import catalog

pytestmark = [pytest.mark.parts, pytest.mark.timeout(900)]
AUSTIN, SAN_DIEGO = "austin_crime_reports", "san_diego_calls"
ROWS = 200
BOUND_SECONDS = 90
"""A command that cannot get in has ended long before; one that hangs fails the test."""


@dataclass
class Home:
    """A stack whose broker and registry are guarded, and the settings with which one gets in."""

    stack: Stack
    addresses: dict[str, str]
    login: dict[str, str]
    certificate: dict[str, str | None]
    stranger: Authority

    def run(self, *words: str, **others: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command with the login's settings, some of them changed or left out."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("CIVICWIRE_")}
        settings = {name: value for name, value in (self.login | others).items() if value is not None}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "civicwire.cli", *words],
            cwd=ROOT,
            env=own | {f"CIVICWIRE_{name}": value for name, value in settings.items()},
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND_SECONDS,
        )

    def good(self, *words: str, **others: str | None) -> str:
        done = self.run(*words, **others)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Let this process in."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.login.items():
                patch.setenv(f"CIVICWIRE_{name}", value)
            yield

    def wait(self) -> None:
        """Wait until the jobs have carried on what was polled."""
        with self.environment():
            line.wait_until_streamed(Settings(), 240, lambda _: None)


PLAIN: dict[str, str | None] = {
    "KAFKA_MECHANISM": "PLAIN",
    "KAFKA_USERNAME": guarded.PLAIN_USER,
    "KAFKA_PASSWORD": guarded.PLAIN_PASSWORD,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    folder, keys = tmp_path_factory.mktemp("guarded"), tmp_path_factory.mktemp("keys")
    authority, stranger = Authority.made(keys / "authority.pem"), Authority.made(keys / "stranger.pem")
    certificate, own = authority.sign(keys, "server").both, authority.sign(keys, "client")
    with pytest.MonkeyPatch.context() as patch:
        addresses = guarded.guard_broker(patch, certificate, authority.file)
        with Stack(folder) as stack:
            guarded.add_scram_user(stack)
            with guarded.guarded_registry(str(stack.endpoints.registry), certificate) as registry:
                login = {
                    "HOME": str(folder),
                    "KAFKA": addresses["sasl_ssl"],
                    "KAFKA_SECURITY": "sasl_ssl",
                    "KAFKA_MECHANISM": "SCRAM-SHA-512",
                    "KAFKA_USERNAME": guarded.SCRAM_USER,
                    "KAFKA_PASSWORD": guarded.SCRAM_PASSWORD,
                    "KAFKA_CA": str(authority.file),
                    "KAFKA_REPLICATION": "1",
                    "REGISTRY": registry,
                    "REGISTRY_USERNAME": guarded.REGISTRY_USER,
                    "REGISTRY_PASSWORD": guarded.REGISTRY_PASSWORD,
                    "REGISTRY_CA": str(authority.file),
                }
                by_certificate = {
                    "KAFKA": addresses["ssl"],
                    "KAFKA_SECURITY": "ssl",
                    "KAFKA_USERNAME": None,
                    "KAFKA_PASSWORD": None,
                    "KAFKA_CERTIFICATE": str(own.certificate),
                    "KAFKA_KEY": str(own.key),
                }
                yield Home(stack, addresses, login, by_certificate, stranger)


def found_in(folder: Path) -> list[str]:
    """Return what holds a password, but for the two that must: the broker's own users, and the jobs that Flink runs."""
    rest = (
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "server.properties" and "blobStorage" not in path.parts
    )
    return [
        f"{path.relative_to(folder)}: {whose}"
        for path in rest
        for whose, password in guarded.PASSWORDS.items()
        if password.encode() in path.read_bytes()
    ]


def test_the_line_runs_through_a_guarded_broker_and_registry_and_no_password_is_left_behind(home: Home):
    portal = SandboxClient(str(home.stack.endpoints.portal))
    for feed in (AUSTIN, SAN_DIEGO):
        portal.seed(feed, rows=ROWS, seed=3)
    home.good("poll", AUSTIN, SAN_DIEGO)
    home.good("jobs", "start")
    home.wait()

    # Another user with another mechanism, and a certificate in the place of a user: the jobs go on where they were.
    for feed in (AUSTIN, SAN_DIEGO):
        portal.mutate(feed, insert=5, revise=4, delete=3, seed=4)
    home.good("jobs", "stop", **PLAIN)
    home.good("poll", AUSTIN, SAN_DIEGO, **PLAIN)
    for job, way_in in (("normalize", PLAIN), ("windows", home.certificate)):
        (started,) = json.loads(home.good("jobs", "start", job, "--json", **way_in))
        assert started["action"] == "restored"
    home.wait()
    home.good("load", **home.certificate)
    with home.environment():
        proofs = [proof for source in (AUSTIN, SAN_DIEGO) for proof in verify(Settings(), catalog.find(source))]
    assert [proof.differences for proof in proofs] == [{}] * 6

    assert found_in(home.stack.home) == []
    flink = str(home.stack.endpoints.flink)
    told = home.good("jobs", "sql", "windows/incident_counts") + home.good("status", "--json")
    for job in json.loads(urllib.request.urlopen(f"{flink}/jobs").read())["jobs"]:  # noqa: S310
        for page in ("", "/config", "/plan", "/exceptions"):
            told += urllib.request.urlopen(f"{flink}/jobs/{job['id']}{page}").read().decode()  # noqa: S310
    assert [whose for whose, password in guarded.PASSWORDS.items() if password in told] == []


def test_who_is_not_let_in_is_told_what_to_look_at_and_does_not_wait_for_ever(home: Home):
    port = home.addresses["sasl_ssl"].rpartition(":")[2]
    stranger = str(home.stranger.file)
    poll, load = ("poll", AUSTIN), ("load",)
    wrong: dict[str, tuple[tuple[str, ...], dict[str, str | None], str]] = {
        "password": (poll, {"KAFKA_PASSWORD": "wrong-password"}, "CIVICWIRE_KAFKA_PASSWORD"),
        "password to load": (load, {"KAFKA_PASSWORD": "wrong-password"}, "CIVICWIRE_KAFKA_PASSWORD"),
        "password of PLAIN": (poll, {**PLAIN, "KAFKA_PASSWORD": "wrong-password"}, "CIVICWIRE_KAFKA_PASSWORD"),
        "mechanism": (poll, {"KAFKA_MECHANISM": "SCRAM-SHA-256"}, "CIVICWIRE_KAFKA_MECHANISM"),
        "authority": (poll, {"KAFKA_CA": stranger}, "CIVICWIRE_KAFKA_CA"),
        "authority that the system does not know": (poll, {"KAFKA_CA": None}, "CIVICWIRE_KAFKA_CA"),
        "name in the certificate": (poll, {"KAFKA": f"127.0.0.1:{port}"}, "CIVICWIRE_KAFKA is the name"),
        "name": (poll, {"KAFKA": f"nowhere.invalid:{port}"}, "CIVICWIRE_KAFKA."),
        "registry's password": (poll, {"REGISTRY_PASSWORD": "wrong-password"}, "CIVICWIRE_REGISTRY_PASSWORD"),
        "registry's authority": (poll, {"REGISTRY_CA": stranger}, "CIVICWIRE_REGISTRY_CA"),
    }
    with ThreadPoolExecutor(4) as pool:
        ran = dict(zip(wrong, pool.map(lambda case: home.run(*case[0], **case[1]), wrong.values()), strict=True))
    for name, done in ran.items():
        told = done.stderr.strip().splitlines()
        assert (done.returncode, len(told)) == (3, 1), (name, done.stdout, done.stderr)
        assert told[0].startswith("error: "), name
        assert wrong[name][2] in told[0], (name, told)
        assert not any(secret in told[0] for secret in (*guarded.PASSWORDS.values(), "wrong-password")), name
