"""``python -m terraform.ci [fmt] [validate] [test] [tflint]``: check the module, by default in all four ways.

Everything runs on a copy, so that the provider's stub leaves nothing behind for a real `terraform init` to trip over.
``TERRAFORM=terraform`` takes the machine's own Terraform in the place of the locked one;
``CIVICWIRE_WITHOUT_TFLINT=1`` builds no tflint and goes on where there is none.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import CivicwireError, EnvironmentMissingError, FatalError
from terraform.ci import google_schema, stub_provider, tools

MODULE = Path(__file__).resolve().parent.parent
STEPS = ("fmt", "validate", "test", "tflint")
_USED = re.compile(r'^\s*(resource|data)\s+"(google_\w+)"', re.MULTILINE)
_MISSPELT = 'resource "google_storage_bucket" "canary" {\n  name    = "canary"\n  locatoin = "US"\n}\n'
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the module, and how Terraform is run in it."""

    folder: Path
    command: list[str]
    environment: Mapping[str, str]
    linter: tools.Linter

    @property
    def roots(self) -> list[Path]:
        """The module itself and its examples."""
        return [self.folder, *sorted({file.parent for file in self.folder.glob("examples/*/*.tf")})]

    def terraform(self, root: Path, *arguments: str) -> str:
        """Run Terraform in ``root`` and return what it said.

        Raises:
            FatalError: it failed; the message is what it said.
        """
        return self.run([*self.command, *arguments], root)

    def run(self, command: Sequence[str], root: Path) -> str:
        """Run a program in ``root`` and return what it said.

        Raises:
            FatalError: it failed; the message is what it said.
        """
        done = subprocess.run(
            list(command),
            cwd=root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        said = _ANSI.sub("", done.stdout).strip()
        if done.returncode:
            raise FatalError(f"in {MODULE.name}/{root.relative_to(self.folder)}:\n{said}")
        return said


def fmt(copy: Copy, _options: argparse.Namespace) -> str:
    """Check the form of every file."""
    try:
        copy.terraform(copy.folder, "fmt", "-check", "-diff", "-recursive")
    except FatalError as error:
        raise FatalError(f"{error}\nPut it into its form: `.venv/bin/python -m terraform.ci --write`.") from error
    return "every file is in its form"


def validate(copy: Copy, _options: argparse.Namespace) -> str:
    """Check the module and each example against the provider's schema, which must refuse a misspelt argument."""
    for root in copy.roots:
        _init(copy, root)
        copy.terraform(root, "validate")
    _canary(copy)
    return f"the module and {len(copy.roots) - 1} examples are valid"


def _canary(copy: Copy) -> None:
    canary = copy.folder / "canary"
    canary.mkdir()
    shutil.copy(MODULE / "versions.tf", canary)
    (canary / "canary.tf").write_text(_MISSPELT, encoding="utf-8")
    _init(copy, canary)
    try:
        copy.terraform(canary, "validate")
    except FatalError as error:
        if all(word in str(error) for word in ("locatoin", "Unsupported argument", 'argument "location" is required')):
            shutil.rmtree(canary)
            return
        raise
    raise FatalError("A misspelt argument passes as valid: the provider's schema is not what is checked against.")


def _init(copy: Copy, root: Path) -> None:
    copy.terraform(root, "init", "-input=false", "-backend=false")


def test(copy: Copy, options: argparse.Namespace) -> str:
    """Run the module's tests."""
    _init(copy, copy.folder)
    chosen = [f"-filter={file}" for file in options.filter]
    said = copy.terraform(copy.folder, "test", *chosen)
    return said if options.verbose else said.splitlines()[-1]


def tflint(copy: Copy, _options: argparse.Namespace) -> str:
    """Lint the module and its examples, or say why not where that is allowed."""
    try:
        program = copy.linter.program()
    except EnvironmentMissingError as error:
        if not _without_tflint():
            raise
        return f"SKIPPED, as CIVICWIRE_WITHOUT_TFLINT=1 allows: {error}"
    copy.run([str(program), "--recursive", f"--config={copy.folder / '.tflint.hcl'}"], copy.folder)
    return f"tflint {tools.TFLINT_VERSION} has no complaint"


def _without_tflint() -> bool:
    return os.environ.get("CIVICWIRE_WITHOUT_TFLINT") == "1"


def main() -> int:
    """Return 0 when all is well, 1 when a check failed, 3 when this machine lacks something."""
    parser = argparse.ArgumentParser(prog="python -m terraform.ci", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="step", help=f"one of {', '.join(STEPS)}; all where none is named")
    parser.add_argument("--filter", action="append", default=[], help="run only this test file, tests/….tftest.hcl")
    parser.add_argument("--verbose", action="store_true", help="name every test")
    parser.add_argument("--write", action="store_true", help="put the files into their form instead of checking")
    options = parser.parse_args()
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    try:
        if options.write:
            return _write(tools.packages())
        _check(options)
    except CivicwireError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _covers(version: str) -> None:
    """Nothing installs a provider here, so nothing else would notice a constraint that leaves the checked one out."""
    wanted = re.search(
        r'source\s*=\s*"hashicorp/google"\s+version\s*=\s*"~> ([\d.]+)"',
        (MODULE / "versions.tf").read_text(encoding="utf-8"),
    )
    if wanted is None or not version.startswith(f"{wanted[1]}."):
        raise FatalError(
            f"The schema is that of google {version}: give versions.tf the constraint "
            f'"~> {version.rpartition(".")[0]}", or another package to requirements/terraform.in.'
        )


def _write(packages: tools.Packages) -> int:
    command = [*tools.terraform(packages.library), "fmt", "-recursive"]
    return subprocess.run(command, cwd=MODULE, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    """What a person has set for their own work (variables, workspace, arguments) is not part of the check."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return {**own, "TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}


def _check(options: argparse.Namespace) -> None:
    steps = options.steps or STEPS
    with tools.linter(wanted="tflint" in steps and not _without_tflint()) as linter:
        _take(steps, linter, options)


def _take(steps: Sequence[str], linter: tools.Linter, options: argparse.Namespace) -> None:
    packages = tools.packages()
    texts = [file.read_text(encoding="utf-8") for file in MODULE.rglob("*.tf")]
    used = {found for text in texts for found in _USED.findall(text)}
    types = {kind: sorted(name for found, name in used if found == kind) for kind in ("resource", "data")}
    schema = google_schema.read(packages.google, types["resource"], types["data"])
    _covers(schema.version)
    with tempfile.TemporaryDirectory() as scratch, stub_provider.serve(schema, Path(scratch)) as attached:
        folder = Path(scratch) / MODULE.name
        shutil.copytree(MODULE, folder, ignore=shutil.ignore_patterns("ci", ".terraform*", "*.tfstate*", "*.tfvars"))
        environment = {**_environment(), **attached}
        copy = Copy(folder, tools.terraform(packages.library), environment, linter)
        for step in steps:
            started = time.monotonic()
            said = {"fmt": fmt, "validate": validate, "test": test, "tflint": tflint}[step](copy, options)
            sys.stdout.write(f"terraform {step}: {said} ({time.monotonic() - started:.1f} s)\n")
            sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
