"""The sandbox changes on command as the cities do, and its truth is what it then publishes."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from civicwire.sandbox.client import SandboxClient
from schemas.errors import ConfigError, EnvironmentMissingError

AUSTIN, SAN_DIEGO = "austin_crime_reports", "san_diego_calls"
KEYS = {AUSTIN: "incident_report_number", SAN_DIEGO: "incident_num"}
TIMES = {AUSTIN: "rep_date_time", SAN_DIEGO: "date_time"}
RESOURCE = "/resource/fdj4-gpfu.json"


def truth(portal: SandboxClient, feed: str) -> dict[str, dict[str, Any]]:
    return {row[KEYS[feed]]: row for row in portal.truth(feed)}


def published(portal: SandboxClient, feed: str) -> list[dict[str, Any]]:
    """Return what a stranger reads from the portal."""
    if feed == AUSTIN:
        rows: list[dict[str, Any]] = requests.get(
            portal.base_url + RESOURCE, params={"$limit": 50_000, "$order": ":id"}, timeout=60
        ).json()
        return rows
    path = "/police_calls_for_service/pd_calls_for_service_2026_datasd.csv"
    return list(csv.DictReader(io.StringIO(requests.get(portal.base_url + path, timeout=60).text)))


def stamps(portal: SandboxClient) -> dict[str, tuple[str, str, str]]:
    query = {"$limit": 50_000, "$select": ":*, incident_report_number"}
    rows = requests.get(portal.base_url + RESOURCE, params=query, timeout=60).json()
    return {row[KEYS[AUSTIN]]: (row[":id"], row[":created_at"], row[":updated_at"]) for row in rows}


@pytest.fixture
def seeded(portal: SandboxClient) -> SandboxClient:
    portal.seed(AUSTIN, 1_500, until="2026-11-15")
    portal.seed(SAN_DIEGO, 3_000, until="2026-11-15")
    return portal


@pytest.mark.parametrize("feed", [AUSTIN, SAN_DIEGO])
def test_the_truth_is_what_a_stranger_reads(seeded: SandboxClient, feed: str) -> None:
    seeded.mutate(feed, insert=5, late=5, revise=5, delete=5)
    key = KEYS[feed]
    assert sorted(published(seeded, feed), key=lambda row: row[key]) == list(seeded.truth(feed))


@pytest.mark.parametrize("feed", [AUSTIN, SAN_DIEGO])
def test_the_summary_is_the_truth_counted(seeded: SandboxClient, feed: str) -> None:
    rows, summary = list(seeded.truth(feed)), seeded.summary(feed)
    category, area = {AUSTIN: ("crime_type", "sector"), SAN_DIEGO: ("call_type", "beat")}[feed]
    times = [row.get("occ_date_time") or row["occ_date"] if feed == AUSTIN else row["date_time"] for row in rows]
    assert summary["rows"] == len(rows)
    assert summary["by_month"] == Counter(time[:7] for time in times)
    assert summary["by_category"] == Counter(row[category] for row in rows)
    assert summary["by_area"] == Counter(row.get(area, "") for row in rows)
    assert (summary["oldest_event"], summary["newest_event"]) == (min(times), max(times))


@pytest.mark.parametrize("feed", [AUSTIN, SAN_DIEGO])
def test_a_mutation_does_what_it_tells_and_nothing_else(seeded: SandboxClient, feed: str) -> None:
    before = truth(seeded, feed)
    touched = seeded.mutate(feed, insert=7, late=6, revise=8, delete=9)
    after = truth(seeded, feed)
    assert {kind: len(changes) for kind, changes in touched.items()} == {
        "inserted": 7,
        "late": 6,
        "revised": 8,
        "deleted": 9,
    }
    expected = dict(before)
    for changes in touched.values():
        for change in changes:
            assert change["before"] == before.get(change["key"])
            assert change["before"] != change["after"]
            expected.pop(change["key"], None)
            if change["after"] is not None:
                expected[change["key"]] = change["after"]
    assert after == expected
    assert len({change["key"] for changes in touched.values() for change in changes}) == 30


@pytest.mark.parametrize("feed", [AUSTIN, SAN_DIEGO])
def test_new_rows_are_newest_and_late_rows_lie_well_below(seeded: SandboxClient, feed: str) -> None:
    newest = max(row[TIMES[feed]] for row in seeded.truth(feed))
    highest = max(truth(seeded, feed))
    touched = seeded.mutate(feed, insert=10, late=10)
    assert all(change["after"][TIMES[feed]] > newest for change in touched["inserted"])
    assert all(change["after"][TIMES[feed]] < newest for change in touched["late"])
    if feed == SAN_DIEGO:
        assert all(change["key"] > highest for change in touched["inserted"])
        assert all(change["key"] < highest for change in touched["late"])


def test_a_late_call_fits_between_its_neighbours_by_number_and_by_time(seeded: SandboxClient) -> None:
    late = {change["key"] for change in seeded.mutate(SAN_DIEGO, late=25)["late"]}
    rows = list(seeded.truth(SAN_DIEGO))
    for i, row in enumerate(rows):
        if row["incident_num"] in late:
            neighbours = [r for r in rows[max(0, i - 4) : i + 5] if r["incident_num"] not in late]
            times = [r["date_time"] for r in neighbours]
            assert min(times) <= row["date_time"] <= max(times)


def test_the_same_seed_gives_the_same_rows_and_the_same_changes(seeded: SandboxClient) -> None:
    def run() -> list[str]:
        seen = []
        for feed in (AUSTIN, SAN_DIEGO):
            seeded.seed(feed, 800, seed=5, until="2026-11-15")
            seen.append(json.dumps(list(seeded.truth(feed))))
        return seen

    assert run() == run()


def test_seeding_makes_as_many_rows_as_asked_for_between_the_days(portal: SandboxClient) -> None:
    told = portal.seed(AUSTIN, 700, first="2025-02-01", until="2025-03-31")
    assert (told["rows"], told["from"], told["until"]) == (700, "2025-02-01", "2025-03-31")
    days = {row["rep_date"][:10] for row in portal.truth(AUSTIN)}
    assert min(days) == "2025-02-01"
    assert max(days) == "2025-03-31"


def test_a_seeded_portal_changes_after_its_newest_update_and_never_in_the_future(portal: SandboxClient) -> None:
    portal.seed(AUSTIN, 300)
    before = stamps(portal)
    touched = portal.mutate(AUSTIN, revise=1)["revised"][0]["key"]
    assert stamps(portal)[touched][2] > max(updated for _, _, updated in before.values())


def test_an_upsert_leaves_unchanged_rows_their_update_instant(seeded: SandboxClient) -> None:
    rows, before = list(seeded.truth(AUSTIN)), stamps(seeded)
    changed = rows[0] | {"sector": "XX"}
    new = rows[1] | {"incident_report_number": "1"}
    done = seeded.upsert(AUSTIN, [changed, *rows[1:50], new])
    assert done == {"inserted": 1, "revised": 1, "unchanged": 49, "deleted": 0}
    after = stamps(seeded)
    moved = {key for key in before if before[key][2] != after[key][2]}
    assert moved == {changed["incident_report_number"]}
    assert {key for key in before if before[key][:2] != after[key][:2]} == set()


def test_a_replacement_renews_every_stamp_and_leaves_every_value(seeded: SandboxClient) -> None:
    rows, before = truth(seeded, AUSTIN), stamps(seeded)
    assert seeded.replace(AUSTIN) == {"rows": 1_500}
    after = stamps(seeded)
    assert truth(seeded, AUSTIN) == rows
    assert {i for i, _, _ in before.values()}.isdisjoint({i for i, _, _ in after.values()})
    assert min(c for _, c, _ in after.values()) > max(u for _, _, u in before.values())


def test_a_replacement_with_given_rows_publishes_those_alone(seeded: SandboxClient) -> None:
    rows = list(seeded.truth(AUSTIN))[:10]
    assert seeded.replace(AUSTIN, rows) == {"rows": 10}
    assert list(seeded.truth(AUSTIN)) == rows


def test_the_four_real_files_add_and_revise_what_the_issue_says(portal: SandboxClient, real_data: Path) -> None:
    portal.replace(AUSTIN, [])
    done = []
    for path in sorted((real_data / "austin").glob("soda_json_*.json")):
        counts = portal.upsert(AUSTIN, json.loads(path.read_text(encoding="utf-8")))
        done.append((counts["inserted"], counts["revised"]))
    assert done == [(1_000, 0), (863, 5), (863, 0), (0, 0)]
    assert portal.summary(AUSTIN)["rows"] == 2_726


def test_real_rows_come_back_as_they_were_given(portal: SandboxClient, real_data: Path) -> None:
    path = min((real_data / "austin").glob("soda_json_*.json"))
    given = json.loads(path.read_text(encoding="utf-8"))
    portal.replace(AUSTIN, given)
    key = KEYS[AUSTIN]
    assert sorted(published(portal, AUSTIN), key=lambda row: row[key]) == sorted(given, key=lambda row: row[key])


def test_deleted_rows_are_gone_and_unknown_keys_are_passed_over(seeded: SandboxClient) -> None:
    keys = list(truth(seeded, AUSTIN))[:3]
    assert seeded.delete(AUSTIN, [*keys, "nobody"])["deleted"] == 3
    assert not truth(seeded, AUSTIN).keys() & set(keys)


def test_columns_can_be_renamed_added_and_dropped(seeded: SandboxClient) -> None:
    fields = seeded.columns(
        AUSTIN, rename={"x_coordinate": "x_feet"}, add={"census_block_group": {"value": "484530011"}}, drop=["address"]
    )
    assert "x_feet" in fields
    rows = published(seeded, AUSTIN)
    names = {name for row in rows for name in row}
    assert {"x_feet", "census_block_group"} <= names
    assert not {"x_coordinate", "address"} & names
    assert {row["census_block_group"] for row in rows} == {"484530011"}
    listed = requests.get(f"{seeded.base_url}/api/views/fdj4-gpfu.json", timeout=60).json()["columns"]
    assert [column["fieldName"] for column in listed] == fields
    assert seeded.mutate(AUSTIN, insert=1, late=1, revise=1, delete=1)
    header = seeded.columns(SAN_DIEGO, rename={"beat": "police_beat"})
    assert "police_beat" in header
    assert "police_beat" in published(seeded, SAN_DIEGO)[0]


def test_rows_stamps_and_given_files_survive_a_restart(start_portals: Callable[[], SandboxClient]) -> None:
    portal = start_portals()
    portal.seed(AUSTIN, 500, until="2026-11-15")
    portal.mutate(AUSTIN, insert=2, delete=2)
    portal.put_file("/kept.csv", b"kept")
    rows, kept = list(portal.truth(AUSTIN)), stamps(portal)
    tag = requests.get(portal.base_url + RESOURCE, timeout=60).headers["ETag"]
    again = start_portals()
    assert list(again.truth(AUSTIN)) == rows
    assert stamps(again) == kept
    assert requests.get(again.base_url + RESOURCE, headers={"If-None-Match": tag}, timeout=60).status_code == 304
    assert requests.get(again.base_url + "/kept.csv", timeout=60).content == b"kept"


def test_the_request_log_tells_what_strangers_asked(seeded: SandboxClient) -> None:
    seeded.clear_requests()
    asked = requests.get(seeded.base_url + RESOURCE, params={"$limit": 2}, headers={"Accept-Encoding": ""}, timeout=60)
    requests.get(seeded.base_url + "/nowhere", timeout=60)
    seeded.health()
    first, second = seeded.requests()
    assert first["path"] == RESOURCE
    assert first["query"] == {"$limit": "2"}
    assert (first["status"], first["bytes"]) == (200, len(asked.content))
    assert (second["path"], second["status"]) == ("/nowhere", 404)


def test_health_counts_the_rows_of_every_feed(seeded: SandboxClient) -> None:
    feeds = seeded.health()["feeds"]
    assert (feeds[AUSTIN]["rows"], feeds[SAN_DIEGO]["rows"]) == (1_500, 3_000)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("feeds/nowhere/seed", {"rows": 1}),
        (f"feeds/{AUSTIN}/seed", {"rows": -1}),
        (f"feeds/{AUSTIN}/seed", {"rowss": 1}),
        (f"feeds/{AUSTIN}/seed", {"rows": 5, "from": "2026-02-01", "until": "2026-01-01"}),
        (f"feeds/{AUSTIN}/upsert", {"rows": [{"crime_type": "THEFT"}]}),
        (f"feeds/{AUSTIN}/upsert", {"rows": [{"incident_report_number": "1", "colour": "red"}]}),
        (f"feeds/{AUSTIN}/mutate", {"delete": 999_999}),
        (f"feeds/{AUSTIN}/columns", {"drop": ["incident_report_number"]}),
        ("faults", {"kind": "earthquake"}),
        ("faults", {"kind": "status", "match": "("}),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_and_changes_nothing(
    seeded: SandboxClient, path: str, body: dict[str, Any]
) -> None:
    before = seeded.health()
    answer = requests.post(f"{seeded.base_url}/_sandbox/{path}", json=body, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert seeded.health() == before


def test_the_client_turns_a_refusal_and_an_absent_portal_into_our_own_errors(seeded: SandboxClient) -> None:
    with pytest.raises(ConfigError, match="austin_crime_reports"):
        seeded.seed("austin", 1)
    with pytest.raises(EnvironmentMissingError, match="civicwire sandbox serve"):
        SandboxClient("http://127.0.0.1:9").health()
