"""The tables: columns, types and descriptions come from the Avro schemas; partitions, clusters and keys are here.

Terraform and the documentation read :data:`TABLES` too, so that there is one place to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from schemas import loader, topics
from schemas.errors import ConfigError

LABELS = {"application": "civicwire", "written_by": "stream_jobs_warehouse"}
STAGE_EXPIRES_HOURS = 24
"""A batch lives in the stage for seconds; a day leaves time to look at what a crash left behind."""
STAGED_AT = "staged_at"
BATCH_ID = "batch_id"

_TYPES = {
    "string": "STRING",
    "long": "INT64",
    "int": "INT64",
    "double": "FLOAT64",
    "boolean": "BOOL",
    "bytes": "BYTES",
    "timestamp-millis": "TIMESTAMP",
    "date": "DATE",
}
_ARROW: dict[str, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "BYTES": pa.binary(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    "DATETIME": pa.timestamp("us"),
    "DATE": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``required`` columns are never null; a field that came later (it has a default) is not required."""

    name: str
    type: str
    required: bool
    description: str

    @property
    def field(self) -> bigquery.SchemaField:
        """The column for the BigQuery client."""
        mode = "REQUIRED" if self.required else "NULLABLE"
        return bigquery.SchemaField(self.name, self.type, mode, description=self.description)

    @property
    def arrow(self) -> pa.Field[Any]:
        """The column for Arrow: TIMESTAMP is microseconds UTC, DATETIME microseconds without a zone."""
        return pa.field(self.name, _ARROW[self.type])


LOADED_AT = Column("loaded_at", "TIMESTAMP", True, "UTC instant at which the writer wrote this row's current values.")
OFFSET_COLUMNS = (
    Column("kafka_partition", "INT64", True, "Partition of the message in its topic."),
    Column("kafka_offset", "INT64", True, "Offset of the message in that partition."),
)


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: table name in the dataset.
        topic: where its rows come from; the columns are those of the topic's schema.
        grain: what one row is, for people.
        key: columns that identify a row.
        partition: DATE or TIMESTAMP column; partitions are months.
        cluster: clustering columns.
        added: columns that the schema does not have, in order, between the schema's and ``loaded_at``.
        version: column of which the highest value wins; None where a row is written once and never changes.
        civil_date: the added DATE column and the civil time whose date it is, if there is one.
    """

    name: str
    topic: topics.Topic
    grain: str
    key: tuple[str, ...]
    partition: str
    cluster: tuple[str, ...]
    added: tuple[Column, ...] = ()
    civil_date: tuple[str, str] | None = None
    version: str | None = None

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns in order."""
        fields = loader.document(self.topic.schema)["fields"]
        return (*(_column(field) for field in fields), *self.added, LOADED_AT)

    @property
    def description(self) -> str:
        """Grain, partition and freshness, then the schema's own words."""
        return (
            f"{self.grain} Partitioned by month of {self.partition}. Written by the warehouse writer from topic "
            f"{self.topic.name}. {loader.document(self.topic.schema)['doc']}"
        )

    def definition(self, project: str, dataset: str) -> bigquery.Table:
        """Return the table for the BigQuery client."""
        table = bigquery.Table(f"{project}.{dataset}.{self.name}", schema=[column.field for column in self.columns])
        table.time_partitioning = bigquery.TimePartitioning(type_="MONTH", field=self.partition)
        table.clustering_fields = list(self.cluster) or None
        table.description = self.description
        table.labels = dict(LABELS)
        return table


def _column(field: dict[str, Any]) -> Column:
    """Return the column of one Avro field.

    Raises:
        ConfigError: the field's type has no column type.
    """
    kind, nullable = field["type"], False
    if isinstance(kind, list):
        nullable = "null" in kind
        kinds = [choice for choice in kind if choice != "null"]
        kind = kinds[0] if len(kinds) == 1 else kind
    name = field["name"]
    plain = (kind.get("logicalType") or kind.get("type")) if isinstance(kind, dict) else kind
    column_type = _TYPES.get(plain) if isinstance(plain, str) else None
    if column_type is None:
        raise ConfigError(f"Field {name!r} has type {kind!r}, which has no column type: use one of {sorted(_TYPES)}.")
    if column_type == "STRING" and (name.endswith("_local") or name == "window_start"):
        column_type = "DATETIME"
    return Column(name, column_type, not nullable and "default" not in field, field["doc"])


_OCCURRED_DATE = Column(
    "occurred_date",
    "DATE",
    False,
    "Date of occurred_local. Null only where no good revision has ever been seen.",
)

INCIDENTS = Table(
    name="incidents",
    topic=topics.INCIDENTS,
    grain="One row per incident: its highest revision; deleted ones stay, with deleted = true.",
    key=("incident_id",),
    version="revision",
    partition="occurred_date",
    cluster=("source", "category", "area"),
    added=(_OCCURRED_DATE,),
    civil_date=("occurred_date", "occurred_local"),
)
INCIDENT_REVISIONS = Table(
    name="incident_revisions",
    topic=topics.INCIDENTS,
    grain="One row per revision of an incident: what was known when.",
    key=("incident_id", "revision"),
    partition="occurred_date",
    cluster=("source", "category", "area"),
    added=(_OCCURRED_DATE,),
    civil_date=("occurred_date", "occurred_local"),
)
PERSONS = Table(
    name="persons",
    topic=topics.PERSONS,
    grain="One row per person of an incident: the highest revision; deleted ones stay, with deleted = true.",
    key=("person_id",),
    version="revision",
    partition="occurred_date",
    cluster=("source", "role", "category"),
    added=(_OCCURRED_DATE,),
    civil_date=("occurred_date", "occurred_local"),
)
PERSON_REVISIONS = Table(
    name="person_revisions",
    topic=topics.PERSONS,
    grain="One row per revision of a person: what was published when.",
    key=("person_id", "revision"),
    partition="occurred_date",
    cluster=("source", "role", "category"),
    added=(_OCCURRED_DATE,),
    civil_date=("occurred_date", "occurred_local"),
)
INDICATORS = Table(
    name="indicators",
    topic=topics.INDICATORS,
    grain="One row per figure of an area and month: its highest revision; deleted ones stay, with deleted = true.",
    key=("indicator_id",),
    version="revision",
    partition="month",
    cluster=("source", "indicator", "area"),
)
INDICATOR_REVISIONS = Table(
    name="indicator_revisions",
    topic=topics.INDICATORS,
    grain="One row per revision of a figure: what was published when.",
    key=("indicator_id", "revision"),
    partition="month",
    cluster=("source", "indicator", "area"),
)
INCIDENT_COUNTS = Table(
    name="incident_counts",
    topic=topics.INCIDENT_COUNTS,
    grain="One row per source, grain, window, area, category and kind: its current counts, and how they came about.",
    key=("source", "grain", "window_start", "area", "category", "kind"),
    version="version",
    partition="window_date",
    cluster=("source", "grain", "category"),
    added=(
        Column("window_date", "DATE", True, "Date of window_start."),
        Column("version", "INT64", True, "Offset of the message that gave these counts; the higher one is the newer."),
    ),
    civil_date=("window_date", "window_start"),
)
ARRIVALS = Table(
    name="arrivals",
    topic=topics.ARRIVALS,
    grain="One row per source, grain and stretch of observation: what arrived in it, and how long after the event.",
    key=("source", "grain", "window_start"),
    version="version",
    partition="window_start",
    cluster=("source", "grain"),
    added=(
        Column("version", "INT64", True, "Offset of the message that gave these counts; the higher one is the newer."),
    ),
)
POLLS = Table(
    name="polls",
    topic=topics.POLLS,
    grain="One row per poll.",
    key=("poll_id",),
    partition="started_at",
    cluster=("source",),
)
DEAD_LETTERS = Table(
    name="dead_letters",
    topic=topics.DEAD_LETTERS,
    grain="One row per dead letter, as first seen.",
    key=("dead_id",),
    partition="observed_at",
    cluster=("source", "reason"),
)
DRIFT = Table(
    name="drift",
    topic=topics.DRIFT,
    grain="One row per drift event.",
    key=("kafka_partition", "kafka_offset"),
    partition="observed_at",
    cluster=("source",),
    added=OFFSET_COLUMNS,
)

TABLES = (
    INCIDENTS,
    INCIDENT_REVISIONS,
    PERSONS,
    PERSON_REVISIONS,
    INDICATORS,
    INDICATOR_REVISIONS,
    INCIDENT_COUNTS,
    ARRIVALS,
    POLLS,
    DEAD_LETTERS,
    DRIFT,
)


@dataclass(frozen=True)
class Stage:
    """Where the rows of one topic wait for their merge: a table that many batches share, told apart by batch_id.

    Attributes:
        topic: where its rows come from.
        columns: the columns of the table that the topic feeds, position in the topic, batch and time; none required.
    """

    topic: topics.Topic
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        """Table name in the stage dataset: the topic's."""
        return self.topic.name

    @cached_property
    def arrow(self) -> pa.Schema:
        """The columns for Arrow."""
        return pa.schema([column.arrow for column in self.columns])

    def definition(self, project: str, dataset: str) -> bigquery.Table:
        """Return the table for the BigQuery client: days as partitions, which expire."""
        table = bigquery.Table(f"{project}.{dataset}.{self.name}", schema=[column.field for column in self.columns])
        table.time_partitioning = bigquery.TimePartitioning(
            type_="DAY",
            field=STAGED_AT,
            expiration_ms=STAGE_EXPIRES_HOURS * 3_600_000,
        )
        table.clustering_fields = [BATCH_ID]
        table.description = f"Rows of topic {self.topic.name} that wait for their merge, for seconds."
        table.labels = dict(LABELS)
        return table


def _stage(table: Table) -> Stage:
    own = tuple(Column(c.name, c.type, False, c.description) for c in table.columns if c not in OFFSET_COLUMNS)
    return Stage(
        table.topic,
        (
            *own,
            *(Column(c.name, c.type, False, c.description) for c in OFFSET_COLUMNS),
            Column("tombstone", "BOOL", False, "The message had a key and no value."),
            Column(BATCH_ID, "STRING", False, "The batch that staged the row."),
            Column(STAGED_AT, "TIMESTAMP", False, "UTC instant at which the batch was staged."),
        ),
    )


STAGES = {
    table.topic.name: _stage(table)
    for table in (INCIDENTS, PERSONS, INDICATORS, INCIDENT_COUNTS, ARRIVALS, POLLS, DEAD_LETTERS, DRIFT)
}
"""The stage of each topic that the writer reads."""


def ensure_tables(client: bigquery.Client, dataset: str) -> None:
    """Create what is not there: ``dataset``, ``<dataset>_stage`` and their tables; add columns that schemas gained.

    Existing columns, partitions and clusters are left as they are. Running it twice, or in two processes, is fine.
    """
    definitions = {dataset: [table.definition(client.project, dataset) for table in TABLES]}
    stage = f"{dataset}_stage"
    definitions[stage] = [waiting.definition(client.project, stage) for waiting in STAGES.values()]
    for name, wanted in definitions.items():
        present = _columns_present(client, name)
        for table in wanted:
            if table.table_id not in present:
                client.create_table(table, exists_ok=True)
            elif {field.name for field in table.schema} - present[table.table_id]:
                _add_columns(client, table)


def _columns_present(client: bigquery.Client, dataset: str) -> dict[str, set[str]]:
    """Return the columns of each table of the dataset, in one request; create the dataset if it is not there."""
    found: dict[str, set[str]] = {}
    sql = f"select table_name, column_name from `{client.project}.{dataset}`.INFORMATION_SCHEMA.COLUMNS"  # noqa: S608
    try:
        for row in client.query_and_wait(sql):
            found.setdefault(row["table_name"], set()).add(row["column_name"])
    except NotFound:
        found = {}
    if not found:
        wanted = bigquery.Dataset(f"{client.project}.{dataset}")
        wanted.labels = dict(LABELS)
        if client.location:
            wanted.location = client.location
        client.create_dataset(wanted, exists_ok=True)
    return found


def _add_columns(client: bigquery.Client, wanted: bigquery.Table) -> None:
    present = client.get_table(wanted.reference)
    names = {field.name for field in present.schema}
    present.schema = [*present.schema, *(_nullable(field) for field in wanted.schema if field.name not in names)]
    client.update_table(present, ["schema"])


def _nullable(field: bigquery.SchemaField) -> bigquery.SchemaField:
    """Return the column as it can be added to a table that has rows."""
    return bigquery.SchemaField(field.name, field.field_type, "NULLABLE", description=field.description)
