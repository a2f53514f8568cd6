"""Rules for docker-compose.yml, docker/ and what they repeat of the embedded stack."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import civicwire
from civicwire.settings import ROOT
from civicwire.stack import flink, kafka
from civicwire.stack.installed import Installed
from civicwire.stack.process import Place, Tuning
from schemas.access import Access

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
OWN = "civicwire/"
LIMIT_MIB = 8192
MIB = {"k": 1 / 1024, "m": 1, "g": 1024}
EXACT = re.compile(r":v?\d+\.\d+\.\d+([-.\w]*)?(@sha256:[0-9a-f]{64})?$")


def memory(service: dict[str, Any]) -> float:
    return float(service["mem_limit"][:-1]) * MIB[service["mem_limit"][-1]]


def stages() -> dict[str, list[str]]:
    """Return the lines of each stage of the Dockerfile, by its name."""
    found: dict[str, list[str]] = {}
    for line in DOCKERFILE.splitlines():
        if line.startswith("FROM "):
            found[line.rsplit(" AS ", 1)[1]] = current = [line]
        elif found and line and not line.startswith("#"):
            current.append(line)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check_a_limit_and_few_rights(name: str):
    service = SERVICES[name]
    assert service["healthcheck"]["test"]
    assert memory(service) > 0
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_health_only(name: str):
    for needed in SERVICES[name].get("depends_on", {}).values():
        assert needed["condition"] == "service_healthy"


@pytest.mark.parametrize("name", SERVICES)
def test_no_port_is_bound_beyond_loopback(name: str):
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_our_own_or_has_an_exact_version(name: str):
    image = SERVICES[name]["image"]
    assert image.startswith(OWN) or EXACT.search(image)
    if image.startswith(OWN):
        assert image.removeprefix(OWN).partition(":")[0] in stages()


@pytest.mark.parametrize("profile", ["demo", "live"])
def test_the_limits_of_memory_fit_eight_gibibytes(profile: str):
    started = [one for one in SERVICES.values() if profile in one.get("profiles", [profile])]
    assert sum(map(memory, started)) <= LIMIT_MIB


def test_every_named_volume_is_used_and_every_used_one_is_named():
    used = {volume.partition(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_no_secret_stands_in_the_file():
    for name, service in SERVICES.items():
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"(?i)password|secret|token|_key$", variable):
                assert str(value).startswith("${"), (name, variable)


@pytest.mark.parametrize("stage", stages())
def test_a_stage_begins_from_an_exact_version_or_another_stage(stage: str):
    origin = stages()[stage][0].split()[1]
    assert origin in stages() or EXACT.search(origin)


@pytest.mark.parametrize("service", [name for name, one in SERVICES.items() if one["image"].startswith(OWN)])
def test_an_image_of_ours_does_not_run_as_root(service: str):
    stage = SERVICES[service]["image"].removeprefix(OWN).partition(":")[0]
    users = [line.split()[1] for line in stages()[stage] if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"0", "root"}


def test_what_is_installed_is_locked_by_hash_and_nothing_is_left_behind():
    for line in DOCKERFILE.replace("\\\n", " ").splitlines():
        assert not line.startswith("ADD ")
        for command in re.findall(r"pip install[^&]*", line):
            assert "--no-cache-dir" in command
            assert "--require-hashes" in command or command.endswith("-e /app")


def test_stand_ins_have_the_names_of_the_images_that_they_stand_for():
    made = (ROOT / "tests" / "compose" / "stand_ins.py").read_text(encoding="utf-8")
    origins = {lines[0].split()[1] for lines in stages().values()} - set(stages())
    origins |= {one["image"] for one in SERVICES.values() if not one["image"].startswith(OWN)}
    stood_for = {image for image in origins if f'"{image}"' in made}
    left = {"grafana/grafana", "ghcr.io/kafbat/kafka-ui", "prom/prometheus"}
    assert {image.rpartition(":")[0] for image in origins - stood_for} == left


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "parts" / "flink" / "lib" / "python3.11" / "site-packages" / "pyflink" / "conf").mkdir(parents=True)
    return Place(tmp_path, Installed(ROOT / ".parts"), dict.fromkeys((*flink.PORTS, *kafka.PORTS), 1), Tuning())


def test_flinks_jobs_have_the_settings_of_the_embedded_cluster(place: Place):
    here = yaml.safe_load((ROOT / "docker" / "flink" / "config.yaml").read_text(encoding="utf-8"))
    embedded = flink._configuration(place)
    of_the_machine = re.compile(
        r"^(rest|jobmanager|blob|io|python|env)\.|^taskmanager\.(?!numberOf)|dir$|\.port$|fixed-per-tm$|^execution.checkpointing.savepoint"
    )
    expected = {name: value for name, value in embedded.items() if not of_the_machine.search(name)}
    assert {name: here.get(name) for name in expected} == expected


def test_the_broker_has_the_settings_of_the_embedded_one(place: Place):
    here = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    of_the_machine = re.compile(r"listener|^controller|^log\.dirs$|^process|^node")
    for name, value in kafka._properties(place).items():
        if not of_the_machine.search(name):
            assert here[name] == str(value), name


def test_all_that_lets_one_into_a_guarded_kafka_is_passed_on_to_who_speaks_to_it():
    text = (ROOT / "docker" / "kafka.yml").read_text(encoding="utf-8")
    passed = {name.lower() for name in re.findall(r"^    CIVICWIRE_(\w+): \$", text, re.MULTILINE)}
    assert passed == set(Access.model_fields)
    there = {name for name, one in SERVICES.items() if {"kafka", "registry"} & set(one.get("depends_on", {}))}
    beside = set(re.findall(r"^  ([\w-]+):\n    profiles: .*\[never\]", text, re.MULTILINE))
    guarded = set(re.findall(r"^  ([\w-]+):\n    <<: \*guarded", text, re.MULTILINE))
    assert guarded == there - beside
    assert beside == {"kafka", "registry", "kafka-ui"}


def test_one_version_is_said_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert civicwire.__version__ == version
    images = {one["image"].partition(":")[2] for one in SERVICES.values() if one["image"].startswith(OWN)}
    assert images == {f"${{CIVICWIRE_COMPOSE_VERSION:-{version}}}"}
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
