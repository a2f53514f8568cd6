"""Identity without a natural key, times of events in the feeds' own forms, and the windows that publishers keep."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import catalog
from producers.catalog import RollingWindow
from producers.rows import Published, Shaper, event_time_reader, identity_hash, numbered
from schemas.errors import RecordError

FACTS = catalog.find("catalonia_hate_facts")


def with_format(form: str, zone: str = "America/Denver") -> catalog.Source:
    return FACTS.model_copy(update={"event_time_format": form, "time_zone": zone})


@pytest.mark.parametrize(
    ("form", "published", "read"),
    [
        ("iso", "2026-01-02T03:04:05.000", "2026-01-02T03:04:05.000"),
        ("epoch_ms", "1767225600000", "2025-12-31T17:00:00"),
        ("epoch_ms", "1782864000000", "2026-06-30T18:00:00"),
        ("epoch_ms", "soon", None),
        ("epoch_ms", "9" * 30, None),
        ("us", "1/2/2026 3:04:05 PM", "2026-01-02T15:04:05"),
        ("us", "01/02/2026 12:00:00 AM", "2026-01-02T00:00:00"),
        ("us", "1/2/2026 12:30 pm", "2026-01-02T12:30:00"),
        ("us", "1/2/2026", "2026-01-02T00:00:00"),
        ("us", "13/2/2026", None),
        ("us", "2026-01-02", None),
        ("year", "2024", "2024-01-01"),
        ("year", "MMXX", None),
    ],
)
def test_an_event_time_becomes_civil_iso_text(form: str, published: str, read: str | None):
    assert event_time_reader(with_format(form))(published) == read


@given(st.dictionaries(st.text(min_size=1), st.text(alphabet="ab \t\u00a0", min_size=1)))
def test_an_identity_overlooks_runs_of_blanks_and_nothing_else(values: dict[str, str]):
    assert identity_hash({name: f"  {value}\n" for name, value in values.items()}) == identity_hash(values)
    assert identity_hash({**values, "one more": "x"}) != identity_hash(values)


def test_a_column_that_the_schema_does_not_know_is_content_and_not_identity():
    shape = Shaper(FACTS)
    plain = shape(Published({"any": "2024"}, b""))
    wider = shape(Published({"any": "2024", "nova": "x"}, b""))
    assert plain.record_id == wider.record_id
    assert plain.content_hash != wider.content_hash


def test_equal_rows_are_told_apart_by_number_and_file():
    row = Shaper(FACTS)(Published({"any": "2024"}, b""))
    assert numbered(row, "", 2).record_id == f"{row.record_id}:2"
    assert numbered(row, "2024", 1).record_id == f"2024:{row.record_id}:1"


def test_a_row_of_nulls_has_no_identity():
    with pytest.raises(RecordError, match="no value in any known column"):
        Shaper(FACTS)(Published({"any": None, "nova": "x"}, b""))


@pytest.mark.parametrize(
    ("window", "today", "start"),
    [
        (RollingWindow(years=5), date(2026, 1, 1), "2021-01-01"),
        (RollingWindow(years=5), date(2026, 12, 31), "2021-01-01"),
        (RollingWindow(months=12), date(2026, 11, 21), "2025-11-21"),
        (RollingWindow(months=1), date(2026, 3, 31), "2026-02-28"),
        (RollingWindow(months=14), date(2026, 1, 15), "2024-11-15"),
    ],
)
def test_a_rolling_window_starts_where_the_publisher_says(window: RollingWindow, today: date, start: str):
    assert window.start(today) == start
