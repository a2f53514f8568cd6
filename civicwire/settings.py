"""One configuration for every command: the environment (``CIVICWIRE_*``) over what the running stack says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import EnvironmentMissingError

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""


class Endpoints(BaseModel):
    """Addresses of the running parts; None where a part is not running."""

    kafka: str | None = Field(default=None, description="bootstrap servers, host:port")
    registry: str | None = Field(default=None, description="base URL of the Confluent-compatible registry API")
    flink: str | None = Field(default=None, description="base URL of the job manager's REST API and web UI")
    warehouse: str | None = Field(default=None, description="base URL of the BigQuery REST API")
    warehouse_grpc: str | None = Field(default=None, description="host:port of the BigQuery Storage API")
    portal: str | None = Field(default=None, description="base URL of the sandbox portal")


class Settings(BaseSettings):
    """Settings of one civicwire home; every field can be set by ``CIVICWIRE_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="CIVICWIRE_")

    home: Path = Field(default=ROOT / ".civicwire", description="the one folder in which all data lives")
    parts: Path = Field(default=ROOT / ".parts", description="environments and jars, shared by all homes")
    target: Literal["emulator", "bigquery"] = Field(default="emulator", description="which warehouse")
    project: str = Field(default="civicwire-local", description="BigQuery project")
    dataset: str = Field(default="civicwire", description="BigQuery dataset of the writer; dbt adds _marts to it")
    location: str = Field(default="US", description="BigQuery location")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="what long-running commands write to stderr; auto is json unless it is a terminal"
    )
    kafka: str | None = None
    registry: str | None = None
    flink: str | None = None
    warehouse: str | None = None
    warehouse_grpc: str | None = None
    portal: str | None = Field(default=None, description="replaces scheme and host of every feed, for the sandbox")

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
        """Return the addresses in force: each from the environment, else from the stack file."""
        running = self.stack().get("endpoints", {})
        own = {name: getattr(self, name) for name in Endpoints.model_fields}
        return Endpoints(**{name: value or running.get(name) for name, value in own.items()})

    def require(self, *names: str) -> Endpoints:
        """Return the addresses and check that those named are known.

        Raises:
            EnvironmentMissingError: one is not; the message says how to start it.
        """
        endpoints = self.endpoints()
        missing = [name for name in names if getattr(endpoints, name) is None]
        if missing:
            raise EnvironmentMissingError(
                f"Not running: {', '.join(missing)}. Start it with `civicwire up` or set "
                f"{', '.join('CIVICWIRE_' + name.upper() for name in missing)}."
            )
        return endpoints
