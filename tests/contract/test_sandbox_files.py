"""The sandbox serves files like an object store: the city's CSV of each year, or the bytes it was given."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
import requests

from civicwire.sandbox.client import SandboxClient

FEED = "san_diego_calls"
FILE = "/police_calls_for_service/pd_calls_for_service_{}_datasd.csv"
HEADER = (
    '"incident_num","date_time","day_of_week","address_number_primary","address_dir_primary","address_road_primary",'
    '"address_sfx_primary","address_dir_intersecting","address_road_intersecting","address_sfx_intersecting",'
    '"call_type","disposition","beat","priority"\n'
)


def get(portal: SandboxClient, path: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(portal.base_url + path, headers=named, timeout=60)


def real_calls(folder: Path, snapshot: str) -> tuple[bytes, list[dict[str, str]]]:
    content = next((folder / "san_diego").glob(f"pd_calls_2023_snapshot_{snapshot}_*.csv")).read_bytes()
    return content, list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.fixture
def seeded(portal: SandboxClient) -> SandboxClient:
    portal.seed(FEED, 3_000, until="2026-11-15")
    return portal


def test_the_years_file_has_every_row_quoted_and_sorted_by_number(seeded: SandboxClient) -> None:
    answer = get(seeded, FILE.format(2026))
    assert answer.headers["Content-Type"] == "text/csv"
    lines = answer.text.splitlines(keepends=True)
    assert lines[0] == HEADER
    assert all(line.startswith('"E26') and line.endswith('"\n') and line.count('"') == 28 for line in lines[1:])
    assert lines[1:] == sorted(lines[1:])
    assert len(lines) == 3_001
    assert get(seeded, FILE.format(2025)).status_code == 404


def test_the_file_is_byte_for_byte_the_citys_own_when_it_holds_the_citys_rows(
    portal: SandboxClient, real_data: Path
) -> None:
    (first, calls_a), (second, calls_b) = real_calls(real_data, "A"), real_calls(real_data, "B")
    portal.replace(FEED, calls_a)
    assert get(portal, FILE.format(2023)).content == first
    done = portal.upsert(FEED, calls_b)
    assert done == {"inserted": 2_375, "revised": 0, "unchanged": 26_595, "deleted": 0}
    assert get(portal, FILE.format(2023)).content == second


def test_an_unchanged_file_is_304_by_tag_and_by_date(seeded: SandboxClient) -> None:
    first = get(seeded, FILE.format(2026))
    assert first.headers["ETag"] == f'"{hashlib.md5(first.content, usedforsecurity=False).hexdigest()}"'
    assert first.headers["Accept-Ranges"] == "bytes"
    for name, header in (("If_None_Match", "ETag"), ("If_Modified_Since", "Last-Modified")):
        again = get(seeded, FILE.format(2026), **{name: first.headers[header]})
        assert (again.status_code, again.content) == (304, b"")


def test_every_change_within_a_second_is_noticed_by_tag_and_by_date(seeded: SandboxClient) -> None:
    for seed in range(4):
        before = get(seeded, FILE.format(2026))
        seeded.mutate(FEED, revise=1, seed=seed)
        assert get(seeded, FILE.format(2026), If_None_Match=before.headers["ETag"]).status_code == 200
        assert get(seeded, FILE.format(2026), If_Modified_Since=before.headers["Last-Modified"]).status_code == 200


def test_a_head_request_has_the_headers_and_no_body(seeded: SandboxClient) -> None:
    whole = get(seeded, FILE.format(2026))
    head = requests.head(seeded.base_url + FILE.format(2026), timeout=60)
    assert head.status_code == 200
    assert head.content == b""
    for name in ("ETag", "Last-Modified", "Content-Length", "Content-Type"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=10-19", 10, 20), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
def test_a_part_of_a_file_can_be_asked_for(seeded: SandboxClient, asked: str, start: int, end: int | None) -> None:
    whole = get(seeded, FILE.format(2026)).content
    part = get(seeded, FILE.format(2026), Range=asked)
    assert part.status_code == 206
    assert part.content == whole[start:end]
    assert part.headers["Content-Range"].endswith(f"/{len(whole)}")
    assert get(seeded, FILE.format(2026), Range=f"bytes={len(whole)}-").status_code == 416


def test_a_file_is_sent_uncompressed_whatever_is_accepted(seeded: SandboxClient) -> None:
    assert "Content-Encoding" not in get(seeded, FILE.format(2026), Accept_Encoding="gzip").headers


def test_a_given_file_hides_the_generated_one_until_it_is_taken_away(seeded: SandboxClient) -> None:
    generated = get(seeded, FILE.format(2026)).content
    seeded.put_file(FILE.format(2026), b"\xef\xbb\xbfa,b\r\n1,\xe9\r\n", content_type="text/csv; charset=latin-1")
    given = get(seeded, FILE.format(2026))
    assert given.content == b"\xef\xbb\xbfa,b\r\n1,\xe9\r\n"
    assert given.headers["Content-Type"] == "text/csv; charset=latin-1"
    assert seeded.delete_file(FILE.format(2026))
    assert not seeded.delete_file(FILE.format(2026))
    assert get(seeded, FILE.format(2026)).content == generated


def test_a_given_file_may_say_when_it_was_modified(portal: SandboxClient) -> None:
    portal.put_file("/odd path/ä.txt", b"x", content_type="text/plain", modified_s=1_700_000_000)
    answer = get(portal, "/odd path/ä.txt")
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    portal.delete_file("/odd path/ä.txt")


def test_giving_a_file_again_within_a_second_is_noticed_by_its_date(portal: SandboxClient) -> None:
    portal.put_file("/f.csv", b"one")
    before = get(portal, "/f.csv")
    portal.put_file("/f.csv", b"two")
    assert get(portal, "/f.csv", If_Modified_Since=before.headers["Last-Modified"]).content == b"two"
    portal.delete_file("/f.csv")


def test_the_header_can_be_that_of_the_files_of_2026(seeded: SandboxClient) -> None:
    before = get(seeded, FILE.format(2026)).text
    seeded.columns(FEED, upper_case_header=True)
    after = get(seeded, FILE.format(2026)).text
    assert after == HEADER.upper() + before.removeprefix(HEADER)
    seeded.columns(FEED, upper_case_header=False)
