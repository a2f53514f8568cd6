"""The Flink session cluster: job manager and task manager, started as plain Java processes.

The distribution's shell wrappers are not used: they would stand between the supervisor and the Java processes, and they
start one more Java only to work out memory sizes, which are fixed here instead. The cluster and the clients that submit
jobs have the same class path (theirs through the links in ``<home>/flink/lib``), so nothing is uploaded with a job.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from civicwire.stack.installed import Installed
from civicwire.stack.ports import LOOPBACK, answers
from civicwire.stack.process import Place, Process, ask

PORTS = (
    "flink",
    "flink_rpc",
    "flink_blobs",
    "flink_metrics_jobmanager",
    "flink_metrics_taskmanager",
)
CLIENT = {
    "JVM_ARGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "_python_worker_execution_mode": "process",
}
"""Of the program that submits: a short one, for which Java's optimising compiler would never pay. No class archive: see
``Installed.class_archive``. PyFlink would start a server for Python functions, of which our jobs have none."""
JOB_MANAGER = "flink-jobmanager"
TASK_MANAGER = "flink-taskmanager"
_JOB_HEAP_MB = 448
_METASPACE_MB = 256
_FRAMEWORK_HEAP_MB = 128
_FRAMEWORK_OFF_HEAP_MB = 128
_NETWORK_MB = 128
_OVERHEAD_MB = 160
_JOB_SETTINGS = ("execution.", "state.", "restart-strategy.", "parallelism.", "table.", "rest.address", "rest.port")
"""Beginnings of the settings that concern a job or finding the cluster, not the cluster's processes."""
_LOG_SETTINGS = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.type = CONSOLE
appender.console.name = Console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.kafka.name = org.apache.flink.kafka.shaded
logger.kafka.level = WARN
logger.checkpoints.name = org.apache.flink.runtime.checkpoint
logger.checkpoints.level = WARN
logger.metrics.name = org.apache.flink.metrics.MetricGroup
logger.metrics.level = ERROR
logger.netty.name = org.apache.flink.shaded.netty4.io.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
"""
"""One setting for cluster and clients: to standard output, which the supervisor writes to the part's log.

Left out: a line for each checkpoint (there is one a second) and the Kafka sink's harmless complaint about the name of a
metric.
"""


@dataclass(frozen=True, slots=True)
class Client:
    """What a program needs that plans and submits jobs.

    Attributes:
        python: the interpreter with PyFlink.
        environment: to be added to the program's environment; it points at the cluster's class path, so that a job
            needs no jars of its own.
        settings: Flink settings for the program's ``Configuration`` (PyFlink does not read the cluster's file): where
            the cluster is, and the defaults of its jobs. A job may set any of them otherwise.
        connector_jars: the connectors, already on both class paths.
    """

    python: Path
    environment: dict[str, str]
    settings: dict[str, str]
    connector_jars: tuple[Path, ...]


def client(home: Path, installed: Installed) -> Client:
    """Return how to submit jobs to the cluster of this home, which must run."""
    flink = home / "flink"
    java_home = installed.java.parent.parent
    return Client(
        python=installed.flink_python,
        environment={
            "JAVA_HOME": str(java_home),
            "FLINK_HOME": str(installed.flink_home),
            "FLINK_CONF_DIR": str(flink / "conf"),
            "FLINK_LIB_DIR": str(flink / "lib"),
            "FLINK_LOG_DIR": str(home / "logs"),
            **CLIENT,
            "PATH": f"{installed.flink_python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(installed.python_site),
        },
        settings={
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in yaml.safe_load((flink / "conf" / "config.yaml").read_text(encoding="utf-8")).items()
            if name.startswith(_JOB_SETTINGS)
        },
        connector_jars=tuple(installed.jars("flink")),
    )


def processes(place: Place) -> list[Process]:
    """Return the job manager's and the task manager's processes."""
    rest = endpoints(place)["flink"]
    folder = place.data("flink")
    home = str(place.installed.flink_home)
    environment = {"FLINK_HOME": home, "FLINK_CONF_DIR": str(folder / "conf"), "FLINK_LIB_DIR": str(folder / "lib")}
    # Plugins (the Prometheus reporter) have class loaders of their own and are found through this variable.
    environment |= {"FLINK_PLUGINS_DIR": f"{home}/plugins", "FLINK_LOG_DIR": str(place.home / "logs")}
    entry = "org.apache.flink.runtime"
    return [
        Process(
            name=JOB_MANAGER,
            part="flink",
            command=(
                *_java(place, "-XX:TieredStopAtLevel=1", f"-Xms{_JOB_HEAP_MB // 2}m", f"-Xmx{_JOB_HEAP_MB}m"),
                f"{entry}.entrypoint.StandaloneSessionClusterEntrypoint",
                "--configDir",
                str(folder / "conf"),
                "--executionMode",
                "cluster",
                f"-Dmetrics.reporter.prom.port={place.ports['flink_metrics_jobmanager']}",
            ),
            environment=environment,
            healthy=lambda: ask(f"{rest}/overview") is not None,
            folder=folder,
            prepare=lambda: _prepare(place),
        ),
        Process(
            name=TASK_MANAGER,
            part="flink",
            command=(
                *_java(place, *_task_manager_flags(place)),
                f"{entry}.taskexecutor.TaskManagerRunner",
                "--configDir",
                str(folder / "conf"),
                f"-Dmetrics.reporter.prom.port={place.ports['flink_metrics_taskmanager']}",
            ),
            environment=environment,
            # Its configuration is the one that the job manager's preparation wrote.
            healthy=lambda: (
                # The job manager counts the slots of a dead task manager for some seconds, hence the port too.
                answers(place.ports["flink_metrics_taskmanager"])
                and (ask(f"{rest}/overview") or {}).get("slots-total", 0) >= place.tuning.slots
            ),
            folder=folder,
        ),
    ]


def endpoints(place: Place) -> dict[str, str]:
    """Return the job manager's base URL: REST API and web page."""
    return {"flink": f"http://{LOOPBACK}:{place.ports['flink']}"}


def _task_manager_flags(place: Place) -> tuple[str, ...]:
    heap = _FRAMEWORK_HEAP_MB + place.tuning.task_heap_mb
    # Half of the heap for young objects: what tasks hold on to is mini-batches and buffers, and each collection stops
    # them all. With Java's own third of a heap that grows, windows spent a tenth of their time in it.
    direct = _FRAMEWORK_OFF_HEAP_MB + _NETWORK_MB
    return (f"-Xms{heap}m", f"-Xmx{heap}m", f"-Xmn{heap // 2}m", f"-XX:MaxDirectMemorySize={direct}m")


def _java(place: Place, *flags: str) -> tuple[str, ...]:
    folder = place.data("flink")
    return (
        str(place.installed.java),
        *flags,
        f"-XX:MaxMetaspaceSize={_METASPACE_MB}m",
        "-XX:+UseSerialGC",
        f"-Dlog4j.configurationFile={(folder / 'conf' / 'log4j-console.properties').as_uri()}",
        *_module_flags(place.installed).split(),
        "-cp",
        ":".join(map(str, _class_path(place.installed))),
    )


def _module_flags(installed: Installed) -> str:
    """Return the Java options that open the JDK's modules, as the distribution's own configuration has them."""
    shipped = yaml.safe_load((installed.flink_home / "conf" / "config.yaml").read_text(encoding="utf-8"))
    return str(shipped["env"]["java"]["opts"]["all"])


def _class_path(installed: Installed) -> list[Path]:
    distribution = sorted((installed.flink_home / "lib").glob("*.jar"))
    return [*distribution, *sorted((installed.flink_home / "opt").glob("flink-python*.jar")), *installed.jars("flink")]


def _prepare(place: Place) -> None:
    folder = place.data("flink")
    for name in ("conf", "lib", "tmp", "checkpoints", "savepoints"):
        (folder / name).mkdir(exist_ok=True)
    wanted = {folder / "lib" / jar.name: jar for jar in _class_path(place.installed)}
    for link in (folder / "lib").iterdir():
        if link.readlink() != wanted.get(link):
            link.unlink()
    for link, jar in wanted.items():
        if not link.is_symlink():
            link.symlink_to(jar)
    text = yaml.safe_dump(_configuration(place), sort_keys=False, width=10_000)
    (folder / "conf" / "config.yaml").write_text(text, encoding="utf-8")
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        (folder / "conf" / name).write_text(_LOG_SETTINGS, encoding="utf-8")


def _configuration(place: Place) -> dict[str, Any]:
    folder, ports, tuning = place.data("flink"), place.ports, place.tuning
    return {
        "env.java.opts.all": _module_flags(place.installed),
        "env.java.home": str(place.installed.java.parent.parent),
        "python.executable": str(place.installed.flink_python),
        "python.client.executable": str(place.installed.flink_python),
        "execution.target": "remote",
        "parallelism.default": 2,
        "io.tmp.dirs": str(folder / "tmp"),
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": ports["flink"],
        "rest.bind-port": str(ports["flink"]),
        "jobmanager.bind-host": LOOPBACK,
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": ports["flink_rpc"],
        "jobmanager.memory.heap.size": f"{_JOB_HEAP_MB}m",
        "blob.server.port": str(ports["flink_blobs"]),
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.host": LOOPBACK,
        # Any free port, another one at each start: the job manager goes on knocking at the address of a task manager
        # that died, and one that came back there while it knocked was never let in again.
        "taskmanager.rpc.port": "0",
        "taskmanager.data.port": 0,
        "taskmanager.numberOfTaskSlots": tuning.slots,
        # All sizes are fixed: a task manager that is not started by the shell wrappers does not work them out.
        "taskmanager.cpu.cores": float(tuning.slots),
        "taskmanager.memory.framework.heap.size": f"{_FRAMEWORK_HEAP_MB}m",
        "taskmanager.memory.framework.off-heap.size": f"{_FRAMEWORK_OFF_HEAP_MB}m",
        "taskmanager.memory.task.heap.size": f"{tuning.task_heap_mb}m",
        "taskmanager.memory.task.off-heap.size": "0m",
        "taskmanager.memory.network.min": f"{_NETWORK_MB}m",
        "taskmanager.memory.network.max": f"{_NETWORK_MB}m",
        # RocksDB is the only one that would use it, and has its memory below.
        "taskmanager.memory.managed.size": "0m",
        "taskmanager.memory.jvm-metaspace.size": f"{_METASPACE_MB}m",
        "taskmanager.memory.jvm-overhead.min": f"{_OVERHEAD_MB + tuning.state_mb}m",
        "taskmanager.memory.jvm-overhead.max": f"{_OVERHEAD_MB + tuning.state_mb}m",
        # A killed task manager is noticed after seconds, not a minute; a long pause of the collector is no death.
        "heartbeat.interval": "2 s",
        "heartbeat.timeout": "30 s",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "state.backend.type": "rocksdb",
        # One cache for all slots: a share for each, of which a job fills two, was so small that windows read a million
        # incidents' state from files again and again, at a third of the speed.
        "state.backend.rocksdb.memory.managed": False,
        "state.backend.rocksdb.memory.fixed-per-tm": f"{tuning.state_mb}m",
        "execution.checkpointing.incremental": True,
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.interval": f"{tuning.checkpoint_interval_ms} ms",
        "execution.checkpointing.dir": (folder / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (folder / "savepoints").as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": 2,
        "metrics.reporters": "prom",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": f"{ports['flink_metrics_jobmanager']}",
        "table.local-time-zone": "UTC",
    }
