"""What the command line does with a stack: stay with it, start it apart, stop it, say how it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from civicwire.settings import ROOT, Settings
from civicwire.stack import state
from civicwire.stack.stack import PARTS, Stack
from civicwire.stack.supervisor import START_SECONDS, STOP_SECONDS
from schemas.errors import ConfigError, FatalError

_TICK_SECONDS = 0.1
_MEGABYTE = 1 << 20
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(Exception):  # noqa: N818  it is a request, not an error
    """A signal asked for the end."""


def run(settings: Settings, parts: Sequence[str], told: Callable[[str], None], ready: Callable[[Stack], None]) -> bool:
    """Run the stack in this process until a stop signal comes, which ends it in an orderly way, during its start too.

    Args:
        settings: says which home.
        parts: which parts.
        told: called with lines for a person.
        ready: called once, when all parts are healthy.

    Returns:
        False when a part had been given up by the end.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for name in _STOP_SIGNALS:  # a second one must not break off the orderly stop
            signal.signal(name, signal.SIG_IGN)
        raise _Stopped

    before = {name: signal.signal(name, stop) for name in _STOP_SIGNALS}
    stack = Stack(settings.home, parts, installed=settings.parts, told=told)
    try:
        stack.start()
        ready(stack)
        threading.Event().wait()
    except _Stopped:
        told("stopping")
    finally:
        good = not stack.failed()
        stack.stop()
        for name, handler in before.items():
            signal.signal(name, handler)
    return good


def start_detached(settings: Settings, parts: Sequence[str], told: Callable[[str], None]) -> dict[str, str]:
    """Start the stack in a process of its own and return its addresses when all parts are healthy.

    Does nothing when these parts run already.

    Raises:
        ConfigError: no such part, or the stack runs with fewer parts.
        FatalError: a part did not start; the message has the last lines of its log.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ConfigError(f"No such part: {', '.join(unknown)}. Choose from {', '.join(PARTS)}.")
    if state.supervisor(settings.home):
        return _already(settings, parts)
    logs = settings.home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "supervisor.log"
    with log.open("ab") as output:
        offset = output.tell()
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "civicwire.cli", "up", "--parts", ",".join(parts)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(settings),
        )
    with log.open("rb") as lines:
        lines.seek(offset)
        while True:
            ended = supervisor.poll() is not None
            said = lines.read().decode("utf-8", errors="replace").splitlines()
            content = state.read(settings.home)
            if ended:
                tail = "\n".join(said) or f"see {log}"
                raise FatalError(f"The stack did not start (exit code {supervisor.returncode}):\n{tail}")
            for line in said:
                if not line.startswith(("  ", "The stack runs")):  # the addresses are the caller's to show
                    told(line)
            if content.get("ready") and content.get("pid") == supervisor.pid:
                return dict(content["endpoints"])
            time.sleep(_TICK_SECONDS)


def _environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "CIVICWIRE_HOME": str(settings.home.resolve()),
        "CIVICWIRE_PARTS": str(settings.parts.resolve()),
        "PYTHONUNBUFFERED": "1",
    }


def _already(settings: Settings, parts: Sequence[str]) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while state.supervisor(settings.home) and time.monotonic() < deadline:
        content = state.read(settings.home)
        lacking = [part for part in parts if part not in content.get("parts", [])]
        if lacking:
            raise ConfigError(
                f"The stack of {settings.home} runs without {', '.join(lacking)}. "
                "Run `civicwire down`, then `civicwire up`."
            )
        if content.get("ready"):
            return dict(content["endpoints"])
        time.sleep(_TICK_SECONDS)  # another `up` is just starting it
    raise FatalError(f"The stack of {settings.home} was being started and did not come up. Try `civicwire up` again.")


def stop(settings: Settings, *, purge: bool) -> dict[str, bool]:
    """Stop the stack of a home, wait until nothing of it runs, and delete the home if asked.

    Returns:
        ``stopped``: something had been running; ``purged``: the home was deleted.

    Raises:
        ConfigError: the folder to delete is not a home of ours.
    """
    home = settings.home.resolve()
    running = state.supervisor(home)
    if running:
        running.terminate()
        try:
            running.wait(STOP_SECONDS + 10)
        except psutil.TimeoutExpired:
            running.kill()
            running.wait()
    left = state.leftovers(home)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=STOP_SECONDS)
    purged = purge and _delete(home)
    return {"stopped": bool(running or left), "purged": purged}


def _delete(home: Path) -> bool:
    if not home.exists():
        return False
    if any(home.iterdir()) and not state.path(home).is_file():
        raise ConfigError(f"{home} holds no stack.json, so it is no civicwire home. Delete it yourself if you mean it")
    shutil.rmtree(home)
    return True


def parts_status(settings: Settings) -> list[dict[str, Any]]:
    """Return one row per process of the stack; empty when the stack was stopped or never started.

    A row has ``process, part, state, pid, address, memory_mb, uptime, restarts, last_error, log``; ``state`` is
    ``dead`` for what is gone although it should run.
    """
    content = state.read(settings.home)
    supervised = state.running(content.get("supervisor")) is not None
    rows = []
    for name, entry in content.get("processes", {}).items():
        process = state.running(entry)
        rows.append(
            {
                "process": name,
                "part": entry["part"],
                "state": entry["state"] if supervised and (process or entry["state"] != "healthy") else "dead",
                "pid": process.pid if process else None,
                "address": content.get("endpoints", {}).get(entry["part"]),
                "memory_mb": _memory_mb(process),
                "uptime": _uptime(process),
                "restarts": entry["restarts"],
                "last_error": entry["last_error"],
                "log": entry["log"],
            }
        )
    return rows


def _memory_mb(process: psutil.Process | None) -> int | None:
    try:
        return int(process.memory_info().rss // _MEGABYTE) if process else None
    except psutil.Error:
        return None


def _uptime(process: psutil.Process | None) -> str | None:
    if process is None:
        return None
    seconds = int(time.time() - process.create_time())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
