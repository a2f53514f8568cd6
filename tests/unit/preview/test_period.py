"""Grafana's relative times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from civicwire.preview.period import Period
from schemas.errors import ConfigError

NOW = datetime(2024, 3, 31, 15, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        ("now-6h", "2024-03-31T09:20:10"),
        ("now-1M", "2024-02-29T15:20:10"),
        ("now-3y/M", "2021-03-01T00:00:00"),
        ("now-1d/d", "2024-03-30T00:00:00"),
        ("now-1y+1d/y", "2023-01-01T00:00:00"),
        ("now/w", "2024-03-25T00:00:00"),
        ("2020-02-03", "2020-02-03T00:00:00"),
        ("2020-02-03T01:00:00+02:00", "2020-02-02T23:00:00"),
    ],
)
def test_a_start_is_rounded_down(expression: str, start: str):
    assert Period.of(expression, "now", NOW).start == datetime.fromisoformat(start).replace(tzinfo=UTC)


def test_an_end_is_rounded_to_the_last_second_of_its_unit():
    assert Period.of("now-1y", "now/M", NOW).end == datetime(2024, 3, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("expression", ["yesterday", "now-3", "now - 1d", "now-1q", "", "2024-13-01"])
def test_what_is_no_time_is_an_error_that_shows_how_to_write_one(expression: str):
    with pytest.raises(ConfigError, match="now-3y/M"):
        Period.of(expression, "now", NOW)


def test_a_period_that_ends_before_it_starts_is_an_error():
    with pytest.raises(ConfigError, match="empty"):
        Period.of("now", "now-1d", NOW)
