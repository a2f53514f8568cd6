"""What people paste is understood, whichever page of the portal they had open."""

from __future__ import annotations

import pytest

from civicwire.scaffold.address import Address, parse
from schemas.errors import ConfigError

CITY = "https://data.city.example"
UUID = "0f3c1c4e-8e0a-4b7e-9a53-3f3b1f0c2d11"
SERVICE = "/arcgis/rest/services/Police/Crime/FeatureServer"


@pytest.mark.parametrize(
    "pasted",
    [
        f"{CITY}/Public-Safety/Police-Incidents/abcd-1234",
        f"{CITY}/Public-Safety/Police-Incidents/abcd-1234/about_data",
        f"{CITY}/Public-Safety/Police-Incidents/abcd-1234/data_preview",
        f"{CITY}/d/abcd-1234",
        f"{CITY}/resource/abcd-1234.json?$limit=5",
        f"{CITY}/resource/abcd-1234.csv",
        f"{CITY}/api/views/abcd-1234.json",
        f"{CITY}/api/views/abcd-1234/rows.csv?accessType=DOWNLOAD",
        f"{CITY}/api/v3/views/abcd-1234/query.json",
        "  data.city.example/d/abcd-1234 ",
    ],
)
def test_any_page_of_a_socrata_dataset_is_the_dataset(pasted: str):
    assert parse(pasted) == Address("socrata", CITY, "abcd-1234")


@pytest.mark.parametrize(
    ("pasted", "layer"),
    [
        (CITY + SERVICE, ""),
        (f"{CITY}{SERVICE}/", ""),
        (f"{CITY}{SERVICE}/7", "7"),
        (f"{CITY}{SERVICE}/7/query?where=1%3D1&f=json", "7"),
        (f"{CITY}{SERVICE.replace('FeatureServer', 'featureserver')}/7", "7"),
    ],
)
def test_a_feature_server_is_found_with_and_without_its_layer(pasted: str, layer: str):
    assert parse(pasted) == Address("arcgis", CITY, SERVICE, layer)


@pytest.mark.parametrize(
    ("pasted", "name", "part"),
    [
        (f"{CITY}/dataset/police-incidents", "police-incidents", ""),
        (f"{CITY}/dataset/police-incidents/resource/{UUID}", "police-incidents", UUID),
        (f"{CITY}/dataset/police-incidents/resource/{UUID}/download/all.csv", "police-incidents", UUID),
        (f"{CITY}/datastore/dump/{UUID}?bom=True", "", UUID),
        (f"{CITY}/api/3/action/datastore_search?resource_id={UUID}&limit=5", "", UUID),
        (f"{CITY}/api/3/action/package_show?id=police-incidents", "police-incidents", ""),
    ],
)
def test_a_ckan_dataset_is_found_by_dataset_resource_or_datastore(pasted: str, name: str, part: str):
    assert parse(pasted) == Address("ckan", CITY, name, part)


def test_a_csv_file_keeps_its_whole_path():
    assert parse(f"{CITY}/open/incidents_2026.csv?v=2") == Address("csv_file", CITY, "/open/incidents_2026.csv?v=2")
    assert parse(f"{CITY}/open/2026-data.csv").protocol == "csv_file"


def test_an_address_that_says_nothing_can_be_settled_by_its_protocol():
    with pytest.raises(ConfigError, match="--protocol"):
        parse(f"{CITY}/export/incidents")
    assert parse(f"{CITY}/export/incidents", "csv_file") == Address("csv_file", CITY, "/export/incidents")


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("", "no web address"),
        ("ftp://data.city.example/a.csv", "no web address"),
        ("https://data.city.example:port/a.csv", "no web address"),
        ("https://data.city.example/a\nkey: evil.csv", "no web address"),
        ("https://me:secret@data.city.example/a.csv", "carries a credential"),
        (f"{CITY}/resource/abcd-1234.json?$$app_token=abc", "carries a credential"),
        (f"{CITY}{SERVICE.replace('Feature', 'Map')}/0", "look for the same layer's FeatureServer"),
    ],
)
def test_what_cannot_be_polled_is_refused_with_what_to_paste_instead(pasted: str, told: str):
    with pytest.raises(ConfigError, match=told) as caught:
        parse(pasted)
    assert "secret" not in str(caught.value)


def test_a_protocol_that_the_address_is_not_of_is_refused():
    with pytest.raises(ConfigError, match="is no address of a socrata dataset"):
        parse(f"{CITY}/open/incidents.csv", "socrata")
