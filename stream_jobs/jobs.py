"""The two Flink jobs: which SQL files they run over which tables, with which settings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from schemas import loader, topics
from schemas.errors import ConfigError
from stream_jobs import crosswalk, tables, taxonomy
from stream_jobs.tables import Cluster

FOLDER = Path(__file__).parent
NORMALIZE = FOLDER / "normalize"
WINDOWS = FOLDER / "windows"
FRAGMENTS = FOLDER / "fragments"

MINI_BATCH_LATENCY = "500 ms"
"""Window counts collect changes this long: enough to fold a poll's burst, short beside the time of a poll."""
MINI_BATCH_ROWS = "20000"
"""And no more rows than these, of which an incident is three: some 10 MB of a task's heap."""

OBJECT_REUSE = {"pipeline.object-reuse": "true"}
"""Flink's SQL operators copy what they keep, so rows need not be copied between those of one task."""

TABLE = "create temporary table"
"""Beginning of the statements that name addresses and topics; all others are the job's own."""
WRITES = {"normalize": topics.INCIDENTS, "windows": topics.INCIDENT_COUNTS}
"""The topic of each job whose version is the job's: all that it writes has the same."""
GROUPS = {"normalize": "civicwire-normalise", "windows": "civicwire-windows"}
NORMALIZE_SINKS = {
    topics.INCIDENTS: "incident_id",
    topics.PERSONS: "person_id",
    topics.INDICATORS: "indicator_id",
    topics.DEAD_LETTERS: "dead_id",
}
"""Topics that normalise may write, each with the column whose text is the Kafka key; a feed fills some of them."""

NORMALIZED_FIELDS = frozenset(
    {"record_id", "revision", "op", "observed_at", "source_updated_at", "late", "poll_id", "row"}
)
"""Fields of a raw event that incidents are made of."""

COUNTED_FIELDS = frozenset(
    {
        *("incident_id", "source", "revision", "op", "deleted", "late", "kind", "category", "area"),
        *("occurred_local", "occurred_at", "observed_at"),
    }
)
"""Fields of an incident that the windows are made of."""

_STATEMENT_END = re.compile(r";\s*$", re.MULTILINE)
_COMMENT_LINE = re.compile(r"^\s*--.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Job:
    """One Flink job.

    Attributes:
        name: normalize or windows, with the version of what it writes where that is not the first: windows.v2.
        group: consumer group in which the job commits how far it has read.
        sources: topics that it reads.
        sinks: topics that it writes.
        stateful: whether it must read from the start when there is no checkpoint to go on from.
        definitions: statements to run one after another before the job starts: tables and views.
        inserts: statements that together are the job.
        settings: Flink settings of this job alone.
    """

    name: str
    group: str
    sources: tuple[topics.Topic, ...]
    sinks: tuple[topics.Topic, ...]
    stateful: bool
    definitions: tuple[str, ...]
    inserts: tuple[str, ...]
    settings: dict[str, str]

    @property
    def title(self) -> str:
        """Name of the job in Flink."""
        return f"civicwire {self.name}"

    @property
    def fingerprint(self) -> str:
        """Changes with the job's statements, settings and delivery guarantee: then an old checkpoint may not fit."""
        statements = (*self.definitions, *self.inserts)
        own = [text for text in statements if not text.startswith(TABLE)]
        own.append("exactly-once" if any("= 'exactly-once'" in text for text in statements) else "at-least-once")
        own.append(json.dumps(self.settings, sort_keys=True))
        return hashlib.blake2b("\n".join(own).encode(), digest_size=8).hexdigest()


def feeds() -> list[str]:
    """Return the sources that have a normalise file, in order: those that can be normalised."""
    return sorted(path.stem for path in NORMALIZE.glob("*.sql"))


def script(path: Path) -> str:
    """Return a SQL file filled in: shared fragments, mappings from crosswalks, rows from Avro files.

    Raises:
        ConfigError: the file is no template, or asks for something that there is not.
    """
    values: dict[str, object] = {"source": path.stem}
    if path.parent == NORMALIZE:
        values |= {target: found.expression() for target, found in crosswalk.of_source(path.stem).items()}
        values["crime_against"] = taxonomy.crime_against()
        values["row_as_json"] = _row_as_json(path.stem)
    templates = jinja2.Environment(  # noqa: S701  what is made is SQL of our own files, no HTML
        loader=jinja2.FileSystemLoader([path.parent, FRAGMENTS]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    try:
        return templates.get_template(path.name).render(values)
    except jinja2.UndefinedError as error:
        raise ConfigError(
            f"{path.name}: {error}: add a crosswalk in which it is a column, or a macro to the fragment."
        ) from error
    except jinja2.TemplateError as error:
        raise ConfigError(f"{path.name} cannot be filled in: {error}. Correct the file or its fragment.") from error


def statements(path: Path) -> list[str]:
    """Return the rendered statements of a SQL file, without comment lines and closing semicolons."""
    bare = _COMMENT_LINE.sub("", script(path))
    return [statement.strip() for statement in _STATEMENT_END.split(bare) if statement.strip()]


def normalize(cluster: Cluster, chosen: Sequence[str] | None = None) -> Job:
    """Return the job that turns the raw events of feeds into incidents, persons, indicators and dead letters.

    Args:
        cluster: where topics and schemas are.
        chosen: the feeds to read, all that can be normalised by default. Each feed costs seconds of planning and a
            reader for its topic, so a caller that knows which feeds are polled names them.
    """
    versions = cluster.versions
    group = versioned(GROUPS["normalize"], "normalize", versions)
    files = [NORMALIZE / f"{source}.sql" for source in sorted(feeds() if chosen is None else chosen)]
    sources = tuple(topics.raw(path.stem) for path in files)
    definitions, inserts = _read(cluster, files)
    filled = {insert.split(maxsplit=3)[2] for insert in inserts}
    sinks = {topic: key for topic, key in NORMALIZE_SINKS.items() if tables.table_name(topic) in filled}
    return Job(
        name=versioned("normalize", "normalize", versions),
        group=group,
        sources=sources,
        sinks=tuple(topic.at(versions) for topic in sinks),
        stateful=False,
        definitions=(
            *(
                tables.source(cluster, topic, group=group, from_start=False, fields=NORMALIZED_FIELDS)
                for topic in sources
            ),
            *(tables.sink(cluster, topic, key=key) for topic, key in sinks.items()),
            *definitions,
        ),
        inserts=inserts,
        settings=OBJECT_REUSE,
    )


def windows(cluster: Cluster) -> Job:
    """Return the job that counts the current incidents by window."""
    versions = cluster.versions
    group = versioned(GROUPS["windows"], "windows", versions)
    queries = sorted(path for path in WINDOWS.glob("*.sql") if path.stem != "incident_changes")
    definitions, inserts = _read(cluster, [WINDOWS / "incident_changes.sql", *queries])
    return Job(
        name=versioned("windows", "windows", versions),
        group=group,
        sources=(topics.INCIDENTS.at(versions),),
        sinks=(topics.INCIDENT_COUNTS.at(versions), topics.ARRIVALS.at(versions)),
        stateful=True,
        definitions=(
            tables.source(cluster, topics.INCIDENTS, group=group, from_start=True, fields=COUNTED_FIELDS),
            tables.upsert_sink(cluster, topics.INCIDENT_COUNTS, key=tables.COUNT_KEY),
            tables.upsert_sink(cluster, topics.ARRIVALS, key=tables.ARRIVAL_KEY),
            *definitions,
        ),
        inserts=inserts,
        settings={
            "table.exec.mini-batch.enabled": "true",
            "table.exec.mini-batch.allow-latency": MINI_BATCH_LATENCY,
            "table.exec.mini-batch.size": MINI_BATCH_ROWS,
            **OBJECT_REUSE,
            # Few changes of a batch meet in a window, so a first aggregate before the exchange would fold next to none.
            "table.optimizer.agg-phase-strategy": "ONE_PHASE",
            # Most lookups are for incidents and hours that are not there yet.
            "state.backend.rocksdb.use-bloom-filter": "true",
            # Each checkpoint leaves small files; levels would merge them into all of the state every few seconds.
            "state.backend.rocksdb.compaction.style": "UNIVERSAL",
            "state.backend.rocksdb.compression.per.level": "LZ4_COMPRESSION",
            # The key of the sink is the key of the aggregate, so there is nothing to reconcile in front of it.
            "table.exec.sink.upsert-materialize": "NONE",
            "table.exec.sink.require-on-conflict": "false",
        },
    )


JOBS: dict[str, Callable[[Cluster], Job]] = {"normalize": normalize, "windows": windows}
"""In the order of the stream, with every feed that can be normalised."""


def versioned(name: str, job: str, versions: Mapping[str, int]) -> str:
    """Return ``name``, of the job or something of it, as it is called where topics have these versions."""
    version = versions.get(WRITES[job].name, 1)
    return name if version == 1 else f"{name}.v{version}"


def _read(cluster: Cluster, files: list[Path]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the files' definitions and inserts."""
    parts = [(path.stem, statement) for path in files for statement in statements(path)]
    inserts = [(name, part) for name, part in parts if part.startswith("insert")]
    return (
        tuple(part for _, part in parts if not part.startswith("insert")),
        tuple(_own_transactions(cluster, name, part) if cluster.exactly_once else part for name, part in inserts),
    )


def _own_transactions(cluster: Cluster, name: str, insert: str) -> str:
    """Several files write to one topic, each through its own sink, and sinks must not share transactional ids.

    The ids are made of the file's name and not of its place among the others: when the set of feeds changes, a feed
    must find its own transactions again to end what it left open, or readers of committed records wait for them.
    """
    *_, topic, rest = insert.split(maxsplit=3)
    version = cluster.versions.get(topic, 1)
    of_version = topic if version == 1 else f"{topic}.v{version}"
    prefix = f"{cluster.transactional_id}-{of_version}-{name}"
    return f"insert into {topic} /*+ options('sink.transactional-id-prefix' = '{prefix}') */ {rest}"


def _row_as_json(source: str) -> str:
    (row,) = (field["type"] for field in loader.document(f"raw/{source}")["fields"] if field["name"] == "row")
    pairs = ",\n".join(f"        key '{field['name']}' value `row`.`{field['name']}`" for field in row["fields"])
    return f"json_object(\n{pairs}\n        absent on null\n    )"
