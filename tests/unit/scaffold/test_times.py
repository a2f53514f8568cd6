"""A column's way of writing times is told from its values, typing errors aside."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from civicwire.sandbox.times import written
from civicwire.scaffold.times import clock_pattern, form_of

ZONE = ZoneInfo("America/Chicago")
MOMENTS = [datetime(2026, 1 + n % 12, 1 + n, n % 24, 7 * n % 60, 31 * n % 60) for n in range(1, 28)]  # noqa: DTZ001
FORMS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.000",
    "%Y-%m-%dT%H:%M:%SZ",
    "%m/%d/%Y",
    "%m/%d/%Y %I:%M:%S %p",
    "%-m/%-d/%Y %-I:%M:%S %p",
    "%m/%d/%Y %H:%M",
    "epoch_ms",
)


def values(pattern: str) -> list[str]:
    return [written(moment, pattern, ZONE) for moment in MOMENTS]


@pytest.mark.parametrize("pattern", FORMS)
def test_the_pattern_that_is_found_writes_the_values_again(pattern: str):
    found = form_of(values(pattern), epoch=pattern == "epoch_ms")
    assert found is not None
    assert values(found.pattern) == values(pattern)
    assert found.catalog == ("epoch_ms" if pattern == "epoch_ms" else "us" if pattern[1] in "m-" else "iso")
    assert found.dated == ("H" not in pattern and "I" not in pattern and pattern != "epoch_ms")
    assert found.utc == pattern.endswith("Z")


def test_one_typing_error_in_a_hundred_changes_nothing_and_ten_do():
    good = values("%Y-%m-%d %H:%M:%S") * 4
    assert form_of([*good, "yesterday"]) == form_of(good)
    assert form_of([*good, *["yesterday"] * 12]) is None


@pytest.mark.parametrize("noise", [["12", "7"], ["A1"], ["1.5"], ["2026"], [""]])
def test_what_is_no_time_is_none(noise: list[str]):
    assert form_of(noise) is None


def test_four_digits_are_a_year_only_where_the_name_says_so_and_milliseconds_where_the_portal_does():
    assert form_of(["2025", "2026"]) is None
    found = form_of(["2025", "2026"], year=True)
    assert found is not None
    assert found.catalog == "year"
    assert form_of(["1767225600000"]) is None
    assert form_of(["12", "99999999999999"], epoch=True) is None


@pytest.mark.parametrize(
    ("column", "pattern"),
    [
        (["08:15", "23:59"], "%H:%M"),
        (["8:15:30", "23:59:00"], "%H:%M:%S"),
        (["5", "930", "2359", "1200"], "%H%M"),
        (["1", "2", "3"], None),
        (["2660", "930"], None),
        ([], None),
    ],
)
def test_a_time_of_day_is_told_from_codes(column: list[str], pattern: str | None):
    assert clock_pattern(column) == pattern
