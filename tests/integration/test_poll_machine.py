"""Random lives of a feed: whatever the portal and the producer do, the topic ends up as the portal's truth.

The invariants of docs/design.md: no loss and no invention (I1, I2, I4: the topic's rows equal the portal's), revisions
strictly increase (I3, asserted wherever rows are read back), deletes only from whole scans (I6), a cursor moves only
with its events (I7), and receipts that add up (I8).
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from poll_line import AUSTIN, SAN_DIEGO, Line

from civicwire.stack import Stack
from producers import catalog
from producers.http import Portal
from producers.poll import Poller
from schemas.errors import CivicwireError

pytestmark = pytest.mark.parts
LIVES = 4
MANY_LIVES = 40
STEPS = 14
STOPS = ("restored", "asked", "fetched", "reconciled", "produced", "committed")
FAULTS = ("shuffle", "drop_rows", "empty_page", "html", "reset")
SMALL = st.integers(0, 6)


class KilledError(BaseException):
    """Stands for kill -9: nothing of ours may catch it."""


@contextmanager
def changing(after: int, change: Callable[[], None]) -> Iterator[None]:
    """Call ``change`` before the request that follows the first ``after`` of every poll in the block."""
    asked = itertools.count()
    get = Portal.get

    def counted(self: Portal, *arguments: Any, **options: Any) -> Any:
        if next(asked) == after:
            change()
        return get(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Portal, "get", counted)
        yield


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("broker"), ("kafka", "registry", "portal")) as running:
        yield running


class Feed(RuleBasedStateMachine):
    """One feed, its portal and a producer that may die at any step."""

    source = AUSTIN
    stack: Stack
    folder: Path
    lives = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(self.stack, self.folder / str(next(self.lives)))
        self.line.delete_topics()
        self.line.reset()
        self.line.portal.clear_faults()
        self.line.portal.seed(self.source, rows=400, seed=1)
        self.seed = 0
        self.behind = True

    def poll(self, stop_at: str = "") -> dict[str, Any]:
        def step(name: str) -> None:
            if name == stop_at:
                raise KilledError

        declared = catalog.find(self.source)
        page = {} if declared.protocol.name == "csv_file" else {"page_rows": 90}
        declared = declared.model_copy(update={"protocol": declared.protocol.model_copy(update=page)})
        poller = Poller(declared, self.line.connections, step)
        try:
            return poller.poll()
        finally:
            poller.close()

    @rule(insert=SMALL, late=st.integers(0, 2), revise=SMALL, delete=SMALL)
    def portal_changes(self, insert: int, late: int, revise: int, delete: int) -> None:
        self.seed += 1
        self.line.portal.mutate(self.source, insert=insert, late=late, revise=revise, delete=delete, seed=self.seed)
        self.behind = True

    @rule()
    def portal_is_republished_whole(self) -> None:
        self.line.portal.replace(self.source)
        self.behind = True

    @rule(count=st.integers(100, 250))
    def many_rows_share_one_change(self, count: int) -> None:
        """A tie storm: one ``:updated_at`` for more rows than a page has."""
        self.seed += 1
        self.line.portal.mutate(self.source, revise=count, seed=self.seed)
        self.behind = True

    @rule(insert=st.integers(0, 2), revise=st.integers(1, 3))
    def portal_commits_late(self, insert: int, revise: int) -> None:
        """Rows become visible under stamps behind a cursor that has just moved."""
        self.seed += 1
        self.line.portal.mutate(self.source, revise=1, seed=self.seed)
        self.poll()
        self.line.portal.mutate(self.source, insert=insert, revise=revise, behind_seconds=300, seed=self.seed)
        self.behind = True

    @rule(after=st.integers(1, 4), insert=SMALL, revise=SMALL, delete=SMALL, republish=st.booleans())
    def portal_changes_between_two_requests(
        self, after: int, insert: int, revise: int, delete: int, *, republish: bool
    ) -> None:
        """Rows move to other pages while they are read."""
        self.seed += 1
        mutate, replace = self.line.portal.mutate, self.line.portal.replace

        def change() -> None:
            mutate(self.source, insert=insert, revise=revise, delete=delete, seed=self.seed)
            if republish:
                replace(self.source)

        events = len(self.line.raw(self.source))
        with changing(after, change):
            try:
                self.poll()
            except CivicwireError:
                assert len(self.line.raw(self.source)) == events
        self.behind = True

    @rule()
    def deleted_rows_come_back(self) -> None:
        rows = list(itertools.islice(self.line.portal.truth(self.source), 3))
        key = next(iter(catalog.find(self.source).key_columns), ":id")
        self.line.portal.delete(self.source, [row[key] for row in rows])
        self.poll()
        self.line.portal.upsert(self.source, [{n: v for n, v in row.items() if n != ":id"} for row in rows])
        self.behind = True

    @rule(step=st.sampled_from(STOPS))
    def producer_is_killed(self, step: str) -> None:
        try:
            self.poll(step)
        except KilledError:
            return
        self.behind = False

    @rule(kind=st.sampled_from(FAULTS), after=st.integers(0, 3))
    def portal_lies_for_a_while(self, kind: str, after: int) -> None:
        match = "resource|csv|query" if kind in ("html", "reset") else "limit|csv|resultRecordCount"
        if kind in ("shuffle", "drop_rows", "empty_page") and self.source == SAN_DIEGO:
            return  # a file that is changed on the way and still ends in a line is the portal's word
        self.line.portal.add_fault(
            kind, match=match, after=after, times=4, **({"rows": 2} if kind == "drop_rows" else {})
        )
        events = len(self.line.raw(self.source))
        try:
            self.poll()
        except CivicwireError:
            assert len(self.line.raw(self.source)) == events
        else:
            self.behind = False
        finally:
            self.line.portal.clear_faults()

    @rule()
    def ledger_is_lost(self) -> None:
        shutil.rmtree(self.line.connections.ledgers, ignore_errors=True)

    @precondition(lambda self: self.behind)
    @rule()
    def polls(self) -> None:
        receipt = self.poll()
        assert receipt["rows_in"] == sum(
            receipt[name] for name in ("inserted", "revised", "reappeared", "unchanged", "dead")
        )
        self.behind = False

    @invariant()
    def topic_equals_the_truth_unless_the_portal_has_changed(self) -> None:
        if not self.behind:
            assert self.line.known(self.source) == self.line.published(self.source)

    def teardown(self) -> None:
        self.line.portal.clear_faults()
        self.poll()
        assert self.line.known(self.source) == self.line.published(self.source)
        events = len(self.line.raw(self.source))
        self.poll()
        assert len(self.line.raw(self.source)) == events
        self.line.close()


FEEDS = [AUSTIN, SAN_DIEGO, "denver_traffic_accidents", "catalonia_hate_facts"]


def live(broker: Stack, folder: Path, source: str, lives: int) -> None:
    machine = type("Life", (Feed,), {"source": source, "stack": broker, "folder": folder})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=lives, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.parametrize("source", FEEDS)
def test_any_life_of_a_feed_ends_in_the_truth(broker: Stack, tmp_path: Path, source: str):
    live(broker, tmp_path, source, LIVES)


@pytest.mark.chaos
@pytest.mark.parametrize("source", FEEDS)
def test_many_lives_of_a_feed_end_in_the_truth(broker: Stack, tmp_path: Path, source: str):
    live(broker, tmp_path, source, MANY_LIVES)
