"""I9: after thousands of random changes the windows are what SQL counts over the facts, in the warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stream_rows import AUSTIN, SAN_DIEGO
from test_replay import Home
from test_stream_jobs import lives

from civicwire.stack import Stack

pytestmark = pytest.mark.parts
CHANGES = 10_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A stack of this module's own: its topics must hold nothing but these rows."""
    with Stack(tmp_path_factory.mktemp("home"), ("kafka", "registry", "flink", "warehouse")) as stack:
        running = Home(stack)
        running.settings = running.settings.model_copy(
            update={"warehouse": stack.endpoints.warehouse, "warehouse_grpc": stack.endpoints.warehouse_grpc}
        )
        running.start()
        half = lives("first", 2_300, seed=9)
        running.publish(half)
        running.settle_all()
        # What comes over a state that is not empty: new records, and the older ones a second time.
        running.publish([*half[:1_000], *lives("second", 2_300, seed=10)])
        running.settle_all()
        yield running


def different(home: Home, grain: str) -> list[dict[str, object]]:
    """Return the windows of a grain that SQL over ``incidents`` and ``incident_counts`` tell differently.

    A withdrawn incident is in no window, though its row in the warehouse keeps its last values.
    """
    dataset = f"{home.settings.project}.{home.settings.dataset}"
    return home.query(
        f"""
        with facts as (
            select
                source,
                datetime_trunc(occurred_local, {grain}) as window_start,
                coalesce(area, 'unknown') as area,
                category,
                kind,
                countif(not deleted) as incidents,
                countif(deleted) as deleted,
                countif(revision > 1) as revised,
                countif(late and not deleted) as late
            from `{dataset}.incidents`
            where occurred_local is not null and op != 'withdraw'
            group by source, window_start, area, category, kind
        ),
        windows as (
            select source, window_start, area, category, kind, incidents, deleted, revised, late
            from `{dataset}.incident_counts`
            where grain = '{grain}' and (incidents, deleted, revised, late) != (0, 0, 0, 0)
        )
        (select 'facts' as only_in, * from (select * from facts except distinct select * from windows))
        union all
        (select 'windows' as only_in, * from (select * from windows except distinct select * from facts))
        """
    )


@pytest.mark.parametrize("grain", ["hour", "day", "month"])
def test_windows_are_what_sql_counts_over_the_facts(home: Home, grain: str) -> None:
    assert different(home, grain) == []


def test_there_was_something_to_count(home: Home) -> None:
    dataset = f"{home.settings.project}.{home.settings.dataset}"
    assert len({(event["source"], event["record_id"], event["revision"]) for event in home.published}) > CHANGES
    (row,) = home.query(
        f"select count(*) as rows_, countif(deleted) as deleted, countif(late) as late, max(revision) as revision, "
        f"count(distinct source) as sources from `{dataset}.incidents`"
    )
    assert row["rows_"] > 4_000
    assert min(row["deleted"], row["late"]) > 300
    assert (row["revision"], row["sources"]) == (5, len([AUSTIN, SAN_DIEGO]))


def test_one_window_that_is_off_by_one_would_be_found(home: Home) -> None:
    dataset = f"{home.settings.project}.{home.settings.dataset}"
    one = f"grain = 'day' and incidents = (select max(incidents) from `{dataset}.incident_counts` where grain = 'day')"
    home.query(f"update `{dataset}.incident_counts` set incidents = incidents + 1 where {one}")
    assert {row["only_in"] for row in different(home, "day")} == {"facts", "windows"}
