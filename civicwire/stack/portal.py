"""The sandbox portal, as a part of the stack."""

from __future__ import annotations

import sys

from civicwire.stack.ports import LOOPBACK
from civicwire.stack.process import Place, Process, ask

PORTS = ("portal",)


def processes(place: Place) -> list[Process]:
    """Return the portal's process."""
    folder = place.data("portal")
    port = place.ports["portal"]
    return [
        Process(
            name="portal",
            part="portal",
            command=(sys.executable, "-m", "civicwire.sandbox", "--port", str(port), "--state", str(folder)),
            healthy=lambda: ask(f"http://{LOOPBACK}:{port}/_sandbox/health") is not None,
            folder=place.installed.python_site,
        )
    ]


def endpoints(place: Place) -> dict[str, str]:
    """Return the portal's base URL."""
    return {"portal": f"http://{LOOPBACK}:{place.ports['portal']}"}
