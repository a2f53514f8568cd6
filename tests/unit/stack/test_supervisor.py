"""How children are started, watched and ended, with small programs in place of the parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from civicwire.stack import supervisor
from civicwire.stack.process import Process
from civicwire.stack.supervisor import Supervisor
from schemas.errors import FatalError

WAIT_SECONDS = 30
"""A bound for a machine under load; what is waited for takes a fraction of a second."""
STAYS = "import signal; print('at work', flush=True); signal.pause()"


class Home:
    """Collects what a supervisor reports and tells, and waits for it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.told: list[str] = []
        self.reported: dict = {}
        self.condition = threading.Condition()

    def process(self, name: str, code: str, healthy=lambda: True) -> Process:
        return Process(name, name, (sys.executable, "-c", textwrap.dedent(code)), healthy, self.folder)

    def supervisor(self, *processes: Process) -> Supervisor:
        return Supervisor(processes, self.folder / "logs", self._report, self._tell)

    def _report(self, processes):
        with self.condition:
            self.reported = processes
            self.condition.notify_all()

    def _tell(self, line):
        with self.condition:
            self.told.append(line)
            self.condition.notify_all()

    def wait_for(self, wanted) -> None:
        with self.condition:
            assert self.condition.wait_for(wanted, WAIT_SECONDS), (self.reported, self.told)


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def running(home):
    """Start supervisors that are stopped at the end of the test."""
    started = []

    def start(*processes) -> Supervisor:
        made = home.supervisor(*processes)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop()


def test_start_returns_when_all_are_healthy(home, running):
    asked = iter([False, False, True])
    running(home.process("one", STAYS), home.process("two", STAYS, healthy=lambda: next(asked, True)))
    assert {entry["state"] for entry in home.reported.values()} == {"healthy"}


def test_a_process_that_dies_at_the_start_is_named_with_the_last_lines_of_its_log(home):
    dying = home.process("broker", "import sys; print('the disk is full'); sys.exit(4)", healthy=lambda: False)
    made = home.supervisor(home.process("other", STAYS), dying)
    with pytest.raises(FatalError, match=r"(?s)broker ended with exit code 4.*the disk is full"):
        made.start()
    assert home.reported["other"]["state"] == "stopped"


def test_a_killed_process_is_named_and_started_again(home, running, monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_BACKOFF_SECONDS", (0,))
    log = home.folder / "logs" / "broker.log"
    running(home.process("broker", STAYS, healthy=lambda: "at work" in log.read_text(encoding="utf-8")))
    first = home.reported["broker"]["pid"]
    os.kill(first, signal.SIGKILL)
    home.wait_for(lambda: home.reported["broker"]["restarts"] == 1 and home.reported["broker"]["state"] == "healthy")
    assert home.reported["broker"]["pid"] != first
    assert any("broker was killed by SIGKILL" in line and "at work" in line for line in home.told)
    assert "SIGKILL" in home.reported["broker"]["last_error"]


def test_a_process_that_keeps_dying_stays_down_and_the_others_go_on(home, running, monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_BACKOFF_SECONDS", (0, 0))
    once = home.folder / "started"
    code = f"""
        import pathlib, signal, sys
        first = not pathlib.Path({str(once)!r}).exists()
        pathlib.Path({str(once)!r}).touch()
        signal.pause() if first else sys.exit(1)
    """
    made = running(home.process("broker", code, healthy=once.exists), home.process("other", STAYS))
    os.kill(home.reported["broker"]["pid"], signal.SIGKILL)
    home.wait_for(lambda: home.reported["broker"]["state"] == "failed")
    assert made.failed() == ["broker"]
    assert home.reported["broker"]["restarts"] == 2
    assert home.reported["other"]["state"] == "healthy"


def test_stop_waits_until_nothing_runs(home):
    made = home.supervisor(home.process("one", STAYS), home.process("two", STAYS))
    made.start()
    pids = [entry["pid"] for entry in home.reported.values()]
    made.stop()
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def test_a_process_that_does_not_heed_the_stop_is_killed(home, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 0.2)
    ready = home.folder / "ready"
    code = f"""
        import pathlib, signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pathlib.Path({str(ready)!r}).touch()
        signal.pause()
        signal.pause()
    """
    made = home.supervisor(home.process("deaf", code, healthy=ready.exists))
    made.start()
    pid = home.reported["deaf"]["pid"]
    made.stop()
    assert not psutil.pid_exists(pid)
    assert any("deaf did not stop" in line for line in home.told)


def test_a_log_that_has_grown_large_is_put_aside(home, running, monkeypatch):
    monkeypatch.setattr(supervisor, "LOG_BYTES", 10)
    log = home.folder / "logs" / "broker.log"
    log.parent.mkdir()
    log.write_text("lines of an earlier start\n", encoding="utf-8")
    running(home.process("broker", STAYS))
    assert "earlier" in log.with_suffix(".log.1").read_text(encoding="utf-8")
    assert "earlier" not in log.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_die_with_a_supervisor_that_is_killed(tmp_path):
    program = f"""
        import pathlib, signal, sys
        sys.path[:0] = {sys.path!r}
        from civicwire.stack.process import Process
        from civicwire.stack.supervisor import Supervisor
        child = Process("child", "child", ("/bin/sleep", "600"), lambda: True, pathlib.Path({str(tmp_path)!r}))
        seen = {{}}
        Supervisor([child], pathlib.Path({str(tmp_path)!r}), seen.update, print).start()
        print("pid", seen["child"]["pid"], flush=True)
        signal.pause()
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(next(line for line in parent.stdout if line.startswith("pid")).split()[1]))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert not psutil.wait_procs([child], timeout=WAIT_SECONDS)[1]
