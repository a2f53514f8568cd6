"""Clients of the warehouse: the emulator and BigQuery differ in endpoint and credentials, and in nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

Parameter: TypeAlias = "bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter"
RETRY_SECONDS = 60


class Addresses(Protocol):
    """The addresses that the writer needs; ``civicwire.settings.Endpoints`` fits."""

    @property
    def kafka(self) -> str | None:
        """Bootstrap servers, host:port."""

    @property
    def registry(self) -> str | None:
        """Base URL of the Confluent-compatible registry API."""

    @property
    def warehouse(self) -> str | None:
        """Base URL of the BigQuery REST API; used for the emulator only."""

    @property
    def warehouse_grpc(self) -> str | None:
        """host:port of the BigQuery Storage API; used for the emulator only."""


class Place(Protocol):
    """Where the warehouse is; ``civicwire.settings.Settings`` fits, which this room must not import."""

    @property
    def target(self) -> Literal["emulator", "bigquery"]:
        """Which warehouse."""

    @property
    def project(self) -> str:
        """BigQuery project."""

    @property
    def dataset(self) -> str:
        """BigQuery dataset of the writer."""

    @property
    def location(self) -> str:
        """BigQuery location."""

    def require(self, *names: str) -> Addresses:
        """Return the addresses, or say how to start those that are not known."""


@dataclass(frozen=True)
class Warehouse:
    """One dataset of one project, and the clients that reach it. The clients are made on first use and kept.

    Attributes:
        project: BigQuery project.
        dataset: dataset of the tables; ``<dataset>_stage`` holds rows that wait for their merge.
        location: BigQuery location of both datasets.
        rest: base URL of an emulator's REST API; None is BigQuery itself.
        storage: host:port of an emulator's Storage API; None is BigQuery itself.
    """

    project: str
    dataset: str
    location: str
    rest: str | None = None
    storage: str | None = None

    @property
    def stage(self) -> str:
        """Dataset of the stage tables: apart, so that no reader of the tables needs rights on half-loaded rows."""
        return f"{self.dataset}_stage"

    def beside(self, generation: int) -> Warehouse:
        """Return the dataset of a generation that is not live."""
        return replace(self, dataset=f"{self.dataset}_v{generation}")

    @cached_property
    def client(self) -> bigquery.Client:
        """Client for queries, load jobs and tables."""
        if self.rest is None:
            return bigquery.Client(project=self.project, location=self.location)
        return bigquery.Client(
            project=self.project,
            location=self.location,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.rest.rstrip("/")},
        )

    @cached_property
    def writer(self) -> Any:
        """Client of the Storage Write API."""
        if self.storage is None:
            return BigQueryWriteClient()  # type: ignore[no-untyped-call]
        transport = BigQueryWriteGrpcTransport(channel=grpc.insecure_channel(self.storage))
        return BigQueryWriteClient(transport=transport)  # type: ignore[no-untyped-call]

    def query(self, sql: str, *parameters: Parameter) -> Any:
        """Run one statement, wait for its end and return its rows; failures that pass are retried for a minute.

        The library's own patience is ten minutes, in which a writer could not be stopped.
        """
        return self.client.query_and_wait(
            sql,
            job_config=bigquery.QueryJobConfig(query_parameters=list(parameters)),
            retry=bigquery.DEFAULT_RETRY.with_timeout(RETRY_SECONDS),
            job_retry=DEFAULT_JOB_RETRY.with_timeout(RETRY_SECONDS),
        )

    def close(self) -> None:
        """Close the connections that were opened; using the warehouse again opens new ones."""
        client, writer = self.__dict__.pop("client", None), self.__dict__.pop("writer", None)
        if client is not None:
            client.close()
        if writer is not None:
            writer.transport.close()


def connect(place: Place) -> Warehouse:
    """Return the warehouse that the settings name; nothing is contacted yet.

    BigQuery itself uses the application default credentials.

    Raises:
        EnvironmentMissingError: the emulator is meant and is not running.
    """
    if place.target == "bigquery":
        return Warehouse(place.project, place.dataset, place.location)
    addresses = place.require("warehouse", "warehouse_grpc")
    return Warehouse(place.project, place.dataset, place.location, addresses.warehouse, addresses.warehouse_grpc)
