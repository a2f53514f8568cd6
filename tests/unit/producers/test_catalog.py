from __future__ import annotations

from pathlib import Path

import pytest

from producers import catalog
from schemas.errors import ConfigError

GOOD = (catalog.FOLDER / "san_diego_calls.yaml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "san_diego_calls") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_source_in_the_repository_is_valid():
    assert {source.protocol.name for source in catalog.load_all().values()} == {"arcgis", "ckan", "csv_file", "socrata"}
    assert all(source.columns for source in catalog.load_all().values())


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        (("title: San Diego calls for service\n", ""), "add `title:`"),
        (("time_zone: America/Los_Angeles", "time_zone: Pacific"), "write it like America/Chicago"),
        (("cadence_minutes: 720", "cadence_minutes: soon"), "correct `cadence_minutes` (now 'soon')"),
        (("record_id: [incident_num]", "record_id: [number]"), "add it there or correct it here"),
        (("licence: ODC-PDDL", "license: ODC-PDDL"), "remove `license` or correct its spelling"),
        (("years: [current]", "years: []"), "correct `protocol.years`"),
        (("unit: calls", "unit: crimes"), "correct `counts.unit` (now 'crimes')"),
        (("time_zone:", "breaks: [{date: 2026-13-01, effect: level, what: x}]\ntime_zone:"), "Correct the file"),
        (("time_zone:", "breaks: [{date: soon, effect: level, what: x}]\ntime_zone:"), "correct `breaks.0.date`"),
        (("time_zone:", "breaks: [{date: 2026-01-01, effect: bad, what: x}]\ntime_zone:"), "correct `breaks.0.effect`"),
    ],
)
def test_a_message_about_a_wrong_source_ends_with_the_fix(tmp_path: Path, change: tuple[str, str], fix: str):
    assert change[0] in GOOD
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(ConfigError) as caught:
        catalog.load_file(path)
    assert fix in str(caught.value)


def test_several_years_need_a_path_with_the_year(tmp_path: Path):
    path = write(tmp_path, GOOD.replace("_{year}_", "_all_").replace("[current]", "[2022, 2023]"))
    with pytest.raises(ConfigError, match=r"put \{year\} into path"):
        catalog.load_file(path)


def test_a_file_must_be_named_after_its_key(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"rename the file to san_diego_calls\.yaml"):
        catalog.load_file(write(tmp_path, GOOD, "san_diego"))


def test_a_file_that_is_no_mapping_is_a_configuration_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="start it with `key: san_diego_calls`"):
        catalog.load_file(write(tmp_path, "- a list\n"))


def test_an_unknown_source_lists_those_that_exist():
    with pytest.raises(ConfigError, match=r"austin_crime_reports, .*san_diego_calls"):
        catalog.find("houston")
