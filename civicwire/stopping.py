"""How commands that follow are stopped: Ctrl-C and SIGTERM ask them to finish what they have in hand."""

from __future__ import annotations

import signal
from threading import Event


def on_signal() -> Event:
    """Return an event that SIGINT and SIGTERM set from now on, instead of ending the process."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
