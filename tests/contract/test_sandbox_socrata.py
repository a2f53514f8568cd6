"""The sandbox answers like a Socrata portal: pages, values, headers, errors, and its traps."""

from __future__ import annotations

import gzip
import http.client
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from civicwire.sandbox.client import SandboxClient

FEED, DATASET = "austin_crime_reports", "fdj4-gpfu"
ROWS = 6_000


@pytest.fixture(scope="module", autouse=True)
def _seeded(shared_portal: SandboxClient) -> None:
    shared_portal.seed(FEED, ROWS, until="2026-11-15")


def ask(portal: SandboxClient, *, headers: dict[str, str] | None = None, **parameters: object) -> requests.Response:
    """Ask for a page; a parameter ``x_`` is the portal's ``$x``."""
    query = {("$" + name[:-1] if name.endswith("_") else name): str(value) for name, value in parameters.items()}
    return requests.get(f"{portal.base_url}/resource/{DATASET}.json", params=query, headers=headers, timeout=60)


def page(portal: SandboxClient, **parameters: object) -> list[dict[str, Any]]:
    answer = ask(portal, **parameters)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()
    return rows


def keyset_scan(portal: SandboxClient, size: int) -> list[str]:
    seen: list[str] = []
    where: dict[str, str] = {}
    while rows := page(portal, select_=":*,*", order_=":updated_at,:id", limit_=size, **where):
        seen += [row[":id"] for row in rows]
        at, last = rows[-1][":updated_at"], rows[-1][":id"]
        where = {"where_": f":updated_at > '{at}' or (:updated_at = '{at}' and :id > '{last}')"}
    return seen


def test_a_page_has_1000_rows_unless_asked_otherwise(portal: SandboxClient) -> None:
    assert len(page(portal)) == 1_000
    assert len(page(portal, limit_=50_000)) == ROWS


def test_a_page_larger_than_50000_is_refused(portal: SandboxClient) -> None:
    answer = ask(portal, limit_=50_001)
    assert answer.status_code == 400
    assert "50000" in answer.json()["message"]


def test_an_exhausted_page_is_an_empty_list_and_a_newline(portal: SandboxClient) -> None:
    assert ask(portal, order_=":id", offset_=ROWS).text == "[]\n"
    assert ask(portal, limit_=0).text == "[]\n"
    assert ask(portal, limit_=3).text.endswith("]\n")


@pytest.mark.parametrize("size", [997, 50_000])
def test_paging_by_update_and_id_visits_every_row_exactly_once(portal: SandboxClient, size: int) -> None:
    seen = keyset_scan(portal, size)
    assert len(seen) == ROWS
    assert len(set(seen)) == ROWS


def test_offset_paging_in_a_total_order_visits_every_row_exactly_once(portal: SandboxClient) -> None:
    seen = [
        row[":id"]
        for at in range(0, ROWS, 700)
        for row in page(portal, select_=":id", order_=":id", limit_=700, offset_=at)
    ]
    assert len(seen) == ROWS
    assert len(set(seen)) == ROWS


@pytest.mark.parametrize("order", [{}, {"order_": ":updated_at"}])
def test_offset_paging_without_a_total_order_repeats_and_loses_rows_the_same_way_each_time(
    portal: SandboxClient, order: dict[str, str]
) -> None:
    def scan() -> list[str]:
        return [
            row[":id"]
            for at in range(0, ROWS, 100)
            for row in page(portal, select_=":id", limit_=100, offset_=at, **order)
        ]

    seen = scan()
    assert len(set(seen)) < ROWS
    assert len(seen) > len(set(seen))
    assert seen == scan()


def test_one_update_instant_is_on_more_rows_than_a_page(portal: SandboxClient) -> None:
    counted = page(portal, select_=":updated_at, count(*)", group_=":updated_at", order_="count desc", limit_=1)
    assert int(counted[0]["count"]) > 100


def test_values_are_text_absent_ones_are_left_out_and_a_location_is_an_object(portal: SandboxClient) -> None:
    rows = page(portal, limit_=50_000)
    names = {name for row in rows for name in row}
    assert not {name for name in names if name.startswith(":")}
    assert all(isinstance(value, str) for row in rows for name, value in row.items() if name != "location")
    assert any("clearance_status" not in row for row in rows)
    located = next(row for row in rows if "location" in row)
    assert set(located["location"]) == {"latitude", "longitude", "human_address"}
    assert located["location"]["latitude"] == located["latitude"]
    assert sum("latitude" not in row and row.get("x_coordinate") == "0" for row in rows) > 0


def test_system_fields_come_only_when_selected(portal: SandboxClient) -> None:
    row = page(portal, select_=":*, *", limit_=1)[0]
    assert row[":updated_at"].endswith("Z")
    assert len(row[":updated_at"]) == len("2026-11-21T12:00:00.000Z")
    assert page(portal, select_=":id", limit_=1)[0].keys() == {":id"}


def test_counts_and_bounds_are_text_under_their_names(portal: SandboxClient) -> None:
    assert page(portal, select_="count(*)") == [{"count": str(ROWS)}]
    newest = page(portal, select_=":updated_at", order_=":updated_at desc", limit_=1)[0][":updated_at"]
    assert page(portal, select_="max(:updated_at) as newest, count(*) as n") == [{"newest": newest, "n": str(ROWS)}]
    assert page(portal, select_="max(:updated_at)") == [{"max_updated_at": newest}]


def test_a_count_under_a_filter_is_the_number_of_rows_under_it(portal: SandboxClient) -> None:
    where = "sector in ('ED', 'AD') and (clearance_status is null or not clearance_status = 'C')"
    assert page(portal, select_="count(*)", where_=where)[0]["count"] == str(
        len(page(portal, where_=where, limit_=50_000))
    )


def test_a_field_as_a_parameter_is_a_filter(portal: SandboxClient) -> None:
    rows = page(portal, sector="ED", limit_=50_000)
    assert rows
    assert {row["sector"] for row in rows} == {"ED"}
    assert rows == page(portal, where_="sector = 'ED'", limit_=50_000)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"where_": "sector = "}, "query.soql.bad-parse"),
        ({"where_": "colour = 'red'"}, "query.soql.no-such-column"),
        ({"select_": "colour"}, "query.soql.no-such-column"),
        ({"order_": "sector descending"}, "query.soql.bad-parse"),
        ({"where_": "latitude > 'north'"}, "query.soql.type-mismatch"),
        ({"nonsense_": "1"}, "invalid-parameter"),
        ({"colour": "red"}, "query.soql.no-such-column"),
    ],
)
def test_a_bad_query_is_400_with_message_and_code(portal: SandboxClient, parameters: dict[str, str], code: str) -> None:
    answer = ask(portal, **parameters)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json()["errorCode"] == code
    assert code in answer.json()["message"]


def test_an_unknown_dataset_is_404(portal: SandboxClient) -> None:
    for path in ("resource/aaaa-bbbb.json", "api/views/aaaa-bbbb.json"):
        answer = requests.get(f"{portal.base_url}/{path}", timeout=60)
        assert answer.status_code == 404
        assert answer.json()["code"] == "dataset.missing"


def test_headers_say_what_the_answer_holds(portal: SandboxClient) -> None:
    answer = ask(portal, select_="incident_report_number, latitude, :updated_at", limit_=1)
    assert answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert answer.headers["X-SODA2-Fields"] == '["incident_report_number","latitude",":updated_at"]'
    assert answer.headers["X-SODA2-Types"] == '["text","number","fixed_timestamp"]'
    assert answer.headers["X-SODA2-Truth-Last-Modified"] == answer.headers["Last-Modified"]


def test_an_unchanged_page_is_304_by_tag_and_by_date_until_the_rows_change(portal: SandboxClient) -> None:
    first = ask(portal, limit_=5)
    for headers in ({"If-None-Match": first.headers["ETag"]}, {"If-Modified-Since": first.headers["Last-Modified"]}):
        again = ask(portal, limit_=5, headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
    assert ask(portal, limit_=6, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200
    portal.mutate(FEED, revise=1)
    for headers in ({"If-None-Match": first.headers["ETag"]}, {"If-Modified-Since": first.headers["Last-Modified"]}):
        assert ask(portal, limit_=5, headers=headers).status_code == 200


def test_a_compressed_page_has_another_tag_and_the_same_rows(portal: SandboxClient) -> None:
    address = urlsplit(portal.base_url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    path = f"/resource/{DATASET}.json?" + urlencode({"$limit": 50, "$order": ":id"})
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    compressed = connection.getresponse()
    body = compressed.read()
    connection.request("GET", path, headers={"Accept-Encoding": "identity"})
    plain = connection.getresponse()
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert compressed.headers["ETag"].removeprefix("W/").strip('"').endswith("--gzip")
    assert compressed.headers["ETag"] != plain.headers["ETag"]
    assert gzip.decompress(body) == plain.read()
    connection.close()


def test_metadata_names_columns_and_key_and_moves_on_with_every_change(portal: SandboxClient) -> None:
    def metadata() -> dict[str, Any]:
        answer: dict[str, Any] = requests.get(f"{portal.base_url}/api/views/{DATASET}.json", timeout=60).json()
        return answer

    before = metadata()
    assert before["id"] == DATASET
    assert before["rowIdentifier"] == "incident_report_number"
    assert {"fieldName": "latitude", "dataTypeName": "number", "name": "Latitude"}.items() <= before["columns"][
        24
    ].items()
    assert before["columns"][4]["dataTypeName"] == "calendar_date"
    stamps = [before["rowsUpdatedAt"]]
    for _ in range(5):
        portal.mutate(FEED, revise=1)
        stamps.append(metadata()["rowsUpdatedAt"])
    assert stamps == sorted(set(stamps))
    assert metadata()["rowsUpdatedAt"] == stamps[-1]


def test_a_token_is_taken_when_offered_and_asked_for_when_told(portal: SandboxClient) -> None:
    assert ask(portal, limit_=1, headers={"X-App-Token": "anything"}).status_code == 200
    portal.require_app_token("secret")
    assert ask(portal, limit_=1).status_code == 403
    assert ask(portal, limit_=1, headers={"X-App-Token": "wrong"}).json()["code"] == "permission_denied"
    assert ask(portal, limit_=1, headers={"X-App-Token": "secret"}).status_code == 200


def test_other_paths_and_methods_are_refused(portal: SandboxClient) -> None:
    assert requests.get(f"{portal.base_url}/nowhere", timeout=60).status_code == 404
    assert requests.post(f"{portal.base_url}/resource/{DATASET}.json", json=[], timeout=60).status_code == 405
