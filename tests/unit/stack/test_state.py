"""The stack file tells the living from the dead."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from civicwire.stack import state


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_process_with_the_same_id_and_start_time_is_ours(child):
    found = state.running(state.identity(child.pid))
    assert found is not None
    assert found.pid == child.pid


def test_a_process_that_got_a_used_id_later_is_not_ours(child):
    entry = state.identity(child.pid)
    entry["created"] -= 3600
    assert state.running(entry) is None


def test_a_dead_process_is_not_running_even_before_its_parent_has_looked(child):
    entry = state.identity(child.pid)
    child.kill()
    psutil.wait_procs([], timeout=0)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
    assert state.running(entry) is None


@pytest.mark.parametrize("entry", [None, {}, {"pid": 1}, {"pid": None, "created": None}])
def test_an_entry_without_identity_names_no_process(entry):
    assert state.running(entry) is None


def test_the_children_of_a_dead_supervisor_are_left_over(tmp_path, child):
    dead = {"pid": os.getpid(), "created": 0.0}
    state.write(tmp_path, {"supervisor": dead, "processes": {"kafka": state.identity(child.pid)}})
    assert [process.pid for process in state.leftovers(tmp_path)] == [child.pid]


def test_the_children_of_a_living_supervisor_are_not_left_over(tmp_path, child):
    alive = state.identity(os.getpid())
    state.write(tmp_path, {"supervisor": alive, "processes": {"kafka": state.identity(child.pid)}})
    assert state.leftovers(tmp_path) == []


def test_a_broken_stack_file_counts_as_none(tmp_path):
    state.path(tmp_path).write_text('{"pid": 12, "por', encoding="utf-8")
    assert state.read(tmp_path) == {}


def test_one_process_at_a_time_holds_the_lease_of_a_home(tmp_path):
    first, second = state.Lease(tmp_path), state.Lease(tmp_path)
    assert first.take()
    assert not second.take()
    first.give_back()
    assert second.take()
