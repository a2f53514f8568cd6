"""The whole line seen from outside: how far the stream jobs are behind, and waiting until they are not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from civicwire.settings import Settings
from producers import catalog, tail
from schemas import topics
from schemas.errors import RetriableError
from stream_jobs import jobs, versions
from stream_jobs.warehouse import progress

NORMALISE_GROUP = jobs.GROUPS["normalize"]
WINDOWS_GROUP = jobs.GROUPS["windows"]
STALLED_SECONDS = 180
"""A job that has records to carry on carries some on within this time; its start takes a part of it."""
LOOK_SECONDS = 0.2
ALIVE_SECONDS = 3
"""Between two looks whether Flink still has a job that is waited for."""
NEARLY = 1_000
"""So close to the end the messages are counted by reading: transaction markers take offsets too."""


def behind(settings: Settings) -> dict[str, int]:
    """Return how many records each live stream job has not carried on yet; 0 is caught up.

    The names are the consumer groups of the first generation, whichever is live.

    The jobs commit their offsets with a checkpoint, which also flushes what they write; so at 0 everything that was
    published has reached the next topic.
    """
    reach = settings.require("kafka")
    kafka = str(reach.kafka)
    live = versions.current(kafka, reach.registry).current.versions
    return {
        jobs.GROUPS[job]: _left(kafka, jobs.versioned(jobs.GROUPS[job], job, live), _ends(kafka, names))
        for job, names in _reads(live).items()
    }


def wait_until_passed(
    settings: Settings,
    of: Mapping[str, int],
    names: Sequence[str],
    told: Callable[[str, int], None],
    runs: Callable[[str], bool] = lambda _: True,
) -> None:
    """Return when jobs have carried on all that was there for them when their turn came.

    Unlike :func:`wait_until_streamed` it ends under a load that never does.

    Args:
        settings: the home.
        of: the versions of topics that tell which generation's jobs these are.
        names: normalize, windows or both.
        told: called with the job and how many records are left for it.
        runs: whether Flink still has the job of that name; asked every few seconds.

    Raises:
        RetriableError: one does not get on or is gone; the message says where to look.
    """
    kafka = str(settings.require("kafka").kafka)
    read = _reads(of)
    for name in (job for job in jobs.JOBS if job in names):
        group = jobs.versioned(jobs.GROUPS[name], name, of)
        ends = _ends(kafka, read[name])
        job = jobs.versioned(name, name, of)
        least, heard, asked = None, time.monotonic(), time.monotonic()
        while left := _left(kafka, group, ends):
            told(name, left)
            if least is None or left < least:
                least, heard = left, time.monotonic()
            elif time.monotonic() - heard > STALLED_SECONDS:
                raise RetriableError(
                    f"The job {job} has not got on for {STALLED_SECONDS} s: {left:,} records are left. See "
                    "`civicwire jobs ls` and the job manager's log, then run it again."
                )
            if time.monotonic() - asked > ALIVE_SECONDS:
                asked = time.monotonic()
                if not runs(job):
                    raise RetriableError(
                        f"Flink does not have the job {job} any more, and {left:,} records are left: it was stopped, "
                        "or the job manager was lost. Run it again: the job goes on from its checkpoint."
                    )
            time.sleep(LOOK_SECONDS)
        told(name, 0)


def _reads(of: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the topics that each job reads."""
    raw = [topics.raw(source).name for source in catalog.load_all()]
    return {"normalize": raw, "windows": [topics.INCIDENTS.at(of).name]}


def _ends(kafka: str, names: list[str]) -> dict[progress.Partition, int]:
    return progress.ends(kafka, progress.partitions(kafka, names))


def _left(kafka: str, group: str, ends: dict[progress.Partition, int]) -> int:
    """Return how many records before ``ends`` the group has not committed; near the end they are counted by reading."""
    committed = progress.committed(kafka, group, list(ends))
    behind = {at: committed[at] or 0 for at in ends if (committed[at] or 0) < ends[at]}
    distance = sum(ends[at] - offset for at, offset in behind.items())
    if distance == 0 or distance > NEARLY:
        return distance
    names = sorted({name for name, _ in behind})
    start = {at: behind.get(at, end) for at, end in ends.items()}
    return sum(
        int(message.offset() or 0) < ends[str(message.topic()), int(message.partition() or 0)]
        for batch in tail.read(kafka, names, start, lambda _: None)
        for message in batch
    )


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
