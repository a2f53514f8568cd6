"""The broker: one KRaft node that is broker and controller at once."""

from __future__ import annotations

import subprocess
import uuid
from base64 import urlsafe_b64encode

from civicwire.stack.ports import LOOPBACK, answers
from civicwire.stack.process import PROBE_SECONDS, Place, Process
from schemas.errors import FatalError

PORTS = ("kafka", "kafka_controller")
_LOG_SETTINGS = """\
Configuration:
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "%d %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: [{ref: STDOUT}]}
    Logger:
      - {name: kafka.server.KafkaRaftServer, level: INFO}
      - {name: org.apache.kafka.common.utils.AppInfoParser, level: ERROR}
"""


def processes(place: Place) -> list[Process]:
    """Return the broker's process."""
    heap = place.tuning.kafka_heap_mb
    flags = (f"-Xms{heap // 2}m", f"-Xmx{heap}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    return [
        Process(
            name="kafka",
            part="kafka",
            command=(*_java(place, "kafka", *flags), "kafka.Kafka", str(_properties_file(place))),
            healthy=lambda: _serves(f"{LOOPBACK}:{place.ports['kafka']}", place.ports["kafka"]),
            folder=place.data("kafka"),
            prepare=lambda: _prepare(place),
        )
    ]


def endpoints(place: Place) -> dict[str, str]:
    """Return the bootstrap servers."""
    return {"kafka": f"{LOOPBACK}:{place.ports['kafka']}"}


def _java(place: Place, program: str, *flags: str) -> tuple[str, ...]:
    folder = place.data("kafka")
    return (
        str(place.installed.java),
        *flags,
        *place.installed.class_archive(program),
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={(folder / 'log4j2.yaml').as_uri()}",
        "-cp",
        ":".join(map(str, place.installed.jars("kafka"))),
    )


def _properties_file(place: Place) -> str:
    return str(place.data("kafka") / "server.properties")


def _properties(place: Place) -> dict[str, object]:
    broker, controller = (f"{LOOPBACK}:{place.ports[name]}" for name in PORTS)
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": place.data("kafka") / "data",
        # A mistyped topic name must be an error, and topics need their own settings anyway.
        "auto.create.topics.enable": "false",
        "num.partitions": 2,
        # The topics are the only durable state: nothing may leave by age. Kafka's seven days would also take records
        # with old event timestamps within minutes.
        "log.retention.ms": -1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        # Flink's sinks keep a transaction open until the next checkpoint, and for as long as a recovery takes.
        "transaction.max.timeout.ms": 3_600_000,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,  # there is no fleet of consumers to wait for
        "num.network.threads": 2,
        "num.io.threads": 4,
        "log.cleaner.dedupe.buffer.size": 16 << 20,
        "log.segment.bytes": 100 << 20,
    }


def _prepare(place: Place) -> None:
    folder = place.data("kafka")
    (folder / "log4j2.yaml").write_text(_LOG_SETTINGS, encoding="utf-8")
    lines = "".join(f"{name}={value}\n" for name, value in _properties(place).items())
    (folder / "server.properties").write_text(lines, encoding="utf-8")
    if (folder / "data" / "meta.properties").is_file():
        return
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
    flags = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    command = (
        *_java(place, "kafka-format", *flags),
        "kafka.tools.StorageTool",
        "format",
        f"--cluster-id={cluster}",
        "-c",
    )
    done = subprocess.run([*command, _properties_file(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FatalError(f"Kafka's storage could not be formatted: {done.stdout}{done.stderr} See {folder}.")


def _serves(bootstrap_servers: str, port: int) -> bool:
    if not answers(port):
        return False
    from confluent_kafka import KafkaException  # noqa: PLC0415  slow to import; the other parts start meanwhile

    from schemas.kafka_topics import admin  # noqa: PLC0415

    try:
        return bool(admin(bootstrap_servers).list_topics(timeout=PROBE_SECONDS).brokers)
    except KafkaException:
        return False
