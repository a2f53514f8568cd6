"""Socrata SODA 2.1: keyset pages in the total order (:updated_at, :id), counted before and after.

Facts this rests on: without ``$order`` pages repeat and lose rows; ``:updated_at`` is shared by whole batches and only
unique together with ``:id``; a whole replace gives every row a new ``:id`` and ``:updated_at``; deletes leave no trace
but the count.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from producers.catalog import Socrata, Source
from producers.clients import Asked, Estimate, Finished, Position, Scan
from producers.clients.pages import JsonArray
from producers.drift import ignored
from producers.http import Portal
from producers.rows import Dead, Published, dead_letter
from schemas.errors import RetriableError

SETTLED = timedelta(seconds=2)
"""The portal tells its last change in whole seconds: within two of them another change could hide."""
SAMPLE_ROWS = 100
WINDOW_COUNTS = 4
"""Requests beside the pages that reading a window takes: metadata, count before and after, and of the whole table."""
PAGE_READS = 2
"""A page that is cut short or out of order is read once more before the poll gives up."""


@lru_cache(maxsize=4096)
def instant(text: str) -> datetime:
    """Return a Socrata fixed timestamp (``2026-01-02T03:04:05.678Z``) as a UTC instant."""
    return datetime.fromisoformat(text).astimezone(UTC)


def literal(moment: datetime) -> str:
    """Return a UTC instant as a SoQL literal with the portal's milliseconds."""
    return "'" + moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z'"


@dataclass(slots=True)
class _Page:
    """One page: its usable rows with their place in the total order, and its dead rows."""

    rows: list[Published]
    dead: list[Dead]
    keys: list[tuple[str, str]]


class SocrataClient:
    """Reads one Socrata table."""

    def __init__(
        self, source: Source, protocol: Socrata, portal: Portal, *, since: str | None = None, until: str | None = None
    ) -> None:
        self._source = source
        self._protocol = protocol
        self._portal = portal
        self._resource = f"/resource/{protocol.dataset}.json"
        self._total: int | None = None
        self._columns: set[str] = set()
        self._bound = f"{source.event_time} >= '{since}'" if since else None
        before = f"{source.event_time} < '{until}'" if until else None
        self._only = " and ".join(part for part in (self._bound, before) if part) or None

    def ask(self, position: Position) -> Asked:
        """Ask the table's metadata; if that is not conclusive, its count and newest change."""
        path = f"/api/views/{self._protocol.dataset}.json"
        answer = self._portal.get(path)
        view = self._json(answer.body.read(), path)
        try:
            rows_updated_at = int(view["rowsUpdatedAt"])
            columns = [str(column["fieldName"]) for column in view["columns"]]
            types = {str(column["fieldName"]): str(column.get("dataTypeName", "")) for column in view["columns"]}
        except (KeyError, TypeError, ValueError) as error:
            raise RetriableError(
                f"{self._source.key}: {path} has no rowsUpdatedAt or columns. Look at it in a browser."
            ) from error
        changed_at = datetime.fromtimestamp(rows_updated_at, UTC)
        asked_at = answer.header_time("Date")
        settled = asked_at is not None and asked_at - changed_at >= SETTLED
        found = {"rows_updated_at": str(rows_updated_at), "settled": str(settled).lower()}
        same = position.get("rows_updated_at") == found["rows_updated_at"] and "portal_rows" in position
        if same and position.get("settled") == "true":
            return Asked(changed=False, position=found, changed_at=changed_at, columns=columns, types=types)
        if same:
            total, newest = self._count_and_newest()
            if str(total) == position.get("portal_rows") and newest == position.get("updated_at"):
                return Asked(changed=False, position=found, changed_at=changed_at, columns=columns, types=types)
        self._columns = set(columns)
        return Asked(changed=True, position=found, changed_at=changed_at, columns=columns, types=types)

    def scans(self, position: Position) -> Iterator[Scan]:
        """Yield one scan: of everything without a cursor, else of what changed since it less the overlap.

        Everything as well after a change of the columns, which does not touch ``:updated_at``, and always of a feed
        without a natural key: equal rows are told apart by counting all of them.
        """
        since = None
        if "updated_at" in position and self._source.key_columns and not self._columns_changed(position):
            since = instant(position["updated_at"]) - timedelta(seconds=self._protocol.overlap_seconds)
        yield self._scan(since, position.get("updated_at"))

    def _columns_changed(self, position: Position) -> bool:
        before = set(json.loads(position["types"])) if "types" in position else self._columns
        return any(not ignored(self._source, name) for name in before ^ self._columns)

    def first_day(self) -> str | None:
        """Return None: without a bound everything is read."""
        return None

    def reopened(self, position: Position, bound: str) -> Position:  # noqa: ARG002 - a window is read by itself
        """Return the position as it is: ``window`` reads what the bound kept out."""
        return position

    def window(self, position: Position) -> Iterator[Scan]:
        """Yield a scan of the window that moves neither the cursor's place nor deletes anything."""
        scan = Scan(scope="", complete=False, pages=iter(()))
        scan.pages = self._window_pages(scan, position.get("updated_at"))
        yield scan

    def _window_pages(self, scan: Scan, updated_at: str | None) -> Iterator[list[Published | Dead]]:
        yield from self._pages(None, None, scan)
        if scan.finished is not None:
            total = self._count(self._bound)
            kept = {"updated_at": updated_at} if updated_at else {}
            scan.finished = Finished({"portal_rows": str(total), **kept}, scan.finished.portal_rows)

    def estimate(self) -> Estimate:
        """See ``Client``; the bytes are those of a few rows, carried over to all."""
        rows = self._count(self._only)
        params = {"$select": ":*,*", "$order": ":id", "$limit": str(SAMPLE_ROWS)}
        body = self._portal.get(self._resource, params | ({"$where": self._only} if self._only else {})).body.read()
        sample = len(JsonArray(body.decode("utf-8", "replace")).values)
        pages = rows // self._protocol.page_rows + 1
        return Estimate(pages + WINDOW_COUNTS, rows, len(body) * rows // sample if sample else 0)

    def recheck(self, position: Position, live_rows: int) -> Scan | None:
        """Return a complete scan when the table's count and the rows known to exist differ by a new number.

        The known difference (``gap``: rows without an identity, or sharing one) is part of the position.
        """
        if self._total is None or self._total - live_rows == int(position.get("gap", "0")):
            return None
        return self._scan(None, position.get("updated_at"))

    def reread(self, payload: bytes, position: Position) -> tuple[Published | Dead, str]:  # noqa: ARG002
        """See ``Client``; the payload is the row's JSON object."""
        try:
            page = self._parse(b"[" + payload + b"]")
        except (ValueError, KeyError) as error:
            return dead_letter(self._source.key, "json_invalid", f"The row is no JSON row ({error}).", payload), ""
        found: list[Published | Dead] = [*page.rows, *page.dead]
        return found[0], ""

    def _scan(self, since: datetime | None, newest: str | None) -> Scan:
        scan = Scan(scope="", complete=since is None, pages=iter(()))
        scan.pages = self._pages(since, newest, scan)
        return scan

    def _pages(self, since: datetime | None, newest: str | None, scan: Scan) -> Iterator[list[Published | Dead]]:
        bound = self._where(f":updated_at >= {literal(since)}" if since else None)
        expected = self._count(bound)
        ids: set[int] = set()
        last: tuple[str, str] | None = None
        while True:
            page = self._page(bound, last, ids)
            if not page.keys:
                break
            last = page.keys[-1]
            ids.update([hash(identity) for _, identity in page.keys])
            newest = max(newest or "", last[0])
            yield [*page.rows, *page.dead]
            if len(page.keys) < self._protocol.page_rows and len(ids) >= expected:
                break
        after = self._count(bound)
        if len(ids) != after:
            raise RetriableError(
                f"{self._source.key}: the portal counts {after} rows (before: {expected}) and gave {len(ids)}: "
                f"{after - len(ids)} short. The cursor stays; poll again."
            )
        self._total = after if scan.complete else self._count(self._only)
        position = {"portal_rows": str(self._total)}
        if newest:
            position["updated_at"] = newest
        scan.finished = Finished(position, after)

    def _where(self, changed: str | None) -> str | None:
        return " and ".join(part for part in (self._only, changed) if part) or None

    def _page(self, bound: str | None, last: tuple[str, str] | None, ids: set[int]) -> _Page:
        params = {"$select": ":*,*", "$order": ":updated_at,:id", "$limit": str(self._protocol.page_rows)}
        past = f"(:updated_at > '{last[0]}' or (:updated_at = '{last[0]}' and :id > '{last[1]}'))" if last else None
        if bound or past:
            params["$where"] = " and ".join(part for part in (bound, past) if part)
        problem = ""
        for _ in range(PAGE_READS):
            try:
                page = self._parse(self._portal.get(self._resource, params).body.read())
            except (ValueError, KeyError) as error:
                problem = f"a page cannot be read ({error})"
                continue
            disorder = self._disorder(page.keys, last, ids)
            if not disorder:
                return page
            problem = disorder
        raise RetriableError(f"{self._source.key}: {problem}, {PAGE_READS} times over. The cursor stays; poll again.")

    @staticmethod
    def _disorder(keys: list[tuple[str, str]], last: tuple[str, str] | None, ids: set[int]) -> str:
        """Return what is wrong with a page's order, nothing if it is right.

        A row that is changed while the table is read comes once more under a later stamp, and rightly so. Under the
        stamp with which the page before ended it must be a new one.
        """
        stamps = [stamp for stamp, _ in keys]
        if last:
            stamps.insert(0, last[0])
        if any(later < earlier for earlier, later in itertools.pairwise(stamps)):
            return "a page is out of order"
        again = last is not None and any(stamp == last[0] and hash(identity) in ids for stamp, identity in keys)
        return "a page repeats rows" if again or len(set(keys)) != len(keys) else ""

    def _parse(self, body: bytes) -> _Page:
        page = JsonArray(body.decode("utf-8"))
        rows: list[Published] = []
        dead: list[Dead] = []
        keys: list[tuple[str, str]] = []
        for place, value in enumerate(page.values):
            if not isinstance(value, dict):
                raise ValueError("an element is no object")  # noqa: TRY004 - a malformed page, whatever its type
            identity, updated = value[":id"], value[":updated_at"]
            if not isinstance(identity, str) or not isinstance(updated, str):
                raise ValueError("an element's :id or :updated_at is no text")  # noqa: TRY004
            keys.append((updated, identity))
            try:
                rows.append(Published(value, partial(page.original, place), instant(updated)))
            except ValueError:
                detail = f"{updated!r} is no fixed timestamp."
                dead.append(dead_letter(self._source.key, "updated_at_unparsable", detail, page.original(place)))
        return _Page(rows, dead, keys)

    def _count(self, bound: str | None) -> int:
        params = {"$select": "count(*) as n"}
        if bound:
            params["$where"] = bound
        return int(self._single(params)["n"])

    def _count_and_newest(self) -> tuple[int, str | None]:
        params = {"$select": "count(*) as n,max(:updated_at) as newest"}
        if self._only:
            params["$where"] = self._only
        row = self._single(params)
        return int(row["n"]), row.get("newest")

    def _single(self, params: Mapping[str, str]) -> dict[str, Any]:
        rows = self._json(self._portal.get(self._resource, params).body.read(), self._resource)
        if not (isinstance(rows, list) and rows and isinstance(rows[0], dict) and "n" in rows[0]):
            raise RetriableError(f"{self._source.key}: the portal gave no count. Poll again later.")
        return rows[0]

    def _json(self, body: bytes, path: str) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise RetriableError(f"{self._source.key}: {path} is no JSON ({error}). Poll again later.") from error
