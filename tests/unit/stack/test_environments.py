"""When set-up has something to do, and what it says when it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from civicwire.bootstrap import environments
from civicwire.bootstrap.environments import Environment
from schemas.errors import FatalError


@pytest.fixture
def made(tmp_path) -> Environment:
    """An environment that set-up has finished."""
    lock = tmp_path / "some.txt"
    lock.write_text("package==1\n", encoding="utf-8")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    environment = Environment("some", tmp_path / "some", (lock,), (version,))
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    environments._finish(environment)
    return environment


def test_a_finished_environment_is_not_made_again(made):
    assert environments.is_current(made)


def test_a_changed_lock_makes_the_environment_again(made):
    made.locks[0].write_text("package==2\n", encoding="utf-8")
    assert not environments.is_current(made)


def test_an_environment_whose_interpreter_is_gone_is_made_again(made):
    made.python.unlink()
    made.python.symlink_to("/nowhere/python")
    assert not environments.is_current(made)


def test_an_install_that_broke_off_leaves_no_stamp_behind(made, tmp_path):
    failing = tmp_path / "uv"
    failing.write_text("#!/bin/sh\necho no such package\nexit 1\n", encoding="utf-8")
    failing.chmod(0o755)
    with pytest.raises(FatalError, match="no such package"):
        environments._install(made, Path(sys.executable), failing)
    assert not environments.is_current(made)


def test_uv_is_pinned_by_the_lock_with_its_hashes():
    pin = environments._pin_of("uv", environments.REQUIREMENTS / "core.txt")
    first, *rest = pin.splitlines()
    assert first.startswith("uv==")
    assert rest
    assert all(line.strip().startswith("--hash=sha256:") for line in rest)


def test_what_was_added_for_development_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    assert len(environments.core().locks) == 1
    environments._write(tmp_path / ".venv" / environments.STAMP, {"dev": True})
    assert len(environments.core().locks) == 2
