"""One configuration for every command: the environment (``CIVICWIRE_*``) over what the running stack says of itself.

``civicwire up`` and compose are set by the same variables: ``.env.example`` lists them. The command reads ``.env`` of
the checkout, and what is in the environment already wins over it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, Field

from schemas.access import Access
from schemas.errors import ConfigError, EnvironmentMissingError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""
LOCAL_PROJECT = "civicwire-local"
"""The emulator's only project; nobody has it on BigQuery."""
WAREHOUSE = ("warehouse", "warehouse_grpc")
"""Addresses that only the emulator has."""


class Endpoints(BaseModel):
    """Addresses of the running parts; None where a part is not running."""

    kafka: str | None = Field(default=None, description="bootstrap servers, host:port")
    registry: str | None = Field(default=None, description="base URL of the Confluent-compatible registry API")
    flink: str | None = Field(default=None, description="base URL of the job manager's REST API and web UI")
    warehouse: str | None = Field(default=None, description="base URL of the BigQuery REST API; the emulator's only")
    warehouse_grpc: str | None = Field(default=None, description="host:port of the Storage API; the emulator's only")
    portal: str | None = Field(default=None, description="base URL of the sandbox portal")


class Settings(Access):
    """Settings of one civicwire home; every field can be set by ``CIVICWIRE_<NAME>``, and empty is as good as unset.

    Raises:
        ConfigError: a value cannot be used; the message names each one.
    """

    home: Path = Field(default=ROOT / ".civicwire", description="the one folder in which all data lives")
    parts: Path = Field(default=ROOT / ".parts", description="environments and jars, shared by all homes")
    target: Literal["emulator", "bigquery"] = Field(default="emulator", description="which warehouse")
    project: str = Field(default=LOCAL_PROJECT, description="BigQuery project")
    dataset: str = Field(
        default="civicwire",
        pattern="^[A-Za-z0-9_]+$",
        description="BigQuery dataset of the writer; dbt adds _marts to it",
    )
    location: str = Field(default="US", description="BigQuery location")
    labels: dict[str, str] = Field(
        default_factory=dict, description="JSON object of labels for datasets, tables and jobs, beside our own"
    )
    table_expiry_days: float | None = Field(
        default=None, gt=0, description="age at which tables of a dataset that is made now are deleted; unset is never"
    )
    maximum_bytes_billed: int = Field(
        default=100_000_000_000, gt=0, description="what one query may cost at most, in bytes that it reads"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="what long-running commands write to stderr; auto is json unless it is a terminal"
    )
    flink_home: Path | None = Field(
        default=None,
        description="Flink's distribution, configured for the cluster to submit to; `civicwire up` needs none",
    )
    heartbeat: Path | None = Field(
        default=None, description="file that long-running commands touch while all is well, for health checks"
    )
    flink: str | None = None
    warehouse: str | None = None
    warehouse_grpc: str | None = None
    portal: str | None = Field(default=None, description="replaces scheme and host of every feed, for the sandbox")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        if self.target == "bigquery" and self.project == LOCAL_PROJECT:
            raise ConfigError("CIVICWIRE_TARGET=bigquery needs a project: set CIVICWIRE_PROJECT to its id.")

    @property
    def stack_file(self) -> Path:
        """Where the supervisor writes what runs: JSON with ``pid``, ``parts`` and ``endpoints``."""
        return self.home / "stack.json"

    def stack(self) -> dict[str, Any]:
        """Return the stack file's content; without addresses when the supervisor that wrote it was killed."""
        if not self.stack_file.is_file():
            return {}
        loaded: dict[str, Any] = json.loads(self.stack_file.read_text(encoding="utf-8"))
        if loaded.get("pid") and not psutil.pid_exists(loaded["pid"]):
            loaded["endpoints"] = {}
        return loaded

    def endpoints(self) -> Endpoints:
        """Return the addresses in force: each from the environment, else from the stack file.

        BigQuery itself has none, also where an emulator runs.
        """
        running = self.stack().get("endpoints", {})
        own = {name: getattr(self, name) for name in Endpoints.model_fields}
        found = {name: value or running.get(name) for name, value in own.items()}
        if self.target == "bigquery":
            found |= dict.fromkeys(WAREHOUSE)
        return Endpoints(**found)

    def require(self, *names: str) -> Endpoints:
        """Return the addresses and check that those named are known; BigQuery itself needs none.

        Raises:
            EnvironmentMissingError: one is not; the message says how to start it.
        """
        endpoints = self.endpoints()
        missing = [name for name in names if getattr(endpoints, name) is None]
        if self.target == "bigquery":
            missing = [name for name in missing if name not in WAREHOUSE]
        if missing:
            raise EnvironmentMissingError(
                f"Not running: {', '.join(missing)}. Start it with `civicwire up` or set "
                f"{', '.join('CIVICWIRE_' + name.upper() for name in missing)}."
            )
        return endpoints
