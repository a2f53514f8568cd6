"""The whole line seen from outside: how far the stream jobs are behind, and waiting until they are not."""

from __future__ import annotations

import time
from collections.abc import Callable

from civicwire.settings import Settings
from producers import catalog, tail
from schemas import topics
from schemas.errors import RetriableError
from stream_jobs.warehouse import progress

NORMALISE_GROUP = "civicwire-normalise"
WINDOWS_GROUP = "civicwire-windows"
LOOK_SECONDS = 0.2
NEARLY = 1_000
"""So close to the end the messages are counted by reading: transaction markers take offsets too."""


def behind(settings: Settings) -> dict[str, int]:
    """Return how many records each stream job has not carried on yet, by consumer group; 0 is caught up.

    The jobs commit their offsets with a checkpoint, which also flushes what they write; so at 0 everything that was
    published has reached the next topic.
    """
    kafka = str(settings.require("kafka").kafka)
    raw = [topics.raw(source).name for source in catalog.load_all()]
    return {
        NORMALISE_GROUP: _behind(kafka, NORMALISE_GROUP, raw),
        WINDOWS_GROUP: _behind(kafka, WINDOWS_GROUP, [topics.INCIDENTS.name]),
    }


def _behind(kafka: str, group: str, names: list[str]) -> int:
    present = tail.partitions(kafka, names)
    ends = progress.ends(kafka, present)
    committed = progress.committed(kafka, group, present)
    offsets = {at: offset for at, offset in committed.items() if offset is not None}
    distance = sum(ends[at] - offsets.get(at, 0) for at in present)
    if distance == 0 or distance > NEARLY:
        return distance
    return sum(len(batch) for batch in tail.read(kafka, sorted({name for name, _ in present}), offsets, lambda _: None))


def wait_until_streamed(settings: Settings, seconds: float, told: Callable[[dict[str, int]], None]) -> None:
    """Return when normalise and windows have carried on all that was published before the call.

    Args:
        settings: the home.
        seconds: how long to wait at most.
        told: called with what is still waiting, for progress.

    Raises:
        RetriableError: they did not catch up in time; the message says where to look.
    """
    deadline = time.monotonic() + seconds
    while any((waiting := behind(settings)).values()):
        told(waiting)
        if time.monotonic() > deadline:
            raise RetriableError(
                f"The stream jobs are still behind after {seconds:.0f} s: {waiting}. "
                "A feed that was polled for the first time since they were started needs `civicwire jobs start` again; "
                "else look at `civicwire jobs ls` and the job manager's log in `civicwire status`."
            )
        time.sleep(LOOK_SECONDS)
