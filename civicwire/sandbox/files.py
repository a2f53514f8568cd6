"""Static files as an object store serves them: given ones, and each year's CSV written anew at every change."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from civicwire.sandbox.reply import FilePart, Reply, http_date, not_modified
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Store
from civicwire.sandbox.times import year_of

ROWS_AT_ONCE = 20_000
"""Rows written to a file in one go."""
BYTES_AT_ONCE = 1 << 20
"""Bytes hashed in one go."""


@dataclass(frozen=True)
class Stored:
    """A file that can be served.

    Attributes:
        path: where its bytes are.
        size: their number.
        etag: the quoted MD5 of the bytes, as S3 gives it.
        modified: epoch seconds, whole.
        content_type: as sent.
    """

    path: str
    size: int
    etag: str
    modified: int
    content_type: str


def _stored(path: Path, modified: int, content_type: str) -> Stored:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(BYTES_AT_ONCE):
            digest.update(chunk)
    return Stored(str(path), path.stat().st_size, f'"{digest.hexdigest()}"', modified, content_type)


def answer(stored: Stored, headers: Mapping[str, str]) -> Reply:
    """Return the answer for a file: whole, a part of it, or 304."""
    described = {
        "Content-Type": stored.content_type,
        "ETag": stored.etag,
        "Last-Modified": http_date(stored.modified),
        "Accept-Ranges": "bytes",
    }
    if not_modified(headers, stored.etag, stored.modified):
        return Reply(304, headers=described)
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", ""))
    if wanted and any(wanted.groups()) and headers.get("If-Range", stored.etag) == stored.etag:
        first, last = wanted.groups()
        start = int(first) if first else max(0, stored.size - int(last))
        end = min(int(last), stored.size - 1) if first and last else stored.size - 1
        if start >= stored.size or start > end:
            return Reply(416, headers=described | {"Content-Range": f"bytes */{stored.size}"})
        described["Content-Range"] = f"bytes {start}-{end}/{stored.size}"
        return Reply(206, FilePart(Path(stored.path), start, end - start + 1), described)
    return Reply(200, FilePart(Path(stored.path), 0, stored.size), described)


class GivenFiles:
    """Files that were put, kept in a folder with an index; they hide whatever the portal would generate there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._index = folder / "index.json"
        self._files: dict[str, Stored] = {}
        self._lock = threading.Lock()
        if self._index.is_file():
            listed = json.loads(self._index.read_text(encoding="utf-8"))
            self._files = {path: Stored(**stored) for path, stored in listed.items()}

    def put(self, path: str, body: bytes, content_type: str, modified: int | None) -> Stored:
        """Serve ``body`` at ``path``; without ``modified`` (epoch s) the time is now, and later than before."""
        with self._lock:
            before = self._files.get(path)
            if modified is None:
                modified = max(int(time.time()), before.modified + 1 if before else 0)
            name = hashlib.sha256(path.encode() + b"\0" + body).hexdigest()
            target = self._folder / name
            target.write_bytes(body)
            stored = _stored(target, modified, content_type)
            self._files[path] = stored
            self._save()
            if before is not None and before.path != stored.path:
                Path(before.path).unlink(missing_ok=True)
        return stored

    def remove(self, path: str) -> bool:
        """Stop serving ``path``; say whether it was served."""
        with self._lock:
            gone = self._files.pop(path, None)
            self._save()
        if gone is not None:
            Path(gone.path).unlink(missing_ok=True)
        return gone is not None

    def get(self, path: str) -> Stored | None:
        """Return the file at ``path``."""
        return self._files.get(path)

    def _save(self) -> None:
        self._index.write_text(json.dumps({p: asdict(s) for p, s in self._files.items()}), encoding="utf-8")


class YearFiles:
    """The CSV files of a feed, one for each year of its rows or one for all, written anew when rows have changed."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.iterdir():
            leftover.unlink()
        self._written: dict[int, tuple[int, Stored]] = {}
        self._lock = threading.Lock()
        address = "/" + store.feed.address.lstrip("/")
        self._pattern = re.compile(re.escape(address).replace(r"\{year\}", r"(?P<year>\d{4})"))
        self._of_path = {"/" + path.lstrip("/"): year for year, path in store.feed.files.items()}

    def get(self, path: str) -> Stored | None:
        """Return the file at ``path`` as of now, None when it is none of this feed's or its year has no rows."""
        if path in self._of_path:
            year = self._of_path[path]
        elif (match := self._pattern.fullmatch(path)) is not None:
            year = int(match.groupdict().get("year", 0))
        else:
            return None
        with self._lock:
            state = self._store.state
            version, stored = self._written.get(year, (-1, None))
            if version != state.version or stored is None:
                target = self._folder / f"{year}.{state.version}.csv"
                if not self._write(target, year) and "{year}" in self._store.feed.address:
                    target.unlink()
                    return None
                before = stored
                stored = _stored(target, state.rows_updated_at, "text/csv")
                if before is not None and before.etag == stored.etag:
                    stored = replace(stored, modified=max(before.modified + 1, state.rows_updated_at))
                self._written[year] = (state.version, stored)
                # The file before the last stays until now: a slow client may still be reading the last.
                for old in self._folder.glob(f"{year}.*.csv"):
                    if int(old.name.split(".")[1]) < version:
                        old.unlink()
            return stored

    def _write(self, target: Path, year: int) -> int:
        """Write the year's rows (year 0: all) and return how many there are."""
        store = self._store
        columns = store.state.columns
        rows = self._rows(year, ", ".join(f"coalesce({quoted(p.stored)}, '')" for p in columns))
        header = ",".join('"' + p.column.field.replace('"', '""') + '"' for p in columns)
        count = 0
        with target.open("w", encoding="utf-8", newline="") as file:
            file.write((header.upper() if store.state.upper_case_header else header) + "\n")
            while batch := list(itertools.islice(rows, ROWS_AT_ONCE)):
                file.write("".join(['"' + '","'.join([v.replace('"', '""') for v in row]) + '"\n' for row in batch]))
                count += len(batch)
        return count

    def _rows(self, year: int, chosen: str) -> Iterator[tuple[str, ...]]:
        """Yield the year's rows: San Diego's sorted and by number, others by time; the last year has those without."""
        store, feed = self._store, self._store.feed
        if not feed.event_time:
            key, prefix = quoted(feed.key), f"E{year % 100:02d}"
            yield from store.read(
                f'select {chosen} from "rows" where {key} >= ? and {key} < ? order by {key}',  # noqa: S608 - our own identifiers
                (prefix, prefix + "~"),
            )
            return
        zone, last = ZoneInfo(feed.zone), max(feed.files, default=0)
        for event, *values in store.read(f'select {quoted(feed.event[0])}, {chosen} from "rows" order by n'):  # noqa: S608
            if year in (0, year_of(event, feed.event_time, zone) or last or datetime.now(zone).year):
                yield tuple(values)
