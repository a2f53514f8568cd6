"""What ``civicwire doctor`` looks at."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from civicwire.bootstrap import environments, interpreters
from civicwire.settings import Settings
from civicwire.stack import backport, jars, ports, state
from civicwire.stack.installed import Installed
from schemas.errors import EnvironmentMissingError

NEEDED_DISK_GB = 5
"""Environments and jars take 3 GB, a demo's data well under one."""
NEEDED_MEMORY_GB = 4
"""The parts take 2 to 3 GB together under load."""
SET_UP = "run `make setup`"
_GIGABYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``fix`` is empty when it is good."""

    name: str
    good: bool
    found: str
    fix: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def run(settings: Settings) -> list[Check]:
    """Return all checks of this machine for one home."""
    return [
        *_environments(),
        _java(settings),
        _jars(settings),
        _registry(settings),
        *_machine(settings),
        _stale(settings),
    ]


def _environments() -> Iterator[Check]:
    for environment in (environments.core(), environments.flink(), environments.warehouse()):
        name = f"{environment.name} environment"
        version = interpreters.version_of(environment.python)
        if version is not None:
            current = environments.is_current(environment)
            yield Check(name, current, f"Python {version} in {environment.folder}", "" if current else SET_UP)
            continue
        source = interpreters.find(environment.versions)
        missing = interpreters.missing(environment.versions, name, environments.parts_folder() / "uv" / "bin" / "uv")
        yield Check(name, good=False, found="not made", fix=SET_UP if source else str(missing))


def _java(settings: Settings) -> Check:
    def found() -> str:
        java = Installed(settings.parts).java
        answer = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=False)
        if answer.returncode:
            raise EnvironmentMissingError(f"{java} does not run: {answer.stderr.strip()}. Remove .venv and {SET_UP}.")
        return answer.stderr.splitlines()[0]

    return _installed("Java", found)


def _jars(settings: Settings) -> Check:
    archives = jars.locked()
    lacking = jars.missing(settings.parts, archives)
    wrong = [
        archive.file
        for archive in archives
        if archive not in lacking and jars.digest_of(jars.place(settings.parts, archive)) != archive.sha256
    ]
    again = f"delete {settings.parts / 'jars'}, then {SET_UP}"
    if lacking:
        return Check("jars", good=False, found=f"{len(lacking)} of {len(archives)} are missing", fix=SET_UP)
    if wrong:
        return Check("jars", good=False, found=f"changed since set-up: {wrong}", fix=again)
    if not (settings.parts / "jars" / "flink" / backport.ARCHIVE).is_file():
        return Check("jars", good=False, found=f"{backport.ARCHIVE} is missing", fix=again)
    return Check("jars", good=True, found=f"{len(archives)} as locked")


def _registry(settings: Settings) -> Check:
    return _installed("schema registry", lambda: str(Installed(settings.parts).registry))


def _installed(name: str, found: Callable[[], str]) -> Check:
    try:
        return Check(name, good=True, found=found())
    except EnvironmentMissingError as error:
        return Check(name, good=False, found="missing", fix=str(error))


def _machine(settings: Settings) -> Iterator[Check]:
    folder = _existing(settings.home)
    disk = shutil.disk_usage(folder).free / _GIGABYTE
    fix = "" if disk >= NEEDED_DISK_GB else f"free {NEEDED_DISK_GB} GB, or set CIVICWIRE_HOME to another disk"
    yield Check("disk", disk >= NEEDED_DISK_GB, f"{disk:.0f} GB free in {folder}", fix)
    memory = psutil.virtual_memory().available / _GIGABYTE
    fix = "" if memory >= NEEDED_MEMORY_GB else f"end other programs: the parts need {NEEDED_MEMORY_GB} GB"
    yield Check("memory", memory >= NEEDED_MEMORY_GB, f"{memory:.0f} GB available", fix)
    if state.supervisor(settings.home):
        return
    taken = sorted(port for port in state.read(settings.home).get("ports", {}).values() if not ports.is_free(port))
    found = f"{taken} are taken by other programs; others will be used" if taken else "free"
    yield Check("ports", good=True, found=found)


def _stale(settings: Settings) -> Check:
    running = state.supervisor(settings.home)
    left = state.leftovers(settings.home)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        return Check("stack", good=False, found=f"left over: processes {pids}", fix="run `civicwire down`")
    return Check("stack", good=True, found=f"runs (process {running.pid})" if running else "not running")


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.resolve().parents) if parent.is_dir())
