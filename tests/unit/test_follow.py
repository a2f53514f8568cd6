"""The cadence of a feed on the schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from civicwire.follow import IDLE_AFTER, Feed
from producers import catalog
from producers.publisher import FencedError
from schemas.errors import FatalError, RetriableError

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DAILY = catalog.find("austin_crime_reports")
DAY = timedelta(days=1)
NOTHING = {"inserted": 0, "revised": 0, "reappeared": 0, "deleted": 0, "expired": 0, "portal_changed_at": NOW}


@pytest.fixture
def feed() -> Feed:
    return Feed(DAILY)


def test_a_feed_that_changes_is_looked_at_at_its_cadence(feed: Feed):
    feed.polled(NOTHING | {"revised": 1}, NOW)
    assert (feed.phase, feed.wait()) == ("active", DAY)


def test_a_feed_without_changes_becomes_idle_and_one_change_wakes_it(feed: Feed):
    for _ in range(IDLE_AFTER):
        assert feed.wait() == DAY
        feed.polled(NOTHING, NOW)
    assert (feed.phase, feed.wait()) == ("idle", 2 * DAY)
    feed.polled(NOTHING | {"expired": 1}, NOW)
    assert (feed.phase, feed.wait()) == ("active", DAY)


def test_a_publisher_that_says_nothing_for_ten_cadences_is_silent(feed: Feed):
    feed.polled(NOTHING | {"portal_changed_at": NOW - 10 * DAY}, NOW)
    assert feed.phase == "active"
    feed.polled(NOTHING | {"portal_changed_at": NOW - 11 * DAY}, NOW)
    assert (feed.phase, feed.wait()) == ("silent", 4 * DAY)


def test_failures_are_tried_again_soon_and_then_ever_later(feed: Feed):
    waits = []
    for _ in range(13):
        feed.failed(RetriableError("the portal is away"))
        waits.append(feed.wait() / timedelta(minutes=1))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440, 1440]
    feed.polled(NOTHING | {"inserted": 1}, NOW)
    feed.failed(RetriableError("away again"))
    assert feed.wait() == timedelta(minutes=1)


def test_what_needs_a_person_is_not_tried_every_minute(feed: Feed):
    feed.failed(FatalError("the dataset is gone"))
    assert (feed.phase, feed.wait()) == ("failing", DAY)


def test_a_feed_that_another_process_polls_is_given_up(feed: Feed):
    feed.failed(FencedError("another poller"))
    assert feed.phase == "given up"
