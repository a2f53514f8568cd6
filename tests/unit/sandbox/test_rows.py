"""Made-up rows are the same for the same seed, as many as asked for, and odd in the ways that the real ones are."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import chain, pairwise
from types import ModuleType

import pytest

from civicwire.sandbox import austin, san_diego
from civicwire.sandbox.feeds import AUSTIN, SAN_DIEGO, Feed
from civicwire.sandbox.row_ids import row_id
from schemas.errors import ConfigError

FIRST, LAST = date(2023, 1, 1), date(2024, 3, 5)
ROWS = 30_000


def made(
    feed: Feed, maker: ModuleType, *, rows: int = ROWS, seed: int = 1, first: date = FIRST
) -> list[dict[str, str | None]]:
    names = [":created_at", ":updated_at", *(c.field for c in feed.columns)]
    batches = maker.generate(rows, seed, first, LAST)
    return [dict(zip(names, values, strict=True)) for values in chain.from_iterable(batches)]


@pytest.fixture(scope="module")
def reports() -> list[dict[str, str | None]]:
    return made(AUSTIN, austin)


@pytest.fixture(scope="module")
def calls() -> list[dict[str, str | None]]:
    return made(SAN_DIEGO, san_diego, first=date(2024, 1, 1))


def share(rows: list[dict[str, str | None]], field: str, value: object) -> float:
    return sum(row[field] == value for row in rows) / len(rows)


@pytest.mark.parametrize(("feed", "maker"), [(AUSTIN, austin), (SAN_DIEGO, san_diego)])
def test_the_same_seed_makes_the_same_rows_and_another_seed_others(feed: Feed, maker: ModuleType) -> None:
    first = made(feed, maker, rows=2_000)
    assert first == made(feed, maker, rows=2_000)
    assert first != made(feed, maker, rows=2_000, seed=2)


@pytest.mark.parametrize("rows", [0, 1, 7, 4_321])
@pytest.mark.parametrize(("feed", "maker"), [(AUSTIN, austin), (SAN_DIEGO, san_diego)])
def test_exactly_as_many_rows_are_made_as_asked_for(feed: Feed, maker: ModuleType, rows: int) -> None:
    assert len(made(feed, maker, rows=rows)) == rows


@pytest.mark.parametrize(("feed", "maker", "rows"), [(AUSTIN, austin, 100_000), (SAN_DIEGO, san_diego, 100_000)])
def test_keys_are_unique_even_in_crowded_days(feed: Feed, maker: ModuleType, rows: int) -> None:
    crowded = made(feed, maker, rows=rows, first=date(2024, 1, 15))
    assert len({row[feed.key] for row in crowded}) == rows


def test_reports_lack_what_the_real_ones_lack(reports: list[dict[str, str | None]]) -> None:
    assert share(reports, "ucr_category", None) == pytest.approx(0.688, abs=0.03)
    assert share(reports, "clearance_status", None) == pytest.approx(0.616, abs=0.04)
    assert share(reports, "latitude", None) == pytest.approx(0.025, abs=0.015)
    assert share(reports, "x_coordinate", "0") == pytest.approx(0.013, abs=0.01)
    assert share(reports, "council_district", None) == pytest.approx(0.019, abs=0.01)
    assert share(reports, "family_violence", "Y") == pytest.approx(0.098, abs=0.02)


def test_a_time_of_2400_comes_without_a_date_time(reports: list[dict[str, str | None]]) -> None:
    odd = [row for row in reports if row["occ_time"] == "2400"]
    assert len(odd) == pytest.approx(0.01 * ROWS, rel=0.3)
    assert all(row["occ_date_time"] is None and row["occ_date"] is not None for row in odd)
    usual = [row for row in reports if row["occ_time"] not in (None, "2400")]
    assert all(str(int(row["occ_time"] or "x")) == row["occ_time"] for row in usual)  # unpadded
    assert any(row["occ_time"] == "5" for row in usual)


def test_a_report_is_never_before_its_event_and_never_after_the_last_day(reports: list[dict[str, str | None]]) -> None:
    for row in reports:
        assert (row["occ_date_time"] or row["occ_date"] or "") <= (row["rep_date_time"] or "")
        assert (row["rep_date"] or "") <= f"{LAST}T00:00:00.000"
        assert (row["clearance_date"] or "") <= f"{LAST}T00:00:00.000"


def test_incident_numbers_carry_year_and_day_in_the_forms_seen(reports: list[dict[str, str | None]]) -> None:
    lengths = Counter(len(row["incident_report_number"] or "") for row in reports)
    assert set(lengths) == {9, 10, 11, 12, 13}
    assert all((row["incident_report_number"] or "").startswith((row["rep_date"] or "")[:4]) for row in reports)


def test_crime_type_and_codes_belong_together(reports: list[dict[str, str | None]]) -> None:
    pairs = {(row["crime_type"], row["ucr_code"], row["ucr_category"]) for row in reports}
    assert len(pairs) == len({row["crime_type"] for row in reports})
    assert ("AUTO THEFT", "700", "240") in pairs


def test_whole_loads_share_one_update_instant_and_some_rows_were_updated_later(
    reports: list[dict[str, str | None]],
) -> None:
    largest = Counter(row[":updated_at"] for row in reports).most_common(1)[0][1]
    assert 0.015 * ROWS < largest < 0.05 * ROWS
    later = sum((row[":updated_at"] or "") > (row[":created_at"] or "") for row in reports)
    assert 0.005 * ROWS < later < 0.03 * ROWS


def test_calls_are_numbered_by_month_in_order_with_gaps(calls: list[dict[str, str | None]]) -> None:
    numbers = [row["incident_num"] or "" for row in calls]
    assert numbers == sorted(numbers)
    assert numbers[0].startswith("E2401")
    assert next(n for n in numbers if n.startswith("E2402")) <= "E24020000003"
    steps = [int(b[5:]) - int(a[5:]) for a, b in pairwise(numbers) if a[:5] == b[:5]]
    gaps = sum(step > min(steps) for step in steps)
    assert 0.04 < gaps / len(numbers) < 0.1


def test_calls_are_not_quite_in_order_of_time(calls: list[dict[str, str | None]]) -> None:
    times = [row["date_time"] or "" for row in calls]
    assert times != sorted(times)
    assert sum(a > b for a, b in pairwise(times)) < 0.01 * ROWS


def test_calls_lack_what_the_real_ones_lack(calls: list[dict[str, str | None]]) -> None:
    assert share(calls, "beat", "-1") == pytest.approx(0.015, abs=0.005)
    assert share(calls, "address_number_primary", "0") == pytest.approx(0.177, abs=0.03)
    assert share(calls, "disposition", "") == pytest.approx(0.003, abs=0.002)
    assert {"", "1016P"} <= {row["call_type"] for row in calls}


def test_a_days_calls_are_about_1300_until_the_year_has_no_more_days() -> None:
    assert san_diego.first_day(13_000, date(2026, 11, 20)) == date(2026, 11, 11)
    assert san_diego.first_day(10**7, date(2026, 11, 20)) == date(2026, 1, 1)


def test_more_reports_than_numbers_are_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match="begin earlier"):
        list(austin.generate(20_000, 1, LAST, LAST))


def test_row_identifiers_are_unique_and_look_like_socratas() -> None:
    identifiers = [row_id(n) for n in range(200_000)]
    assert len(set(identifiers)) == len(identifiers)
    assert all(len(i) == 18 and i.startswith("row-") and i[8] == "-" and i[13] == "~" for i in identifiers)
    assert identifiers != sorted(identifiers)
