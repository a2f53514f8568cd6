"""What hangs on a column of a feed."""

from __future__ import annotations

import pytest

from civicwire import lineage
from producers import catalog
from schemas import loader

SOURCES = catalog.load_all()


def test_names_are_followed_through_selects_and_unnested_rows():
    sql = """
    create view parsed as with published as (select *, trim("row".code) as code, "row".place as place from raw)
    select published.*, made.judged from published cross join unnest(array [row(upper(code), 1)]) as made (judged, one);
    insert into incidents select judged as category, place from parsed where one = 1
    """
    found = lineage.uses(sql, "trino")
    assert found.reached({"row.code"}) >= {"code", "judged", "category"}
    assert "place" not in found.reached({"row.code"})
    assert found.changed({"code"}) == {"category"}
    assert found.changed({"one"}) == {"category", "place"}, "which rows there are hangs on it"


@pytest.mark.parametrize(
    ("source", "column", "reached"),
    [
        ("austin_crime_reports", "crime_type", {"category", "description"}),
        ("austin_crime_reports", "latitude", {"latitude", "longitude", "quality_flags"}),
        ("san_diego_calls", "beat", {"area", "quality_flags"}),
        ("california_laus", "status", {"preliminary"}),
        ("catalonia_hate_persons", "edat_inici_fets", {"age", "age_code", "quality_flags"}),
        ("la_crime_2020_2024", "vict_age", {"victim_age", "quality_flags"}),
        ("la_nibrs_offenses", "nibr_code", {"category", "crime_against", "code"}),
    ],
)
def test_a_column_reaches_its_columns_of_the_model(source: str, column: str, reached: set[str]):
    assert reached <= set(lineage.affected(SOURCES[source], column).columns)


def test_the_marts_and_panels_of_another_feed_are_not_named():
    affected = lineage.affected(SOURCES["san_diego_calls"], "beat")
    assert "calls_by_type_and_beat" in affected.marts
    assert affected.panels == ("Cities side by side: Calls by type", "Cities side by side: Calls by beat")
    assert "calls_by_type_and_beat" not in lineage.affected(SOURCES["austin_crime_reports"], "sector").marts


@pytest.mark.parametrize(
    ("source", "column", "mart"),
    [
        ("la_crime_2020_2024", "vict_sex", "victims_by_group"),
        ("catalonia_hate_persons", "edat_inici_fets", "hate_crime_persons"),
        ("denver_traffic_accidents", "road_condition", "accidents_by_condition"),
        ("california_laus", "unemployment_rate", "unemployment_correlation"),
    ],
)
def test_a_column_is_followed_through_intermediate_models_and_macros_to_its_mart(source: str, column: str, mart: str):
    """A macro of a column in a model, such as age_group('age'), hides nothing, and no intermediate model is named."""
    marts = lineage.affected(SOURCES[source], column).marts
    assert mart in marts
    assert not [name for name in marts if name.startswith("int_")]


def test_a_column_that_nothing_reads_reaches_nothing():
    affected = lineage.affected(SOURCES["austin_crime_reports"], "zip_code")
    assert (affected.columns, affected.marts, affected.panels) == ((), (), ())


def test_a_column_that_the_schema_does_not_have_reaches_nothing():
    assert lineage.affected(SOURCES["austin_crime_reports"], "no_such_column").marts == ()


@pytest.mark.parametrize("source", SOURCES)
def test_the_key_of_every_feed_reaches_something(source: str):
    """The SQL of every feed can be read: a statement that cannot be parsed would fail here."""
    column = (SOURCES[source].key_columns or [SOURCES[source].event_time])[0]
    touched = set().union(*lineage.model_columns(source, column).values())
    assert touched & {name for schema in ("incident", "person", "indicator") for name in loader.field_names(schema)}
