"""SoQL: text to a checked tree. The grammar is the part of SODA 2.1 that a polite reader of a dataset needs.

expression := and ('or' and)*          and := not ('and' not)*         not := 'not' not | predicate
predicate  := operand [ ('='|'=='|'!='|'<>'|'<'|'<='|'>'|'>=') operand
                      | 'is' ['not'] 'null' | ['not'] 'in' '(' operand, … ')'
                      | ['not'] 'between' operand 'and' operand | ['not'] 'like' operand ]
operand    := 'text' | number | true | false | null | column | function '(' … ')' | '(' expression ')'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DEPTH = 100
"""Nesting at which a query is refused, well inside Python's own recursion limit."""

AGGREGATES = frozenset({"count", "max", "min", "sum", "avg"})
FUNCTIONS = AGGREGATES | {"date_trunc_y", "date_trunc_ym", "date_trunc_ymd", "lower", "upper", "starts_with"}
KEYWORDS = frozenset({"and", "or", "not", "is", "null", "in", "between", "like", "true", "false", "as", "asc", "desc"})


class SoqlError(ValueError):
    """The query is refused.

    Attributes:
        code: Socrata's error code.
        detail: what is wrong, for a person.
        position: offset in the clause, from 0.
    """

    def __init__(self, code: str, detail: str, position: int = 0) -> None:
        super().__init__(f"{code}; {detail}")
        self.code = code
        self.detail = detail
        self.position = position


@dataclass(frozen=True)
class Token:
    """One word of a clause: ``kind`` is text, number, name, star or symbol."""

    kind: str
    value: str
    position: int


@dataclass(frozen=True)
class Literal:
    """A constant; None is null."""

    value: str | int | float | bool | None


@dataclass(frozen=True)
class Field:
    """A column by its field name, system fields with their colon."""

    name: str
    position: int = 0


@dataclass(frozen=True)
class Call:
    """A function; ``count(*)`` has no arguments."""

    name: str
    arguments: tuple[Expression, ...]
    position: int = 0


@dataclass(frozen=True)
class Compare:
    """``left operator right``; the operator is one of ``= != < <= > >=``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class IsNull:
    """``operand is [not] null``."""

    operand: Expression
    negated: bool


@dataclass(frozen=True)
class In:
    """``operand [not] in (members)``."""

    operand: Expression
    members: tuple[Expression, ...]
    negated: bool


@dataclass(frozen=True)
class Between:
    """``operand [not] between low and high``, both ends included."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True)
class Like:
    """``operand [not] like pattern``, ``%`` and ``_`` as in SQL, letter case counts."""

    operand: Expression
    pattern: Expression
    negated: bool


@dataclass(frozen=True)
class Not:
    """``not operand``."""

    operand: Expression


@dataclass(frozen=True)
class Both:
    """``a and b and …``."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class Either:
    """``a or b or …``."""

    operands: tuple[Expression, ...]


Expression = Literal | Field | Call | Compare | IsNull | In | Between | Like | Not | Both | Either


@dataclass(frozen=True)
class Selected:
    """One item of ``$select``: ``*``, ``:*``, or an expression with the name it answers under (None: derived)."""

    expression: Expression | str
    alias: str | None


@dataclass(frozen=True)
class Ordered:
    """One item of ``$order``."""

    expression: Expression
    descending: bool


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^']|'')*') |
        (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?) |
        (?P<quoted>`[^`]+`) |
        (?P<name>:?@?[A-Za-z_][A-Za-z0-9_]*) |
        (?P<star>:\*|\*) |
        (?P<symbol><=|>=|!=|<>|==|[=<>(),-])
    )""",
    re.VERBOSE,
)


def tokens(clause: str) -> list[Token]:
    """Return the words of ``clause``.

    Raises:
        SoqlError: a character that SoQL does not know, or a text without its closing quote.
    """
    found = []
    at = 0
    while at < len(clause):
        if clause[at:].isspace():
            break
        match = _TOKEN.match(clause, at)
        if match is None or match.lastgroup is None:
            at += len(clause[at:]) - len(clause[at:].lstrip())
            raise SoqlError("query.soql.bad-parse", f"Unexpected `{clause[at]}'", at)
        kind, value, position = match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)
        if kind == "text":
            value = value[1:-1].replace("''", "'")
        elif kind == "quoted":
            kind, value = "column", value[1:-1].lower()
        elif kind == "name":
            value = value.lower()
        found.append(Token(kind, value, position))
        at = match.end()
    return found


class _Reader:
    """Recursive descent over the words of one clause."""

    def __init__(self, clause: str) -> None:
        self._tokens = tokens(clause)
        self._end = len(clause)
        self._at = 0
        self._depth = 0

    def peek(self) -> Token:
        if self._at < len(self._tokens):
            return self._tokens[self._at]
        return Token("end", "end of input", self._end)

    def take(self) -> Token:
        token = self.peek()
        self._at += 1
        return token

    def accept(self, *values: str) -> str | None:
        """Take the next word if it is one of these symbols or keywords."""
        token = self.peek()
        if token.kind in ("symbol", "name", "star") and token.value in values:
            self._at += 1
            return token.value
        return None

    def expect(self, value: str) -> None:
        if self.accept(value) is None:
            raise self.unexpected(f"`{value}' expected")

    def unexpected(self, wanted: str) -> SoqlError:
        token = self.peek()
        return SoqlError("query.soql.bad-parse", f"{wanted}, but `{token.value}' found", token.position)

    def finish(self) -> None:
        if self.peek().kind != "end":
            raise self.unexpected("end of input expected")

    def expression(self) -> Expression:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise SoqlError("query.soql.bad-parse", "Query is nested too deeply", self.peek().position)
        operands = [self._both()]
        while self.accept("or"):
            operands.append(self._both())
        self._depth -= 1
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def _both(self) -> Expression:
        operands = [self._not()]
        while self.accept("and"):
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def _not(self) -> Expression:
        negations = 0
        while self.accept("not"):
            negations += 1
        operand = self._predicate()
        return Not(operand) if negations % 2 else operand

    def _predicate(self) -> Expression:
        left = self.operand()
        operator = self.accept("=", "==", "!=", "<>", "<", "<=", ">", ">=")
        if operator is not None:
            return Compare({"==": "=", "<>": "!="}.get(operator, operator), left, self.operand())
        if self.accept("is"):
            negated = self.accept("not") is not None
            self.expect("null")
            return IsNull(left, negated)
        negated = self.accept("not") is not None
        if self.accept("in"):
            return In(left, self._list(), negated)
        if self.accept("between"):
            low = self.operand()
            self.expect("and")
            return Between(left, low, self.operand(), negated)
        if self.accept("like"):
            return Like(left, self.operand(), negated)
        if negated:
            raise self.unexpected("`in', `between' or `like' expected")
        return left

    def _list(self) -> tuple[Expression, ...]:
        self.expect("(")
        members = [self.operand()]
        while self.accept(","):
            members.append(self.operand())
        self.expect(")")
        return tuple(members)

    def operand(self) -> Expression:
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.accept("-"):
            if self.peek().kind != "number":
                raise self.unexpected("number expected")
            value = _number(self.take().value)
            return Literal(-value)
        token = self.peek()
        if token.kind == "text":
            self.take()
            return Literal(token.value)
        if token.kind == "number":
            self.take()
            return Literal(_number(token.value))
        if token.kind == "column":
            self.take()
            return Field(token.value, token.position)
        if token.kind == "name":
            return self._named()
        raise self.unexpected("expression expected")

    def _named(self) -> Expression:
        token = self.peek()
        if token.value in ("true", "false", "null"):
            self.take()
            return Literal({"true": True, "false": False, "null": None}[token.value])
        if token.value in KEYWORDS:
            raise self.unexpected("expression expected")
        self.take()
        if not self.accept("("):
            return Field(token.value, token.position)
        if token.value not in FUNCTIONS:
            raise SoqlError("query.soql.no-such-function", f"No such function `{token.value}'", token.position)
        if self.accept("*"):
            if token.value != "count":
                raise SoqlError("query.soql.no-such-function", f"`{token.value}' needs a column", token.position)
            self.expect(")")
            return Call("count", (), token.position)
        arguments = [self.operand()]
        while self.accept(","):
            arguments.append(self.operand())
        self.expect(")")
        wanted = 2 if token.value == "starts_with" else 1
        if len(arguments) != wanted:
            raise SoqlError(
                "query.soql.no-such-function", f"`{token.value}' takes {wanted} argument(s)", token.position
            )
        return Call(token.value, tuple(arguments), token.position)


def _number(text: str) -> int | float:
    return int(text) if text.isdigit() and len(text) < 19 else float(text)  # noqa: PLR2004 - what 64 bits always hold


def parse_where(clause: str) -> Expression:
    """Return the tree of a ``$where`` clause.

    Raises:
        SoqlError: it does not parse.
    """
    reader = _Reader(clause)
    expression = reader.expression()
    reader.finish()
    return expression


def parse_select(clause: str) -> list[Selected]:
    """Return the items of a ``$select`` clause.

    Raises:
        SoqlError: it does not parse.
    """
    reader = _Reader(clause)
    items = []
    while True:
        star = reader.accept("*", ":*")
        if star is not None:
            items.append(Selected(star, None))
        else:
            expression = reader.expression()
            alias = None
            if reader.accept("as"):
                token = reader.take()
                if token.kind not in ("name", "column") or token.value in KEYWORDS:
                    raise SoqlError("query.soql.bad-parse", "Name expected after `as'", token.position)
                alias = token.value
            items.append(Selected(expression, alias))
        if not reader.accept(","):
            reader.finish()
            return items


def parse_order(clause: str) -> list[Ordered]:
    """Return the items of an ``$order`` clause.

    Raises:
        SoqlError: it does not parse.
    """
    reader = _Reader(clause)
    items = []
    while True:
        expression = reader.expression()
        items.append(Ordered(expression, reader.accept("asc", "desc") == "desc"))
        if not reader.accept(","):
            reader.finish()
            return items


def parse_group(clause: str) -> list[Expression]:
    """Return the items of a ``$group`` clause.

    Raises:
        SoqlError: it does not parse.
    """
    return [item.expression for item in parse_order(clause)]
