"""The schema registry: Apicurio, spoken to through its Confluent-compatible API, its data in an H2 file."""

from __future__ import annotations

from civicwire.stack.ports import LOOPBACK
from civicwire.stack.process import Place, Process, ask

PORTS = ("registry", "registry_management")


def processes(place: Place) -> list[Process]:
    """Return the registry's process."""
    database = place.data("registry") / "schemas"
    return [
        Process(
            name="registry",
            part="registry",
            command=(
                str(place.installed.java),
                "-Xms64m",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                *place.installed.class_archive("registry"),
                "-jar",
                str(place.installed.registry / "quarkus-run.jar"),
            ),
            environment={
                "QUARKUS_HTTP_HOST": LOOPBACK,
                "QUARKUS_HTTP_PORT": str(place.ports["registry"]),
                "QUARKUS_MANAGEMENT_HOST": LOOPBACK,
                "QUARKUS_MANAGEMENT_PORT": str(place.ports["registry_management"]),
                "QUARKUS_LOG_LEVEL": "WARN",
                "APICURIO_STORAGE_KIND": "sql",
                "APICURIO_STORAGE_SQL_KIND": "h2",
                # Every write is on the disk before it is answered, so that a killed registry forgets no schema id.
                "APICURIO_DATASOURCE_URL": f"jdbc:h2:file:{database};WRITE_DELAY=0",
                "APICURIO_REST_DELETION_ARTIFACT_ENABLED": "true",
            },
            healthy=lambda: isinstance(ask(f"{_url(place)}/subjects"), list),
            folder=place.data("registry"),
        )
    ]


def endpoints(place: Place) -> dict[str, str]:
    """Return the base URL of the Confluent-compatible API."""
    return {"registry": _url(place)}


def _url(place: Place) -> str:
    return f"http://{LOOPBACK}:{place.ports['registry']}/apis/ccompat/v7"
