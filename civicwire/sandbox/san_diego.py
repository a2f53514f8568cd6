"""Made-up rows of San Diego's calls for service with the shape of the real file: words, shares, gaps and late calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random

from civicwire.sandbox.store import Row, Store, Values, stamp
from civicwire.sandbox.vocabulary_san_diego import BEATS, CALL_TYPES, CROSSINGS, LOGS, ROADS
from civicwire.sandbox.weights import Weighted, days_between, lines, shares, spread, weighted
from schemas.errors import ConfigError

CALLS_A_DAY = 1_300
"""Calls of an average day; more rows than the year has room for raise it."""
PLACES = 4_000
"""Addresses that calls repeat at."""
NO_BEAT = 0.015
"""Share of calls whose beat is -1."""
LOGS_WITHOUT_BEAT = 0.25
"""Share of log entries among calls without a beat."""
CROSSING, NO_NUMBER = 0.164, 0.013
"""Shares of places given as a crossing with the number 0; with the number 0 and no crossing."""
NUMBERS_A_DAY = 1_415
"""Running numbers that a day takes in the real file; 7 % of them never appear."""
OUT_OF_ORDER = 0.0005
"""Share of calls whose time is a second or more before that of the number before."""
SEARCHED_ROWS = 60
"""Neighbours among which a late call looks for an unused number."""

_HOURS = (
    *(1042, 800, 705, 601, 556, 563, 832, 1369, 1453, 1533, 1636, 1564),
    *(1498, 1416, 1430, 1630, 1593, 1507, 1304, 1275, 1253, 1252, 1157, 1001),
)
_WEEKDAYS = (0.96, 1.05, 1.11, 1.11, 1.10, 0.95, 0.86)
_STEPS = weighted([(1, 93.2), (2, 6.3), (3, 0.5)])

Address = tuple[str, str, str, str, str, str, str]
"""number, direction, road, suffix, crossing's direction, crossing, crossing's suffix."""


@dataclass(frozen=True)
class CallType:
    """A call type with its priorities and dispositions."""

    code: str
    priorities: Weighted[str]
    dispositions: Weighted[str]


@cache
def _call_types() -> Weighted[CallType]:
    pairs = []
    for line in lines(CALL_TYPES):
        code, weight, priorities, dispositions = line.split("|")
        pairs.append((CallType(code, shares(priorities), shares(dispositions)), float(weight)))
    return weighted(pairs)


def _split(road: str) -> tuple[str, str, str]:
    direction, _, rest = road.rpartition("/")
    name, _, suffix = rest.partition(";")
    return direction, name, suffix


@cache
def _places() -> Weighted[tuple[Address, str]]:
    """Return address and beat of the city's places, the same for every seed."""
    random = Random("san diego")  # noqa: S311 - made-up rows, no secrets
    spare = ROADS.replace("\n", " ").strip().split(", ")
    crossings = CROSSINGS.replace("\n", " ").strip().split(", ")
    beats = []
    for line in lines(BEATS):
        beat, weight, roads = line.split("|")
        choices = [((random.choice(spare), 3, 60), max(1.0, float(weight) / 20)) for _ in range(6)]
        for item in roads.split(", "):
            if item.strip():
                name, weight_here, blocks = item.strip().split(":")
                lowest, _, highest = blocks.partition("-")
                choices.append(((name, int(lowest), int(highest)), float(weight_here)))
        beats.append(((beat, weighted(choices)), float(weight)))
    pairs: list[tuple[tuple[Address, str], float]] = []
    for rank, (beat, roads_of) in enumerate(weighted(beats).draw(random, PLACES), start=1):
        road, low, high = roads_of.draw(random, 1)[0]
        direction, name, suffix = _split(road)
        luck = random.random()
        number, crossing = str(random.randrange(low, high + 1) * 100), ""
        if luck < CROSSING:
            number, crossing = "0", random.choice(crossings)
        elif luck < CROSSING + NO_NUMBER:
            number = "0"
        pairs.append((((number, direction, name, suffix, "", crossing, ""), beat), 1 / (rank + 60) ** 0.4))
    return weighted(pairs)


@cache
def _logs() -> Weighted[str]:
    names = LOGS.strip().split(", ")
    return weighted([(name, 1 / (i + 1)) for i, name in enumerate(names)])


def first_day(count: int, last: date) -> date:
    """Return the day on which ``count`` calls up to ``last`` begin at the usual rate, never before the year does."""
    return max(date(last.year, 1, 1), last - timedelta(days=max(0, -(-count // CALLS_A_DAY) - 1)))


def days(rows: int, until: date) -> tuple[date, date]:
    """Return the first and the last day of ``rows`` calls."""
    return first_day(rows, until), until


def generate(count: int, seed: int, first: date, last: date) -> Iterator[list[Values]]:
    """Yield batches of rows for ``Store.load``: exactly ``count`` calls from ``first`` to ``last``, by day.

    Raises:
        ConfigError: the days are not in order.
    """
    if first > last:
        raise ConfigError(f"{first} is after {last}: give `from` a day not after `until`.")
    days = days_between(first, last)
    fast = max(1.0, count / len(days) / CALLS_A_DAY)
    # Where the days have fewer calls than they would have, those left out keep their numbers.
    thin = max(1, len(days) // max(1, -(-count // CALLS_A_DAY)))
    running = int((first.day - 1) * NUMBERS_A_DAY * fast)
    month = first.month
    for day, rows in spread(count, days, lambda day: _WEEKDAYS[day.weekday()]):
        if day.month != month:
            running, month = 0, day.month
        random = Random(f"san diego {seed} {day}")  # noqa: S311 - made-up rows, no secrets
        batch = []
        published = stamp(int(datetime(day.year, day.month, day.day, 13, tzinfo=UTC).timestamp() * 1000))
        drawn = zip(_call_types().draw(random, rows), _places().draw(random, rows), strict=True)
        for at, step, kind_and_place in zip(_times(random, day, rows), _STEPS.draw(random, rows), drawn, strict=True):
            running += step * thin
            batch.append((published, published, *_call(random, identifier(at, running), at, kind_and_place)))
        if batch:
            yield batch


def identifier(at: datetime, running: int) -> str:
    """Return an incident number: E, year and month of two digits each, and the month's running number of seven."""
    return f"E{at:%y%m}{running:07d}"


def _times(random: Random, day: date, rows: int) -> list[datetime]:
    hours = random.choices(range(24), _HOURS, k=rows)
    seconds = sorted(hour * 3600 + random.randrange(3600) for hour in hours)
    for i in range(1, rows):
        if random.random() < OUT_OF_ORDER:
            seconds[i - 1], seconds[i] = seconds[i], seconds[i - 1]
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local civil time, as published
    return [midnight + timedelta(seconds=s) for s in seconds]


def _call(random: Random, key: str, at: datetime, drawn: tuple[CallType, tuple[Address, str]] | None = None) -> Values:
    """Return the values of one call; ``drawn`` where many are drawn together."""
    kind, place = drawn or (_call_types().draw(random, 1)[0], _places().draw(random, 1)[0])
    address, beat = place
    if random.random() < NO_BEAT:
        beat = "-1"
        if random.random() < LOGS_WITHOUT_BEAT:
            address = ("0", "", _logs().draw(random, 1)[0], "", "", "", "")
    priority, disposition = kind.priorities.draw(random, 1)[0], kind.dispositions.draw(random, 1)[0]
    when = at.isoformat(" ", "seconds")
    return (key, when, str(at.isoweekday() % 7 + 1), *address, kind.code, disposition, beat, priority)


# Changes


def _as_row(store: Store, values: Values) -> Row:
    fields = [c.field for c in store.feed.columns]
    published = {p.stored: p.column.field for p in store.state.columns}
    return {published[f]: v for f, v in zip(fields, values, strict=True) if f in published}


def _newest(store: Store) -> tuple[str, datetime]:
    key, at = store.read('select max("incident_num"), max("date_time") from "rows"').fetchone()
    if key is None:
        raise ConfigError("san_diego_calls is empty: seed it before it is changed.")
    return key, datetime.fromisoformat(at)


def newest(random: Random, store: Store, count: int) -> list[Row]:
    """Return ``count`` new calls, each later and with a higher number than everything published."""
    key, at = _newest(store)
    prefix, running = key[:5], int(key[5:])
    rows = []
    for _ in range(count):
        at += timedelta(seconds=random.randrange(1, 130))
        if f"E{at:%y%m}" > prefix:
            prefix, running = f"E{at:%y%m}", 0
        running += _STEPS.draw(random, 1)[0]
        rows.append(_as_row(store, _call(random, f"{prefix}{running:07d}", at)))
    return rows


def late(random: Random, store: Store, count: int) -> list[Row]:
    """Return ``count`` new calls inside days already published: their number and time lie between two neighbours'.

    In the city's file such a call takes a number that was skipped before.

    Raises:
        ConfigError: hardly any number is unused.
    """
    _, newest_at = _newest(store)
    rows: list[Row] = []
    taken = set[str]()
    for _ in range(200 * count + 1_000):
        if len(rows) == count:
            return rows
        # Most late calls are of the newest day, some are weeks old.
        back = timedelta(hours=random.randrange(1, 24) if random.random() < 0.9 else random.randrange(24, 24 * 14))  # noqa: PLR2004
        near = (newest_at - back).strftime("%Y-%m-%d %H:%M:%S")
        start = store.read(
            'select min("incident_num") from "rows" where "incident_num" >= ?', (_near(store, near),)
        ).fetchone()[0]
        listed = (
            'select "incident_num", "date_time" from "rows" where "incident_num" >= ? order by "incident_num" limit ?'
        )
        neighbours = store.read(listed, (start, SEARCHED_ROWS)).fetchall()
        for (key, at), (after, _) in pairwise(neighbours):
            unused = f"{key[:5]}{int(key[5:]) + 1:07d}"
            if unused < after and key[:5] == after[:5] and unused not in taken:
                taken.add(unused)
                rows.append(_as_row(store, _call(random, unused, datetime.fromisoformat(at))))
                break
    raise ConfigError(f"Only {len(rows)} numbers are unused in the last two weeks: ask for fewer late calls.")


def _near(store: Store, when: str) -> str:
    """Return the first number at which the file, sorted by number, reaches the time ``when``: a binary search."""
    low, high = store.read('select min(n), max(n) from "rows"').fetchone()
    order = 'select n, "incident_num", "date_time" from "rows" where n >= ? order by n limit 1'
    best = str(store.read('select min("incident_num") from "rows"').fetchone()[0])
    while low <= high:
        middle = (low + high) // 2
        found = store.read(order, (middle,)).fetchone()
        if found is None:
            high = middle - 1
        elif found[2] < when:
            best, low = found[1], found[0] + 1
        else:
            high = middle - 1
    return best


def revise(random: Random, store: Store, row: Row) -> Row:
    """Return ``row`` with another disposition or, less often, another call type and priority."""
    revised = dict(row)
    if random.random() < 0.7 or "call_type" not in row:  # noqa: PLR2004 - share of dispositions among revisions
        revised["disposition"] = random.choice(
            [d for d in ("K", "R", "A", "O", "U", "CAN") if d != row.get("disposition")]
        )
    else:
        kind = next(k for k in _call_types().draw(random, 100) if k.code not in ("", row["call_type"]))
        revised |= {"call_type": kind.code, "priority": kind.priorities.draw(random, 1)[0]}
    published = {p.column.field for p in store.state.columns}
    return {field: value for field, value in revised.items() if field in published}
