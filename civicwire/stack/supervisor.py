"""Starts the processes, watches them, restarts what dies, stops them all.

All children are started by one thread that lives until they have all ended: Linux sends a child its parent-death signal
when the *thread* that started it ends, not the process.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from civicwire.stack import state
from civicwire.stack.process import Process
from schemas.errors import FatalError

START_SECONDS = 120
"""A cold start takes 10 to 20 seconds on two cores; a machine under load gets a multiple of that."""
STOP_SECONDS = 40
"""An orderly stop takes 1 to 3 seconds, the first one some more (Java writes its class archives); then it is killed."""
TICK_SECONDS = 0.1
PROBE_EVERY_SECONDS = 5
"""How often a healthy process is asked again; a crash is noticed within one tick."""
RESTART_BACKOFF_SECONDS = (0.5, 1, 2, 4, 8)
"""Waits before each restart; a process that dies once more after the last one stays down."""
STABLE_SECONDS = 60
"""After this long in health, earlier crashes no longer count."""
LOG_LINES = 15
LOG_BYTES = 20 << 20
"""A log that has grown beyond this is put aside at the next start; one predecessor is kept."""
_LEASH = Path(__file__).with_name("leash.py")

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Child:
    process: Process
    log_file: Path
    popen: subprocess.Popen[bytes] | None = None
    state: str = "starting"  # starting | healthy | unwell | restarting | failed | stopped
    restarts: int = 0
    recent_restarts: int = 0
    healthy_since: float = 0.0
    next_probe: float = 0.0
    start_again_at: float = 0.0
    last_error: str | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    log_offset: int = 0


class Supervisor:
    """Runs a set of processes until told to stop.

    Args:
        processes: in the order in which they are stopped backwards; they are started together.
        logs: folder of the log files.
        changed: called with one dictionary per process (by name) whenever something changed.
        told: called with a line for a person: healthy, crashed, restarted.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        logs: Path,
        changed: Callable[[dict[str, dict[str, Any]]], None],
        told: Callable[[str], None],
    ) -> None:
        self._children = [_Child(process, logs / f"{process.name}.log") for process in processes]
        self._changed = changed
        self._told = told
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stack-supervisor", daemon=True)
        self._probes = ThreadPoolExecutor(max_workers=len(self._children) or 1, thread_name_prefix="stack-probe")

    def start(self) -> None:
        """Start all and return when all are healthy.

        Raises:
            FatalError: one did not become healthy; all have been stopped. The message has the last lines of its log.
        """
        self._thread.start()
        try:
            self._ready.wait()
        except BaseException:  # a signal's handler
            self.stop()
            raise
        if self._error:
            self.stop()
            raise self._error

    def stop(self) -> None:
        """Stop all and return when none runs any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._probes.shutdown(wait=False, cancel_futures=True)

    def failed(self) -> list[str]:
        """Return the names of processes that were given up."""
        return [child.process.name for child in self._children if child.state == "failed"]

    # Everything below runs in the supervisor's thread.

    def _run(self) -> None:
        try:
            self._start_all()
            self._ready.set()
            while not self._stop.wait(TICK_SECONDS):
                for child in self._children:
                    self._watch(child)
        except BaseException as error:
            self._error = error
            if self._ready.is_set():
                log.exception("the supervisor itself failed; stopping everything")
        finally:
            self._stop_all()
            self._ready.set()

    def _start_all(self) -> None:
        prepared = list(self._probes.map(lambda child: child.process.prepare(), self._children))
        del prepared  # only its exceptions matter
        started = time.monotonic()
        for child in self._children:
            self._spawn(child)
        self._report()
        waiting = list(self._children)
        while waiting and not self._stop.is_set():
            for child, healthy in zip(waiting, self._probes.map(_well, waiting), strict=True):
                if healthy:
                    child.state, child.healthy_since = "healthy", time.monotonic()
                    self._told(f"{child.process.name} is healthy after {time.monotonic() - started:.1f} s")
                    self._report()
                elif (code := _exit_code(child)) is not None:
                    raise FatalError(
                        f"{_obituary(child, code)} Nothing was started; correct the cause and start again."
                    )
            waiting = [child for child in waiting if child.state != "healthy"]
            if waiting and time.monotonic() - started > START_SECONDS:
                names = ", ".join(child.process.name for child in waiting)
                tails = "\n".join(f"{child.log_file}:\n{_tail(child)}" for child in waiting)
                raise FatalError(
                    f"Not healthy after {START_SECONDS} s: {names}.\n{tails}\nSee the logs, then start again."
                )
            self._stop.wait(TICK_SECONDS)

    def _watch(self, child: _Child) -> None:
        now = time.monotonic()
        if child.state == "failed":
            return
        if child.state == "restarting":
            if now >= child.start_again_at:
                child.process.prepare()
                self._spawn(child)
                child.state = "starting"
                self._report()
            return
        if (code := _exit_code(child)) is not None:
            self._bury(child, code)
            return
        if now >= child.next_probe:
            self._probe(child, now)

    def _probe(self, child: _Child, now: float) -> None:
        well = _well(child)
        child.next_probe = now + (PROBE_EVERY_SECONDS if well else TICK_SECONDS * 5)
        if well and child.state != "healthy":
            self._told(
                f"{child.process.name} is healthy again" if child.restarts else f"{child.process.name} is healthy"
            )
            child.state, child.healthy_since = "healthy", now
            self._report()
        elif not well and child.state == "healthy":
            child.state = "unwell"
            self._report()
        elif well and child.recent_restarts and now - child.healthy_since > STABLE_SECONDS:
            child.recent_restarts = 0

    def _bury(self, child: _Child, code: int) -> None:
        child.last_error = _obituary(child, code)
        self._told(child.last_error)
        if child.recent_restarts >= len(RESTART_BACKOFF_SECONDS):
            child.state = "failed"
            self._told(
                f"{child.process.name} died {child.recent_restarts + 1} times and stays down; see {child.log_file}"
            )
        else:
            wait = RESTART_BACKOFF_SECONDS[child.recent_restarts]
            child.state, child.start_again_at = "restarting", time.monotonic() + wait
            child.restarts += 1
            child.recent_restarts += 1
            self._told(f"{child.process.name} is started again in {wait} s")
        self._report()

    def _spawn(self, child: _Child) -> None:
        child.log_file.parent.mkdir(parents=True, exist_ok=True)
        if child.log_file.exists() and child.log_file.stat().st_size > LOG_BYTES:
            child.log_file.replace(child.log_file.with_suffix(".log.1"))
        with child.log_file.open("ab") as output:
            child.log_offset = output.tell()
            child.popen = subprocess.Popen(
                [sys.executable, "-IS", str(_LEASH), str(os.getpid()), *child.process.command],
                cwd=child.process.folder,
                env=os.environ | child.process.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # an interrupt typed at the terminal is the supervisor's to handle
            )
        with suppress(psutil.Error):  # it may have died already; the next look at it says so
            child.identity = state.identity(child.popen.pid)

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            if child.popen and child.popen.poll() is None:
                child.popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            if child.popen is None:
                continue
            try:
                child.popen.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._told(f"{child.process.name} did not stop within {STOP_SECONDS} s and is killed")
                child.popen.kill()
                child.popen.wait()
            child.state = "stopped"
        self._report()

    def _report(self) -> None:
        self._changed(
            {
                child.process.name: {
                    "part": child.process.part,
                    **(child.identity if child.state != "stopped" else {}),
                    "state": child.state,
                    "restarts": child.restarts,
                    "last_error": child.last_error,
                    "log": str(child.log_file),
                }
                for child in self._children
            }
        )


def _well(child: _Child) -> bool:
    return child.popen is not None and child.popen.poll() is None and child.process.healthy()


def _exit_code(child: _Child) -> int | None:
    return child.popen.poll() if child.popen else None


def _obituary(child: _Child, code: int) -> str:
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"{child.process.name} {how}; the last lines of {child.log_file}:\n{_tail(child)}"


def _tail(child: _Child) -> str:
    with child.log_file.open("rb") as content:
        content.seek(child.log_offset)
        lines = deque(content, maxlen=LOG_LINES)
    return "".join("  | " + line.decode("utf-8", errors="replace").rstrip() + "\n" for line in lines) or "  | (empty)\n"
