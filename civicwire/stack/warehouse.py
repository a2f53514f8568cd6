"""The warehouse: a BigQuery emulator over DuckDB, REST and gRPC, in its own environment."""

from __future__ import annotations

from pathlib import Path

from civicwire.stack.ports import LOOPBACK, answers
from civicwire.stack.process import Place, Process, ask

PORTS = ("warehouse", "warehouse_grpc")
PROJECT = "civicwire-local"
DATASET = "civicwire"


def processes(place: Place) -> list[Process]:
    """Return the emulator's process."""
    rest, grpc = (place.ports[name] for name in PORTS)
    return [
        Process(
            name="warehouse",
            part="warehouse",
            command=(
                str(place.installed.warehouse_python),
                "-I",  # this folder has modules named like packages; they must not come first on the path
                str(Path(__file__).with_name("warehouse_server.py")),
                f"--port={rest}",
                f"--grpc-port={grpc}",
                f"--project={PROJECT}",
                f"--dataset={DATASET}",
                f"--data={place.data('warehouse')}",
            ),
            environment={"HOME": str(place.installed.warehouse_home)},
            healthy=lambda: ask(f"http://{LOOPBACK}:{rest}/healthz") == {"status": "ok"} and answers(grpc),
            folder=place.data("warehouse"),
        )
    ]


def endpoints(place: Place) -> dict[str, str]:
    """Return the addresses of the REST and the Storage API."""
    rest, grpc = (f"{LOOPBACK}:{place.ports[name]}" for name in PORTS)
    return {"warehouse": f"http://{rest}", "warehouse_grpc": grpc}
