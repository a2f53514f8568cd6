"""Values never seen before."""

from __future__ import annotations

import json

import pytest

from producers import catalog, vocabulary
from producers.vocabulary import Vocabulary

AUSTIN = catalog.find("austin_crime_reports").model_copy(update={"vocabularies": ["sector", "clearance_status"]})


def cells(**values: str) -> list[str | None]:
    return [values.get(column) for column in AUSTIN.columns]


def after(*sectors: str, position: dict[str, str] | None = None) -> Vocabulary:
    found = Vocabulary(AUSTIN, position or {})
    for sector in sectors:
        found.note(cells(sector=sector))
    return found


def position(*sectors: str) -> dict[str, str]:
    return {"vocabulary": json.dumps({"sector": list(sectors), "clearance_status": []})}


def test_the_first_poll_learns_in_silence():
    first = after("ED", "GE", "ED")
    assert first.drift() == []
    assert json.loads(first.position()["vocabulary"]) == {"sector": ["ED", "GE"], "clearance_status": []}


def test_a_value_never_seen_before_is_told_once_with_its_rows():
    second = after("ED", "XX", "XX", "YY", position=position("ED"))
    assert [(one.kind, one.column, one.value, one.rows) for one in second.drift()] == [
        ("value_added", "sector", "XX", 2),
        ("value_added", "sector", "YY", 1),
    ]
    assert after("XX", position={**position("ED"), **second.position()}).drift() == []


def test_blank_values_are_no_values():
    assert after("", position=position("ED")).drift() == []


def test_a_column_watched_later_learns_from_what_was_published():
    late = after(position={"etag": "x"})
    assert late.unlearned() == ["sector", "clearance_status"]
    late.learn([{"sector": "ED", "clearance_status": None}, {"sector": None, "clearance_status": "C"}])
    assert late.unlearned() == []
    late.note(cells(sector="ED", clearance_status="O"))
    assert [one.value for one in late.drift()] == ["O"]


def test_a_whole_new_vocabulary_is_told_in_few_events(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vocabulary, "MOST_EVENTS", 2)
    found = after("A", "A", "B", "B", "C", "D", position=position("ED")).drift()
    assert [(one.kind, one.value, one.rows) for one in found] == [
        ("value_added", "A", 2),
        ("value_added", "B", 2),
        ("values_added", None, 2),
    ]


def test_a_column_without_codes_is_given_up_and_stays_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vocabulary, "MOST_VALUES", 3)
    found = after("A", "B", "C", "D", "E", "F")
    assert [(one.kind, one.column) for one in found.drift()] == [("vocabulary_unbounded", "sector")]
    remembered = found.position()
    assert json.loads(remembered["vocabulary"])["sector"] is None
    again = after("G", position=remembered)
    assert again.drift() == []
    assert again.unlearned() == []
    assert json.loads(again.position()["vocabulary"])["sector"] is None
