from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import catalog, rows
from producers.rows import Published, Shaper, as_text, content_hash, dead_letter, identity_hash
from schemas.errors import RecordError

AUSTIN = catalog.find("austin_crime_reports")
ROW = {"incident_report_number": "20241481358", "crime_type": "DWI", "rep_date": "2024-05-27T00:00:00.000"}


def shape(values: dict[str, Any], source: catalog.Source = AUSTIN):
    return Shaper(source)(Published(values, b""))


def test_a_null_value_and_an_absent_one_have_the_same_hash():
    assert shape({**ROW, "address": None}).content_hash == shape(ROW).content_hash


def test_the_order_of_columns_does_not_matter_to_the_hash():
    assert shape(dict(reversed(ROW.items()))).content_hash == shape(ROW).content_hash


def test_a_change_in_an_unknown_column_changes_the_hash():
    assert shape({**ROW, "tract_2030": "1"}).content_hash != shape({**ROW, "tract_2030": "2"}).content_hash


def test_moving_a_column_from_extras_into_the_schema_does_not_change_the_hash():
    renamed = AUSTIN.model_copy(update={"renames": {"sector_name": "sector"}})
    row = {**ROW, "sector_name": "ED"}
    assert shape(row, renamed).known["sector"] == "ED"
    assert shape(row).extras == {"sector_name": "ED"}
    assert shape({**ROW, "sector": "ED"}).content_hash == shape(row, renamed).content_hash


def test_computed_region_columns_are_left_out():
    row = shape({**ROW, ":@computed_region_8spj_utxs": "7"})
    assert not row.extras
    assert row.content_hash == shape(ROW).content_hash


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_a_row_without_its_key_is_a_record_error(missing: str | None):
    with pytest.raises(RecordError, match="incident_report_number") as caught:
        shape({**ROW, "incident_report_number": missing})
    assert caught.value.reason == "key_missing"


def test_a_composite_key_is_joined_in_the_order_of_the_source():
    source = AUSTIN.model_copy(update={"record_id": ["incident_report_number", "crime_type"]})
    assert shape(ROW, source).record_id == "20241481358|DWI"


FACTS = catalog.find("catalonia_hate_facts")
VALUES = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from(["", " ", "a  b", " a", "a ", "a\u00a0b", "a\x1fb", "\x1e", "\t"]),
    st.booleans(),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
)


@given(st.dictionaries(st.sampled_from([*FACTS.columns[:6], "mes", "nova", ":id"]), VALUES))
def test_a_row_is_what_its_definition_says_of_it(values: dict[str, object]):
    """The shaper's fast way against the plain one: null and blank left out, names by the schema, sorted, hashed."""
    texts = {name: text for name, value in values.items() if (text := as_text(value)) is not None and name != ":id"}
    known = {FACTS.renames.get(name, name): text for name, text in texts.items() if name != "nova"}
    extras = {name: text for name, text in texts.items() if name == "nova"}
    if not known:
        with pytest.raises(RecordError, match="no value in any known column"):
            shape(values, FACTS)
        return
    row = shape(values, FACTS)
    assert (row.known, row.extras) == (known, extras)
    assert row.content_hash == content_hash(sorted({**known, **extras}.items()))
    assert row.record_id == identity_hash(known)


@given(
    st.dictionaries(
        st.sampled_from([*FACTS.columns[:6], "mes", "nova"]), st.one_of(st.just(""), st.text("ab ")), min_size=1
    )
)
def test_a_row_given_as_a_list_is_the_same_row(values: dict[str, str]):
    shaper = Shaper(FACTS)
    try:
        row = shaper(Published(values, b""))
    except RecordError as error:
        with pytest.raises(RecordError, match=str(error)):
            shaper(Published(list(values.values()), b"", names=tuple(values)))
        return
    listed = shaper(Published(list(values.values()), b"", names=tuple(values)))
    assert (listed.record_id, listed.digest, listed.known, listed.extras, listed.event_time, listed.cells) == (
        row.record_id, row.digest, row.known, row.extras, row.event_time, row.cells
    )  # fmt: skip
    assert [cell or None for cell in row.cells] == [row.known.get(column) for column in FACTS.columns]


def test_of_two_names_of_a_column_the_one_with_a_value_counts():
    assert shape({"any": "2024", "mes": "Gener", "nom_mes": None}, FACTS).known["nom_mes"] == "Gener"
    assert shape({"any": "2024", "nom_mes": "Gener", "mes": ""}, FACTS).known["nom_mes"] == "Gener"
    assert shape({"any": "2024", "nom_mes": "Gener", "mes": "Maig"}, FACTS).known["nom_mes"] == "Maig"


def test_half_a_character_makes_a_dead_letter_and_no_stack_trace():
    with pytest.raises(RecordError, match="half a character") as caught:
        shape({**ROW, "address": "\ud83d"})
    assert caught.value.reason == "text_invalid"


def test_a_hostile_number_of_column_sets_is_forgotten_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rows, "COLUMN_SETS", 4)
    shaper = Shaper(AUSTIN)
    for number in range(20):
        assert shaper(Published({**ROW, f"column {number}": "x"}, b"")).extras == {f"column {number}": "x"}
    assert len(shaper._of_mappings) <= 4


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1), st.data())
def test_two_different_rows_never_share_their_canonical_form(values: dict[str, str], data):
    name = data.draw(st.sampled_from(sorted(values)))
    other = {**values, name: values[name] + "x"}
    assert content_hash(sorted(values.items())) != content_hash(sorted(other.items()))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        (" a ", " a "),
        (True, "true"),
        ({"b": "2", "a": None}, '{"a":null,"b":"2"}'),
    ],
)
def test_values_are_kept_as_published_text(value: object, text: str | None):
    assert as_text(value) == text


def test_the_same_dead_row_has_the_same_id_and_another_reason_has_another():
    first = dead_letter("austin_crime_reports", "key_missing", "now", b"row")
    assert dead_letter("austin_crime_reports", "key_missing", "later", b"row").dead_id == first.dead_id
    assert dead_letter("austin_crime_reports", "csv_quote_broken", "now", b"row").dead_id != first.dead_id
    assert dataclasses.replace(first, detail="x").payload == b"row"
