"""A panel's query becomes the SQL that Grafana's BigQuery data source would send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from civicwire.preview.macros import expand
from civicwire.preview.period import Period
from schemas.errors import ConfigError

PERIOD = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 30, 12, 30, 5, tzinfo=UTC))
VARIABLES = {"dataset": ("civicwire",), "source": ("a", "b")}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("$__timeFilter(t)", "t >= '2024-01-01T00:00:00Z' AND t <= '2024-06-30T12:30:05Z'"),
        (
            "where $__timeFilter(timestamp(month)) and x",
            "where timestamp(month) >= '2024-01-01T00:00:00Z' AND timestamp(month) <= '2024-06-30T12:30:05Z' and x",
        ),
        ("$__timeFrom(t)", "t >= '2024-01-01T00:00:00Z'"),
        ("$__timeTo(t)", "t <= '2024-06-30T12:30:05Z'"),
        ("$__timeFrom()", "TIMESTAMP('2024-01-01T00:00:00Z')"),
        ("$__timeTo", "TIMESTAMP('2024-06-30T12:30:05Z')"),
        ("$__timeGroup(t, '1h')", "TIMESTAMP_MILLIS(DIV(UNIX_MILLIS(t), 3600000) * 3600000)"),
        ("$__timeGroup(t, $__interval)", "TIMESTAMP_MILLIS(DIV(UNIX_MILLIS(t), 86400000) * 86400000)"),
        ("$__interval_ms", "86400000"),
        ("${__from} ${__to:date:iso}", "1704067200000 2024-06-30T12:30:05.000Z"),
        ("'${__from:date:YYYY-MM-DD}' '${__to:date:YYYY-MM-DD}'", "'2024-01-01' '2024-06-30'"),
        ("${dataset}_marts.x", "civicwire_marts.x"),
        ("$dataset.x", "civicwire.x"),
        ("in (${source:singlequote})", "in ('a','b')"),
        ("${source:csv}", "a,b"),
        ("no macro, 5 $ and a '$1'", "no macro, 5 $ and a '$1'"),
    ],
)
def test_it_expands_as_the_data_source_does(sql: str, expected: str):
    assert expand(sql, PERIOD, VARIABLES) == expected


def test_months_group_by_the_first_day_of_the_month():
    assert "EXTRACT(MONTH FROM t)" in expand("$__timeGroup(t, '1M')", PERIOD, VARIABLES)


def test_a_quote_in_a_value_cannot_leave_its_string():
    assert expand("${v:singlequote}", PERIOD, {"v": ("it's",)}) == r"'it\'s'"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("$__timefilter(t)", "no macro"),
        ("$__timeFilter()", "wrong arguments"),
        ("$__timeFilter(a, b)", "wrong arguments"),
        ("$__timeFilter(a", "not closed"),
        ("$__timeGroup(t, 'often')", "interval"),
        ("$__table", "no macro"),
        ("${nobody}", "nobody"),
        ("$source", "singlequote"),
        ("${source:lucene}", "singlequote"),
    ],
)
def test_what_it_cannot_expand_is_an_error_that_names_it(sql: str, words: str):
    with pytest.raises(ConfigError, match=words):
        expand(sql, PERIOD, VARIABLES)
