"""SoQL trees to SQLite: types are checked as Socrata does, and every value of a query is a parameter."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from civicwire.sandbox.soql import (
    AGGREGATES,
    Between,
    Both,
    Call,
    Compare,
    Either,
    Expression,
    Field,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Ordered,
    Selected,
    SoqlError,
    parse_group,
    parse_order,
    parse_select,
    parse_where,
)

DEFAULT_LIMIT = 1_000
"""Rows of a page when ``$limit`` is absent, as on every Socrata portal."""
MAX_LIMIT = 50_000
"""Largest page; the documented maximum of the 2.0 endpoints, kept because it is the one that bites."""
MAX_INTEGER = 2**63 - 1
"""Largest integer that SQLite can be given."""

SYSTEM = {":id": "row_identifier", ":created_at": "fixed_timestamp", ":updated_at": "fixed_timestamp"}
"""System fields and their types."""

_TRUNCATIONS = {"date_trunc_y": (4, "-01-01T00:00:00.000"), "date_trunc_ym": (7, "-01T00:00:00.000")}
_TEXTS = frozenset({"text", "row_identifier", "floating_timestamp", "fixed_timestamp"})


@dataclass(frozen=True)
class Schema:
    """What a query may name.

    Attributes:
        types: field name to type, system fields included, in published order.
        stored: field name to the column that holds it.
        total: fields that are never null and unique: an order by one of them is total.
        indexed: fields whose lower bounds SQLite should be told.
    """

    types: Mapping[str, str]
    stored: Mapping[str, str]
    total: frozenset[str] = frozenset({":id"})
    indexed: frozenset[str] = frozenset({":id", ":updated_at"})


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with its parameters and its SoQL type (``null`` fits any)."""

    text: str
    type: str
    parameters: tuple[str | int | float | None, ...] = ()


@dataclass(frozen=True)
class Query:
    """A compiled request.

    Attributes:
        sql: one select statement.
        parameters: its values.
        fields: the answer's field names in order.
        types: their types.
    """

    sql: str
    parameters: tuple[str | int | float | None, ...]
    fields: tuple[str, ...]
    types: tuple[str, ...]


@dataclass
class Request:
    """The parts of a request, as text; None where absent. ``equal`` holds plain ``field=value`` filters."""

    select: str | None = None
    where: str | None = None
    order: str | None = None
    group: str | None = None
    limit: str | None = None
    offset: str | None = None
    equal: dict[str, str] = field(default_factory=dict)


def quoted(name: str) -> str:
    """Return ``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def request_of(parameters: Sequence[tuple[str, str]]) -> Request:
    """Return the request that query-string ``parameters`` stand for.

    Raises:
        SoqlError: a parameter that begins with ``$`` and is not known.
    """
    request = Request()
    for name, value in parameters:
        if name.startswith("$$"):
            continue
        if not name.startswith("$"):
            request.equal[name.lower()] = value
        elif name[1:] in ("select", "where", "order", "group", "limit", "offset"):
            setattr(request, name[1:], value)
        else:
            raise SoqlError("invalid-parameter", f"Unrecognized arguments [{name}]")
    return request


def compile_request(request: Request, schema: Schema, table: str) -> Query:
    """Return the select statement for ``request`` over ``table``.

    The order of an unordered request is nobody's promise, so here it is useless on purpose: newest identifiers
    first, and at an offset the page begins some rows away from where it should, always the same for the same request.
    Ties of a partial order are broken one way on even pages and the other way on odd ones.

    Raises:
        SoqlError: the query does not parse, names an unknown column or compares what cannot be compared.
    """
    compiler = _Compiler(schema)
    items = compiler.selected(parse_select(request.select) if request.select else [Selected("*", None)])
    aggregated = request.group is not None or any(_aggregate(expression) for _, expression in items)
    grouped = [compiler.value(e) for e in parse_group(request.group)] if request.group else []
    columns = [(alias, e, compiler.answer(e) if not aggregated else compiler.typed_value(e)) for alias, e in items]
    if aggregated:
        for _, expression, sql in columns:
            if not _aggregate(expression) and sql not in grouped:
                raise SoqlError("query.soql.column-not-in-group-bys", "Column not in group bys", _position(expression))
    limit = _whole("$limit", request.limit, DEFAULT_LIMIT)
    if limit > MAX_LIMIT:
        raise SoqlError("invalid-parameter", f"$limit must be at most {MAX_LIMIT}")
    offset = _whole("$offset", request.offset, 0)
    where = _where(request, compiler)
    order, offset = _order(
        request, compiler, {alias: sql for alias, _, sql in columns}, limit, offset, plain=not aggregated
    )
    parts = [f"select {', '.join(sql.text for _, _, sql in columns)} from {quoted(table)}"]  # noqa: S608 - identifiers come from the schema, values are parameters
    parameters = [p for _, _, sql in columns for p in sql.parameters]
    if where is not None:
        parts.append(f"where {where.text}")
        parameters += where.parameters
    if grouped:
        parts.append(f"group by {', '.join(sql.text for sql in grouped)}")
        parameters += [p for sql in grouped for p in sql.parameters]
    if order:
        parts.append(f"order by {', '.join(sql.text for sql in order)}")
        parameters += [p for sql in order for p in sql.parameters]
    parts.append("limit ? offset ?")
    return Query(
        " ".join(parts),
        (*parameters, limit, offset),
        tuple(alias for alias, _, _ in columns),
        tuple(sql.type for _, _, sql in columns),
    )


def _where(request: Request, compiler: _Compiler) -> Sql | None:
    conditions = [parse_where(request.where)] if request.where and request.where.strip() else []
    for name, value in request.equal.items():
        conditions.append(Compare("=", Field(name), Literal(value)))
    if not conditions:
        return None
    typed = compiler.typed(conditions[0] if len(conditions) == 1 else Both(tuple(conditions)))
    sql = compiler.boolean(typed)
    for name in sorted(compiler.schema.indexed):
        bound = lower_bound(typed, name)
        if bound is not None:  # SQLite cannot see through an `or`; told the bound, it enters its index there
            sql = Sql(f"{sql.text} and {compiler.column(Field(name)).text} >= ?", "boolean", (*sql.parameters, bound))
    return sql


def _order(
    request: Request, compiler: _Compiler, answers: Mapping[str, Sql], limit: int, offset: int, *, plain: bool
) -> tuple[list[Sql], int]:
    """Return the order's terms and the offset in force."""
    if not request.order:
        if not plain:
            return [], offset
        return [Sql(f"{quoted(':id')} desc", "")], _unhelpful(offset, limit)
    terms = []
    ordered: list[Ordered] = parse_order(request.order)
    names = {item.expression.name for item in ordered if isinstance(item.expression, Field)}
    for item in ordered:
        name = item.expression.name if isinstance(item.expression, Field) else None
        if name is not None and name in answers and name not in compiler.schema.types:
            sql = answers[name]
        else:
            sql = compiler.value(item.expression)
        direction = "desc" if item.descending else "asc"
        never_null = name in SYSTEM or name in compiler.schema.total
        nulls = "" if never_null else " nulls first" if item.descending else " nulls last"
        terms.append(Sql(f"{sql.text} {direction}{nulls}", "", sql.parameters))
    if plain and not names & compiler.schema.total:
        page = offset // limit if limit else 0
        terms.append(Sql(f"{quoted(':id')} {'desc' if page % 2 else 'asc'}", ""))
    return terms, offset


def _unhelpful(offset: int, limit: int) -> int:
    if offset == 0:
        return 0
    span = max(1, min(limit, DEFAULT_LIMIT) // 10)
    shift = zlib.crc32(f"{offset}:{limit}".encode()) % (2 * span + 1) - span
    return max(0, offset + (shift or span))


def _whole(name: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or int(text) > MAX_INTEGER:
        raise SoqlError("invalid-parameter", f"{name} must be a whole number, not `{text}'")
    return int(text)


def _aggregate(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.name in AGGREGATES


def _position(expression: Expression) -> int:
    return expression.position if isinstance(expression, Field | Call) else 0


def lower_bound(expression: Expression, name: str) -> str | None:
    """Return a text that ``name`` is at least, in every row for which typed ``expression`` is true; None if unknown."""
    if isinstance(expression, Compare) and expression.left == Field(name, _position(expression.left)):
        value = expression.right.value if isinstance(expression.right, Literal) else None
        return value if expression.operator in ("=", ">", ">=") and isinstance(value, str) else None
    if isinstance(expression, Both):
        bounds = [b for b in (lower_bound(e, name) for e in expression.operands) if b is not None]
        return max(bounds) if bounds else None
    if isinstance(expression, Either):
        alternatives = [lower_bound(e, name) for e in expression.operands]
        known = [b for b in alternatives if b is not None]
        return min(known) if len(known) == len(alternatives) else None
    return None


class _Compiler:
    """Checks types and writes SQL for one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def selected(self, items: Sequence[Selected]) -> list[tuple[str, Expression]]:
        """Return name and expression of every answered column, stars expanded.

        Raises:
            SoqlError: two columns would have the same name.
        """
        found: list[tuple[str, Expression]] = []
        for item in items:
            if isinstance(item.expression, str):
                system = item.expression == ":*"
                found += [(n, Field(n)) for n in self.schema.types if (n in SYSTEM) == system]
            else:
                found.append((item.alias or _derived_name(item.expression), item.expression))
        names = [name for name, _ in found]
        for name in names:
            if names.count(name) > 1:
                raise SoqlError("query.soql.duplicate-alias", f"There is already an alias named `{name}'")
        return found

    def typed(self, e: Expression) -> Expression:  # noqa: PLR0911 - one return for each kind of expression
        """Return ``e`` with its literals turned into the types that they are compared with."""
        if isinstance(e, Compare):
            return Compare(e.operator, self._like(e.right, e.left), self._like(e.left, e.right))
        if isinstance(e, In):
            return In(e.operand, tuple(self._like(e.operand, m) for m in e.members), e.negated)
        if isinstance(e, Between):
            return Between(e.operand, self._like(e.operand, e.low), self._like(e.operand, e.high), e.negated)
        if isinstance(e, Not):
            return Not(self.typed(e.operand))
        if isinstance(e, Both):
            return Both(tuple(self.typed(o) for o in e.operands))
        if isinstance(e, Either):
            return Either(tuple(self.typed(o) for o in e.operands))
        return e

    def _like(self, model: Expression, e: Expression) -> Expression:
        """Return ``e``, a literal text made canonical for the type of ``model``."""
        if not isinstance(e, Literal) or not isinstance(e.value, str) or isinstance(model, Literal):
            return self.typed(e)
        wanted = self.value(model).type
        if wanted == "number":
            return Literal(_number(e.value))
        if wanted in ("fixed_timestamp", "floating_timestamp"):
            return Literal(_timestamp(e.value, utc=wanted == "fixed_timestamp"))
        return e

    def boolean(self, e: Expression) -> Sql:
        """Return the SQL of a condition.

        Raises:
            SoqlError: ``e`` is not a condition.
        """
        sql = self.value(e)
        if sql.type not in ("boolean", "null"):
            raise SoqlError(
                "query.soql.type-mismatch", f"Type mismatch: {sql.type} where boolean is wanted", _position(e)
            )
        return sql

    def value(self, e: Expression) -> Sql:  # noqa: C901, PLR0911 - one branch for each kind of expression
        """Return the SQL of any expression.

        Raises:
            SoqlError: an unknown column or types that do not go together.
        """
        match e:
            case Literal(value):
                return _literal(value)
            case Field():
                return self.column(e)
            case Call():
                return self._call(e)
            case Compare(operator, left, right):
                a, b = self._pair(left, right)
                return Sql(f"({a.text} {operator} {b.text})", "boolean", a.parameters + b.parameters)
            case IsNull(operand, negated):
                sql = self.value(operand)
                return Sql(f"({sql.text} is {'not ' if negated else ''}null)", "boolean", sql.parameters)
            case In(operand, members, negated):
                pairs = [self._pair(operand, m) for m in members]
                listed = ", ".join(b.text for _, b in pairs)
                parameters = pairs[0][0].parameters + tuple(p for _, b in pairs for p in b.parameters)
                return Sql(f"({pairs[0][0].text} {'not ' if negated else ''}in ({listed}))", "boolean", parameters)
            case Between(operand, low, high, negated):
                a, b = self._pair(operand, low)
                _, c = self._pair(operand, high)
                text = f"({a.text} {'not ' if negated else ''}between {b.text} and {c.text})"
                return Sql(text, "boolean", a.parameters + b.parameters + c.parameters)
            case Like(operand, pattern, negated):
                a, b = self._pair(operand, pattern)
                if "number" in (a.type, b.type):
                    raise SoqlError("query.soql.type-mismatch", "Type mismatch: like wants text", _position(operand))
                return Sql(
                    f"({a.text} {'not ' if negated else ''}like {b.text})", "boolean", a.parameters + b.parameters
                )
            case Not(operand):
                sql = self.boolean(operand)
                return Sql(f"(not {sql.text})", "boolean", sql.parameters)
            case Both(operands):
                return _joined([self.boolean(o) for o in operands], "and")
            case Either(operands):
                return _joined([self.boolean(o) for o in operands], "or")

    def column(self, e: Field) -> Sql:
        """Return the SQL of a column; a number is compared as one although it is kept as text."""
        if e.name not in self.schema.types:
            raise SoqlError("query.soql.no-such-column", f"No such column: {e.name}", e.position)
        kind, name = self.schema.types[e.name], quoted(self.schema.stored[e.name])
        return Sql(f"cast({name} as numeric)" if kind == "number" else name, kind)

    def answer(self, e: Expression) -> Sql:
        """Return the SQL of an answered expression: a column as it is kept, so that 30.20 stays 30.20."""
        if isinstance(e, Field):
            kind = self.column(e).type
            return Sql(quoted(self.schema.stored[e.name]), kind)
        return self.typed_value(e)

    def _call(self, e: Call) -> Sql:
        if not e.arguments:
            return Sql("count(*)", "number")
        inner = [self.typed_value(a) for a in e.arguments]
        text, kind, parameters = inner[0].text, inner[0].type, tuple(p for sql in inner for p in sql.parameters)
        if e.name in ("count", "max", "min"):
            return Sql(f"{e.name}({text})", "number" if e.name == "count" else kind, parameters)
        if e.name in ("sum", "avg"):
            self._wants(e, kind, "number")
            return Sql(f"{e.name}({text})", "number", parameters)
        if e.name in ("lower", "upper"):
            self._wants(e, kind, "text")
            return Sql(f"{e.name}({text})", "text", parameters)
        if e.name == "starts_with":
            self._wants(e, kind, "text")
            return Sql(
                f"(substr({text}, 1, length({inner[1].text})) = {inner[1].text})",
                "boolean",
                parameters + inner[1].parameters,
            )
        self._wants(e, kind, "floating_timestamp")
        length, rest = _TRUNCATIONS.get(e.name, (10, "T00:00:00.000"))
        return Sql(f"(substr({text}, 1, {length}) || '{rest}')", "floating_timestamp", parameters)

    def typed_value(self, e: Expression) -> Sql:
        """Return the SQL of ``e`` with its literals made canonical first."""
        return self.value(self.typed(e))

    def _wants(self, e: Call, kind: str, wanted: str) -> None:
        if kind not in (wanted, "null"):
            raise SoqlError("query.soql.type-mismatch", f"Type mismatch for {e.name}, is {kind}", e.position)

    def _pair(self, left: Expression, right: Expression) -> tuple[Sql, Sql]:
        a, b = self.value(left), self.value(right)
        literal = isinstance(left, Literal) or isinstance(right, Literal)
        same = a.type == b.type or "null" in (a.type, b.type) or (literal and a.type in _TEXTS and b.type in _TEXTS)
        if not same or "location" in (a.type, b.type):
            raise SoqlError(
                "query.soql.type-mismatch", f"Type mismatch: {a.type} and {b.type}", _position(left) or _position(right)
            )
        return a, b


def _joined(conditions: Sequence[Sql], word: str) -> Sql:
    """Join pairwise, because SQLite refuses trees deeper than 1,000."""
    if len(conditions) == 1:
        return conditions[0]
    middle = len(conditions) // 2
    a, b = _joined(conditions[:middle], word), _joined(conditions[middle:], word)
    return Sql(f"({a.text} {word} {b.text})", "boolean", a.parameters + b.parameters)


def _literal(value: str | float | bool | None) -> Sql:
    if value is None:
        return Sql("null", "null")
    if isinstance(value, bool):
        return Sql("true" if value else "false", "boolean")
    return Sql("?", "text" if isinstance(value, str) else "number", (value,))


def _number(text: str) -> int | float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SoqlError("query.soql.type-mismatch", f"Type mismatch: `{text}' is not a number")
    stripped = text.strip()
    whole = stripped.lstrip("+-").isdecimal() and abs(int(stripped)) <= MAX_INTEGER
    return int(stripped) if whole else value


def _timestamp(text: str, *, utc: bool) -> str:
    """Return ``text`` as the portal writes timestamps, so that comparing text compares time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SoqlError("query.soql.type-mismatch", f"Type mismatch: `{text}' is not a timestamp") from None
    if not utc and moment.tzinfo is not None:
        raise SoqlError("query.soql.type-mismatch", f"Type mismatch: `{text}' has a zone, the column has none")
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + ("Z" if utc else "")


def _derived_name(e: Expression) -> str:
    match e:
        case Field(name):
            return name
        case Call(name, ()):
            return name
        case Call(name, arguments):
            inner = "_".join(_derived_name(a) for a in arguments)
            return f"{name}_{inner.lstrip(':@')}"
        case Literal(value):
            return str(value)
    return "expression"
