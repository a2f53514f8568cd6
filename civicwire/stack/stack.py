"""The embedded local stack: real parts as child processes of this one."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from civicwire.settings import ROOT, Endpoints
from civicwire.stack import flink, kafka, portal, ports, registry, state, warehouse
from civicwire.stack.installed import Installed
from civicwire.stack.process import Place, Process, Tuning
from civicwire.stack.supervisor import STOP_SECONDS, Supervisor
from schemas.errors import ConfigError, FatalError

PARTS: dict[str, ModuleType] = {
    "kafka": kafka,
    "registry": registry,
    "flink": flink,
    "warehouse": warehouse,
    "portal": portal,
}
"""Every part: a module with ``PORTS``, ``processes(place)`` and ``endpoints(place)``."""


class Stack:
    """The parts of one home, running from ``with`` to its end.

    Args:
        home: the one folder in which all data lives; made if need be.
        parts: which parts, of ``PARTS``.
        installed: folder of environments and jars, by default ``.parts`` of the checkout.
        tuning: sizes and intervals.
        told: called with lines for a person (healthy, crashed with the last lines of the log, started again).

    Attributes:
        endpoints: addresses of the running parts.
        ports: every port that the parts listen on, by its name.
    """

    def __init__(
        self,
        home: Path,
        parts: Sequence[str] = tuple(PARTS),
        *,
        installed: Path = ROOT / ".parts",
        tuning: Tuning | None = None,
        told: Callable[[str], None] = lambda line: None,  # noqa: ARG005  nobody listens
    ) -> None:
        unknown = [part for part in parts if part not in PARTS]
        if unknown:
            raise ConfigError(f"No such part: {', '.join(unknown)}. Choose from {', '.join(PARTS)}.")
        self.home = home.resolve()
        self.parts = [part for part in PARTS if part in parts]
        self.endpoints = Endpoints()
        self.ports: dict[str, int] = {}
        self._installed = Installed(installed.resolve())
        self._tuning = tuning or Tuning()
        self._told = told
        self._supervisor: Supervisor | None = None
        self._lease = state.Lease(self.home)
        self._content: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the parts and return when all are healthy.

        Raises:
            FatalError: a part did not become healthy, or this home's stack runs already.
            EnvironmentMissingError: set-up has not been run.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if not self._lease.take():
            pid = state.read(self.home).get("pid")
            raise FatalError(f"The stack of {self.home} runs already (process {pid}). `civicwire down` stops it.")
        try:
            self._start()
        except BaseException:
            self._lease.give_back()
            raise

    def _start(self) -> None:
        self._end_leftovers()
        modules = [PARTS[part] for part in self.parts]
        remembered: dict[str, int] = state.read(self.home).get("ports", {})
        wanted = [name for module in modules for name in module.PORTS]
        self.ports = ports.allocate(wanted, remembered)
        place = Place(self.home, self._installed, self.ports, self._tuning)
        processes: list[Process] = [process for module in modules for process in module.processes(place)]
        self._content = {
            "supervisor": state.identity(os.getpid()),
            "pid": os.getpid(),
            "ready": False,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "parts": self.parts,
            "ports": remembered | self.ports,
            "endpoints": {},
            "processes": {},
        }
        state.pid_file(self.home).write_text(f"{os.getpid()}\n", encoding="utf-8")
        self._supervisor = Supervisor(processes, self.home / "logs", self._record, self._told)
        try:
            self._supervisor.start()
        except BaseException:
            self._forget()
            raise
        found = {name: address for module in modules for name, address in module.endpoints(place).items()}
        self.endpoints = Endpoints(**found)
        self._content |= {"endpoints": found, "ready": True}
        state.write(self.home, self._content)

    def stop(self) -> None:
        """Stop the parts and return when none runs any more."""
        if self._supervisor:
            self._supervisor.stop()
            self._supervisor = None
            self._forget()
            self._lease.give_back()

    def failed(self) -> list[str]:
        """Return the processes that died too often and were given up."""
        return self._supervisor.failed() if self._supervisor else []

    def _record(self, processes: dict[str, dict[str, Any]]) -> None:
        self._content["processes"] = processes
        state.write(self.home, self._content)

    def _forget(self) -> None:
        """Leave only what the next start wants to know."""
        self.endpoints = Endpoints()
        state.pid_file(self.home).unlink(missing_ok=True)
        state.write(self.home, {"pid": None, "ports": self._content.get("ports", {}), "endpoints": {}})

    def _end_leftovers(self) -> None:
        for process in state.leftovers(self.home):
            self._told(f"process {process.pid} of an earlier start is still there and is killed")
            process.kill()
            process.wait(STOP_SECONDS)
