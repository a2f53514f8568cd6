"""What the module says of civicwire is what civicwire says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from civicwire.replay import WRITTEN_BY
from civicwire.settings import Settings
from producers import publisher, tail
from schemas import topics
from stream_jobs import jobs
from stream_jobs.tables import Cluster
from stream_jobs.warehouse import progress, tables

ROOT = Path(__file__).parents[3]
FIRST = Cluster("broker:9092", "http://registry")
MODULE = ROOT / "terraform"


def acls() -> dict[str, dict[str, set[str]]]:
    """Kafka's ACLs: pattern, identity, operations."""
    text = (MODULE / "kafka.tf").read_text(encoding="utf-8").partition("kafka_acls = {")[2].partition("\n  }")[0]
    return {
        pattern: {
            identity: set(re.findall(r'"(\w+)"', operations))
            for identity, operations in re.findall(r"(\w+)\s*=\s*\[(.*?)\]", entries)
        }
        for pattern, entries in re.findall(r'"([^"]+)"\s*=\s*\{(.*)\}', text)
    }


def may(identity: str, operation: str, kind: str, name: str) -> bool:
    """Whether an ACL lets ``identity`` do that to the topic, consumerGroup or transactionalId of that name."""
    return any(
        operation in entries.get(identity, ())
        for pattern, entries in acls().items()
        if pattern == f"{kind}/{name}"
        or (pattern.startswith(f"{kind}Prefixed/") and name.startswith(pattern.partition("/")[2]))
    )


def test_every_setting_of_the_env_file_is_one_that_civicwire_reads():
    named = re.findall(r"\bCIVICWIRE_(\w+)\s*=", (MODULE / "outputs.tf").read_text(encoding="utf-8"))
    assert len(named) > 4
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


def test_grafana_may_read_every_table_that_a_panel_reads_directly():
    variables = (MODULE / "variables.tf").read_text(encoding="utf-8")
    default = re.search(r'variable "grafana_tables" \{.*?default\s*=\s*\[(.*?)\]', variables, re.DOTALL)
    assert default is not None
    read = {
        table
        for file in (ROOT / "dashboards/generated").rglob("*.json")
        for table in re.findall(r"\$\{dataset\}\.(\w+)", file.read_text(encoding="utf-8"))
    }
    assert set(re.findall(r"\w+", default[1])) == read


def test_flink_may_read_and_write_what_its_jobs_do_and_no_other_topic():
    cluster = Cluster("broker:9092", "http://registry")
    everything = [make(cluster) for make in jobs.JOBS.values()]
    reads = {topic.name for job in everything for topic in job.sources}
    writes = {topic.name for job in everything for topic in job.sinks}
    assert all(may("flink", "READ", "topic", topic) for topic in reads)
    assert all(may("flink", "WRITE", "topic", topic) for topic in writes)
    assert all(may("flink", "READ", "consumerGroup", job.group) for job in everything)
    written = {
        pattern.partition("/")[2].removesuffix(".v")
        for pattern, entries in acls().items()
        if pattern.startswith("topic") and "WRITE" in entries.get("flink", ())
    }
    assert written == writes


def test_a_replay_of_any_version_may_use_its_topics_and_groups_as_the_first_does():
    versions = {topic.name: 7 for job in (jobs.normalize, jobs.windows) for topic in job(FIRST).sinks}
    again = [make(Cluster("broker:9092", "http://registry", versions=versions)) for make in jobs.JOBS.values()]
    assert all(may("flink", "WRITE", "topic", topic.name) for job in again for topic in job.sinks)
    assert all(may("flink", "READ", "topic", topic.name) for job in again for topic in job.sources)
    assert all(may("flink", "READ", "consumerGroup", job.group) for job in again)
    assert all(may("writer", "READ", "topic", name) for name in progress.reads(versions))
    assert may("writer", "READ", "consumerGroup", f"{progress.GROUP}.v7")
    assert may("writer", "READ", "topic", topics.VERSIONS.name)
    writes = {who for who, operations in acls()[f"topic/{topics.VERSIONS.name}"].items() if "WRITE" in operations}
    assert writes == {"replay"}


def test_who_replays_may_do_all_that_a_replay_does():
    versions = {topic.name: 7 for topic in WRITTEN_BY["normalize"]}
    live = [make(FIRST) for make in jobs.JOBS.values()]
    again = [make(Cluster("broker:9092", "http://registry", versions=versions)) for make in jobs.JOBS.values()]
    own = {topic.name for job in again for topic in job.sinks}
    read = {topic.name for job in (*live, *again) for topic in job.sources}
    read |= {*progress.reads({}), *progress.reads(versions), topics.VERSIONS.name}
    groups = {job.group for job in (*live, *again)} | {progress.GROUP, f"{progress.GROUP}.v7"}
    assert [name for name in own if not may("replay", "ALL", "topic", name)] == [], "made, emptied and deleted"
    assert [name for name in read - own if not may("replay", "READ", "topic", name)] == []
    assert [name for name in groups if not may("replay", "READ", "consumerGroup", name)] == [], (
        "offsets are handed over"
    )
    dropped = groups - {progress.GROUP}
    assert [name for name in dropped if not may("replay", "DELETE", "consumerGroup", name)] == []
    # Windows that start from nothing write a tombstone under every key, those of the live generation too.
    emptied = {topic.name for job in live if job.stateful for topic in job.sinks}
    assert [name for name in emptied if not may("replay", "WRITE", "topic", name)] == []


def test_dbt_reads_no_table_that_the_module_does_not_make_in_the_dataset_that_dbt_may_read():
    (declared,) = yaml.safe_load((ROOT / "dbt/models/staging/_sources.yml").read_text(encoding="utf-8"))["sources"]
    made = {file.stem for file in (MODULE / "tables").glob("*.json")}
    assert {table["name"] for table in declared["tables"]} <= made
    assert declared["schema"] == "{{ env_var('CIVICWIRE_DATASET', 'civicwire') }}"


def test_flink_has_slots_for_every_job_at_once():
    variables = (MODULE / "variables.tf").read_text(encoding="utf-8")
    manifest = (MODULE / "templates/flink.yaml.tftpl").read_text(encoding="utf-8")
    slots = re.search(r"\bslots\s+= optional\(number, (\d+)\)", variables)
    width = re.search(r"parallelism\.default: (\d+)", manifest)
    assert slots is not None
    assert width is not None
    assert int(slots[1]) >= len(jobs.JOBS) * int(width[1])


def test_the_writer_may_read_its_topics_and_write_none():
    assert all(may("writer", "READ", "topic", topic) for topic in tables.STAGES)
    assert may("writer", "READ", "consumerGroup", progress.GROUP)
    assert not any("WRITE" in entries.get("writer", ()) for entries in acls().values())


def test_every_publisher_may_use_the_ids_that_it_makes():
    template = re.search(r'"transactional.id": f"([^"]+)"', Path(publisher.__file__).read_text(encoding="utf-8"))
    default = re.search(r'\brole: str = "(\w+)"', Path(publisher.__file__).read_text(encoding="utf-8"))
    groups = re.findall(r'"group.id": f"([^"{]+)', Path(tail.__file__).read_text(encoding="utf-8"))
    code = [
        file.read_text(encoding="utf-8") for room in ("producers", "civicwire") for file in (ROOT / room).rglob("*.py")
    ]
    assert template is not None
    assert default is not None
    assert groups
    roles = {default[1], *(role for text in code for role in re.findall(r'\brole="(\w+)"', text))}
    ids = [template[1].format(role=role, source="austin_crime_reports") for role in roles]
    assert [name for name in ids if not may("producer", "WRITE", "transactionalId", name)] == []
    assert all(may("producer", "READ", "consumerGroup", f"{name}0123") for name in groups)


def test_no_grant_is_a_basic_role_or_about_everybody():
    text = "\n".join(file.read_text(encoding="utf-8") for file in MODULE.rglob("*.tf"))
    assert re.findall(r"roles/(?:owner|editor|viewer)\b", text) == []
    assert not re.search(r"allUsers|allAuthenticatedUsers|service_account_key|_iam_(?:policy|binding)\"", text)
