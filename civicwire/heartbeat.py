"""A sign of life for health checks of long-running commands: a file that is there while all is well.

Docker and Kubernetes ask by running a program; looking for a file costs nothing, a start of Python a second of a core.
"""

from __future__ import annotations

from civicwire.settings import Settings


def beat(settings: Settings) -> None:
    """Touch the file: the last round went well. Nothing happens where ``CIVICWIRE_HEARTBEAT`` is not set."""
    if settings.heartbeat is not None:
        settings.heartbeat.parent.mkdir(parents=True, exist_ok=True)
        settings.heartbeat.touch()


def stop(settings: Settings) -> None:
    """Take the file away: the last round failed, or there has been none."""
    if settings.heartbeat is not None:
        settings.heartbeat.unlink(missing_ok=True)
