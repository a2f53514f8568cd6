"""CSV files that are rewritten whole: a conditional GET, then every line of the file.

A watermark on the newest id or time would lose about 6 % of San Diego's new rows, which arrive late; so the whole file
is compared. A line is a record, or, in files whose fields hold line breaks, the lines up to the end of a quoted field.
What cannot be read is a dead letter of its own: one broken quote never swallows the rest of the file.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import json
import re
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import IO

from producers.catalog import CsvFile, Source
from producers.clients import Asked, Estimate, Finished, Position, Scan
from producers.http import NOT_FOUND, NOT_MODIFIED, Answer, Portal
from producers.rows import Dead, Published, dead_letter
from schemas.errors import FatalError, RecordError, RetriableError

PAGE_LINES = 20_000
JANUARY = 1
LOOKS = 2
"""Requests that an unchanged poll may cost."""
CHUNK_BYTES = 1 << 20
LONGEST_RECORD_LINES = 50
"""A quoted field that is still open after so many lines was never closed."""
_QUOTED = re.compile(rb'(?:^|(?<=,))"(?:[^"]|"")*"(?=,|$)')
_OPEN = re.compile(rb'(?:^|,)"')


def records(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Join lines that belong to one record, because a quoted field is open at their end. Line ends stay.

    A quote opens a field only at its beginning. Where a field stays open for ``LONGEST_RECORD_LINES``, its first line
    is given by itself, to be found broken, and the others are read anew.
    """
    waiting: deque[bytes] = deque()

    def pull() -> bytes | None:
        return waiting.popleft() if waiting else next(lines, None)

    while (line := pull()) is not None:
        taken = [line]
        while opened := _is_open(b"".join(taken)):
            if len(taken) == LONGEST_RECORD_LINES or (more := pull()) is None:
                break
            taken.append(more)
        if opened:
            waiting.extendleft(reversed(taken[1:]))
            yield line
        else:
            yield b"".join(taken)


def _is_open(text: bytes) -> bool:
    return b'"' in text and _OPEN.search(_QUOTED.sub(b"", text.rstrip(b"\r\n"))) is not None


def detect_encoding(body: IO[bytes]) -> str:
    """Return utf-8 if all of ``body`` is, else cp1252; ``body`` is at its start before and after."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := body.read(CHUNK_BYTES):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    else:
        return "utf-8"
    finally:
        body.seek(0)


class CsvFileClient:
    """Reads one feed of yearly CSV files; the year is the scope of a scan."""

    def __init__(
        self,
        source: Source,
        protocol: CsvFile,
        portal: Portal,
        now: datetime,
        *,
        since: str | None = None,
        until: str | None = None,
    ) -> None:
        self._source = source
        self._protocol = protocol
        self._portal = portal
        self._local_now = now.astimezone(source.zone)
        self._since = since
        self._until = until
        self._changed: dict[int, Answer] = {}
        self._turn: dict[str, str] = {}
        self._encoding: str = protocol.encoding

    def years(self) -> list[int]:
        """Return the years to read: those of the source file, and all from the feed's bound on if it has one.

        In January ``current`` means last year as well, whose last rows still arrive.
        """
        if self._protocol.files:
            return sorted(self._protocol.files)
        years: set[int] = set()
        if self._since is not None and "{year}" in str(self._protocol.path):
            years.update(range(int(self._since[:4]), self._local_now.year))
        for year in self._protocol.years:
            if year != "current":
                years.add(year)
                continue
            years.add(self._local_now.year)
            if self._local_now.month == JANUARY:
                years.add(self._local_now.year - 1)
        return sorted(years)

    def _path(self, year: int) -> str:
        if self._protocol.path is None:
            return self._protocol.files[year]
        return self._protocol.path.format(year=year)

    def _due(self, position: Position) -> list[int]:
        """Return the years to ask for: those never read, the current ones, and of the past ones some in turn.

        A past year's file hardly ever changes. Asking for all of them each time would make an unchanged poll of twelve
        years cost twelve requests; so one poll asks for one or two of them, and the cursor remembers the last.
        """
        years = [year for year in self.years() if self._since is None or str(year) >= self._since[:4]]
        unread = [year for year in years if f"{year}.sha256" not in position]
        current = [year for year in years if year >= self._local_now.year - (self._local_now.month == JANUARY)]
        past = [year for year in years if year not in current and year not in unread]
        last = int(position.get("turn", "0"))
        turn = sorted(past, key=lambda year: (year <= last, year))[: max(0, LOOKS - len(current))]
        if turn:
            self._turn = {"turn": str(turn[-1])}
        return sorted({*unread, *current, *turn})

    def ask(self, position: Position) -> Asked:
        """Ask for the files that are due with a conditional GET each, at most two where all have been read before."""
        newest: datetime | None = None
        for year in self._due(position):
            headers = {}
            if position.get(f"{year}.etag"):
                headers["If-None-Match"] = position[f"{year}.etag"]
            if position.get(f"{year}.last_modified"):
                headers["If-Modified-Since"] = position[f"{year}.last_modified"]
            not_yet = self._local_now.month == JANUARY and year == self._local_now.year
            answer = self._portal.get(self._path(year), headers=headers, missing_ok=not_yet)
            modified = answer.header_time("Last-Modified")
            newest = max(filter(None, (newest, modified)), default=None)
            if answer.status in (NOT_MODIFIED, NOT_FOUND) or answer.sha256 == position.get(f"{year}.sha256"):
                continue
            self._changed[year] = answer
        return Asked(changed=bool(self._changed), position=self._turn, changed_at=newest)

    def scans(self, position: Position) -> Iterator[Scan]:  # noqa: ARG002 - the files are compared whole
        """Yield one complete scan for each file whose bytes changed."""
        for year, answer in sorted(self._changed.items()):
            self._encoding = self._protocol.encoding
            if self._encoding == "detect":
                self._encoding = detect_encoding(answer.body)
            lines = self._lines(answer.body, year)
            if self._protocol.multiline:
                lines = records(lines)
            lines = (line.rstrip(b"\r\n") for line in lines)
            columns = self._header(next(lines, b""), year)
            scan = Scan(scope=str(year), complete=True, pages=iter(()), columns=list(columns))
            scan.pages = self._pages(lines, columns, year, answer, scan)
            yield scan

    def first_day(self) -> str:
        """Return the first day of the earliest year whose file is read without a bound."""
        return f"{min(self.years())}-01-01"

    def reopened(self, position: Position, bound: str) -> Position:
        """Return the position without the file in which the bound lies, unless it is the file's first day."""
        if bound.endswith("-01-01"):
            return position
        return {name: value for name, value in position.items() if not name.startswith(f"{bound[:4]}.")}

    def window(self, position: Position) -> None:
        """Return None: files are read whole."""

    def estimate(self) -> Estimate:
        """See ``Client``; a file's size is asked for, its rows are not known before it is read."""
        until = self._until or f"{self._local_now.year + 1}-01-01"
        years = [year for year in self.years() if str(self._since or "")[:4] <= str(year) and f"{year}-01-01" < until]
        sizes = [self._portal.size(self._path(year)) for year in years]
        known = [size for size in sizes if size is not None]
        return Estimate(len(years), None, sum(known) if len(known) == len(years) else None)

    def recheck(self, position: Position, live_rows: int) -> Scan | None:  # noqa: ARG002 - a file gives no other count
        """Return None: every scan of a file is complete already."""
        return None

    def reread(self, payload: bytes, position: Position) -> tuple[Published | Dead, str]:
        """See ``Client``; the payload is a line, read under the header of the newest year under which it can be."""
        headers = sorted((name for name in position if name.endswith(".header")), reverse=True)
        encodings = ("utf-8", "cp1252") if self._protocol.encoding == "detect" else (self._protocol.encoding,)
        found: Published | Dead = dead_letter(
            self._source.key, "header_unknown", "No header of the feed's files is known yet: poll first.", payload
        )
        scope = ""
        for name, encoding in itertools.product(headers, encodings):
            self._encoding = encoding
            scope = name.removesuffix(".header")
            found = self._line(payload, tuple(json.loads(position[name])))
            if isinstance(found, Published):
                break
        return found, scope

    def _lines(self, body: IO[bytes], year: int) -> Iterator[bytes]:
        """Yield the lines with their ends; the last one must have one, or the file was cut short."""
        for line in body:
            if not line.endswith(b"\n"):
                raise RetriableError(
                    f"{self._source.key}: the file of {year} ends within a line, so it was cut short. "
                    "The cursor stays; poll again."
                )
            yield line

    def _header(self, line: bytes, year: int) -> tuple[str, ...]:
        text = line.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
        if not text.strip() or text.lstrip().startswith("<"):
            raise RetriableError(
                f"{self._source.key}: the file of {year} starts with {text[:60]!r}, which is no CSV header. "
                "Poll again later."
            )
        columns = tuple(name.strip().lower() for name in next(csv.reader([text])))
        known = [self._source.renames.get(name, name) for name in columns]
        needed = [*self._source.key_columns, self._source.event_time]
        missing = [name for name in needed if name not in known]
        if missing or len(set(columns)) != len(columns):
            raise FatalError(
                f"{self._source.key}: the header of {year} is {list(columns)}; it lacks {missing or 'unique names'}. "
                f"If columns were renamed, add them under `renames` in producers/sources/{self._source.key}.yaml."
            )
        return columns

    def _pages(
        self, lines: Iterator[bytes], columns: tuple[str, ...], year: int, answer: Answer, scan: Scan
    ) -> Iterator[list[Published | Dead]]:
        rows = 0
        while batch := list(itertools.islice(lines, PAGE_LINES)):
            page = [row for row in self._page([line for line in batch if line.strip()], columns) if self._wanted(row)]
            rows += len(page)
            yield page
        position = {f"{year}.sha256": answer.sha256, f"{year}.rows": str(rows), f"{year}.header": json.dumps(columns)}
        for key, header in ((f"{year}.etag", "ETag"), (f"{year}.last_modified", "Last-Modified")):
            position[key] = answer.headers.get(header, "")
        scan.finished = Finished(position, None)

    def _wanted(self, row: Published | Dead) -> bool:
        """Return whether the row is recent enough for a bounded poll; a row without an event time always is."""
        if self._since is None or isinstance(row, Dead) or row.names is None:
            return True
        names = [self._source.renames.get(name, name) for name in row.names]
        event_time = row.values[names.index(self._source.event_time)]
        return not event_time or event_time >= self._since

    def _page(self, lines: list[bytes], columns: tuple[str, ...]) -> list[Published | Dead]:
        try:
            texts = [line.decode(self._encoding) for line in lines]
            found = list(csv.reader(texts, strict=True))
        except (UnicodeDecodeError, csv.Error):
            found = []
        width = len(columns)
        if len(found) == len(lines) and all(len(record) == width for record in found):
            return [self._row(record, line, columns) for record, line in zip(found, lines, strict=True)]
        return [self._line(line, columns) for line in lines]

    def _line(self, line: bytes, columns: tuple[str, ...]) -> Published | Dead:
        """Read one line by itself: the slow way, taken for pages in which something is wrong."""
        try:
            return self._row(self._record(line, len(columns)), line, columns)
        except RecordError as error:
            return dead_letter(self._source.key, error.reason, error.detail, line)

    def _record(self, line: bytes, width: int) -> list[str]:
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise RecordError("encoding_invalid", f"The line is not {self._encoding}: {error.reason}.") from error
        try:
            (record,) = csv.reader([text], strict=True)
        except (csv.Error, ValueError) as error:
            raise RecordError("csv_quote_broken", f"The line's quotes do not match: {error}.") from error
        if len(record) != width:
            raise RecordError("csv_field_count", f"The line has {len(record)} fields where the header has {width}.")
        return record

    @staticmethod
    def _row(record: list[str], line: bytes, columns: tuple[str, ...]) -> Published:
        return Published(record, line, names=columns)
