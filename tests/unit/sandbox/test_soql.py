"""SoQL text selects the rows that its meaning says, nothing in it reaches SQLite as SQL, and nonsense is refused."""

from __future__ import annotations

import json
import operator as op
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from civicwire.sandbox.feeds import AUSTIN, Column, Feed
from civicwire.sandbox.soql import SoqlError, parse_order, parse_select, parse_where
from civicwire.sandbox.soql_sql import MAX_LIMIT, Request, compile_request, lower_bound, request_of
from civicwire.sandbox.store import Store

FEED = Feed(
    name="made_up",
    title="Made up",
    kind="socrata",
    address="made-upup",
    columns=(
        Column("key", "Key"),
        Column("word", "Word"),
        Column("size", "Size", "number"),
        Column("at", "At", "floating_timestamp"),
    ),
    key="key",
    event=("at",),
    category="word",
    area="word",
    zone="UTC",
)
WORDS = ["", "a", "A", "b", "O'Hara", "100%", "a_b", "é", '"quoted"', "and"]
SIZES = ["0", "-1", "2", "10", "3.5", "30.20", "9007199254740993"]
TIMES = ["2023-12-31T23:59:00.000", "2024-01-01T00:00:00.000", "2024-06-05T12:30:00.000"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(FEED, tmp_path_factory.mktemp("soql") / "made_up.sqlite")
    rows: list[dict[str, str]] = []
    for i in range(120):
        row = {"key": f"k{i:03d}"}
        for field, values in (("word", WORDS), ("size", SIZES), ("at", TIMES)):
            value = [*values, None][(i * {"word": 3, "size": 5, "at": 7}[field] + i // 11) % (len(values) + 1)]
            if value is not None:
                row[field] = value
        rows.append(row)
    for start in range(0, 120, 30):
        made.upsert(rows[start : start + 30])
    return made


def selected(store: Store, where: str) -> list[dict[str, Any]]:
    query = compile_request(Request(select=":*, *", where=where, order=":id", limit="50000"), store.schema(), "rows")
    return [dict(zip(query.fields, values, strict=True)) for values in store.read(query.sql, query.parameters)]


# A condition is drawn as text together with what it means for a row; None is SQL's unknown.
Truth = bool | None


def compared(operator: str, left: Any, right: Any) -> Truth:
    if left is None or right is None:
        return None
    meanings = {"=": op.eq, "!=": op.ne, "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge}
    return bool(meanings[operator](left, right))


def value_of(row: dict[str, Any], field: str) -> Any:
    value = row[field]
    if value is None or field != "size":
        return value
    return int(value) if value.lstrip("-").isdigit() else float(value)


def text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@st.composite
def literals(draw: st.DrawFn, field: str, row_values: dict[str, list[str]]) -> tuple[str, Any]:
    if field == "size":
        raw = draw(st.sampled_from([*SIZES, "5", "-0.5"]))
        spelled = draw(st.sampled_from([raw, text(raw)]))
        return spelled, int(raw) if raw.lstrip("-").isdigit() else float(raw)
    if field == "at":
        raw = draw(st.sampled_from(TIMES))
        shorter = raw.removesuffix(".000") if draw(st.booleans()) else raw
        return text(shorter), raw
    if field in row_values:
        raw = draw(st.sampled_from(row_values[field]))
        return text(raw), raw
    raw = draw(st.sampled_from([*WORDS, "z'; drop table rows --"]))
    return text(raw), raw


@st.composite
def predicates(draw: st.DrawFn, row_values: dict[str, list[str]]) -> tuple[str, Any]:
    field = draw(st.sampled_from(["key", "word", "size", "at", ":id", ":updated_at"]))
    kind = draw(st.sampled_from(["compare", "null", "in", "between", "like"]))
    spelled, value = draw(literals(field, row_values))
    if kind == "compare" or (kind == "like" and field == "size"):
        operator = draw(st.sampled_from(["=", "==", "!=", "<>", "<", "<=", ">", ">="]))
        meant = {"==": "=", "<>": "!="}.get(operator, operator)
        if draw(st.booleans()):
            return f"{field} {operator} {spelled}", lambda row: compared(meant, value_of(row, field), value)
        return f"{spelled}{operator}{field}", lambda row: compared(meant, value, value_of(row, field))
    negated = draw(st.booleans())
    word = "NOT " if negated else ""

    def maybe(truth: Truth) -> Truth:
        return truth if truth is None else truth != negated

    if kind == "null":
        return f"{field} Is {word}Null", lambda row: (row[field] is None) != negated
    if kind == "in":
        members = [(spelled, value), *draw(st.lists(literals(field, row_values), max_size=3))]
        among = [v for _, v in members]
        return (
            f"{field} {word}in ({', '.join(s for s, _ in members)})",
            lambda row: None if row[field] is None else maybe(value_of(row, field) in among),
        )
    if kind == "between":
        high_spelled, high = draw(literals(field, row_values))
        return (
            f"{field} {word}between {spelled} and {high_spelled}",
            lambda row: None if row[field] is None else maybe(value <= value_of(row, field) <= high),
        )
    pattern = draw(st.sampled_from(["%", "a%", "%a%", "_", "a_b", "100%", "A", "2024%", "row-%"]))
    return (
        f"{field} {word}like {text(pattern)}",
        lambda row: None if row[field] is None else maybe(like(row[field], pattern)),
    )


def like(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "%":
        return any(like(value[i:], pattern[1:]) for i in range(len(value) + 1))
    return bool(value) and pattern[0] in ("_", value[0]) and like(value[1:], pattern[1:])


def conditions(row_values: dict[str, list[str]]) -> st.SearchStrategy[tuple[str, Any]]:
    def negation(inner: tuple[str, Any]) -> tuple[str, Any]:
        return f"not ({inner[0]})", lambda row: None if inner[1](row) is None else not inner[1](row)

    def joined(word: str, parts: list[tuple[str, Any]]) -> tuple[str, Any]:
        decisive = word == "or"

        def truth(row: dict[str, Any]) -> Truth:
            found = [meaning(row) for _, meaning in parts]
            return decisive if decisive in found else None if None in found else not decisive

        return f" {word} ".join(f"({soql})" for soql, _ in parts), truth

    return st.recursive(
        predicates(row_values),
        lambda inner: st.one_of(
            inner.map(negation),
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: joined("and", parts)),
            st.lists(inner, min_size=2, max_size=4).map(lambda parts: joined("or", parts)),
        ),
        max_leaves=8,
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_where_clause_selects_exactly_the_rows_for_which_it_is_true(store: Store, data: st.DataObject) -> None:
    every = selected(store, ":id is not null")
    assert len(every) == 120
    row_values = {name: sorted({row[name] for row in every}) for name in ("key", ":id", ":updated_at")}
    soql, meaning = data.draw(conditions(row_values))
    wanted = {row["key"] for row in every if meaning(row) is True}
    assert {row["key"] for row in selected(store, soql)} == wanted


@pytest.mark.parametrize(
    ("clause", "code"),
    [
        ("word = 'open", "query.soql.bad-parse"),
        ("word = 'a' and", "query.soql.bad-parse"),
        ("(word = 'a'", "query.soql.bad-parse"),
        ("word = 'a'; drop table rows", "query.soql.bad-parse"),
        ("word not 'a'", "query.soql.bad-parse"),
        ("word = 'a' word = 'b'", "query.soql.bad-parse"),
        ("nothing = 'a'", "query.soql.no-such-column"),
        ("sqlite_version() = '3'", "query.soql.no-such-function"),
        ("word = 5", "query.soql.type-mismatch"),
        ("size = 'many'", "query.soql.type-mismatch"),
        ("at > 'yesterday'", "query.soql.type-mismatch"),
        ("at > '2024-01-01T00:00:00Z'", "query.soql.type-mismatch"),
        ("size like '1%'", "query.soql.type-mismatch"),
        ("word", "query.soql.type-mismatch"),
        ("size = word", "query.soql.type-mismatch"),
        ("(" * 500 + "word = 'a'" + ")" * 500, "query.soql.bad-parse"),
    ],
)
def test_what_socrata_refuses_is_refused_with_its_code(store: Store, clause: str, code: str) -> None:
    with pytest.raises(SoqlError) as refused:
        selected(store, clause)
    assert refused.value.code == code


def test_a_thousand_alternatives_are_no_deeper_than_two(store: Store) -> None:
    clause = " or ".join(f"key = 'k{i:03d}'" for i in range(1_500))
    assert len(selected(store, clause)) == 120


def test_a_fixed_timestamp_may_be_written_in_any_way_that_means_the_same(store: Store) -> None:
    newest = store.read('select max(":updated_at") from "rows"').fetchone()[0]
    spellings = [newest, newest.removesuffix("Z"), newest.removesuffix("Z") + "+00:00", newest.replace("T", " ")]
    spellings.append(datetime.fromisoformat(newest).astimezone(timezone(timedelta(hours=-6))).isoformat())
    found = {json.dumps(selected(store, f":updated_at = '{spelled}'")) for spelled in spellings}
    assert len(found) == 1
    assert json.loads(found.pop())


def test_stars_expand_to_system_fields_and_columns_and_functions_are_named_after_what_they_take(store: Store) -> None:
    query = compile_request(Request(select=":*, *"), store.schema(), "rows")
    assert query.fields == (":id", ":created_at", ":updated_at", "key", "word", "size", "at")
    query = compile_request(Request(select="count(*), max(:updated_at), min(size) as least"), store.schema(), "rows")
    assert query.fields == ("count", "max_updated_at", "least")
    assert query.types == ("number", "fixed_timestamp", "number")


def test_a_column_beside_an_aggregate_must_be_grouped_by(store: Store) -> None:
    with pytest.raises(SoqlError, match="group"):
        compile_request(Request(select="word, count(*)"), store.schema(), "rows")
    query = compile_request(Request(select="word, count(*)", group="word", order="word"), store.schema(), "rows")
    counted = store.read(query.sql, query.parameters).fetchall()
    assert sum(n for _, n in counted) == 120
    assert counted[-1][0] is None  # nulls come last


def test_nulls_come_last_ascending_and_first_descending(store: Store) -> None:
    for order, place in (("word", -1), ("word desc", 0)):
        query = compile_request(Request(order=order, limit="50000"), store.schema(), "rows")
        assert store.read(query.sql, query.parameters).fetchall()[place][1] is None


def test_numbers_are_ordered_as_numbers_and_answered_as_they_were_written(store: Store) -> None:
    query = compile_request(Request(select="size", where="size is not null", order="size"), store.schema(), "rows")
    sizes = [row[0] for row in store.read(query.sql, query.parameters)]
    assert list(dict.fromkeys(sizes)) == ["-1", "0", "2", "3.5", "10", "30.20", "9007199254740993"]


@pytest.mark.parametrize(
    "parameters",
    [
        [("$limit", "-1")],
        [("$limit", "ten")],
        [("$limit", str(MAX_LIMIT + 1))],
        [("$offset", "1.5")],
        [("$limitt", "1")],
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(store: Store, parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(SoqlError):
        compile_request(request_of(parameters), store.schema(), "rows")


def test_a_bound_is_told_only_where_it_holds_in_every_branch() -> None:
    def bound(clause: str) -> str | None:
        return lower_bound(parse_where(clause), "u")

    assert bound("u > 'b' or (u = 'b' and i > 'x')") == "b"
    assert bound("u > 'b' and u > 'c'") == "c"
    assert bound("u > 'b' or i > 'x'") is None
    assert bound("not u > 'b'") is None
    assert bound("u < 'b'") is None


def test_paging_by_update_and_id_enters_its_index(tmp_path: Path) -> None:
    store = Store(AUSTIN, tmp_path / "a.sqlite")
    where = ":updated_at > '2024-01-01T00:00:00Z' or (:updated_at = '2024-01-01T00:00:00Z' and :id > 'row-x')"
    query = compile_request(Request(select=":*,*", where=where, order=":updated_at,:id"), store.schema(), "rows")
    plan = " ".join(row[3] for row in store.read("explain query plan " + query.sql, query.parameters))
    assert "SEARCH" in plan
    assert "by_update" in plan
    assert "TEMP B-TREE" not in plan


def test_keywords_may_be_column_names_in_backquotes_and_orders_list_several() -> None:
    assert parse_select("`any` as b, count(*)")[0].alias == "b"
    assert [item.descending for item in parse_order("a desc, b, :id asc")] == [True, False, False]
