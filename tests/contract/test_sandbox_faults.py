"""The sandbox fails on command, each way as a client would notice it, and only where and as often as told."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from civicwire.sandbox.client import SandboxClient

FEED = "austin_crime_reports"
PAGE = "/resource/fdj4-gpfu.json"
FILE = "/police_calls_for_service/pd_calls_for_service_2026_datasd.csv"


@pytest.fixture(scope="module", autouse=True)
def _seeded(shared_portal: SandboxClient) -> None:
    shared_portal.seed(FEED, 2_000, until="2026-11-15")
    shared_portal.seed("san_diego_calls", 2_000, until="2026-11-15")


def ask(portal: SandboxClient, offset: int = 0, *, encoding: str = "identity") -> requests.Response:
    query: dict[str, str | int] = {"$order": ":id", "$limit": 100, "$offset": offset, "$select": ":id"}
    return requests.get(portal.base_url + PAGE, params=query, headers={"Accept-Encoding": encoding}, timeout=60)


def identifiers(answer: requests.Response) -> list[str]:
    rows: list[dict[str, Any]] = answer.json()
    return [row[":id"] for row in rows]


@pytest.mark.parametrize("status", [202, 403, 429, 500, 503])
def test_any_status_once_and_then_the_portal_is_well_again(portal: SandboxClient, status: int) -> None:
    portal.add_fault("status", "/resource/", status=status, retry_after="7")
    spoiled = ask(portal)
    assert spoiled.status_code == status
    assert spoiled.headers["Retry-After"] == "7"
    assert ask(portal).status_code == 200
    assert portal.faults()[0]["hits"] == 1


def test_a_page_of_html_with_status_200(portal: SandboxClient) -> None:
    portal.add_fault("html")
    answer = ask(portal)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_cut_short_of_its_announced_length(portal: SandboxClient, encoding: str) -> None:
    portal.add_fault("cut", fraction=0.5)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(portal, encoding=encoding)
    assert len(identifiers(ask(portal, encoding=encoding))) == 100


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_body_cut_short_that_announces_what_it_is(portal: SandboxClient, encoding: str) -> None:
    whole = ask(portal).content
    portal.add_fault("cut", fraction=0.25, length="consistent")
    assert ask(portal, encoding=encoding).content == whole[: len(whole) // 4]


def test_a_file_cut_at_the_end_of_a_line_looks_whole(portal: SandboxClient) -> None:
    whole = requests.get(portal.base_url + FILE, timeout=60).content
    portal.add_fault("cut", r"\.csv", fraction=0.7, length="consistent", whole_lines=True)
    cut = requests.get(portal.base_url + FILE, timeout=60).content
    assert whole.startswith(cut)
    assert cut.endswith(b'"\n')
    assert len(whole) > len(cut) > 0.6 * len(whole)


def test_a_file_cut_short_of_its_announced_length(portal: SandboxClient) -> None:
    portal.add_fault("cut", r"\.csv", fraction=0.5)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(portal.base_url + FILE, timeout=60)


def test_an_empty_page_where_there_are_rows(portal: SandboxClient) -> None:
    portal.add_fault("empty_page")
    assert ask(portal).text == "[]\n"
    portal.add_fault("empty_page")
    assert requests.get(portal.base_url + FILE, timeout=60).text.count("\n") == 1


def test_the_previous_page_again(portal: SandboxClient) -> None:
    portal.add_fault("repeat_page", r"\$offset=200")
    pages = [identifiers(ask(portal, offset)) for offset in (0, 100, 200, 200)]
    assert pages[2] == pages[1]
    assert pages[3] != pages[1]


def test_a_page_in_another_order(portal: SandboxClient) -> None:
    whole = identifiers(ask(portal))
    portal.add_fault("shuffle")
    shuffled = identifiers(ask(portal))
    assert shuffled != whole
    assert sorted(shuffled) == sorted(whole)


def test_rows_missing_from_a_page_and_from_a_file(portal: SandboxClient) -> None:
    whole = identifiers(ask(portal))
    portal.add_fault("drop_rows", rows=3)
    fewer = identifiers(ask(portal))
    assert len(fewer) == 97
    assert fewer == [i for i in whole if i in set(fewer)]
    lines = requests.get(portal.base_url + FILE, timeout=60).text.splitlines()
    portal.add_fault("drop_rows", rows=3)
    left = requests.get(portal.base_url + FILE, timeout=60).text.splitlines()
    assert left[0] == lines[0]
    assert len(set(lines) - set(left)) == 3


def test_an_answer_slower_than_the_client_waits(portal: SandboxClient) -> None:
    portal.add_fault("slow", seconds=600)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(portal.base_url + PAGE, timeout=0.2)
    portal.add_fault("slow", seconds=0)
    assert len(identifiers(ask(portal))) == 100


def test_a_connection_that_is_reset(portal: SandboxClient) -> None:
    portal.add_fault("reset")
    with pytest.raises(requests.exceptions.ConnectionError):
        ask(portal)
    assert len(identifiers(ask(portal))) == 100


def test_a_fault_spoils_only_what_it_matches_and_only_after_so_many(portal: SandboxClient) -> None:
    portal.add_fault("status", r"\$offset=[1-9]", status=500, after=1, times=2)
    statuses = [ask(portal, offset).status_code for offset in (0, 100, 0, 200, 300, 400)]
    assert statuses == [200, 200, 200, 500, 500, 200]
    assert [request["fault"] for request in portal.requests()] == [None, None, None, "status", "status", None]


def test_a_fault_without_an_end_lasts_until_it_is_cleared(portal: SandboxClient) -> None:
    portal.add_fault("status", times=None)
    assert {ask(portal).status_code for _ in range(5)} == {500}
    portal.clear_faults()
    assert ask(portal).status_code == 200


def test_faults_never_touch_the_control_side(portal: SandboxClient) -> None:
    portal.add_fault("status", times=None)
    assert portal.health()["status"] == "ok"
    assert sum(1 for _ in portal.truth(FEED)) == 2_000


def test_a_fault_leaves_the_truth_alone(portal: SandboxClient) -> None:
    before = json.dumps(list(portal.truth(FEED)))
    portal.add_fault("drop_rows", rows=50)
    ask(portal)
    assert json.dumps(list(portal.truth(FEED))) == before
