"""The stamps that a feed gives to its changes: what stays, what moves on, and that it survives."""

from __future__ import annotations

from pathlib import Path

import pytest

from civicwire.sandbox.feeds import AUSTIN, SAN_DIEGO
from civicwire.sandbox.store import LOOKUP_ROWS, Store
from schemas.errors import ConfigError


def row(key: str, **values: str) -> dict[str, str]:
    return {"incident_report_number": key, "crime_type": "THEFT", **values}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(AUSTIN, tmp_path / "a.sqlite")
    made.upsert([row("1"), row("2"), row("3", sector="ED")])
    return made


def stamps(store: Store) -> dict[str, tuple[str, str, str]]:
    found = store.read('select "incident_report_number", ":id", ":created_at", ":updated_at" from "rows"')
    return {key: (identifier, created, updated) for key, identifier, created, updated in found}


def test_only_a_changed_row_gets_a_new_update_instant(store: Store) -> None:
    before = stamps(store)
    done = store.upsert([row("1"), row("2", sector="AD"), row("4")])
    after = stamps(store)
    assert (done.inserted, done.revised, done.unchanged) == (1, 1, 1)
    assert after["1"] == before["1"]
    assert after["2"][:2] == before["2"][:2]
    assert after["2"][2] > before["2"][2]
    assert after["4"][2] == after["2"][2]  # one publication, one instant


def test_publishing_what_is_already_so_changes_nothing_at_all(store: Store) -> None:
    before = store.state
    store.upsert([row("1"), row("3", sector="ED")])
    assert store.state == before


def test_a_field_that_a_row_no_longer_has_becomes_null(store: Store) -> None:
    store.upsert([row("3")])
    assert store.row("3") == row("3")


def test_changes_within_one_second_can_be_told_apart(store: Store) -> None:
    seen = [store.state.rows_updated_at]
    for i in range(20):
        store.upsert([row("1", sector=str(i))])
        seen.append(store.state.rows_updated_at)
    assert len(set(seen)) == len(seen)
    assert seen == sorted(seen)


def test_replacing_everything_renews_every_stamp_and_no_value(store: Store) -> None:
    before, content = stamps(store), list(store.published('order by ":id"'))
    assert store.replace_all() == 3
    after = stamps(store)
    assert sorted(map(str, store.published())) == sorted(map(str, content))
    assert not {s[0] for s in before.values()} & {s[0] for s in after.values()}
    assert len({s[0] for s in after.values()}) == 3
    assert min(s[1] for s in after.values()) > max(s[1] for s in before.values())


def test_no_row_identifier_is_used_twice_over_any_history(store: Store) -> None:
    seen = [s[0] for s in stamps(store).values()]
    store.replace_all()
    seen += [s[0] for s in stamps(store).values()]
    store.delete(["1"])
    store.upsert([row("1"), row("9")])
    seen += [s[0] for key, s in stamps(store).items() if key in ("1", "9")]
    store.replace_all([row("7"), row("8")])
    seen += [s[0] for s in stamps(store).values()]
    assert len(set(seen)) == len(seen)


def test_everything_is_there_after_opening_it_again(store: Store, tmp_path: Path) -> None:
    store.change_columns(rename={"crime_type": "offence"}, add={"census_block_group": {"value": "12"}}, drop=["sector"])
    again = Store(AUSTIN, tmp_path / "a.sqlite")
    assert again.state == store.state
    assert list(again.published()) == list(store.published())
    assert again.row("3") == {"incident_report_number": "3", "offence": "THEFT", "census_block_group": "12"}


def test_a_refused_change_leaves_everything_as_it_was(store: Store) -> None:
    before, content = store.state, list(store.published())
    for rows in ([row("5"), {"crime_type": "X"}], [row("5"), row("6", colour="red")], [row("5", sector=7)]):  # type: ignore[arg-type]
        with pytest.raises(ConfigError):
            store.upsert(rows)
    with pytest.raises(ConfigError):
        store.change_columns(rename={"crime_type": "sector"})
    with pytest.raises(ConfigError):
        store.change_columns(drop=["incident_report_number"])
    assert store.state == before
    assert list(store.published()) == content


def test_a_refusal_far_into_a_publication_undoes_its_beginning(store: Store) -> None:
    before, content = store.state, list(store.published())
    with pytest.raises(ConfigError):
        store.upsert([*(row(f"new {i}") for i in range(LOOKUP_ROWS + 1)), {"crime_type": "X"}])
    assert store.state == before
    assert list(store.published()) == content


def test_blanks_of_a_file_are_blanks_and_not_absent(tmp_path: Path) -> None:
    calls = Store(SAN_DIEGO, tmp_path / "s.sqlite")
    calls.upsert([{"incident_num": "E26010000001", "date_time": "2026-01-01 00:00:01"}])
    published = calls.row("E26010000001")
    assert published is not None
    assert published["beat"] == ""
    assert len(published) == 14
