"""Find a Python of a wanted version where machines keep them, and believe only one that runs.

A name on PATH proves nothing: pyenv puts a shim there for every version that it holds and lets those that are not
selected exit with 127. So each candidate is run and asked for its version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import EnvironmentMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROBE_SECONDS = 20
"""A first start from a cold disk takes a second or two; a hanging shim is passed over."""
_QUESTION = "import sys, ssl, zlib; print('.'.join(map(str, sys.version_info[:2])), sys.implementation.name)"
"""A Python built without ssl or zlib cannot install packages."""
SYSTEM_FOLDERS = (Path("/usr/bin"), Path("/usr/local/bin"), Path("/opt/homebrew/bin"))


def candidates(version: str, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the places where a Python ``version`` (``3.13``) may be, likeliest first; they need not exist.

    PATH, then pyenv's folder of versions, then uv's, then the system's folders.
    """
    home = Path(environ.get("HOME") or Path.home())
    names = (f"python{version}", "python3", "python")
    for entry in filter(None, environ.get("PATH", "").split(os.pathsep)):
        yield from (Path(entry) / name for name in names)
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv") / "versions"
    uv = Path(environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python")
    for folder in [*_newest_first(pyenv, f"{version}*"), *_newest_first(uv, f"cpython-{version}*")]:
        yield folder / "bin" / f"python{version}"
    for folder in SYSTEM_FOLDERS:
        yield folder / f"python{version}"


def version_of(interpreter: Path) -> str | None:
    """Return ``major.minor`` of a working CPython; None for anything else."""
    if not os.access(str(interpreter), os.X_OK) or interpreter.is_dir():
        return None
    try:
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version, _, implementation = answer.stdout.strip().partition(" ")
    return version if answer.returncode == 0 and implementation == "cpython" else None


def find(versions: Sequence[str], environ: Mapping[str, str] | None = None) -> Path | None:
    """Return a Python of the first of ``versions`` that the machine has, None if it has none of them."""
    environ = os.environ if environ is None else environ
    asked: dict[Path, str | None] = {}
    for version in versions:
        for candidate in candidates(version, environ):
            if candidate not in asked:
                asked[candidate] = version_of(candidate)
            if asked[candidate] == version:
                return candidate
    return None


def missing(versions: Sequence[str], purpose: str, uv: Path) -> EnvironmentMissingError:
    """Return the error that says which Python is not here and the command that installs it on this machine."""
    wanted = versions[0]
    if shutil.which("apt-cache") and _apt_has(f"python{wanted}"):
        command = f"apt-get install python{wanted}"
    elif shutil.which("pyenv"):
        command = f"pyenv install {wanted}"
    else:
        command = f"{uv} python install {wanted}"
    return EnvironmentMissingError(
        f"{purpose} needs Python {' or '.join(versions)}, and none is on PATH, in pyenv's or uv's folder or among the "
        f"system's (this is Python {sys.version_info[0]}.{sys.version_info[1]}). Install it: `{command}`"
    )


def _newest_first(folder: Path, pattern: str) -> list[Path]:
    def patch(path: Path) -> list[int]:
        version = path.name.replace("cpython-", "").split("-")[0]
        return [int(piece) for piece in version.split(".") if piece.isdigit()]

    return sorted(folder.glob(pattern), key=patch, reverse=True)


def _apt_has(package: str) -> bool:
    shown = subprocess.run(["apt-cache", "show", package], capture_output=True, check=False)
    return shown.returncode == 0 and bool(shown.stdout.strip())
