"""Datasets that a file describes are published like any other: on their protocol, with rows drawn from the examples."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import yaml

from civicwire.sandbox.client import SandboxClient
from civicwire.settings import ROOT
from schemas.errors import ConfigError

SPRINGFIELD = (ROOT / "docs" / "springfield.yaml").read_text(encoding="utf-8")
ARCHIVE = "denver_311_archive"
HOSTILE = 'Robert\'); drop table "rows";--'


def described(**changes: object) -> str:
    return yaml.safe_dump(yaml.safe_load(SPRINGFIELD) | changes)


def get(portal: SandboxClient, path: str, **params: str) -> requests.Response:
    return requests.get(portal.base_url + path, params=params, timeout=60)


def csv_rows(portal: SandboxClient, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(get(portal, path).text, newline="")))


def test_a_described_dataset_is_published_with_unique_keys_and_values_of_its_examples(portal: SandboxClient) -> None:
    published = portal.publish(SPRINGFIELD)
    assert published == {"feed": "springfield_incidents", "path": "/resource/spr1-ngfd.json", "rows": 0}
    portal.seed("springfield_incidents", 300)
    rows = get(portal, "/resource/spr1-ngfd.json").json()
    assert len({row["incident_no"] for row in rows}) == len(rows) == 300
    assert {row.get("patrol_beat") for row in rows} == {"A1", "A2", "B1", "C3", None}
    assert all(row["occurred_on"] <= row["reported_on"] for row in rows)
    view = get(portal, "/api/views/spr1-ngfd.json").json()
    assert view["license"] == {"name": "Public Domain Dedication and License"}
    assert view["columns"][0]["description"] == "Number of the report."


def test_every_change_that_a_city_makes_can_be_made_of_a_described_dataset(portal: SandboxClient) -> None:
    portal.publish(SPRINGFIELD)
    portal.seed("springfield_incidents", 50)
    newest = max(row["occurred_on"] for row in portal.truth("springfield_incidents"))
    touched = portal.mutate("springfield_incidents", insert=3, late=2, revise=4, delete=1)
    assert [len(touched[kind]) for kind in ("inserted", "late", "revised", "deleted")] == [3, 2, 4, 1]
    assert all(row["after"]["occurred_on"] < newest for row in touched["late"])
    assert all(row["before"]["report_status"] != row["after"]["report_status"] for row in touched["revised"])
    assert portal.summary("springfield_incidents")["rows"] == 54


def test_what_was_published_on_command_is_there_after_a_restart(
    start_portals: Callable[[], SandboxClient],
) -> None:
    portal = start_portals()
    portal.publish(SPRINGFIELD)
    portal.seed("springfield_incidents", 20)
    before = list(portal.truth("springfield_incidents"))
    assert list(start_portals().truth("springfield_incidents")) == before


def test_publishing_the_same_again_keeps_the_rows_and_another_description_begins_anew(portal: SandboxClient) -> None:
    portal.publish(SPRINGFIELD)
    portal.seed("springfield_incidents", 20)
    assert portal.publish(SPRINGFIELD)["rows"] == 20
    assert portal.publish(described(title="Other Incidents"))["rows"] == 0


@pytest.mark.parametrize(
    ("protocol", "address", "path", "params"),
    [
        ("arcgis", "/x/FeatureServer", "/x/FeatureServer/325/query", {"where": "1=1"}),
        ("ckan", "11111111-2222-3333-4444-555555555555", "/api/3/action/datastore_search", {"limit": "1000"}),
    ],
)
def test_a_described_dataset_speaks_the_protocol_that_it_names(
    portal: SandboxClient, protocol: str, address: str, path: str, params: dict[str, str]
) -> None:
    portal.publish(described(protocol=protocol, address=address))
    portal.seed("springfield_incidents", 40)
    answer = get(portal, path, resource_id=address, **params).json()
    rows = [one["attributes"] for one in answer["features"]] if protocol == "arcgis" else answer["result"]["records"]
    assert len(rows) == 40
    assert all(isinstance(row["latitude"], float) for row in rows if row["latitude"] is not None)


def test_rows_of_a_described_file_are_in_the_file_of_their_year(portal: SandboxClient) -> None:
    portal.publish(described(protocol="csv", address="open/incidents_{year}.csv"))
    portal.seed("springfield_incidents", 60, first="2024-12-01", until="2025-01-31")
    for year in ("2024", "2025"):
        rows = csv_rows(portal, f"/open/incidents_{year}.csv")
        assert rows
        assert {row["occurred_on"][:4] for row in rows} == {year}
    assert get(portal, "/open/incidents_2023.csv").status_code == 404


def test_one_file_without_a_year_holds_every_row(portal: SandboxClient) -> None:
    portal.publish(described(protocol="csv", address="/open/incidents.csv"))
    portal.seed("springfield_incidents", 60, first="2024-12-01", until="2025-01-31")
    assert len(csv_rows(portal, "/open/incidents.csv")) == 60


def test_an_archive_has_its_years_and_a_header_where_a_year_has_no_rows(portal: SandboxClient) -> None:
    files = yaml.safe_load((ROOT / "civicwire/sandbox/described" / f"{ARCHIVE}.yaml").read_text("utf-8"))["files"]
    portal.seed(ARCHIVE, 100, first="2024-01-01", until="2025-12-31")
    portal.mutate(ARCHIVE, insert=5, late=5)
    assert [len(csv_rows(portal, path)) > 0 for path in files.values()] == [False] * 5 + [True, True]
    assert sum(len(csv_rows(portal, path)) for path in files.values()) == 110
    assert get(portal, files[2019]).text.startswith('"Case Summary","Case Status"')


def test_words_that_are_code_elsewhere_are_only_words(portal: SandboxClient) -> None:
    column = {"name": HOSTILE, "examples": [HOSTILE, "{{ x }}"]}
    columns = [*yaml.safe_load(SPRINGFIELD)["columns"], column]
    portal.publish(described(title=HOSTILE, columns=columns, protocol="csv", address="/hostile.csv"))
    portal.seed("springfield_incidents", 30)
    rows = csv_rows(portal, "/hostile.csv")
    assert {row[HOSTILE] for row in rows} == {HOSTILE, "{{ x }}"}
    assert portal.health()["status"] == "ok"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"event": "nowhere"}, "'nowhere' is none of the columns"),
        ({"event": "offense"}, "has no `time`"),
        ({"revise": "incident_no"}, "less than two examples"),
        ({"time_zone": "Springfield"}, "write it like America/Chicago"),
        ({"address": ""}, "give `address`"),
        ({"protocol": "ftp"}, "protocol"),
        ({"name": "austin_crime_reports"}, "choose another name"),
    ],
)
def test_a_description_that_is_wrong_is_refused_with_the_place(
    portal: SandboxClient, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        portal.publish(described(**changes))


def test_a_feed_of_the_checkout_is_named_after_its_file() -> None:
    for path in Path(ROOT / "civicwire/sandbox/described").glob("*.yaml"):
        assert yaml.safe_load(path.read_text(encoding="utf-8"))["name"] == path.stem
