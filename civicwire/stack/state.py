"""The stack file ``<home>/stack.json``: what runs, where, since when; and which of it is stale.

It outlives the stack, because the ports are remembered in it. A process id alone proves nothing, since ids are used
again: a process is ours only when its start time is the one that was written down.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

import psutil

START_TOLERANCE_SECONDS = 0.05
"""The start time is read from the same clock ticks both times; only its text form may round."""


def path(home: Path) -> Path:
    """Return where the stack file of a home lies."""
    return home / "stack.json"


def read(home: Path) -> dict[str, Any]:
    """Return the stack file's content; empty when there is none or it cannot be read."""
    try:
        loaded = json.loads(path(home).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def pid_file(home: Path) -> Path:
    """Return where the supervisor's process id stands while it runs, for scripts; nothing here reads it."""
    return home / "stack.pid"


def write(home: Path, content: dict[str, Any]) -> None:
    """Replace the stack file as one step, so that a reader sees the old or the new one."""
    arriving = home / f".stack.json.{os.getpid()}"
    arriving.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    arriving.replace(path(home))


def identity(pid: int) -> dict[str, Any]:
    """Return a running process's id and start time (seconds since 1970, UTC)."""
    return {"pid": pid, "created": psutil.Process(pid).create_time()}


def running(entry: dict[str, Any] | None) -> psutil.Process | None:
    """Return the process that an entry names if it still runs: same id and same start time, and not a zombie."""
    pid, created = (entry or {}).get("pid"), (entry or {}).get("created")
    if not isinstance(pid, int) or not isinstance(created, int | float):
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - created) < START_TOLERANCE_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


class Lease:
    """The right to run the stack of a home: held by one process, and given back by the system when that ends."""

    def __init__(self, home: Path) -> None:
        self._file = home / "stack.lock"
        self._held: IO[str] | None = None

    def take(self) -> bool:
        """Take it; return whether it was free."""
        held = self._file.open("a", encoding="utf-8")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.close()
            return False
        self._held = held
        return True

    def give_back(self) -> None:
        """Give it back; does nothing when it is not held."""
        if self._held:
            self._held.close()
            self._held = None


def supervisor(home: Path) -> psutil.Process | None:
    """Return the supervisor of this home if it still runs."""
    return running(read(home).get("supervisor"))


def leftovers(home: Path) -> list[psutil.Process]:
    """Return the children that outlived their supervisor (only where the kernel has no parent-death signal)."""
    content = read(home)
    if running(content.get("supervisor")):
        return []
    return [process for entry in content.get("processes", {}).values() if (process := running(entry))]
