"""Records whose fields hold line breaks, broken quotes among them, and files whose encoding changes by year."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.clients import csv_file
from producers.clients.csv_file import LONGEST_RECORD_LINES, detect_encoding, records

FIELD = st.text(alphabet=st.sampled_from('ab",\n é'), max_size=6)


def lines(body: bytes) -> list[bytes]:
    return list(io.BytesIO(body))


@given(st.lists(st.lists(FIELD, min_size=1, max_size=4), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_records_are_those_that_were_written(rows: list[list[str]], end: str):
    body = io.StringIO()
    csv.writer(body, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(rows)
    found = list(records(iter(lines(body.getvalue().encode()))))
    assert [next(csv.reader([one.decode().removesuffix(end)], strict=True)) for one in found] == rows
    assert b"".join(found) == body.getvalue().encode()


def test_a_quote_within_a_plain_field_opens_nothing():
    body = b'6" pipe,leaking\nnext,row\n'
    assert list(records(iter(lines(body)))) == lines(body)


def test_a_quote_that_never_closes_costs_one_line_and_no_other():
    broken = b'"open,1\n'
    rest = [f"{n},x\n".encode() for n in range(3 * LONGEST_RECORD_LINES)]
    assert list(records(iter([broken, *rest]))) == [broken, *rest]
    assert list(records(iter([rest[0], broken, rest[1]]))) == [rest[0], broken, rest[1]]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", "utf-8"),
        ("\ufeffcafé".encode(), "utf-8"),
        (b"a\xa0b \x92s", "cp1252"),
        (b"x" * (csv_file.CHUNK_BYTES - 1) + "é".encode() + b"y", "utf-8"),
        (b"x" * csv_file.CHUNK_BYTES + b"\xc3", "cp1252"),
    ],
)
def test_an_encoding_is_that_of_the_whole_file(body: bytes, encoding: str):
    file = io.BytesIO(body)
    assert detect_encoding(file) == encoding
    assert file.tell() == 0
