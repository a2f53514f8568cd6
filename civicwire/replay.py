"""Replays, blue and green: a second generation of topics and tables beside the live one, compared, swapped, undone.

A generation has a number, the versions of the topics that are its own, a dataset ``<dataset>_v<number>`` and a writer's
group of that name. The live one has the plain dataset and group. A swap takes these steps; each does nothing the second
time, and the record in the topic ``versions`` says how far it got, so that running it again goes on:

1. start the jobs of the coming generation, if they do not run, and let it catch up;
2. ``held``: writers finish their batch, leave and wait; once their group is empty, the coming generation catches up to
   the very end, so that no row of the live tables is missing from it;
3. ``kept``: the live tables and the offsets of their group are copied to the generation that is going;
4. ``replaced``: one transaction gives the live tables the rows of the coming generation;
5. the group goes on where the coming generation's was, the going one's jobs stop, and the record says what is live.

A rollback is the same swap towards the generation that was kept: its jobs start again with the statements with which
they ran, its tables catch up from where they were left, and only then do readers see it.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from confluent_kafka import KafkaError, KafkaException

from civicwire import line
from civicwire.commands.jobs import feeds_polled, start_jobs
from civicwire.settings import Settings
from producers import catalog
from schemas import kafka_topics, topics
from schemas.errors import ConfigError, RetriableError
from stream_jobs import versions
from stream_jobs.jobs import GROUPS, JOBS, versioned
from stream_jobs.session import Session
from stream_jobs.versions import Generation, Versions
from stream_jobs.warehouse import compare, exchange, progress
from stream_jobs.warehouse.connection import Warehouse, connect
from stream_jobs.warehouse.progress import GROUP
from stream_jobs.warehouse.tables import STAGES
from stream_jobs.warehouse.writer import Writer

What = Literal["normalize", "windows", "load"]
WRITTEN_BY: dict[What, tuple[topics.Topic, ...]] = {
    "normalize": (
        topics.INCIDENTS,
        topics.PERSONS,
        topics.INDICATORS,
        topics.DEAD_LETTERS,
        topics.INCIDENT_COUNTS,
        topics.ARRIVALS,
    ),
    "windows": (topics.INCIDENT_COUNTS, topics.ARRIVALS),
    "load": (),
}
"""Topics of which a replay makes a version of its own. Windows are made from incidents, so they go with normalise."""
HOLD_SECONDS = 180
"""How long writers may take to finish the batch in hand; a writer that was killed is forgotten after six seconds."""
LOOK_SECONDS = 0.2
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND}


class Replay:
    """The replays of one home.

    Args:
        settings: the home.
        told: called with a line for a person.
        progress: called with a stage (normalize, windows, tables) and how many records are left for it.
        checkpoint: called with the name of each step that has just been completed, for tests that crash there.
        hold_seconds: how long a swap waits for writers to leave.
    """

    def __init__(
        self,
        settings: Settings,
        told: Callable[[str], None] = lambda _: None,
        progress: Callable[[str, int], None] = lambda *_: None,
        *,
        checkpoint: Callable[[str], None] = lambda _: None,
        hold_seconds: float = HOLD_SECONDS,
    ) -> None:
        reach = settings.require("kafka", "registry")
        self._settings = settings
        self._kafka, self._registry = str(reach.kafka), str(reach.registry)
        self._told, self._progress, self._checkpoint = told, progress, checkpoint
        self._hold_seconds = hold_seconds

    def state(self) -> Versions:
        """Return what is live and what stands beside it."""
        return versions.current(self._kafka, self._registry)

    def prepare(
        self, job: What, *, sources: Sequence[str] = (), since: datetime | None = None, exactly_once: bool = False
    ) -> Generation:
        """Make a generation beside the live one from the beginning of the topics, and return it once it has caught up.

        Called again it goes on with what was begun.

        Args:
            job: what to do anew: normalize (with windows), windows, or only load.
            sources: load only: take the other feeds' rows from the live tables.
            since: load only: take the live tables' rows and write messages from this instant on over them.
            exactly_once: the new jobs write in transactions.

        Raises:
            ConfigError: these bounds cannot be kept, or there is another generation already.
            FatalError, RetriableError: Flink, the warehouse or the broker failed; run it again.
        """
        _check_bounds(job, sources, since)
        with self._alone():
            now = self._idle()
            made = now.beside
            if made is None:
                number = now.newest + 1
                own = {topic.name: number for topic in WRITTEN_BY[job]}
                made = Generation(
                    number, job, {**now.current.versions, **own}, now.live, tuple(sorted(sources)), _millis(since)
                )
                now = self._record(replace(now, newest=number, generations=(*now.generations, made)))
            elif made.number < now.live:
                raise ConfigError(
                    f"Generation {made.number} is kept so that one can go back to it. Give that up with "
                    "`civicwire replay --drop`, then replay."
                )
            elif (made.job, made.sources, made.since) != (job, tuple(sorted(sources)), _millis(since)):
                raise ConfigError(
                    f"A replay of {made.job} (generation {made.number}) is there already: "
                    "`civicwire replay --swap` or `--drop` it first."
                )
            self._start(made, now.current, exactly_once=exactly_once)
            self._seed(made)
            self._catch_up(made, now.current)
            return made

    def compare(
        self, *, sources: Sequence[str] = (), since: datetime | None = None, examples: int = 5
    ) -> list[compare.Difference]:
        """Return how the tables of the generation beside the live one differ from the live ones.

        Both are brought to the same point first, the live tables as by ``civicwire load``.

        Raises:
            ConfigError: there is nothing to compare with, or a swap is under way.
            FatalError, RetriableError: a part failed; run it again.
        """
        with self._alone():
            now = self._idle()
            other = now.beside
            if other is None:
                raise ConfigError("There is nothing to compare: begin with `civicwire replay --job normalize`.")
            own = _own(other, now.current)
            self._start(other, now.current)
            # The second round is short. What was published before it is in both generations after it.
            with self._writer(other) as coming, Writer.of(self._settings) as live:
                for _ in range(2):
                    settled = datetime.now(UTC)
                    for made in (now.current, other):
                        line.wait_until_passed(self._settings, made.versions, own, self._progress, self._runs)
                    coming.catch_up()
                    live.catch_up()
            with self._warehouse() as warehouse:
                return compare.all_tables(
                    warehouse, other.number, settled=settled, sources=sources, since=since, examples=examples
                )

    def swap(self) -> Versions:
        """Make the prepared generation the live one, or go on with a swap that was broken off; return what is live.

        Raises:
            ConfigError: there is nothing to swap, or a feed would be missing.
            FatalError, RetriableError: a part failed, or writers did not leave; the message says how to go on.
        """
        with self._alone():
            now = self.state()
            if now.holding:
                return self._go_on(now)
            if now.beside is None or now.beside.number < now.live:
                raise ConfigError("There is no replay to swap in: begin with `civicwire replay --job normalize`.")
            self._check_feeds(now.beside, now.current)
            return self._swap(now, now.beside)

    def rollback(self) -> Versions:
        """Go back to the generation before the live one, or undo a swap that was broken off; return what is live.

        Raises:
            ConfigError: there is none.
            FatalError, RetriableError: a part failed; run it again.
        """
        with self._alone():
            now = self.state()
            if now.holding:
                return self._undo(now)
            if now.beside is None or now.beside.number != now.current.previous:
                raise ConfigError("There is nothing to go back to: no earlier generation is kept.")
            return self._swap(now, now.beside)

    def drop(self) -> list[int]:
        """Remove whatever is not live: jobs, topics, tables; return the numbers of the generations that went.

        Topics of the first version stay: they are part of every installation.

        Raises:
            ConfigError: a swap is under way, or there is nothing.
            FatalError, RetriableError: a part failed; run it again.
        """
        with self._alone():
            now = self._idle()
            if now.beside is None:
                raise ConfigError("There is nothing to drop: only the live generation is there.")
            gone = now.beside
            jobs = {name: versioned(name, name, gone.versions) for name in _own(gone, now.current)}
            if jobs:
                session = self._session()
                session.stop(list(jobs.values()))
                session.forget(list(jobs.values()))
            with self._warehouse() as warehouse:
                exchange.drop(warehouse, gone.number)
                exchange.drop(warehouse, now.live)  # what a swap that crashed at its very end has left
            live = {stage.topic.at(now.current.versions).name for stage in STAGES.values()}
            kept = live | {stage.topic.name for stage in STAGES.values()}
            self._delete_topics({stage.topic.at(gone.versions).name for stage in STAGES.values()} - kept)
            first = {versioned(GROUPS[name], name, {}) for name in jobs}
            groups = {versioned(GROUPS[name], name, gone.versions) for name in jobs} - first
            self._delete_groups({*groups, _group(gone)})
            current = replace(now.current, previous=None)
            self._record(replace(now, generations=(current,)))
            return [gone.number]

    # --- the swap ------------------------------------------------------------------------------------------------

    def _swap(self, now: Versions, target: Generation) -> Versions:
        self._start(target, now.current)
        self._catch_up(target, now.current)
        self._checkpoint("ready")
        now = self._record(replace(now, target=target.number, step="held"))
        self._checkpoint("held")
        return self._go_on(now)

    def _go_on(self, now: Versions) -> Versions:
        going, coming = now.current, now.generation(now.target or now.live)
        if now.step == "held":
            self._told("Writers finish their batch and wait")
            try:
                self._wait_until_left()
                self._start(coming, going)
                self._catch_up(coming, going)
            except (RetriableError, KeyboardInterrupt):
                self._record(replace(now, target=None, step=""))
                raise
            self._checkpoint("caught up")
            with self._warehouse() as warehouse:
                exchange.keep(warehouse, going.number)
            progress.hand_over(self._kafka, GROUP, _group(going), self._partitions(going))
            self._checkpoint("copied")
            now = self._record(replace(now, step="kept"))
            self._checkpoint("kept")
        if now.step == "kept":
            with self._warehouse() as warehouse:
                exchange.replace(warehouse, coming.number)
            self._checkpoint("exchanged")
            now = self._record(replace(now, step="replaced"))
            self._checkpoint("replaced")
        progress.hand_over(self._kafka, _group(coming), GROUP, self._partitions(coming))
        self._checkpoint("offsets")
        self._stop(going, coming)
        self._checkpoint("stopped")
        now = self._record(replace(now, live=coming.number, target=None, step=""))
        self._checkpoint("live")
        with self._warehouse() as warehouse:
            exchange.drop(warehouse, coming.number)  # the same rows are in the live tables now
        return now

    def _undo(self, now: Versions) -> Versions:
        stays, coming = now.current, now.generation(now.target or now.live)
        if now.step != "held":
            with self._warehouse() as warehouse:
                exchange.replace(warehouse, stays.number)
            progress.hand_over(self._kafka, _group(stays), GROUP, self._partitions(stays))
            self._start(stays, coming)
        return self._record(replace(now, target=None, step=""))

    def _wait_until_left(self) -> None:
        """Return when the live group has no members.

        Raises:
            RetriableError: a writer stays.
        """
        admin = kafka_topics.admin(self._kafka)
        deadline = time.monotonic() + self._hold_seconds
        while True:
            try:
                members = admin.describe_consumer_groups([GROUP])[GROUP].result(kafka_topics.TIMEOUT_SECONDS).members
            except (KafkaException, TimeoutError) as error:
                raise RetriableError(f"The broker does not describe {GROUP} ({error}): run it again.") from error
            if not members:
                return
            if time.monotonic() > deadline:
                names = ", ".join(f"{one.client_id} at {one.host}" for one in members)
                raise RetriableError(
                    f"Writers have not left after {self._hold_seconds:.0f} s: {names}. Nothing was swapped and they go "
                    "on. Stop them, or wait for their batch, then swap again."
                )
            time.sleep(LOOK_SECONDS)

    # --- the parts of a generation -------------------------------------------------------------------------------

    def _start(self, made: Generation, other: Generation, *, exactly_once: bool = False) -> None:
        own = _own(made, other)
        if own:
            for one in start_jobs(
                self._settings, own, exactly_once=exactly_once, versions=made.versions, as_they_ran=True
            ):
                self._told(f"Job {one.name}: {one.action}")

    def _stop(self, made: Generation, other: Generation) -> None:
        if own := _own(made, other):
            self._session().stop([versioned(name, name, made.versions) for name in own])

    def _catch_up(self, made: Generation, other: Generation) -> None:
        """Bring a generation that is not live to where the topics end now."""
        line.wait_until_passed(self._settings, made.versions, _own(made, other), self._progress, self._runs)
        with self._writer(made) as writer:
            writer.catch_up()
        self._progress("tables", 0)

    def _writer(self, made: Generation) -> Writer:
        """Return the writer of a generation that is not live."""
        names, group = progress.reads(made.versions), _group(made)

        def tell(step: str) -> None:
            if step == "committed":
                self._progress("tables", sum(progress.lag_of_group(self._kafka, group, names).values()))

        warehouse = connect(self._settings).beside(made.number)
        return Writer(self._kafka, self._registry, warehouse, group=group, generation=made, checkpoint=tell)

    def _seed(self, made: Generation) -> None:
        """Begin a bounded replay with a copy of the live tables, once: afterwards its group has offsets."""
        if not made.sources and made.since is None:
            return
        wanted = self._partitions(made)
        if any(at is not None for at in progress.committed(self._kafka, _group(made), wanted).values()):
            return
        # Read before the copy is made: the copy then holds at least what was written up to these offsets.
        written = progress.committed(self._kafka, GROUP, wanted)
        start: dict[progress.Partition, int | None] = dict(progress.ends(self._kafka, wanted, first=True))
        if made.since is not None:
            since = progress.offsets_at(self._kafka, wanted, made.since)
            start = {at: min(offset, written[at] or 0) for at, offset in since.items()}
        with self._warehouse() as warehouse:
            exchange.keep(warehouse, made.number, without=made.sources)
        progress.set_offsets(self._kafka, _group(made), start)

    def _check_feeds(self, made: Generation, other: Generation) -> None:
        """A feed that was polled for the first time since the replay began is not in it.

        Raises:
            ConfigError: there is such a feed.
        """
        if "normalize" not in _own(made, other):
            return
        ran = self._session().ran(versioned("normalize", "normalize", made.versions))
        missing = set(feeds_polled(self._kafka) or ()) - set(ran.feeds if ran else ())
        if missing:
            raise ConfigError(
                f"Polled for the first time since this replay began, and not in it: {', '.join(sorted(missing))}. "
                "Drop it (`civicwire replay --drop`) and replay again."
            )

    # --- the rest ------------------------------------------------------------------------------------------------

    def _idle(self) -> Versions:
        now = self.state()
        if now.holding:
            raise ConfigError(
                "A swap was broken off: `civicwire replay --swap` goes on with it, `--rollback` undoes it."
            )
        return now

    def _record(self, wanted: Versions) -> Versions:
        return versions.write(self._kafka, self._registry, wanted)

    def _session(self) -> Session:
        return Session(str(self._settings.require("flink").flink), self._settings.home / "flink")

    def _runs(self, job: str) -> bool:
        """Whether Flink has the job; a job manager that does not answer for a moment has it still."""
        try:
            return job in {one.name for one in self._session().running()}
        except RetriableError:
            return True

    def _partitions(self, made: Generation) -> list[progress.Partition]:
        return progress.partitions(self._kafka, progress.reads(made.versions))

    @contextmanager
    def _warehouse(self) -> Iterator[Warehouse]:
        warehouse = connect(self._settings)
        try:
            yield warehouse
        finally:
            warehouse.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One replay of a home at a time; the system gives the lock back when the process ends."""
        self._settings.home.mkdir(parents=True, exist_ok=True)
        with (self._settings.home / "replay.lock").open("a", encoding="utf-8") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RetriableError("Another replay runs in this home: wait for it or stop it.") from None
            yield

    def _delete_topics(self, names: set[str]) -> None:
        present = kafka_topics.admin(self._kafka).list_topics(timeout=kafka_topics.TIMEOUT_SECONDS).topics
        self._delete(kafka_topics.admin(self._kafka).delete_topics, sorted(names & present.keys()))

    def _delete_groups(self, names: set[str]) -> None:
        self._delete(kafka_topics.admin(self._kafka).delete_consumer_groups, sorted(names))

    def _delete(self, delete: Callable[[list[str]], dict[str, Any]], names: list[str]) -> None:
        for name, future in delete(names).items() if names else ():
            try:
                future.result(kafka_topics.TIMEOUT_SECONDS)
            except (KafkaException, TimeoutError) as error:
                if isinstance(error, KafkaException) and error.args[0].code() in _GONE:
                    continue
                raise RetriableError(f"{name} could not be deleted ({error}): run it again.") from error


def _own(made: Generation, other: Generation) -> list[str]:
    """Return the jobs of ``made`` that are not those of ``other``, in the order of the stream."""
    return [name for name in JOBS if versioned(name, name, made.versions) != versioned(name, name, other.versions)]


def _group(made: Generation) -> str:
    return f"{GROUP}.v{made.number}"


def _millis(at: datetime | None) -> datetime | None:
    """Return the instant as the record keeps it."""
    return None if at is None else at.replace(microsecond=at.microsecond // 1000 * 1000)


def _check_bounds(job: What, sources: Sequence[str], since: datetime | None) -> None:
    """Refuse bounds that would leave topics and tables disagreeing.

    Raises:
        ConfigError: with what to do instead.
    """
    if job != "load" and (sources or since):
        raise ConfigError(
            f"A replay of {job} cannot be bounded: its topics would hold a part of the rows, and counts need all of "
            "them. Replay all (what has not changed comes out equal) and look at a part of it with "
            "`civicwire replay --compare --source … --from …`."
        )
    if sources and since:
        raise ConfigError(
            "Choose --source or --from: rows of a feed that are removed and written again from an instant on would "
            "lose what came before it."
        )
    unknown = sorted(set(sources) - set(catalog.load_all()))
    if unknown:
        raise ConfigError(f"No such source: {', '.join(unknown)}. Choose from {', '.join(catalog.load_all())}.")
