"""Clients of the warehouse: the emulator and BigQuery differ in endpoint and credentials, and in nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import grpc
from google.api_core.exceptions import (
    BadRequest,
    ClientError,
    Forbidden,
    GoogleAPIError,
    NotFound,
    TooManyRequests,
)
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_JOB_RETRY
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport
from requests import RequestException

from schemas.errors import CivicwireError, ConfigError, FatalError, RetriableError

Parameter: TypeAlias = "bigquery.ScalarQueryParameter | bigquery.ArrayQueryParameter"
RETRY_SECONDS = 60
LABELS = {"application": "civicwire"}
"""On everything that is made in a warehouse: datasets, tables and jobs."""


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

    @property
    def labels(self) -> dict[str, str]:
        """Labels for datasets, tables and jobs, beside our own."""

    @property
    def table_expiry_days(self) -> float | None:
        """Age at which tables of datasets that are made now are deleted."""

    @property
    def maximum_bytes_billed(self) -> int:
        """What one query may cost at most, in bytes that it reads."""

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
        labels: labels for datasets, tables and jobs, beside our own.
        table_expiry_days: age at which tables of datasets that are made now are deleted; None is never.
        maximum_bytes_billed: what one query may cost at most, in bytes that it reads; None is no limit.
    """

    project: str
    dataset: str
    location: str
    rest: str | None = None
    storage: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    table_expiry_days: float | None = None
    maximum_bytes_billed: int | None = None

    @property
    def stage(self) -> str:
        """Dataset of the stage tables: apart, so that no reader of the tables needs rights on half-loaded rows."""
        return f"{self.dataset}_stage"

    def beside(self, generation: int) -> Warehouse:
        """Return the dataset of a generation that is not live."""
        return replace(self, dataset=f"{self.dataset}_v{generation}")

    @cached_property
    def client(self) -> bigquery.Client:
        """Client for queries, load jobs and tables; each job has the labels, each query the limit of bytes."""
        labels = {**LABELS, **self.labels}
        query, load = bigquery.QueryJobConfig(labels=labels), bigquery.LoadJobConfig(labels=labels)
        if self.maximum_bytes_billed is not None:
            query.maximum_bytes_billed = self.maximum_bytes_billed
        elsewhere: dict[str, Any] = {}
        if self.rest is not None:
            elsewhere = {
                "credentials": AnonymousCredentials(),  # type: ignore[no-untyped-call]
                "client_options": {"api_endpoint": self.rest.rstrip("/")},
            }
        return bigquery.Client(
            project=self.project,
            location=self.location,
            default_query_job_config=query,
            default_load_job_config=load,
            **elsewhere,
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
    addresses = place.require("warehouse", "warehouse_grpc")
    return Warehouse(
        place.project,
        place.dataset,
        place.location,
        addresses.warehouse,
        addresses.warehouse_grpc,
        labels=place.labels,
        table_expiry_days=place.table_expiry_days,
        maximum_bytes_billed=place.maximum_bytes_billed,
    )


@contextmanager
def explained(again: str = "Run the command again.") -> Iterator[None]:
    """Turn failures of the warehouse into errors that say what to do.

    Args:
        again: the end of a message about a failure that may pass.

    Raises:
        ConfigError: the request itself is refused: credentials, rights, names, SQL, the limit of bytes.
        FatalError: the warehouse refused it for another reason.
        RetriableError: the other side may recover.
    """
    try:
        yield
    except (GoogleAuthError, GoogleAPIError, RequestException, TimeoutError) as error:
        raise _meaning(error, again) from error


def _meaning(error: Exception, again: str) -> CivicwireError:
    told: CivicwireError = RetriableError(f"The warehouse does not answer: {error} {again}")
    if isinstance(error, GoogleAuthError):
        told = ConfigError(f"No credentials for the warehouse: {error} Run `gcloud auth application-default login`.")
    elif isinstance(error, ClientError) and not isinstance(error, TooManyRequests):
        message = str(error.message)
        if "bytes billed" in message:
            told = ConfigError(f"{message} Ask for less, or raise CIVICWIRE_MAXIMUM_BYTES_BILLED.")
        elif isinstance(error, Forbidden):
            told = ConfigError(f"The warehouse forbids this: {message} Ask for the role, or take another project.")
        elif "concurrent update" not in message:
            kind = ConfigError if isinstance(error, BadRequest | NotFound) else FatalError
            told = kind(f"The warehouse refuses this: {message}. Correct the SQL or the names in it.")
    return told
