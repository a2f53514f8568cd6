"""Every code of the real files is mapped, to words that the model knows."""

from __future__ import annotations

import csv

import pytest
from stream_rows import AUSTIN, SAN_DIEGO

from schemas.errors import ConfigError
from stream_jobs import crosswalk, jobs

CATEGORIES = {
    *("homicide", "sexual_assault", "robbery", "aggravated_assault", "assault", "burglary", "theft", "vehicle_theft"),
    *("arson", "fraud", "vandalism", "drugs", "weapons", "impaired_driving", "family_disturbance", "trespass"),
    *("disorder", "traffic", "missing_person", "welfare", "alarm", "administrative", "other", "unmapped"),
    *("hate_crime", "service_request"),
}
STATUSES = {"open", "cleared_arrest", "cleared_exceptional", "not_cleared", "closed", "unknown"}


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (source, target, words)
        for source in jobs.feeds()
        for target, words in (("category", CATEGORIES), ("status", STATUSES))
        if target in crosswalk.of_source(source)
    ],
)
def test_targets_are_words_of_the_model(source, target, words):
    found = crosswalk.of_source(source)[target]
    assert {*found.exact.values(), *found.patterns.values()} <= words


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


def test_exact_codes_come_before_patterns_and_quotes_are_doubled(tmp_path, monkeypatch):
    (tmp_path / "quoted").mkdir()
    (tmp_path / "quoted" / "code.csv").write_text("code,category\nO%,other\nO'X,theft\nQ,\n", encoding="utf-8")
    monkeypatch.setattr(crosswalk, "FOLDER", tmp_path)
    arms = crosswalk.of_source("quoted")["category"].expression().split("when")
    assert [arm.split("then")[0].strip() for arm in arms[1:]] == ["code in ('O''X')", "code like 'O%'"]
