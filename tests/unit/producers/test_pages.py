"""What the clients make of bytes, without a network."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import catalog
from producers.clients.csv_file import CsvFileClient
from producers.clients.pages import JsonArray, split_array
from producers.clients.socrata import instant, literal
from producers.rows import Dead, Published, Shaper

SAN_DIEGO = catalog.find("san_diego_calls")
COLUMNS = ("incident_num", "date_time", "call_type")
GOOD = b'"E26010000001","2026-01-01 00:00:05","FD"'
JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5
)


def csv_client(now: str = "2026-11-21T12:00:00+00:00") -> CsvFileClient:
    protocol = SAN_DIEGO.protocol
    assert isinstance(protocol, catalog.CsvFile)
    return CsvFileClient(SAN_DIEGO, protocol, None, datetime.fromisoformat(now))  # type: ignore[arg-type]


@given(st.lists(JSON), st.sampled_from([None, 2]))
def test_splitting_an_array_gives_each_element_with_its_own_text(values: list[object], indent: int | None):
    parts = list(split_array(json.dumps(values, indent=indent)))
    assert [json.loads(text) for _, text in parts] == values


@pytest.mark.parametrize("text", ["", "{}", "<html>", '[{"a": 1}', '[{"a": 1},', '[{"a": 1', "[1 2]"])
def test_what_is_no_whole_array_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        list(split_array(text))


def test_numbers_keep_their_digits():
    ((value, _),) = split_array('[{"id": 20241481358000000001, "lat": 30.20067456000}]')
    assert value == {"id": "20241481358000000001", "lat": "30.20067456000"}


def test_an_instant_goes_to_a_literal_and_back():
    assert literal(instant("2026-01-02T03:04:05.678Z")) == "'2026-01-02T03:04:05.678Z'"
    assert instant("2026-01-02T03:04:05.678Z").tzinfo is UTC


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"E26010000002","2026-01-01 00:00:09,"FD"', "csv_quote_broken"),
        (b'"E26010000002","2026-01-01 00:00:09","FD', "csv_quote_broken"),
        (b'"E26010000002","2026-01-01 00:00:09"', "csv_field_count"),
        (b'"E26010000002","2026-01-01 00:00:09","FD","9"', "csv_field_count"),
        (b'"E26010000002","2026-01-01 00:00:09","CAF\xc9"', "encoding_invalid"),
    ],
)
def test_a_broken_line_is_one_dead_letter_with_its_bytes_and_its_neighbours_live(line: bytes, reason: str):
    first, dead, last = csv_client()._page([GOOD, line, GOOD], COLUMNS)
    assert isinstance(dead, Dead)
    assert (dead.reason, dead.payload) == (reason, line)
    for row in (first, last):
        assert isinstance(row, Published)
        assert (row.names, row.values) == (COLUMNS, ["E26010000001", "2026-01-01 00:00:05", "FD"])


def test_blank_fields_are_null():
    (row,) = csv_client()._page([b'"E26010000001","",""'], COLUMNS)
    assert isinstance(row, Published)
    assert Shaper(SAN_DIEGO)(row).known == {"incident_num": "E26010000001"}


def test_a_dead_letter_of_a_page_holds_the_elements_own_text():
    page = JsonArray('{"result": {"total": 2, "records": [ {"a": 1.50} ,{"b":\n2}]}}', "records")
    assert page.values == [{"a": "1.50"}, {"b": "2"}]
    assert [page.original(place) for place in (1, 0)] == [b'{"b":\n2}', b'{"a": 1.50}']


@pytest.mark.parametrize(("text", "name"), [('{"a": 1}', None), ("[]", "records"), ('{"records": {}}', "records")])
def test_a_page_without_its_array_is_refused(text: str, name: str | None):
    with pytest.raises(ValueError, match=r"no "):
        _ = JsonArray(text, name).values


@pytest.mark.parametrize(
    ("now", "years"),
    [
        ("2026-11-21T12:00:00+00:00", [2026]),
        ("2026-01-31T12:00:00+00:00", [2025, 2026]),
        ("2027-01-01T03:00:00+00:00", [2026]),  # still New Year's Eve in San Diego
    ],
)
def test_in_january_last_years_file_is_still_read(now: str, years: list[int]):
    assert csv_client(now).years() == years


def test_header_names_lose_case_blanks_and_the_byte_order_mark():
    assert csv_client()._header(b"\xef\xbb\xbfINCIDENT_NUM, Date_Time ,CALL_TYPE", 2026) == COLUMNS
