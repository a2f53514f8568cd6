"""``stream_jobs/normalize/<key>.sql``: a draft that is total from the first day.

No text of the portal is in it: only names made of letters, digits and underscores, and words that were checked. The
columns that an insert names stand in the order of the Avro schema; those of which the feed says nothing are left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from civicwire.scaffold import crosswalk_file
from civicwire.scaffold.draft import Draft
from civicwire.scaffold.times import Form
from schemas import loader
from schemas.errors import FatalError

_EDGES = r"'^[\s\h]+|[\s\h]+$'", "''"
_SAID, _RANGE, _NO_TIME = (
    "'The event time '", "' is before 1900 or after 2099.'", "' is not a civil date and time.'"
)  # fmt: skip
_ROOM = 64
"""Characters of a call that fit beside its indentation, its name in the view and what stands before it."""
Item = tuple[str, str]
"""An expression and its name."""


def text(draft: Draft) -> str:
    """Return the SQL file."""
    stages = [_published(draft), _civil(draft), *_clocked(draft)]
    names = ["published", "civil", *(["timed"] if draft.guess.clock else [])]
    common = ",\n\n".join(f"{name} as (\n{_in(body)}\n)" for name, body in zip(names, stages, strict=True))
    return "\n".join(
        [
            _head(draft),
            f"create temporary view {draft.key}_parsed as",
            f"with {common}",
            "",
            f"{_judged(draft, names[-1])};",
            "",
            _insert("incidents", "incident", _incident(draft)),
            f"from {draft.key}_parsed",
            "where reason = '' or revision > 1;",
            "",
            _insert("dead_letters", "dead_letter", _dead_letter(draft)),
            f"from {draft.key}_parsed",
            "where reason <> '' and op not in ('delete', 'expire');",
            "",
        ]
    )


def _head(draft: Draft) -> str:
    return f"""\
-- {draft.key}: drafted by `civicwire source new`.
-- Read it against the portal's own words before you trust it, and say here what is particular about the feed.
-- One raw event becomes one incident, or a dead letter, or both (an earlier good revision is withdrawn). Stateless and
-- total: no value in a row can make an expression fail.
-- The numbers of `step` keep selects apart, so that a value is worked out once and not wherever it is named.
-- Words in double braces are filled in: the row from Avro, mappings from the crosswalks.
-- `civicwire jobs sql normalize/{draft.key}` prints it filled in.
{{% import 'step.jinja' as step %}}
"""


# --- stages of the view -------------------------------------------------------------------------------------------


def _published(draft: Draft) -> str:
    guess = draft.guess
    items: list[Item] = [("`partition`", "raw_partition"), ("`offset`", "raw_offset")]
    if guess.key:
        parts = [_call("regexp_replace", _row(draft, name), *_EDGES) for name in guess.key]
        items.append((parts[0] if len(parts) == 1 else _call("concat_ws", "'|'", *parts), "key_text"))
    for name, column in _texts(draft).items():
        items.append((f"trim({_row(draft, column)})", name))
    for name, column in _codes(draft).items():
        items.append((_call("nullif", f"trim({_row(draft, column)})", "''"), name))
    if guess.domestic is not None:
        items.append((f"upper(trim({_row(draft, guess.domestic)}))", "domestic_text"))
    return f"select\n    *,\n{_in(_listed(items))},\n    {{{{ step.first() }}}}\nfrom raw_{draft.key}"


def _texts(draft: Draft) -> dict[str, str]:
    """Return the columns that are parsed, by the name that they have in the view."""
    guess = draft.guess
    found = {"occurred_text": guess.event.column}
    if guess.clock is not None:
        found["clock_text"] = guess.clock[0]
    if guess.month is not None:
        found["month_text"] = guess.month
    if guess.reported is not None:
        found["reported_text"] = guess.reported.column
    if guess.closed is not None:
        found["closed_text"] = guess.closed.column
    return found


def _codes(draft: Draft) -> dict[str, str]:
    """Return the columns that are passed on, by the name that they have in the view."""
    guess = draft.guess
    found = {draft.code_column(column): column for column in (guess.code, guess.status) if column is not None}
    passed = {
        "description_text": guess.description,
        "area": guess.area,
        "place": guess.place,
        "premise": guess.premise,
        "priority": guess.priority,
    }
    return found | {name: column for name, column in passed.items() if column is not None}


def _civil(draft: Draft) -> str:
    guess = draft.guess
    items: list[Item] = [(_civil_text("occurred_text", guess.event.form, draft), "occurred_raw")]
    if guess.clock is not None:
        items.append((_clock(guess.clock[1]), "clock"))
    else:
        items[0] = (items[0][0], "occurred_civil")
    if guess.reported is not None:
        items.append((_civil_text("reported_text", guess.reported.form, draft), "reported_civil"))
    if guess.closed is not None:
        items.append((_civil_text("closed_text", guess.closed.form, draft), "closed_civil"))
    items += _degrees(draft)
    return _computed("published", [*items, ("", _next(1))])


def _clocked(draft: Draft) -> Iterable[str]:
    if draft.guess.clock is not None:
        civil = "concat(substring(occurred_raw, 1, 10), ' ', coalesce(clock, '00:00:00'))"
        yield _computed("civil", [(civil, "occurred_civil"), ("", _next(2))])


def _judged(draft: Draft, before: str) -> str:
    guess = draft.guess
    reason = [
        "-- a date that does not exist (month 13, 30 February) does not survive the round trip",
        "case",
        f"    {{{{ step.last({2 if guess.clock is None else 3}) }}}}",
        "    when coalesce(occurred_text, '') = '' then 'event_time_missing'",
        f"    when {_real('occurred_civil')}",
        "        then case when regexp(occurred_civil, '^(19|20)') then '' else 'event_time_out_of_range' end",
        "    else 'event_time_unparsable'",
        "end",
    ]
    if guess.key:
        mismatch = f"key_text is null or key_text <> regexp_replace(record_id, {', '.join(_EDGES)})"
        reason.insert(3, f"    when {mismatch} then 'key_mismatch'")
    items: list[Item] = [
        ("\n".join(reason), "reason"),
        (_precision(draft), "time_precision"),
        (_category(draft), "category"),
    ]
    for about, timed in (("reported", guess.reported), ("closed", guess.closed)):
        if timed is not None:
            civil = f"{about}_civil"
            items.append(
                (f"case\n    when {_real(civil)}\n        then replace({civil}, ' ', 'T')\nend", f"{about}_local")
            )
    if _has_degrees(draft):
        items.append(
            ("coalesce(latitude between -90 and 90 and longitude between -180 and 180, false)", "has_coordinates")
        )
    return _computed(before, items)


def _real(civil: str) -> str:
    """Return the condition that ``civil`` is a date and time that exists."""
    return f"date_format(try_cast({civil} as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = {civil}"


def _precision(draft: Draft) -> str:
    form, guess = draft.guess.event.form, draft.guess
    if form.catalog == "year":
        return "'month'" if guess.month is not None else "'year'"
    if guess.clock is not None:
        return f"case when clock is null then 'day' else '{'second' if guess.clock[1] == '%H:%M:%S' else 'minute'}' end"
    if form.dated:
        return f"case when substring(occurred_civil, 12, 8) = '00:00:00' then 'day' else '{form.precision}' end"
    if form.catalog == "epoch_ms":
        return f"'{form.precision}'"
    return f"case when position(':' in occurred_text) = 0 then 'day' else '{form.precision}' end"


# --- times --------------------------------------------------------------------------------------------------------


def _civil_text(name: str, form: Form, draft: Draft) -> str:
    """Return the expression that makes ``YYYY-MM-DD HH:MM:SS`` of published text, or something else that is no time."""
    match form.catalog:
        case "epoch_ms":
            return _from_epoch(name, draft.time_zone, dated=form.dated)
        case "us":
            return _from_us(name, form)
        case "year":
            month = (
                "case\n    when regexp(month_text, '^(0?[1-9]|1[0-2])$') then lpad(month_text, 2, '0')\n"
                "    else '01'\nend"
            )
            bare = f"regexp_replace({name}, '[.]0$', '')"
            named = month if draft.guess.month is not None else "'01'"
            return _call("concat", bare, "'-'", named, "'-01 00:00:00'")
        case _:
            return _from_iso(name, draft.time_zone, utc=form.utc)


def _from_iso(name: str, zone: str, *, utc: bool) -> str:
    civil = f"substring(replace({name}, 'T', ' '), 1, 19)"
    day = "^[0-9]{4}-[0-9]{2}-[0-9]{2}"
    instant = (
        f"    when\n        regexp({name}, '{day}[T ][0-9:]{{8}}([.][0-9]+)?(Z|[+]00(:?00)?)$')\n"
        f"        and {_real(civil)}\n"
        f"        then convert_tz({civil}, 'UTC', '{zone}')\n"
    )
    return (
        f"case\n    when regexp({name}, '{day}$') then concat({name}, ' 00:00:00')\n"
        f"    when regexp({name}, '{day}[T ][0-9]{{2}}:[0-9]{{2}}$')\n"
        f"        then concat(replace({name}, 'T', ' '), ':00')\n"
        f"{instant if utc else ''}    else {civil}\nend"
    )


def _from_us(name: str, form: Form) -> str:
    halved = "%p" in form.pattern
    clock = f"( [0-9]{{1,2}}(:[0-9]{{2}}){{1,2}}{' ?[AaPp][Mm]' if halved else ''})?"
    hour = f"regexp_extract({name}, ' ([0-9]{{1,2}}):', 1)"
    if halved:
        afternoon = f"case when upper({name}) like '%PM' then 12 else 0 end"
        hour = f"cast(\n    mod(try_cast({hour} as int), 12)\n    + {afternoon}\n    as string\n)"
    minutes = f"rpad(regexp_extract({name}, '(:[0-9]{{2}}){{1,2}}', 0), 6, ':00')"
    time = _call("concat", _call("lpad", hour, "2", "'0'"), minutes)
    parts = (
        f"substring(split_index({name}, '/', 2), 1, 4)",
        "'-'",
        f"lpad(split_index({name}, '/', 0), 2, '0')",
        "'-'",
        f"lpad(split_index({name}, '/', 1), 2, '0')",
        "' '",
        _call("coalesce", time, "'00:00:00'"),
    )
    return (
        f"case\n    when regexp({name}, '^[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}}{clock}$')\n"
        f"{_in(_in('then ' + _call('concat', *parts)))}\n"
        f"    else substring(replace({name}, 'T', ' '), 1, 19)\nend"
    )


def _from_epoch(name: str, zone: str, *, dated: bool) -> str:
    number = f"try_cast({name} as bigint)"
    # Midnight in UTC is that day, wherever it is published; any other instant is read where the city is.
    there = f"if(mod({number}, 86400000) = 0, 'UTC', '{zone}')" if dated else f"'{zone}'"
    return f"""\
case
    when regexp({name}, '^-?[0-9]{{1,14}}$')
        then convert_tz(
            date_format(
                timestamp '1970-01-01 00:00:00'
                + cast({number} / 86400000 as int) * interval '1' day
                + cast(mod({number}, 86400000) / 1000 as int) * interval '1' second,
                'yyyy-MM-dd HH:mm:ss'
            ),
            'UTC',
            {there}
        )
    else substring(replace({name}, 'T', ' '), 1, 19)
end"""


def _clock(pattern: str) -> str:
    if pattern == "%H%M":
        padded = "lpad(clock_text, 4, '0')"
        return (
            "-- unpadded HHMM; 2400 and nonsense such as 170 say nothing about the time of day\n"
            f"case\n    when\n        char_length(clock_text) between 1 and 4\n"
            f"        and regexp({padded}, '^([01][0-9]|2[0-3])[0-5][0-9]$')\n"
            f"        then concat(\n            substring({padded}, 1, 2), ':', substring({padded}, 3, 2), ':00'\n"
            "        )\nend"
        )
    return (
        "case\n    when regexp(clock_text, '^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$')\n"
        "        then concat(\n            lpad(split_index(clock_text, ':', 0), 2, '0'),\n"
        "            rpad(regexp_extract(clock_text, '(:[0-9]{2}){1,2}', 0), 6, ':00')\n        )\nend"
    )


# --- place --------------------------------------------------------------------------------------------------------


def _has_degrees(draft: Draft) -> bool:
    return draft.guess.latitude is not None or draft.guess.point is not None


def _degrees(draft: Draft) -> list[Item]:
    guess = draft.guess
    if guess.latitude is not None and guess.longitude is not None:
        return [
            (f"try_cast({_row(draft, guess.latitude)} as double)", "latitude"),
            (f"try_cast({_row(draft, guess.longitude)} as double)", "longitude"),
        ]
    if guess.point is None:
        return []
    return [
        (
            "-- a point in GeoJSON has the longitude first; a location has names\n"
            * (number == 1)
            + f"coalesce(\n    try_cast(json_value({_row(draft, guess.point)}, '$.{name}') as double),\n"
            f"    try_cast(json_value({_row(draft, guess.point)}, '$.coordinates[{number}]') as double)\n)",
            name,
        )
        for name, number in (("latitude", 1), ("longitude", 0))
    ]


# --- what comes out -----------------------------------------------------------------------------------------------


def _incident(draft: Draft) -> dict[str, str]:
    """Return the expression of each incident column that the draft fills."""
    guess = draft.guess
    found = {
        "incident_id": f"concat('{draft.key}:', record_id)",
        "source": f"'{draft.key}'",
        "op": "case when reason = '' then op else 'withdraw' end",
        "deleted": "reason <> '' or op = 'delete'",
        "kind": f"'{draft.kind}'",
        "occurred_local": "case when reason = '' then replace(occurred_civil, ' ', 'T') end",
        "occurred_at": (
            "case\n    when reason = '' then "
            f"cast(convert_tz(occurred_civil, '{draft.time_zone}', 'UTC') as timestamp(3))\nend"
        ),
        "time_precision": "case when reason = '' then time_precision end",
        "time_zone": f"'{draft.time_zone}'",
        "category": "category",
        "crime_against": "{{ crime_against }}",
        "status": _status(draft),
        "quality_flags": _flags(draft),
        **{name: name for name in ("record_id", "revision", "late", "observed_at", "source_updated_at", "poll_id")},
        **{name: name for name in ("raw_partition", "raw_offset")},
        **{name: name for name in ("area", "place", "premise", "priority") if getattr(guess, name) is not None},
    }
    if guess.reported is not None:
        found["reported_local"] = "reported_local"
    if guess.closed is not None:
        found["closed_local"] = "closed_local"
    if guess.code is not None:
        found["code"] = draft.code_column(guess.code)
    if guess.description is not None:
        found["description"] = "description_text"
    if guess.status is not None:
        found["status_code"] = draft.code_column(guess.status)
    if guess.area is not None:
        found["area_kind"] = f"'{guess.area_kind}'"
    if guess.domestic is not None:
        found["domestic"] = (
            "case\n    when domestic_text in ('Y', 'YES', 'T', 'TRUE', '1') then true\n"
            "    when domestic_text in ('N', 'NO', 'F', 'FALSE', '0') then false\nend"
        )
    if _has_degrees(draft):
        for name in ("latitude", "longitude"):
            found[name] = f"case when has_coordinates and latitude <> 0 and longitude <> 0 then {name} end"
    return found


def _category(draft: Draft) -> str:
    constant = crosswalk_file.CONSTANT.get(draft.kind)
    if constant is not None:
        return f"'{constant}'"
    return "'unmapped'" if draft.guess.code is None else "coalesce({{ category }}, 'unmapped')"


def _status(draft: Draft) -> str:
    otherwise = "'unknown'"
    if draft.guess.closed is not None:
        otherwise = "case when closed_local is not null then 'closed' else 'unknown' end"
    return otherwise if draft.guess.status is None else f"coalesce({{{{ status }}}}, {otherwise})"


def _flags(draft: Draft) -> str:
    guess = draft.guess
    flags = []
    if guess.area is not None:
        flags.append("case when area is null then 'area_unknown' end")
    if _has_degrees(draft):
        flags.append("case when not has_coordinates then 'coordinates_missing' end")
        flags.append("case when has_coordinates and (latitude = 0 or longitude = 0) then 'coordinates_zero' end")
    if guess.event.form.catalog != "year":
        flags.append(
            "case\n    when reason = '' and time_precision <> 'day' and substring(occurred_civil, 12, 8) = '00:00:00'\n"
            "        then 'midnight'\nend"
        )
    if guess.place is not None:
        flags.append("case when place is null then 'place_unknown' end")
    if guess.event.form.catalog != "year":
        flags.append("case when reason = '' and time_precision = 'day' then 'time_unknown' end")
    return "concat_ws(\n" + _in(",\n".join(["','", *flags])) + "\n)" if flags else "''"


def _dead_letter(draft: Draft) -> dict[str, str]:
    guess = draft.guess
    event = draft.names[guess.event.column]
    given = "substring(coalesce(occurred_civil, occurred_text), 1, 60)"
    key = " and ".join(draft.names[name] for name in guess.key)
    told = _call("concat", f"'{key} is not the record id '", "record_id", "'.'")
    mismatch = f"    when 'key_mismatch'\n{_in(_in(f'then {told}'))}\n" if key else ""
    return {
        "dead_id": f"concat_ws(':', '{draft.key}', record_id, cast(revision as string), reason)",
        "source": f"'{draft.key}'",
        "stage": "'normalise'",
        "detail": (
            f"case reason\n{mismatch}    when 'event_time_missing' then '{event} holds no value.'\n"
            "    when 'event_time_out_of_range'\n"
            f"{_in(_in('then ' + _call('concat', _SAID, given, _RANGE)))}\n"
            f"{_in('else ' + _call('concat', _SAID, given, _NO_TIME))}\nend"
        ),
        "payload": "cast({{ row_as_json }} as bytes)",
        **{name: name for name in ("reason", "record_id", "poll_id", "raw_partition", "raw_offset", "observed_at")},
    }


def _insert(table: str, schema: str, filled: Mapping[str, str]) -> str:
    """Return the insert up to its ``from``; columns of which the feed says nothing are left out.

    Raises:
        FatalError: a column that nothing fills may not be null and has no default.
    """
    items = []
    for field in loader.document(schema)["fields"]:
        name = field["name"]
        if name in filled:
            items.append(("" if filled[name] == name else filled[name], name))
        elif "default" not in field:
            raise FatalError(
                f"schemas/{schema}.avsc has the new column {name}, which may not be null and has no default: "
                "say in civicwire/scaffold/sql_file.py what a draft puts there."
            )
    names = textwrap.fill(", ".join(name for _, name in items), 110)
    return f"insert into {table} (\n{_in(names)}\n)\nselect\n{_in(_listed(items))}"


# --- text ---------------------------------------------------------------------------------------------------------


def _row(draft: Draft, column: str) -> str:
    return f"`row`.`{draft.names[column]}`"


def _call(function: str, *arguments: str) -> str:
    """Return a call, over several lines where one would be too long."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= _ROOM and "\n" not in line:
        return line
    return f"{function}(\n" + _in(",\n".join(arguments)) + "\n)"


def _listed(items: Iterable[Item]) -> str:
    return ",\n".join(f"{expression} as {name}" if expression else name for expression, name in items)


def _computed(before: str, items: list[Item]) -> str:
    """Return the select that adds computed columns to those of ``before``."""
    return f"select\n    {before}.*,\n{_in(_listed(items))}\nfrom {before}"


def _next(step: int) -> str:
    return f"{{{{ step.next({step}) }}}}"


def _in(text: str) -> str:
    return textwrap.indent(text, "    ")
