"""Every code of the real files is mapped, to words that the model knows."""

from __future__ import annotations

import csv
import re
import sqlite3

import pytest
from stream_rows import AUSTIN, SAN_DIEGO

from civicwire.settings import ROOT
from schemas.errors import ConfigError
from stream_jobs import crosswalk, jobs, taxonomy

TARGETS = {
    **taxonomy.VOCABULARIES,
    "category": tuple(taxonomy.categories()),
    "category_by_words": tuple(taxonomy.categories()),
    "against": taxonomy.VOCABULARIES["crime_against"],
    "victim_sex": taxonomy.VOCABULARIES["sex"],
    "victim_descent": taxonomy.VOCABULARIES["descent"],
}
LABELS = {"words", "description", "sex_words", "descent_words", "weapon_words"}
"""Targets that only say in a feed's own words what a code means."""
NIBRS_GROUPS = {
    "A": "720 200 13A 13B 13C 510 220 250 290 35A 35B 270 210 26A 26B 26C 26D 26E 26F 26G 39A 39B 39C 39D 09A 09B 09C "
    "64A 64B 100 23A 23B 23C 23D 23E 23F 23G 23H 240 370 40A 40B 40C 120 11A 11B 11C 11D 36A 36B 280 520",
    "B": "90A 90B 90C 90D 90E 90F 90G 90H 90J 90Z",
}
"""The FBI's NIBRS manual, without what only federal agencies report."""


@pytest.mark.parametrize("source", jobs.feeds())
def test_targets_are_words_of_the_model(source):
    for target, found in crosswalk.of_source(source).items():
        if target not in LABELS:
            assert {*found.exact.values(), *found.patterns.values()} - {""} <= set(TARGETS[target]), target


def test_every_offence_of_nibrs_is_in_one_category():
    offences = [code for category in taxonomy.categories().values() for code in category.nibrs]
    assert len(offences) == len(set(offences))
    assert set(" ".join(NIBRS_GROUPS.values()).split()) <= set(offences)


def test_a_nibrs_code_is_in_the_category_that_lists_it():
    listed = {code: category.name for category in taxonomy.categories().values() for code in category.nibrs}
    assert crosswalk.of_source("la_nibrs_offenses")["category"].exact == listed


def test_a_category_is_against_what_nibrs_says_of_all_its_offences():
    against = crosswalk.of_source("la_nibrs_offenses")["against"].exact
    for category in taxonomy.categories().values():
        if category.nibrs and category.crime_against:
            assert {against[code] for code in category.nibrs} == {category.crime_against}, category.name


def test_violent_and_property_crime_are_the_eight_offences_of_the_summary_reports():
    index = {
        kind: {category.name for category in taxonomy.categories().values() if category.index_crime == kind}
        for kind in ("violent", "property")
    }
    assert index == {
        "violent": {"homicide", "sexual_assault", "robbery", "aggravated_assault"},
        "property": {"burglary", "theft", "vehicle_theft", "arson"},
    }


@pytest.mark.parametrize(
    ("source", "target", "code"),
    [
        (AUSTIN, "category", "THEFT BY EXTORTION"),
        (SAN_DIEGO, "category", "518R"),
        ("la_crime_2020_2024", "category", "940"),
        ("la_nibrs_offenses", "category", "210"),
    ],
)
def test_extortion_is_fraud_in_every_city(source, target, code):
    assert crosswalk.of_source(source)[target].exact[code] == "fraud"


def test_every_word_of_the_model_is_in_its_documentation():
    page = (ROOT / "docs" / "incident-model.md").read_text(encoding="utf-8")
    words = {word for words in TARGETS.values() for word in words}
    assert {word for word in words if not re.search(rf"\b{word}\b", page)} == set()


def test_every_real_austin_type_is_listed(real_data, real_rows):
    types = {row["crime_type"].strip() for row in real_rows[AUSTIN]}
    assert types <= set(crosswalk.of_source(AUSTIN)["category"].exact)


def test_every_real_call_type_is_listed(real_data, real_rows):
    types = {row["call_type"].strip() for row in real_rows[SAN_DIEGO]} - {""}
    assert types <= set(crosswalk.of_source(SAN_DIEGO)["category"].exact)


@pytest.mark.parametrize(
    ("file", "column", "target"),
    [
        ("lookup_pd_cfs_calltypes_datasd.csv", "call_type", "category"),
        ("lookup_pd_dispo_codes_datasd.csv", "dispo_code", "status"),
        ("lookup_pd_dispo_codes_historical_datasd.csv", "dispo_code", "status"),
    ],
)
def test_every_code_of_the_citys_own_look_up_is_listed(real_data, file, column, target):
    with (real_data / "san_diego" / file).open(encoding="utf-8-sig", newline="") as lines:
        codes = {row[column].strip() for row in csv.DictReader(lines)}
    assert codes <= set(crosswalk.of_source(SAN_DIEGO)[target].exact)


def test_a_code_that_stands_twice_is_refused(tmp_path, monkeypatch):
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "code.csv").write_text("code,category\nA,theft\nA,fraud\n", encoding="utf-8")
    monkeypatch.setattr(crosswalk, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match="A more than once"):
        crosswalk.of_source("feed")


def test_patterns_are_for_codes_that_are_not_listed_and_quotes_are_doubled(tmp_path, monkeypatch):
    (tmp_path / "quoted").mkdir()
    lines = "code,category\nO%,other\nO'X,theft\nOQ,\nQ,\n"
    (tmp_path / "quoted" / "code.csv").write_text(lines, encoding="utf-8")
    monkeypatch.setattr(crosswalk, "FOLDER", tmp_path)
    mapped = crosswalk.of_source("quoted")["category"].expression()
    with sqlite3.connect(":memory:") as database:
        found = {
            code: database.execute(f"select {mapped} from (select ? as code)", [code]).fetchone()[0]
            for code in ("O'X", "OX", "OQ", "Q", "X")
        }
    assert found == {"O'X": "theft", "OX": "other", "OQ": None, "Q": None, "X": None}, "OQ is left unmapped on purpose"
