"""An answer before it is sent, so that a fault can still spoil it, and the rules of conditional requests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

JSON = "application/json;charset=utf-8"
"""Content type of everything that Socrata answers as JSON."""


@dataclass(frozen=True)
class FilePart:
    """A piece of a file on disk, for answers too large to hold."""

    path: Path
    start: int
    length: int

    def read(self, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``start``, counted from the piece's own beginning."""
        with self.path.open("rb") as file:
            return os.pread(file.fileno(), min(length, self.length - start), self.start + start)


@dataclass
class Reply:
    """An answer. ``compressible`` says that the real server would send it compressed on request."""

    status: int
    body: bytes | FilePart = b""
    headers: dict[str, str] = field(default_factory=dict)
    compressible: bool = False

    @property
    def size(self) -> int:
        """Bytes of the body before compression."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length

    def content(self) -> bytes:
        """Return the whole body."""
        return self.body if isinstance(self.body, bytes) else self.body.read(0, self.body.length)


def http_date(seconds: float) -> str:
    """Return an instant (epoch seconds) as an HTTP date."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC).replace(microsecond=0), usegmt=True)


def not_modified(headers: Mapping[str, str], etag: str, modified: float) -> bool:
    """Say whether a conditional request already has this content (RFC 9110: the ETag, where given, decides)."""
    wanted = headers.get("If-None-Match")
    if wanted is not None:
        known = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        return "*" in known or etag.removeprefix("W/") in known
    since = headers.get("If-Modified-Since")
    if since is None:
        return False
    try:
        return int(modified) <= parsedate_to_datetime(since).timestamp()
    except ValueError:
        return False


def accepts_gzip(headers: Mapping[str, str]) -> bool:
    """Say whether the client asked for gzip."""
    for item in headers.get("Accept-Encoding", "").split(","):
        name, _, weight = item.strip().partition(";")
        if name in ("gzip", "*") and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return True
    return False
