"""Made-up rows of Austin's crime reports with the shape of the real ones: words, shares, absences and odd forms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random

from civicwire.sandbox.store import Row, Store, Values, stamp
from civicwire.sandbox.vocabulary_austin import CRIME_TYPES, LOCATION_TYPES, ROADS, SECTORS
from civicwire.sandbox.weights import Weighted, days_between, lines, shares, spread, weighted
from schemas.errors import ConfigError

FIRST_DAY = date(2021, 1, 1)
"""History begins here when nobody says otherwise: after the city's change from UCR to NIBRS."""
PLACES = 6_000
"""Addresses that incidents repeat at."""
NO_COORDINATES, ZERO_COORDINATES, NO_DISTRICT = 0.012, 0.013, 0.019
"""Shares of places: none of the coordinates; x and y are "0" and the rest absent; no council district."""
HOUR_2400, NO_TIME = 0.010, 0.008
"""Shares of rows whose time is "2400" and whose date-time is absent; that have no time at all."""
UNKNOWN_AS_MIDNIGHT, HALF_HOUR = 0.015, 0.35
"""Shares of rows whose unknown time is given as 0:00; of rows reported later that remember the half hour."""
EXCEPTIONAL = 0.005
"""Share of the clearances that are exceptional."""
REVISED_LATER = 0.03
"""Share of rows that a later weekly load changed."""
CALLS_A_DAY = 1_440
"""The day's running number goes about this far, most of it calls that never become reports."""
BY_COUNTER_A_DAY = 2_700
"""Numbers that the online and telephone counters leave to each day; a year's days fit their six digits."""
THREE_DIGITS = 100
"""From this day of the year on, the longer forms cannot be read as another day's number."""
MOST_A_DAY = 9_999
"""Reports of one day that four digits can number."""
TIED = 0.02
"""Share of the history that a load holds at least, until the recent loads, which are weekly."""
RECENT_LOADS = 26
"""Weekly loads at the end of the history that keep their own instant."""

_HOURS = (
    *(99, 80, 103, 82, 56, 43, 37, 84, 107, 102, 132, 110),
    *(110, 112, 116, 122, 162, 137, 130, 128, 129, 121, 144, 143),
)
_WEEKDAYS = (0.95, 1.0, 1.02, 1.0, 1.05, 1.03, 0.95)
_MONTHS = (0.95, 0.93, 1.0, 1.01, 1.05, 1.04, 1.05, 1.05, 1.01, 1.03, 0.96, 0.94)
_YEARS = {2021: 1.04, 2022: 1.0, 2023: 1.02, 2024: 0.99, 2025: 0.96}
_DELAYS = weighted([((0, 0), 60.2), ((1, 15), 2.4), ((15, 60), 8.5), ((60, 180), 9.3), ((180, 720), 8.9),
                    ((720, 1440), 6.9), ((1440, 5760), 3.5), ((5760, 432_000), 0.3)])  # fmt: skip
_FORMS = weighted([("day", 76.0), ("online", 13.5), ("phone", 9.4), ("long", 0.6), ("padded", 0.5)])
_CLEARED_AFTER = weighted([(0, 50), (1, 40), (2, 8), (3, 2), (9, 4), (30, 3), (120, 1)])


@dataclass(frozen=True)
class Offence:
    """A crime type with its codes; shares are of 1."""

    texts: tuple[str, str]
    category: tuple[str | None, str | None]
    family: float
    cleared: float
    not_cleared: float


@cache
def _offences() -> Weighted[Offence]:
    pairs = []
    for line in lines(CRIME_TYPES):
        name, code, category, description, weight, family, cleared, not_cleared = line.split("|")
        offence = Offence(
            (name, code),
            (category or None, description or None),
            int(family) / 100,
            int(cleared) / 100,
            int(not_cleared) / 100,
        )
        pairs.append((offence, float(weight)))
    return weighted(pairs)


@cache
def _location_types() -> Weighted[str | None]:
    pairs: list[tuple[str | None, float]] = [(None, 2.0)]
    for line in lines(LOCATION_TYPES):
        name, weight = line.split("|")
        pairs.append((name, float(weight)))
    return weighted(pairs)


Place = tuple[tuple[str | None, ...], tuple[str | None, ...]]
"""address, zip, council district, sector, district, pra, census tract; and x, y, latitude, longitude, location."""


def coordinates(latitude: float, longitude: float) -> tuple[str, str, str, str, str]:
    """Return x, y (feet, Texas Central state plane), latitude, longitude and the location object, as text.

    The plane is approximated by a linear fit to 3,879 published pairs, good to 60 feet inside the city.
    """
    east, north = longitude + 97.7, latitude - 30.3
    x = 3_127_545 + 315_512 * east - 8_448 * north
    y = 10_082_683 + 7_361 * east + 363_593 * north
    where = {"latitude": f"{latitude:.8f}".rstrip("0"), "longitude": f"{longitude:.8f}".rstrip("0")}
    human = '{"address": "", "city": "", "state": "", "zip": ""}'
    location = json.dumps(where | {"human_address": human}, separators=(",", ":"))
    return str(round(x)), str(round(y)), where["latitude"], where["longitude"], location


@cache
def _places() -> Weighted[Place]:
    """Return the places of the city: the same in every sandbox, because a city does not change with a seed."""
    random = Random("austin")  # noqa: S311 - made-up rows, no secrets
    roads = {sector: names.split(", ") for sector, names in (line.split("|") for line in lines(ROADS))}
    sectors: list[tuple[tuple[str, list[float], list[Weighted[str] | None]], float]] = []
    for line in lines(SECTORS):
        name, weight, middle, *tables = line.split("|")
        drawn_from = [shares(table) if table else None for table in tables]
        sectors.append(((name, [float(n) for n in middle.split()], drawn_from), float(weight)))
    pairs: list[tuple[Place, float]] = []
    for rank, (sector, where, drawn) in enumerate(weighted(sectors).draw(random, PLACES), start=1):
        district, beat, zip_code, pra, tract = (d.draw(random, 1)[0] if d else None for d in drawn)
        road = random.choice(roads[sector])
        address = f"{random.randrange(1, 125) * 100} {road}"
        if random.random() < 0.05:  # noqa: PLR2004 - share of intersections
            address = f"{road}/{random.choice(roads[sector])}"
        elif random.random() < 0.75:  # noqa: PLR2004 - share of exact numbers
            address = f"{random.randrange(100, 12_500)} {road}"
        latitude = random.gauss(where[0], min(where[2], 0.03))
        longitude = random.gauss(where[1], min(where[3], 0.04))
        area = [address, zip_code, district, sector, beat, pra, tract]
        position: tuple[str | None, ...] = coordinates(latitude, longitude)
        luck = random.random()
        if luck < NO_COORDINATES:
            area[1:3], area[5:7], position = [None, None], [None, None], (None,) * 5
        elif luck < NO_COORDINATES + ZERO_COORDINATES:
            position = ("0", "0", None, None, None)
        elif luck < NO_COORDINATES + ZERO_COORDINATES + NO_DISTRICT - NO_COORDINATES:
            area[2] = None
        if random.random() < 0.008:  # noqa: PLR2004 - share of rows that no sector claims
            area[3] = area[4] = None
        pairs.append(((tuple(area), position), 1 / (rank + 40) ** 0.6))
    return weighted(pairs)


def load_instants(first: date, last: date) -> dict[date, str]:
    """Return the instant at which each day's reports were loaded, as epoch milliseconds in text.

    Loads are weekly; in the past several weeks share one, as after a portal's own reload, so that one instant is on
    about 2 % of all rows.
    """
    days = days_between(first, last)
    weeks = len(days) // 7 + 1
    together = max(1, round(TIED * weeks))
    instants = {}
    for i, day in enumerate(days):
        weeks_left = (last - day).days // 7
        chunk = 7 if weeks_left < RECENT_LOADS else 7 * together
        end = days[min(len(days) - 1, len(days) - 1 - (len(days) - 1 - i) // chunk * chunk)]
        loaded = datetime(end.year, end.month, end.day, tzinfo=UTC) + timedelta(
            days=1, hours=5, milliseconds=end.toordinal() % 997
        )
        instants[day] = str(int(loaded.timestamp() * 1000))
    return instants


def generate(count: int, seed: int, first: date, last: date) -> Iterator[list[Values]]:
    """Yield batches of rows for ``Store.load``: exactly ``count`` reports from ``first`` to ``last``, by day.

    Raises:
        ConfigError: they do not fit.
    """
    if first > last:
        raise ConfigError(f"{first} is after {last}: give `from` a day not after `until`.")
    if count > MOST_A_DAY * 0.8 * ((last - first).days + 1):
        raise ConfigError(f"{count} reports do not fit between {first} and {last}: begin earlier with `from`.")
    instants = load_instants(first, last)
    loads = [stamp(int(ms)) for ms in sorted(set(instants.values()))]
    for day, rows in spread(count, days_between(first, last), _weight):
        if rows:
            random = Random(f"austin {seed} {day}")  # noqa: S311 - made-up rows, no secrets
            yield _day(random, day, rows, last, (stamp(int(instants[day])), loads))


def _weight(day: date) -> float:
    return _YEARS.get(day.year, 0.97) * _MONTHS[day.month - 1] * _WEEKDAYS[day.weekday()]


def _day(random: Random, day: date, rows: int, last: date, stamps: tuple[str, Sequence[str]]) -> list[Values]:
    loaded, loads = stamps
    minutes = sorted(h * 60 + random.randrange(60) for h in random.choices(range(24), _HOURS, k=rows))
    keys = (number(form, day, i, rows) for i, form in enumerate(_FORMS.draw(random, rows)))
    batch: list[Values] = []
    for key, minute, drawn in zip(keys, minutes, _draws(random, rows), strict=True):
        later = random.random() < REVISED_LATER
        updated = max(loaded, random.choice(loads)) if later else loaded
        batch.append((loaded, updated, *_report(random, (day, minute), key, drawn, last)))
    return batch


def days(rows: int, until: date) -> tuple[date, date]:  # noqa: ARG001 - part of ``makers.Maker``
    """Return the first and the last day of the history."""
    return min(FIRST_DAY, until), until


def number(form: str, day: date, i: int, rows: int) -> str:
    """Return the incident number of the day's report ``i`` of ``rows`` in one of the forms seen."""
    in_year = day.timetuple().tm_yday
    running = 1 + i * max(CALLS_A_DAY, rows) // rows
    if form in ("online", "phone") and i < BY_COUNTER_A_DAY:
        return f"{day.year}{'5' if form == 'online' else '9'}{in_year * BY_COUNTER_A_DAY + i:06d}"
    if form == "long" and in_year >= THREE_DIGITS:
        return f"{day.year}{day.year % 100}{in_year}{running:04d}"
    if form == "padded" and in_year >= THREE_DIGITS:
        return f"{day.year}{in_year}{running:04d}0"
    return f"{day.year}{in_year}{running:04d}"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What chance has settled of one report before its times are worked out; delays in minutes, then in days."""

    offence: Offence
    place: Place
    kind: str | None
    reported_after: tuple[int, int]
    cleared_after: int


def _draws(random: Random, rows: int) -> Iterator[_Drawn]:
    """Yield ``rows`` drawn reports; drawing them together is what makes a million rows a matter of seconds."""
    for drawn in zip(
        _offences().draw(random, rows),
        _places().draw(random, rows),
        _location_types().draw(random, rows),
        _DELAYS.draw(random, rows),
        _CLEARED_AFTER.draw(random, rows),
        strict=True,
    ):
        yield _Drawn(*drawn)


_MIDNIGHT = "T00:00:00.000"
_CLOCK = [(f"T{m // 60:02d}:{m % 60:02d}:00.000", str(m // 60 * 100 + m % 60)) for m in range(1440)]
"""Each minute of the day as the end of a floating timestamp and as an unpadded number."""


def _report(random: Random, reported: tuple[date, int], key: str, drawn: _Drawn, last: date) -> Values:
    """Return the report's values; ``reported`` is the local day and the minute of it."""
    day, minute = reported
    today = day.isoformat()
    low, high = drawn.reported_after
    ago, occurred = divmod(minute - (int(low + random.random() * (high - low)) if high else 0), 1440)
    if high and random.random() < HALF_HOUR:
        occurred = occurred // 30 * 30
    luck = random.random()
    if luck > 1 - UNKNOWN_AS_MIDNIGHT:
        occurred = 0
    on = (day + timedelta(days=ago)).isoformat() if ago else today
    occurred_at: str | None = on + _CLOCK[occurred][0]
    occurred_time: str | None = _CLOCK[occurred][1]
    if luck < HOUR_2400:
        occurred_at, occurred_time = None, "2400"
    elif luck < HOUR_2400 + NO_TIME:
        occurred_at = occurred_time = None
    offence = drawn.offence
    status, cleared = _clearance(random, drawn, day, last)
    area, position = drawn.place
    return (
        key, *offence.texts, "Y" if random.random() < offence.family else "N",
        occurred_at, on + _MIDNIGHT, occurred_time,
        today + _CLOCK[minute][0], today + _MIDNIGHT, _CLOCK[minute][1],
        drawn.kind, *area, status, cleared, *offence.category, *position,
    )  # fmt: skip


def _clearance(random: Random, drawn: _Drawn, reported: date, last: date) -> tuple[str | None, str | None]:
    """Return status and date; a report whose clearance would come after the ``last`` day is pending."""
    luck, known = random.random(), drawn.offence.cleared + drawn.offence.not_cleared
    if luck >= known:
        return None, None
    on = reported + timedelta(days=drawn.cleared_after) if drawn.cleared_after else reported
    if on > last:
        return None, None
    status = "C" if luck < drawn.offence.cleared else "O" if luck > (1 - EXCEPTIONAL) * known else "N"
    return status, on.isoformat() + _MIDNIGHT


# Changes


def _newest(store: Store) -> datetime:
    newest = store.read('select max("rep_date_time") from "rows"').fetchone()[0]
    return datetime.fromisoformat(newest) if newest else datetime(2026, 1, 1, 8)  # noqa: DTZ001 - floating


def _free_number(random: Random, store: Store, day: date, taken: set[str]) -> str:
    """Return an incident number of ``day`` that nothing has."""
    in_year = day.timetuple().tm_yday
    for attempt in range(2 * CALLS_A_DAY):
        key = f"{day.year}{in_year}{random.randrange(1, CALLS_A_DAY if attempt < CALLS_A_DAY else MOST_A_DAY):04d}"
        if key not in taken and store.row(key) is None:
            taken.add(key)
            return key
    return f"{day.year}{day.year % 100}{in_year}{random.randrange(10**6, 10**7)}"


def _as_row(store: Store, values: Values) -> Row:
    fields = [c.field for c in store.feed.columns]
    published = {p.stored: p.column.field for p in store.state.columns}
    row = {published[f]: v for f, v in zip(fields, values, strict=True) if v is not None and f in published}
    location = published.get("location")
    if location in row:
        row[location] = json.loads(row[location])
    return row


def newest(random: Random, store: Store, count: int) -> list[Row]:
    """Return ``count`` new reports, each later than everything published."""
    at = _newest(store)
    moments = [at := at + timedelta(minutes=random.randrange(1, 6)) for _ in range(count)]
    return _new_rows(random, store, moments, at.date())


def late(random: Random, store: Store, count: int) -> list[Row]:
    """Return ``count`` new reports of days at least a week before the newest, with numbers of those days."""
    until = _newest(store)
    moments = [until - timedelta(days=random.randrange(8, 60), minutes=random.randrange(1440)) for _ in range(count)]
    return _new_rows(random, store, moments, until.date())


def _new_rows(random: Random, store: Store, moments: Sequence[datetime], last: date) -> list[Row]:
    rows, taken = [], set[str]()
    for at, drawn in zip(moments, _draws(random, len(moments)), strict=True):
        key = _free_number(random, store, at.date(), taken)
        rows.append(_as_row(store, _report(random, (at.date(), at.hour * 60 + at.minute), key, drawn, last)))
    return rows


def revise(random: Random, store: Store, row: Row) -> Row:
    """Return ``row`` with one of the changes that the city makes: clearance, district, or position."""
    revised = dict(row)
    choice = random.random()
    if choice < 0.7 or "latitude" not in row:  # noqa: PLR2004 - most revisions are clearances
        reported = date.fromisoformat(str(row.get("rep_date", "2026-01-01"))[:10])
        previous = str(row.get("clearance_date", ""))[:10]
        after = max(reported, date.fromisoformat(previous)) if previous else reported
        revised["clearance_status"] = random.choice([s for s in "CNO" if s != row.get("clearance_status")])
        revised["clearance_date"] = f"{after + timedelta(days=random.randrange(1, 15)):%Y-%m-%d}T00:00:00.000"
    elif choice < 0.85:  # noqa: PLR2004 - the rest is half and half
        revised["council_district"] = random.choice(
            [str(d) for d in range(1, 11) if str(d) != row.get("council_district")]
        )
    else:
        moved = coordinates(
            float(row["latitude"]) + random.uniform(0.00005, 0.0005),
            float(row["longitude"]) - random.uniform(0.00005, 0.0005),
        )
        revised |= dict(zip(("x_coordinate", "y_coordinate", "latitude", "longitude"), moved[:4], strict=True))
        revised["location"] = json.loads(moved[4])
    published = {p.column.field for p in store.state.columns}
    return {field: value for field, value in revised.items() if field in published}
