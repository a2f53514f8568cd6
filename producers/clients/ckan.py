"""CKAN's datastore: pages by ``_id`` with the total told on each, between two looks at the resource's own time.

Facts this rests on: the datastore's filters know equality only, so pages are cut by offset in the total order of
``_id``; a limit above the portal's own is clipped, so the offset moves by what came; ``_id`` is given anew when the
resource is pushed anew, so it identifies nothing between polls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from producers.catalog import Ckan, Source
from producers.clients import Asked, Estimate, Finished, Position, Scan
from producers.clients.pages import JsonArray, as_object
from producers.http import Portal
from producers.rows import Dead, Published, dead_letter
from schemas.errors import FatalError, RetriableError

PAGE_READS = 2
ROW_NUMBER = "_id"


class CkanClient:
    """Reads one resource of a CKAN portal."""

    def __init__(self, source: Source, protocol: Ckan, portal: Portal) -> None:
        self._source = source
        self._protocol = protocol
        self._portal = portal
        self._stamp = ""

    def ask(self, position: Position) -> Asked:
        """Ask when the resource changed: one request."""
        stamp, changed_at = self._changed()
        self._stamp = stamp
        same = position.get("stamp") == stamp and "portal_rows" in position
        return Asked(changed=not same, position={"stamp": stamp}, changed_at=changed_at)

    def scans(self, position: Position) -> Iterator[Scan]:  # noqa: ARG002 - nothing tells which rows changed
        """Yield one complete scan: rows carry no time of their last change."""
        first, fields = self._page(0, None)
        columns = [str(field["id"]) for field in fields if field.get("id") != ROW_NUMBER]
        types = {str(field["id"]): str(field.get("type", "")) for field in fields if field.get("id") != ROW_NUMBER}
        scan = Scan(scope="", complete=True, pages=iter(()), columns=columns, types=types)
        scan.pages = self._pages(first, scan)
        yield scan

    def first_day(self) -> str | None:
        """Return None: without a bound everything is read."""
        return None

    def reopened(self, position: Position, bound: str) -> Position:  # noqa: ARG002 - every scan reads all
        """Return an empty position: the resource is read whole."""
        return {}

    def window(self, position: Position) -> None:
        """Return None: the resource is read whole."""

    def estimate(self) -> Estimate:
        """See ``Client``; the bytes are those of the first page, carried over to all."""
        page, _ = self._page(0, None)
        pages = -(-page.total // max(1, len(page.rows)))
        return Estimate(pages + 2, page.total, self._portal.cost.bytes_received * pages)

    def recheck(self, position: Position, live_rows: int) -> Scan | None:  # noqa: ARG002 - every scan is complete
        """Return None: every scan is complete already."""
        return None

    def reread(self, payload: bytes, position: Position) -> tuple[Published | Dead, str]:  # noqa: ARG002
        """See ``Client``; the payload is the record's JSON object."""
        try:
            body = b'{"success":true,"result":{"total":1,"records":[' + payload + b"]}}"
            page, _ = self._parse(body, "the dead letter")
        except (ValueError, KeyError, TypeError) as error:
            return dead_letter(self._source.key, "json_invalid", f"The row is no record ({error}).", payload), ""
        return page.rows[0], ""

    def _changed(self) -> tuple[str, datetime | None]:
        path = "/api/3/action/resource_show"
        resource = self._result(path, {"id": self._protocol.resource})
        if not resource.get("datastore_active", True):
            raise FatalError(
                f"{self._source.key}: the resource is not in the portal's datastore. Read its file: protocol csv_file."
            )
        stamp = str(resource.get("last_modified") or resource.get("metadata_modified") or "")
        try:
            moment = datetime.fromisoformat(stamp)
        except ValueError:
            return stamp, None
        return stamp, moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)

    def _result(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        return self._checked(as_object(self._portal.get(path, params).body.read(), self._source.key, path), path)

    def _checked(self, answer: dict[str, Any], path: str) -> dict[str, Any]:
        result = answer.get("result")
        if not answer.get("success") or not isinstance(result, dict):
            raise RetriableError(
                f"{self._source.key}: {path} says {json.dumps(answer.get('error'))[:200]}. Poll again later."
            )
        return result

    def _pages(self, first: _Page, scan: Scan) -> Iterator[list[Published | Dead]]:
        page, expected, received = first, first.total, 0
        last: int | None = None
        while page.rows:
            if page.total != expected:
                raise RetriableError(
                    f"{self._source.key}: the portal counted {expected} rows and now {page.total}: it changed while it "
                    "was read. The cursor stays; poll again."
                )
            received += len(page.rows)
            last = page.numbers[-1]
            yield [*page.rows]
            if received >= expected:
                break
            page, _ = self._page(received, last)
        if received != expected:
            raise RetriableError(
                f"{self._source.key}: the portal counts {expected} rows and gave {received}: "
                f"{expected - received} short. The cursor stays; poll again."
            )
        stamp, _ = self._changed()
        if stamp != self._stamp:
            raise RetriableError(f"{self._source.key}: the resource changed while it was read. Poll again.")
        scan.finished = Finished({"stamp": stamp, "portal_rows": str(expected)}, expected)

    def _page(self, offset: int, last: int | None) -> tuple[_Page, list[dict[str, Any]]]:
        path = "/api/3/action/datastore_search"
        params = {
            "resource_id": self._protocol.resource,
            "limit": str(self._protocol.page_rows),
            "offset": str(offset),
            "sort": f"{ROW_NUMBER} asc",
        }
        problem = ""
        for _ in range(PAGE_READS):
            try:
                page, fields = self._parse(self._portal.get(path, params).body.read(), path)
            except (ValueError, KeyError, TypeError) as error:
                problem = f"a page cannot be read ({error})"
                continue
            before = [last if last is not None else -1, *page.numbers]
            if any(one <= earlier for earlier, one in zip(before, page.numbers, strict=False)):
                problem = "a page repeats rows or is out of order"
                continue
            if not page.rows and offset < page.total:
                problem = f"a page is empty, {page.total - offset} rows short"
                continue
            return page, fields
        raise RetriableError(f"{self._source.key}: {problem}, {PAGE_READS} times over. The cursor stays; poll again.")

    def _parse(self, body: bytes, path: str) -> tuple[_Page, list[dict[str, Any]]]:
        """Return a page and what the portal says of its columns."""
        records = JsonArray(body.decode("utf-8"), "records")
        if not isinstance(records.whole, dict):
            raise ValueError("no object")  # noqa: TRY004 - a malformed page, whatever its type
        result = self._checked(records.whole, path)
        page = _Page(int(result["total"]))
        for place, value in enumerate(records.values):
            page.numbers.append(int(value.pop(ROW_NUMBER)))
            page.rows.append(Published(value, partial(records.original, place)))
        return page, list(result.get("fields") or [])


class _Page:
    """One page: the portal's total, its rows, and their numbers."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.rows: list[Published] = []
        self.numbers: list[int] = []
