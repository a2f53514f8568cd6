"""Free loopback ports, the same ones at each start of a home as long as nothing else has taken them."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterable, Mapping

from schemas.errors import FatalError

LOOPBACK = "127.0.0.1"
RANGE = range(15_000, 30_000)
"""Below the ports that the system gives to outgoing connections (32768 and up on Linux): one of those could take a port
between our look at it and the part's start."""
_TRIES = 200


def is_free(port: int) -> bool:
    """Return whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        # What the parts do too: a port whose last connections are still in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Return whether something listens on the loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def allocate(names: Iterable[str], remembered: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for each name: the remembered one if it is still free, else any.

    Raises:
        FatalError: nearly every port of ``RANGE`` is taken.
    """
    ports: dict[str, int] = {}
    for name in names:
        candidates = itertools.chain(
            [remembered[name]] if name in remembered else [],
            (random.choice(RANGE) for _ in range(_TRIES)),  # noqa: S311  chance only keeps stacks out of each other's way
        )
        found = next((port for port in candidates if port not in ports.values() and is_free(port)), None)
        if found is None:
            raise FatalError(
                f"No free port in {RANGE.start}-{RANGE.stop - 1}. Stop what listens there, then start again."
            )
        ports[name] = found
    return ports
