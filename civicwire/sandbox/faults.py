"""Faults on command: what goes wrong with a portal, told apart by what a client can notice."""

from __future__ import annotations

import asyncio
import json
import re
from random import Random
from typing import Any, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, field_validator

from civicwire.sandbox.reply import JSON, Reply
from schemas.errors import ConfigError

Kind = Literal[
    "status", "html", "redirect", "cut", "empty_page", "repeat_page", "shuffle", "drop_rows", "slow", "reset"
]

HTML = b"""\
<!DOCTYPE html>
<html><head><title>Request blocked</title></head>
<body><h1>Please verify that you are human</h1></body></html>
"""
"""What a firewall answers instead of the portal, with status 200."""


class Fault(BaseModel):
    """One rule: which requests it spoils, how, and how often. The first rule that matches wins."""

    model_config = ConfigDict(extra="forbid")

    match: str = Field(default=".*", description="regular expression searched in the decoded path and query")
    kind: Kind
    times: int | None = Field(default=1, ge=1, description="requests it spoils before it is over; null: all of them")
    after: int = Field(default=0, ge=0, description="matching requests that it lets pass first")
    status: int = Field(default=500, ge=100, le=599, description="kind status: the code")
    retry_after: str | None = Field(default=None, description="kind status: the Retry-After header")
    fraction: float = Field(default=0.5, ge=0, lt=1, description="kind cut: the part of the body that is sent")
    length: Literal["original", "consistent"] = Field(
        default="original", description="kind cut: Content-Length of the whole body, or of what is sent"
    )
    whole_lines: bool = Field(default=False, description="kind cut: end at the end of a line, so that it looks whole")
    rows: int = Field(default=1, ge=1, description="kind drop_rows: rows missing from the page")
    seconds: float = Field(default=1.0, ge=0, le=600, description="kind slow: delay before the answer")
    location: str = Field(default="", description="kind redirect: where to, path or whole address")
    hits: int = Field(default=0, description="requests spoiled so far; kept by the portal")
    seen: int = Field(default=0, description="matching requests so far; kept by the portal")

    @field_validator("match")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error}): escape ? $ ( ) with a backslash") from None
        return value


class Faults:
    """The rules in force, in memory: a restart forgets them."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put ``fault`` behind the rules in force."""
        self._rules.append(fault)

    def clear(self) -> None:
        """Forget every rule."""
        self._rules.clear()

    def listed(self) -> list[Fault]:
        """Return the rules with their counts; one whose ``times`` are used up stays listed until cleared."""
        return list(self._rules)

    def take(self, path_and_query: str) -> Fault | None:
        """Return the rule that spoils this request, and count it."""
        readable = unquote_plus(path_and_query)
        for rule in self._rules:
            if (rule.times is not None and rule.hits >= rule.times) or not re.search(rule.match, readable):
                continue
            rule.seen += 1
            if rule.seen > rule.after:
                rule.hits += 1
                return rule
        return None


async def instead(fault: Fault) -> Reply | None:
    """Return the answer that a fault gives without asking the portal; None when the portal is to be asked."""
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
    if fault.kind == "html":
        return Reply(200, HTML, {"Content-Type": "text/html; charset=utf-8"})
    if fault.kind == "redirect":
        return Reply(302, headers={"Location": fault.location})
    if fault.kind == "status":
        headers = {"Content-Type": JSON}
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        told = {"code": "sandbox.fault", "error": True, "message": f"The sandbox was told to answer {fault.status}."}
        return Reply(fault.status, json.dumps(told).encode() + b"\n", headers)
    return None


def spoil(fault: Fault, reply: Reply) -> Reply:
    """Return ``reply`` with the rows of its page missing or in another order, or cut short consistently.

    Only a page of rows is spoiled: a JSON array or a CSV. The headers stay as they were, because the portal that does
    this does not know it.
    """
    if reply.status != 200:  # noqa: PLR2004 - only a page has rows
        return reply
    if fault.kind == "cut" and fault.length == "consistent":
        return Reply(reply.status, shortened(fault, reply.content()), reply.headers, reply.compressible)
    if fault.kind not in ("empty_page", "shuffle", "drop_rows"):
        return reply
    head, rows, tail = _page(reply)
    random = Random(fault.seen)  # noqa: S311 - the same fault spoils the same way
    if fault.kind == "empty_page":
        rows = []
    elif fault.kind == "shuffle":
        random.shuffle(rows)
    else:
        missing = set(random.sample(range(len(rows)), min(fault.rows, len(rows))))
        rows = [row for i, row in enumerate(rows) if i not in missing]
    separator = b"\n" if tail == b"\n" else b"\n,"
    body = head + separator.join(rows) + (tail if rows or tail != b"\n" else b"")
    return Reply(reply.status, body, reply.headers, reply.compressible)


def shortened(fault: Fault, body: bytes) -> bytes:
    """Return the part of ``body`` that a cut lets through."""
    end = int(len(body) * fault.fraction)
    if fault.whole_lines:
        end = body.rfind(b"\n", 0, end) + 1
    return body[:end]


def _page_within(answer: dict[str, Any]) -> tuple[bytes, list[bytes], bytes]:
    """Return the page of rows inside an ArcGIS or CKAN answer."""
    for holder, name in ((answer, "features"), (answer.get("result") or {}, "records")):
        if isinstance(holder.get(name), list):
            rows, holder[name] = holder[name], []
            head, _, tail = json.dumps(answer, ensure_ascii=False).partition(f'"{name}": []')
            opened = f'{head}"{name}": ['
            return opened.encode(), [json.dumps(row, ensure_ascii=False).encode() for row in rows], b"]" + tail.encode()
    raise ConfigError("This fault spoils a page of rows, and the answer is none: narrow its `match`.")


def _page(reply: Reply) -> tuple[bytes, list[bytes], bytes]:
    body = reply.content()
    if reply.headers.get("Content-Type", "").startswith("application/json"):
        try:
            rows = json.loads(body)
        except ValueError:
            rows = None
        if isinstance(rows, dict):
            return _page_within(rows)
        if not isinstance(rows, list):
            raise ConfigError("This fault spoils a page of rows, and the answer is none: narrow its `match`.")
        return b"[", [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows], b"]\n"
    head, _, rest = body.partition(b"\n")
    return head + b"\n", rest.splitlines(), b"\n"
