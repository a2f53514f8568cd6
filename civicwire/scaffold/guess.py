"""What the columns are: the key, the event's time, and which of them an incident is made of.

Every guess says why it was made, because a person has to check it. Names decide first, values second: a name that says
"id" over values that repeat is no key.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from civicwire.scaffold.sample import Column, Dataset, all_numbers
from civicwire.scaffold.times import Form, clock_pattern, form_of
from schemas.errors import ConfigError

IGNORED = (
    ":@computed_region_*", "objectid", "objectid_*", "object_id", "globalid", "shape", "shape_*", "shape.*",
    "_id", "_full_text",
)  # fmt: skip
"""Columns that a platform adds and renews by itself."""
FEW_ROWS = 20
"""Below so many rows, being unique in the sample says nothing."""
OFTEN_BLANK = 0.02
"""Share of rows without a time above which a column is no event's time: each of them would be a dead letter."""
LONGEST_KEY = 64
MOST_CODES = 300
"""Different values of a column that is still a list of codes."""
MOST_WATCHED = 12
"""Columns whose values are watched; a person adds others."""
EACH_OFTEN = 20
"""How often a value occurs on average in a column that is watched for new ones: a rarer new value is no news."""

_ID = re.compile(
    r"(^|_)(id|ids|no|nr|num|number|nbr|numero|key|guid|uuid|code_unique|case|incident|report|serial|reference|ref)(_|$)"
    r"|(id|num|no|number)$"
)
_SUBJECT = re.compile(
    r"incident|case|report|call|offen[cs]e|crime|crash|accident|collision|event|request|ticket|service"
)
_OCCURRED = re.compile(
    r"occur|(^|_)occ(_|$)|happen|incident|offen[cs]e|crime|crash|accident|collision|event|fr_d|from_d"
)
_RECEIVED = re.compile(r"call|creat|open|request|receiv|start|dispatch|date_?time|(^|_)date($|_)|(^|_)time($|_)|dttm")
_REPORTED = re.compile(r"report|rptd|rpt_d|(^|_)rep_")
_CLOSED = re.compile(r"clos|clear|resol|complet|dispos|arrest_d")
_AFTERWARDS = re.compile(
    r"updat|modif|edit|load|refresh|extract|publish|expir|due|target|birth|(^|_)to(_|$)|(^|_)end|last_"
)
_YEAR = re.compile(r"(^|_)(year|any|ano|annee|jahr|yr)(_|$)|year")
_MONTH = re.compile(r"(^|_)(month|mes|mois|monat|mm)(_|$)|month")
_CLOCK = re.compile(r"time|hour|(^|_)tm(_|$)|hora")
_CODE = re.compile(
    r"offen[cs]e|crime|(^|_)crm(_|$)|nature|call_?type|incident_?type|ucr|nibrs|categor|request_?type|service|violation|charge|type"
)
_DESCRIPTION = re.compile(r"desc|descript|words|text|title|offen[cs]e|crime|nature|type|summary")
_STATUS = re.compile(r"status|disposition|outcome|clearance|resolution")
_AREAS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("beat", re.compile(r"beat")),
    ("sector", re.compile(r"sector")),
    ("police_area", re.compile(r"precinct|police_?(district|area|zone|division)|division")),
    ("council_district", re.compile(r"council|(^|_)ward")),
    ("police_area", re.compile(r"(^|_)district")),
    ("neighbourhood", re.compile(r"neighbou?rhood|community|(^|_)hood")),
    ("area", re.compile(r"(^|_)(area|zone|borough|boro|region|county|city|municip\w*|zip(_?code)?)(_|$|name)")),
)
_PREMISE = re.compile(r"premis|location_?(type|desc)|place_?type|scene_?type")
_PLACE = re.compile(r"address|(^|_)addr|location|block|street|intersection|place")
_PRIORITY = re.compile(r"priority")
_DOMESTIC = re.compile(r"domestic|family_?viol")
_LATITUDE = re.compile(r"(^|_)lat(itude)?(_|$)|latitude")
_LONGITUDE = re.compile(r"(^|_)(lon|lng|long|longitude)(_|$)|longitude")
_YES_NO = frozenset({"y", "n", "yes", "no", "true", "false", "t", "f", "1", "0"})


@dataclass(frozen=True, slots=True)
class Timed:
    """A column that holds times."""

    column: str
    form: Form


@dataclass
class Guess:
    """What the columns are taken for; columns by ``Column.name``, None where no column is.

    Attributes:
        key: the columns that identify a row, none where it is the row's hash.
        event: the event's time.
        clock: the column of the time of day and its strftime pattern, where the event's column is a day.
        month: the column of the month's number, where the event's column is a year.
        area_kind: what ``area`` is, in the words of the incident model.
        point: a column of JSON that holds a point.
        watched: columns in which a value never seen before is an event of its own.
        ignored: patterns of columns to leave out.
        why: what was guessed, one entry a guess: what it is about, what was taken, and why.
    """

    key: list[str]
    event: Timed
    clock: tuple[str, str] | None = None
    month: str | None = None
    reported: Timed | None = None
    closed: Timed | None = None
    code: str | None = None
    description: str | None = None
    status: str | None = None
    area: str | None = None
    area_kind: str = "area"
    place: str | None = None
    premise: str | None = None
    priority: str | None = None
    domestic: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    point: str | None = None
    watched: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    why: list[tuple[str, str, str]] = field(default_factory=list)

    def said(self, about: str, taken: object, why: str) -> None:
        """Note a guess."""
        self.why.append((about, str(taken), why))


def guess(dataset: Dataset, *, record_id: Sequence[str] = (), event_time: str | None = None) -> Guess:
    """Return what the dataset's columns are taken for.

    Args:
        dataset: what the portal said.
        record_id: what a person said of the key: columns, or ``hash``.
        event_time: what a person said of the event's time.

    Raises:
        ConfigError: there is no column of that name, or none that can be the event's time.
    """
    ignored = [name for name in IGNORED if any(fnmatch.fnmatchcase(c.name, name) for c in dataset.columns)]
    columns = [c for c in dataset.columns if not any(fnmatch.fnmatchcase(c.name, name) for name in ignored)]
    if not columns:
        raise ConfigError("The dataset has no columns of its own. Look at it in a browser.")
    times = _times(dataset, columns)
    event = _event(dataset, columns, times, _named(columns, event_time, "--event-time"))
    key, why = _key(dataset, columns, times, _named_key(columns, record_id))
    found = Guess(key=key, event=event, ignored=ignored)
    found.said("record_id", ", ".join(key) or "hash", why)
    asked = "as you said" if event_time else "by its name and the form of its values"
    found.said("event_time", f"{event.column} ({event.form.catalog})", asked)
    if event.form.utc:
        found.said("event_time", event.column, "its values say UTC; some cities label local time so: compare one")
    if ignored:
        found.said("ignore_columns", ", ".join(ignored), "the platform adds and renews them by itself")
    left = _Left(dataset, [c for c in columns if c.name not in {*key, event.column}], times)
    _more_times(found, left)
    _words(found, left)
    _places(found, left)
    _watched(found, left, columns)
    return found


def _named(columns: list[Column], name: str | None, option: str) -> Column | None:
    if name is None:
        return None
    for column in columns:
        if name in (column.name, column.published):
            return column
    listed = ", ".join(column.name for column in columns)
    raise ConfigError(f"There is no column {name!r}: give {option} one of {listed}.")


def _named_key(columns: list[Column], record_id: Sequence[str]) -> list[str] | None:
    if not record_id:
        return None
    if [*record_id] == ["hash"]:
        return []
    return [found.name for name in record_id if (found := _named(columns, name, "--record-id")) is not None]


def _slug(column: Column) -> str:
    """Return the words by which a column is judged."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", column.published)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _times(dataset: Dataset, columns: list[Column]) -> dict[str, Form]:
    found = {}
    for column in columns:
        values = dataset.values(column.name)
        form = form_of(values, epoch=column.type == "epoch_ms", year=bool(_YEAR.search(_slug(column))))
        if form is not None:
            found[column.name] = form
    return found


def _event(dataset: Dataset, columns: list[Column], times: dict[str, Form], named: Column | None) -> Timed:
    if named is not None:
        if named.name not in times:
            raise ConfigError(
                f"The values of {named.name!r} are no times that are known here (ISO, M/D/YYYY, milliseconds since "
                "1970, years): give --event-time another column."
            )
        return Timed(named.name, times[named.name])

    def rank(column: Column) -> tuple[bool, ...]:
        slug, form = _slug(column), times[column.name]
        return (
            not _AFTERWARDS.search(slug),
            not _CLOSED.search(slug),
            len(dataset.rows) - len(dataset.values(column.name)) <= OFTEN_BLANK * len(dataset.rows),
            form.catalog != "year",
            bool(_OCCURRED.search(slug)) and not _REPORTED.search(slug),
            bool(_RECEIVED.search(slug)) or bool(_OCCURRED.search(slug)),
            bool(_REPORTED.search(slug)),
            not form.dated,
        )

    candidates = [column for column in columns if column.name in times]
    if not candidates:
        listed = ", ".join(column.name for column in columns)
        raise ConfigError(
            "No column holds times in a form that is known here (ISO, M/D/YYYY, milliseconds since 1970, years): say "
            f"which one to use with --event-time. The columns are {listed}."
        )
    best = max(candidates, key=rank)
    return Timed(best.name, times[best.name])


def _key(
    dataset: Dataset, columns: list[Column], times: dict[str, Form], named: list[str] | None
) -> tuple[list[str], str]:
    """Return the columns of the key, and why."""
    rows = len(dataset.rows)
    if named is not None:
        return named, "as you said"
    if dataset.key in {column.name for column in columns}:
        return [str(dataset.key)], "the portal itself calls it the row identifier"
    if rows < FEW_ROWS:
        return [], f"the sample of {rows} rows is too small to tell a key: if there is one, say --record-id COLUMN"

    def unique(*names: str) -> bool:
        parts = [[(row.get(name) or "").strip() for row in dataset.rows] for name in names]
        return all(all(part) for part in parts) and len(set(zip(*parts, strict=True))) == rows

    usable = [
        column
        for column in columns
        if column.name not in times
        and column.type != "location"
        and not dataset.blank(column.name)
        and max((len(value) for value in dataset.values(column.name)), default=0) <= LONGEST_KEY
        and not any("." in value and all_numbers([value]) for value in dataset.values(column.name))
    ]
    likely = [column for column in usable if _ID.search(_slug(column))]
    likely.sort(key=lambda column: not _SUBJECT.search(_slug(column)))
    for column in likely:
        if unique(column.name):
            return [column.name], f"unique and never blank in a sample of {rows} rows, and named like a key"
    for column, other in itertools.product(likely, usable):
        if column is not other and unique(column.name, other.name):
            return [column.name, other.name], f"together unique and never blank in a sample of {rows} rows"
    return [], f"no column and no pair with a key's name is unique and never blank in a sample of {rows} rows"


class _Left:
    """The columns that nothing was made of yet."""

    def __init__(self, dataset: Dataset, columns: list[Column], times: dict[str, Form]) -> None:
        self.dataset = dataset
        self.columns = columns
        self.times = times

    def take(self, pattern: re.Pattern[str], fits: Callable[[Column], bool], *, best: str = "") -> str | None:
        """Return the first column whose name has the pattern and that ``fits``, one whose name has ``best`` first."""
        named = [column for column in self.columns if pattern.search(_slug(column)) and fits(column)]
        named.sort(key=lambda column: not (best and re.search(best, _slug(column))))
        if not named:
            return None
        self.columns = [column for column in self.columns if column is not named[0]]
        return named[0].name

    def taken(self, name: str | None) -> None:
        """Take a column by its name."""
        self.columns = [column for column in self.columns if column.name != name]

    def values(self, column: Column) -> list[str]:
        return self.dataset.values(column.name)

    def is_code(self, column: Column) -> bool:
        """Whether the column holds few different short values that are no times."""
        values = self.values(column)
        different = {value.strip() for value in values}
        return (
            bool(values)
            and column.name not in self.times
            and column.type not in ("location", "epoch_ms")
            and len(different) <= min(MOST_CODES, max(5, len(values) // 2))
            and max(map(len, different)) <= 2 * LONGEST_KEY
        )

    def is_text(self, column: Column) -> bool:
        """Whether the column holds text that is neither a time nor a number."""
        values = self.values(column)
        return bool(values) and column.name not in self.times and column.type == "text" and not all_numbers(values)

    def is_degrees(self, bound: int) -> Callable[[Column], bool]:
        """Whether the column holds degrees, with fractions, of at most ``bound``."""

        def fits(column: Column) -> bool:
            values = self.values(column)
            return (
                all_numbers(values)
                and any("." in value for value in values)
                and all(abs(float(value)) <= bound for value in values)
            )

        return fits


def _more_times(found: Guess, left: _Left) -> None:
    if found.event.form.dated and found.event.form.catalog != "year":
        for column in left.columns:
            pattern = clock_pattern(left.values(column)) if _CLOCK.search(_slug(column)) else None
            if pattern is not None and column.name not in left.times:
                found.clock = (column.name, pattern)
                left.taken(column.name)
                found.said("time of day", column.name, f"{found.event.column} is a day")
                break
    if found.event.form.catalog == "year":
        months = {str(number) for number in range(1, 13)}
        found.month = left.take(_MONTH, lambda c: {v.strip().lstrip("0") for v in left.values(c)} <= months)
        found.said("month", found.month or "none", f"{found.event.column} is a year")
    for about, named in (("reported", _REPORTED), ("closed", _CLOSED)):
        name = left.take(named, lambda c: c.name in left.times and left.times[c.name].catalog != "year")
        if name is not None:
            setattr(found, about, Timed(name, left.times[name]))
            found.said(about, name, "by its name and the form of its values")


def _words(found: Guess, left: _Left) -> None:
    found.premise = left.take(_PREMISE, left.is_code)
    found.status = left.take(_STATUS, left.is_code)
    found.priority = left.take(_PRIORITY, left.is_code)
    found.domestic = left.take(_DOMESTIC, lambda c: {v.strip().lower() for v in left.values(c)} <= _YES_NO)
    found.code = left.take(_CODE, left.is_code, best=r"code|ucr|nibrs|call_?type")
    if found.code is not None:
        found.description = left.take(_DESCRIPTION, left.is_text, best=r"desc|descript")
        if found.description is None and any(" " in value.strip() for value in left.dataset.values(found.code)):
            found.description = found.code
    for about in ("code", "description", "status", "premise", "priority", "domestic"):
        if (name := getattr(found, about)) is not None:
            found.said(about, name, "by its name and its values")
    if found.code is None:
        found.said("code", "none", "no column has a name and values like a list of kinds: every category is unmapped")


def _places(found: Guess, left: _Left) -> None:
    found.latitude = left.take(_LATITUDE, left.is_degrees(90))
    found.longitude = left.take(_LONGITUDE, left.is_degrees(180))
    if found.latitude is None or found.longitude is None:
        found.latitude = found.longitude = None
        found.point = next((column.name for column in left.columns if column.type == "location"), None)
        left.taken(found.point)
    for kind, pattern in _AREAS:
        found.area = left.take(pattern, left.is_code)
        if found.area is not None:
            found.area_kind = kind
            break
    found.place = left.take(_PLACE, left.is_text, best="address|block")
    coordinates = ", ".join(_present((found.latitude, found.longitude, found.point)))
    for about, taken in (("area", found.area), ("place", found.place), ("coordinates", coordinates)):
        if taken:
            more = f", as {found.area_kind}" if about == "area" else ""
            found.said(about, taken, f"by its name and its values{more}")


def _watched(found: Guess, left: _Left, columns: list[Column]) -> None:
    """Choose the columns of codes: those that an incident is made of, and text of few different values."""
    rows = len(left.dataset.rows)
    told = _present((found.code, found.status, found.area, found.priority, found.domestic, found.premise))
    apart = {*found.key, found.event.column, found.place, found.latitude, found.longitude}
    for column in sorted(columns, key=lambda column: column.name not in told):
        different = {value.strip() for value in left.values(column)}
        few = rows >= FEW_ROWS and len(different) * EACH_OFTEN <= rows and left.is_text(column)
        if left.is_code(column) and column.name not in apart and (few or column.name in told):
            found.watched.append(column.name)
    del found.watched[MOST_WATCHED:]
    if found.watched:
        found.said("vocabularies", ", ".join(found.watched), "few different values, so a new one is news")


def _present(names: Iterable[str | None]) -> list[str]:
    return [name for name in names if name is not None]
