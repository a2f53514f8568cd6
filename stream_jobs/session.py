"""The Flink session cluster seen from outside: which jobs run, starting them from where they stopped, stopping them.

A job is known by its title. ``jobs.json`` remembers, for each, the Flink ids it has run under, the topics it reads and
the fingerprint of its statements; a stopped or lost job goes on from the newest checkpoint of any of those ids.
Stopping is cancelling: the checkpoint stays, what came after it is read again, and readers of the sinks keep the
highest revision, so there is one way back for a stop, a crash and a lost job manager. Before Flink itself is upgraded a
job is stopped with a savepoint instead, which counts as its newest checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from schemas import kafka_topics, registry
from schemas.errors import FatalError, RetriableError
from schemas.topics import RAW_PREFIX
from stream_jobs import access, restate
from stream_jobs.jobs import TABLE, Job
from stream_jobs.tables import Cluster

SUBMIT = Path(__file__).parent / "submit.py"
REST_SECONDS = 10
"""The job manager answers in milliseconds; ten seconds cover a pause of its collector."""
SUBMIT_SECONDS = 180
STOP_SECONDS = 60
SAVEPOINT_SECONDS = 600
"""A savepoint writes all of the state anew, however large; a minute a gigabyte is slow."""
LOOK_SECONDS = 0.1
ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "FAILING", "SUSPENDED", "RECONCILING"})


@dataclass(frozen=True, slots=True)
class Launcher:
    """How to run a program in the Flink environment.

    Attributes:
        python: the interpreter that has PyFlink.
        environment: added to our own environment.
        log: file that gets what Flink's client says.
    """

    python: Path
    environment: Mapping[str, str]
    log: Path


@dataclass(frozen=True, slots=True)
class Running:
    """One job as Flink reports it.

    Attributes:
        name: normalize or windows; with a version where it writes a later one of its topics: windows.v2.
        id: Flink's job id.
        state: Flink's word, RUNNING for example.
        tasks_running: tasks that run, of ``tasks``.
        tasks: all tasks.
        restarts: how often the job was restarted since its start.
        checkpoint: path of the last completed checkpoint.
        checkpointed_at: when it was completed, UTC.
        checkpoint_bytes: how large the state in it is.
        checkpoint_ms: how long it took.
        failure: the last failure in one line, None where there was none.
    """

    name: str
    id: str
    state: str
    tasks_running: int
    tasks: int
    restarts: int
    checkpoint: str | None
    failure: str | None
    checkpointed_at: datetime | None = None
    checkpoint_bytes: int = 0
    checkpoint_ms: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """What ``start`` did with one job: ``action`` is started, restored, restarted or already running."""

    name: str
    id: str
    action: str
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a job was last started: the topics that it reads, and whether it writes in transactions."""

    reads: list[str]
    exactly_once: bool

    @property
    def feeds(self) -> list[str]:
        """The sources of the raw topics among those that it reads."""
        return [name.removeprefix(RAW_PREFIX) for name in self.reads if name.startswith(RAW_PREFIX)]


class Session:
    """The jobs of one civicwire home on one cluster.

    Args:
        rest: base URL of the job manager.
        folder: the home's Flink folder; ``jobs.json`` and ``checkpoints`` lie in it.
    """

    def __init__(self, rest: str, folder: Path) -> None:
        self._rest = rest
        self._folder = folder
        self._memory = folder / "jobs.json"

    def running(self) -> list[Running]:
        """Return the civicwire jobs that are alive.

        Raises:
            RetriableError: the job manager does not answer.
        """
        jobs = self._get("/jobs/overview")["jobs"]
        return [self._look(job) for job in jobs if job["name"].startswith("civicwire ") and job["state"] in ALIVE]

    def start(self, jobs: Sequence[Job], cluster: Cluster, launcher: Launcher, *, fresh: bool = False) -> list[Started]:
        """Start those of ``jobs`` that do not run, all in one Java, each from its last checkpoint if it has one.

        A job without state that runs over other topics than it is wanted for now is stopped and started anew: it goes
        on from its committed offsets, and reads a topic for which it has none from the beginning.

        Topics are created and schemas registered first. A job whose statements have changed does not take its old
        checkpoint: a stateless one goes on from its committed offsets, a stateful one reads from the start over emptied
        sinks. ``fresh`` does the same to every job that does not run.

        Raises:
            FatalError: Flink refused a job; the message says why.
            RetriableError: the job manager does not answer.
        """
        alive = {job.name: job for job in self.running()}
        outdated = [job.name for job in jobs if job.name in alive and self._reads_others(job)]
        waiting = [job for job in jobs if job.name not in alive or job.name in outdated]
        if waiting:
            topics = {topic.name: topic for job in waiting for topic in (*job.sources, *job.sinks)}.values()
            kafka_topics.ensure(cluster.kafka, topics)
            for topic in topics:
                registry.register(cluster.registry, topic)
        if outdated:
            self.stop(outdated)
        checkpoints = {job.name: None if fresh else self.checkpoint(job) for job in waiting}
        for job in waiting:
            if job.stateful and checkpoints[job.name] is None:
                restate.from_nothing(cluster.kafka, job.group, job.sinks)
        ids = self._submit(waiting, checkpoints, launcher) if waiting else {}
        actions = {job.name: "restored" if checkpoints[job.name] else "started" for job in waiting}
        actions |= dict.fromkeys(outdated, "restarted")
        return [
            Started(job.name, ids[job.name], actions[job.name], checkpoints[job.name])
            if job.name in ids
            else Started(job.name, alive[job.name].id, "already running")
            for job in jobs
        ]

    def _reads_others(self, job: Job) -> bool:
        """Whether the job that runs was started over other topics; one with state is never stopped for that."""
        known = self._remembered().get(job.name, {}).get("reads")
        return not job.stateful and known != _reads(job)

    def stop(self, names: Sequence[str], *, savepoint: bool = False) -> list[Running]:
        """Stop the jobs of these names, wait until they are gone, and return what was running.

        Args:
            names: the jobs.
            savepoint: end each with a savepoint in the form that another version of Flink or another state backend can
                read; the next start goes on from it. Otherwise it is cancelled and its last checkpoint serves.

        Raises:
            RetriableError: the job manager does not answer, a job does not end or its savepoint fails; then it runs on.
        """
        stopped = [job for job in self.running() if job.name in names]
        for job in stopped:
            if savepoint:
                self._stop_with_savepoint(job)
            else:
                self._ask("patch", f"/jobs/{job.id}?mode=cancel")
        deadline = time.monotonic() + STOP_SECONDS
        while left := {job.id for job in self.running()} & {job.id for job in stopped}:
            if time.monotonic() > deadline:
                raise RetriableError(
                    f"Flink did not end {', '.join(sorted(left))}: look at its web page, {self._rest}."
                )
            time.sleep(LOOK_SECONDS)
        return stopped

    def _stop_with_savepoint(self, job: Running) -> None:
        wanted = {"drain": False, "targetDirectory": self._savepoints.as_uri(), "formatType": "CANONICAL"}
        asked = self._ask("post", f"/jobs/{job.id}/stop", json=wanted).json()["request-id"]
        deadline = time.monotonic() + SAVEPOINT_SECONDS
        while (answer := self._get(f"/jobs/{job.id}/savepoints/{asked}"))["status"]["id"] != "COMPLETED":
            if time.monotonic() > deadline:
                raise RetriableError(
                    f"The savepoint of {job.name} is not complete after {SAVEPOINT_SECONDS} s: look at Flink's web "
                    f"page, {self._rest}, then stop it again."
                )
            time.sleep(LOOK_SECONDS)
        if failure := answer["operation"].get("failure-cause"):
            why = failure["stack-trace"].splitlines()[0]
            raise RetriableError(f"The savepoint of {job.name} failed, and it runs on: {why}. Stop it again.")

    @property
    def _savepoints(self) -> Path:
        return self._folder / "savepoints"

    def checkpoint(self, job: Job) -> str | None:
        """Return the newest completed checkpoint or savepoint that ``job`` can go on from, as a file URL."""
        remembered = self._remembered().get(job.name, {})
        if remembered.get("fingerprint") != job.fingerprint:
            return None
        found = [
            metadata
            for job_id in remembered["ids"]
            for metadata in (
                *(self._folder / "checkpoints" / job_id).glob("chk-*/_metadata"),
                *self._savepoints_of(job_id),
            )
        ]
        return max(found, key=_written).parent.as_uri() if found else None

    def _savepoints_of(self, job_id: str) -> Iterator[Path]:
        # Flink names a savepoint by the first digits of the job's id and a number of its own.
        return self._savepoints.glob(f"savepoint-{job_id[:6]}-*/_metadata")

    def as_it_ran(self, job: Job) -> Job:
        """Return ``job`` with the statements and settings of its last start, which the files may have lost since."""
        known = self._remembered().get(job.name, {}).get("statements")
        if known is None:
            return job
        tables = [text for text in job.definitions if text.startswith(TABLE)]
        return replace(
            job,
            definitions=(*tables, *known["views"]),
            inserts=tuple(known["inserts"]),
            settings=known.get("settings", job.settings),
        )

    def ran(self, name: str) -> Ran | None:
        """Return how the job of that name was last started; None where it never was."""
        known = self._remembered().get(name, {})
        if "statements" not in known:
            return None
        inserts = " ".join(known["statements"]["inserts"])
        return Ran(known["reads"], exactly_once="sink.transactional-id-prefix" in inserts)

    def forget(self, names: Sequence[str]) -> None:
        """Forget jobs that do not run any more, and delete their checkpoints."""
        remembered = self._remembered()
        for name in names:
            for job_id in remembered.pop(name, {}).get("ids", []):
                shutil.rmtree(self._folder / "checkpoints" / job_id, ignore_errors=True)
                for metadata in self._savepoints_of(job_id):
                    shutil.rmtree(metadata.parent, ignore_errors=True)
        self._write(remembered)

    def _submit(self, jobs: Sequence[Job], checkpoints: Mapping[str, str | None], launcher: Launcher) -> dict[str, str]:
        address = urlsplit(self._rest)
        request = {
            "settings": {
                "execution.target": "remote",
                "rest.address": str(address.hostname),
                "rest.port": str(address.port or 80),
                "parallelism.default": "2",
                "table.local-time-zone": "UTC",
                "execution.checkpointing.dir": (self._folder / "checkpoints").as_uri(),
                "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            },
            "secrets": access.secrets(),
            "jobs": [
                {
                    "name": job.name,
                    "definitions": [access.filled(text) for text in job.definitions],
                    "inserts": job.inserts,
                    "settings": {
                        **job.settings,
                        "pipeline.name": job.title,
                        **_recovery(checkpoints[job.name]),
                    },
                }
                for job in jobs
            ],
        }
        answers = self._run(request, launcher)
        for job in jobs:
            if job.name in answers and "id" in answers[job.name]:
                self._remember(job, answers[job.name]["id"], restored=checkpoints[job.name] is not None)
        failures = [f"{name}: {answer['error']}" for name, answer in answers.items() if "error" in answer]
        if failures or len(answers) < len(jobs):
            raise FatalError(
                f"Flink did not take the job. {' '.join(failures)} The whole trace is in {launcher.log}; "
                "`civicwire jobs start --fresh` starts without the old checkpoint."
            )
        return {name: answer["id"] for name, answer in answers.items()}

    def _run(self, request: dict[str, Any], launcher: Launcher) -> dict[str, dict[str, Any]]:
        with tempfile.TemporaryDirectory() as folder, launcher.log.open("a", encoding="utf-8") as log:
            answers = Path(folder) / "answers"
            command = [str(launcher.python), str(SUBMIT), str(answers)]
            try:
                subprocess.run(
                    command,
                    input=json.dumps(request),
                    text=True,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **launcher.environment},
                    timeout=SUBMIT_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                raise RetriableError(
                    f"Flink's client did not finish within {SUBMIT_SECONDS} s: see {launcher.log}, then start again."
                ) from error
            lines = answers.read_text(encoding="utf-8").splitlines() if answers.is_file() else []
        return {answer["name"]: answer for answer in map(json.loads, lines)}

    def _remembered(self) -> dict[str, Any]:
        if not self._memory.is_file():
            return {}
        loaded: dict[str, Any] = json.loads(self._memory.read_text(encoding="utf-8"))
        return loaded

    def _remember(self, job: Job, job_id: str, *, restored: bool) -> None:
        remembered = self._remembered()
        # The ids of before are kept while the job goes on from them: it may die before its own first checkpoint.
        earlier = remembered.get(job.name, {}).get("ids", []) if restored else []
        views = [text for text in job.definitions if not text.startswith(TABLE)]
        remembered[job.name] = {
            "fingerprint": job.fingerprint,
            "reads": _reads(job),
            "ids": [*earlier, job_id],
            "statements": {"views": views, "inserts": list(job.inserts), "settings": job.settings},
        }
        self._write(remembered)

    def _write(self, remembered: dict[str, Any]) -> None:
        fresh = self._memory.with_suffix(".new")
        fresh.write_text(json.dumps(remembered, indent=2), encoding="utf-8")
        fresh.replace(self._memory)

    def _look(self, job: dict[str, Any]) -> Running:
        checkpoints = self._get(f"/jobs/{job['jid']}/checkpoints")
        failures = self._get(f"/jobs/{job['jid']}/exceptions?maxExceptions=1")
        metrics = self._get(f"/jobs/{job['jid']}/metrics?get=numRestarts")
        last = (checkpoints.get("latest") or {}).get("completed") or {}
        history = failures.get("exceptionHistory", {}).get("entries", [])
        return Running(
            name=job["name"].removeprefix("civicwire "),
            id=job["jid"],
            state=job["state"],
            tasks_running=job["tasks"]["running"],
            tasks=job["tasks"]["total"],
            restarts=int(float(metrics[0]["value"])) if metrics else 0,
            checkpoint=last.get("external_path"),
            failure=history[0]["stacktrace"].splitlines()[0] if history else None,
            checkpointed_at=datetime.fromtimestamp(last["latest_ack_timestamp"] / 1000, UTC) if last else None,
            checkpoint_bytes=int(last.get("state_size") or 0),
            checkpoint_ms=int(last.get("end_to_end_duration") or 0),
        )

    def _get(self, path: str) -> Any:
        return self._ask("get", path).json()

    def _ask(self, method: str, path: str, json: Mapping[str, Any] | None = None) -> requests.Response:
        try:
            answer = requests.request(method, self._rest + path, json=json, timeout=REST_SECONDS)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise RetriableError(
                f"The job manager at {self._rest} does not answer ({error}): see `civicwire status`."
            ) from error
        return answer


def _reads(job: Job) -> list[str]:
    return sorted(topic.name for topic in job.sources)


def _recovery(checkpoint: str | None) -> dict[str, str]:
    if checkpoint is None:
        return {}
    # Claimed: the new job deletes the old checkpoint when it has one of its own, so nothing piles up.
    return {"execution.state-recovery.path": checkpoint, "execution.state-recovery.claim-mode": "CLAIM"}


def _written(metadata: Path) -> float:
    return metadata.stat().st_mtime
