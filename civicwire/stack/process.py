"""What the supervisor has to know of one process of the stack."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from civicwire.stack.installed import Installed

PROBE_SECONDS = 2
"""How long a health question may take; a healthy part answers in milliseconds."""


@dataclass(frozen=True, slots=True)
class Process:
    """One child process: how it is started and how one asks whether it is well.

    Attributes:
        name: unique in the stack; the log is ``<home>/logs/<name>.log``.
        part: the part it belongs to (Flink has two processes).
        command: program (absolute path) and arguments.
        healthy: answers whether the process does its work; must not take longer than ``PROBE_SECONDS`` and not raise.
        environment: added to the supervisor's own environment.
        folder: working directory.
        prepare: run before each start (writes configuration, formats storage).
    """

    name: str
    part: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes and intervals of the parts; the defaults suit a laptop with two cores and 8 GiB.

    Attributes:
        checkpoint_interval_ms: of every Flink job; also the added latency of transactional sinks.
        slots: how many parallel pipelines the one task manager runs.
        task_heap_mb: heap of the task manager's tasks.
        state_mb: RocksDB's caches and buffers in the task manager, shared by all jobs.
        kafka_heap_mb: heap of the broker.
    """

    checkpoint_interval_ms: int = 1000
    slots: int = 8
    task_heap_mb: int = 700
    state_mb: int = 700
    kafka_heap_mb: int = 512


@dataclass(frozen=True, slots=True)
class Place:
    """Where one stack lives: its home, what it runs from, and the ports it was given."""

    home: Path
    installed: Installed
    ports: Mapping[str, int]
    tuning: Tuning

    def data(self, part: str) -> Path:
        """Return the data folder of a part, made if need be."""
        folder = self.home / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def ask(url: str) -> Any:
    """Return the JSON (or text) that a loopback server answers, None when it does not answer well."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_SECONDS) as response:  # noqa: S310  our own loopback URL
            body = response.read().decode("utf-8", errors="replace")
    except (OSError, urllib.error.URLError, ValueError):
        return None
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        return body
