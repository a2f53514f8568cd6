"""Which Python set-up takes, on machines that are folders of small scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from civicwire.bootstrap import interpreters
from schemas.errors import EnvironmentMissingError


def place(path: Path, version: str, exit_code: int = 0) -> Path:
    """Put a program there that answers like a CPython of that version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{version} cpython'\nexit {exit_code}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _no_system_pythons(monkeypatch):
    monkeypatch.setattr(interpreters, "SYSTEM_FOLDERS", ())


def environ(tmp_path: Path, *path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": ":".join(map(str, path))}


def test_a_python_on_path_is_taken_before_all_others(tmp_path):
    wanted = place(tmp_path / "bin" / "python3.13", "3.13")
    place(tmp_path / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path, tmp_path / "bin")) == wanted


def test_the_default_python3_is_taken_when_it_has_the_version(tmp_path):
    wanted = place(tmp_path / "bin" / "python3", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path, tmp_path / "bin")) == wanted


def test_a_pyenv_shim_of_an_unselected_version_is_passed_over_for_the_version_behind_it(tmp_path):
    place(tmp_path / "shims" / "python3.13", "3.13", exit_code=127)
    wanted = place(tmp_path / ".pyenv" / "versions" / "3.13.1" / "bin" / "python3.13", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path, tmp_path / "shims")) == wanted


def test_pyenv_is_looked_for_where_its_variable_says(tmp_path):
    wanted = place(tmp_path / "elsewhere" / "versions" / "3.13.1" / "bin" / "python3.13", "3.13")
    found = interpreters.find(["3.13"], environ(tmp_path) | {"PYENV_ROOT": str(tmp_path / "elsewhere")})
    assert found == wanted


def test_the_newest_patch_is_taken_and_ten_is_newer_than_nine(tmp_path):
    place(tmp_path / ".pyenv" / "versions" / "3.13.9" / "bin" / "python3.13", "3.13")
    wanted = place(tmp_path / ".pyenv" / "versions" / "3.13.10" / "bin" / "python3.13", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path)) == wanted


def test_a_python_that_uv_manages_is_found(tmp_path):
    folder = tmp_path / ".local" / "share" / "uv" / "python" / "cpython-3.13.2-linux-x86_64-gnu"
    wanted = place(folder / "bin" / "python3.13", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path)) == wanted


def test_a_system_python_is_found_when_path_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(interpreters, "SYSTEM_FOLDERS", (tmp_path / "usr",))
    wanted = place(tmp_path / "usr" / "python3.13", "3.13")
    assert interpreters.find(["3.13"], environ(tmp_path)) == wanted


def test_a_name_is_not_believed(tmp_path):
    place(tmp_path / "bin" / "python3.13", "3.8")
    assert interpreters.find(["3.13"], environ(tmp_path, tmp_path / "bin")) is None


def test_another_implementation_of_the_version_is_not_taken(tmp_path):
    program = place(tmp_path / "bin" / "python3.13", "3.13")
    program.write_text("#!/bin/sh\necho '3.13 pypy'\n", encoding="utf-8")
    assert interpreters.find(["3.13"], environ(tmp_path, tmp_path / "bin")) is None


def test_the_tested_version_comes_before_the_others_wherever_it_lies(tmp_path):
    place(tmp_path / "bin" / "python3.12", "3.12")
    wanted = place(tmp_path / ".pyenv" / "versions" / "3.11.7" / "bin" / "python3.11", "3.11")
    assert interpreters.find(["3.11", "3.12"], environ(tmp_path, tmp_path / "bin")) == wanted


def test_a_missing_python_is_reported_with_the_command_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = interpreters.missing(["3.13"], "The warehouse environment", Path("/x/uv"))
    assert isinstance(error, EnvironmentMissingError)
    assert error.exit_code == 3
    assert "The warehouse environment needs Python 3.13" in str(error)
    assert str(error).endswith("`/x/uv python install 3.13`")


def test_where_debian_has_the_python_its_command_is_named(tmp_path, monkeypatch):
    apt = tmp_path / "apt-cache"
    apt.write_text('#!/bin/sh\n[ "$2" = python3.13 ] && echo "Package: python3.13"\n', encoding="utf-8")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    error = interpreters.missing(["3.13"], "The warehouse environment", Path("/x/uv"))
    assert str(error).endswith("`apt-get install python3.13`")
