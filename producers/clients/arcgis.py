"""ArcGIS FeatureServer: the layer is discovered, and every scan reads all of it by object id.

Facts this rests on: errors come with HTTP status 200; the page size asked for is clipped without a word, so the flag
``exceededTransferLimit`` tells the end and the page's length does not; object ids order a scan but are given anew at
each reload, so they identify nothing between polls; a layer's number changes when it is published anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from producers.catalog import ArcGis, Source
from producers.clients import Asked, Estimate, Finished, Position, Scan
from producers.clients.pages import JsonArray, as_object
from producers.http import Portal
from producers.rows import Dead, Published, dead_letter
from schemas.errors import FatalError, RetriableError

PAGE_READS = 3
"""A page that is refused, empty without being the last, or out of order is asked for so often, each time smaller."""
SMALLEST_PAGE = 50
WINDOW_COUNTS = 3
"""Requests beside the pages that a scan takes: the layer, and the count before and after."""
SERVER_ERRORS = range(500, 600)
NOT_FOUND = (400, 404)
"""What a service says of a layer that is no longer there."""
TOKEN_ERRORS = (498, 499)


class ArcGisError(Exception):
    """An error inside an answer of status 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}".strip())
        self.code = code


class ArcGisClient:
    """Reads one layer or table of a FeatureServer."""

    def __init__(
        self, source: Source, protocol: ArcGis, portal: Portal, *, since: str | None = None, until: str | None = None
    ) -> None:
        self._source = source
        self._protocol = protocol
        self._portal = portal
        self._since = since
        self._until = until
        self._layer = ""
        self._object_id = "OBJECTID"
        self._page_rows = protocol.page_rows

    def ask(self, position: Position) -> Asked:
        """Ask the layer's metadata; without a time of the last edit, its count and highest object id as well.

        An unchanged layer costs one request, or two without such a time. A layer that is gone is looked for anew.
        """
        layer = position.get("layer") or self._discover()
        try:
            described = self._object(f"/{layer}", {})
        except ArcGisError as error:
            if error.code not in NOT_FOUND or "layer" not in position:
                raise self._as_civicwire(error, f"layer {layer}") from error
            layer = self._discover()
            described = self._described(layer)
        self._layer = layer
        fields = described.get("fields")
        if not isinstance(fields, list):
            raise RetriableError(f"{self._source.key}: layer {layer} lists no fields. Look at it in a browser.")
        self._object_id = next(
            (str(field["name"]) for field in fields if field.get("type") == "esriFieldTypeOID"),
            str(described.get("objectIdField") or self._object_id),
        )
        columns = [str(field["name"]).lower() for field in fields if field["name"] != self._object_id]
        self._page_rows = min(self._protocol.page_rows, int(described.get("maxRecordCount") or self._page_rows))
        edited = (described.get("editingInfo") or {}).get("lastEditDate")
        found = {"layer": layer, "object_id": self._object_id}
        if edited is not None:
            found["edited"] = str(edited)
            same = position.get("edited") == found["edited"]
            moment = datetime.fromtimestamp(int(edited) / 1000, UTC)
        else:
            count, highest = self._count(), self._highest()
            found |= {"portal_rows": str(count), "highest": highest}
            same = all(position.get(name) == found[name] for name in ("portal_rows", "highest"))
            moment = None
        same = same and position.get("layer") == layer and "portal_rows" in position
        types = {str(one["name"]).lower(): str(one.get("type", "")) for one in fields if one["name"] != self._object_id}
        return Asked(changed=not same, position=found, changed_at=moment, columns=columns, types=types)

    def scans(self, position: Position) -> Iterator[Scan]:  # noqa: ARG002 - nothing tells which rows changed
        """Yield one complete scan: the layers have no time of a row's last edit."""
        scan = Scan(scope="", complete=True, pages=iter(()))
        scan.pages = self._pages(scan)
        yield scan

    def first_day(self) -> str | None:
        """Return None: without a bound everything is read."""
        return None

    def reopened(self, position: Position, bound: str) -> Position:  # noqa: ARG002 - every scan reads all
        """Return nothing but the layer: every scan reads all rows that the bound lets in."""
        return {name: position[name] for name in ("layer", "object_id") if name in position}

    def window(self, position: Position) -> None:
        """Return None: one scan reads everything."""

    def estimate(self) -> Estimate:
        """See ``Client``."""
        self.ask({})
        rows = self._count()
        params = {"where": self._where(), "outFields": "*", "returnGeometry": "false"}
        body = self._body(f"/{self._layer}/query", {**params, "resultRecordCount": str(SMALLEST_PAGE)})
        sample = len(self._parse(body)[1])
        return Estimate(-(-rows // self._page_rows) + WINDOW_COUNTS, rows, len(body) * rows // sample if sample else 0)

    def recheck(self, position: Position, live_rows: int) -> Scan | None:  # noqa: ARG002 - every scan is complete
        """Return None: every scan is complete already."""
        return None

    def reread(self, payload: bytes, position: Position) -> tuple[Published | Dead, str]:
        """See ``Client``; the payload is the feature's JSON object."""
        self._object_id = position.get("object_id", self._object_id)
        try:
            rows, _, _ = self._parse(b'{"features":[' + payload + b"]}")
        except (ValueError, KeyError, TypeError) as error:
            return dead_letter(self._source.key, "json_invalid", f"The row is no feature ({error}).", payload), ""
        return rows[0], ""

    # --- the service ----------------------------------------------------------------------------------------------

    def _discover(self) -> str:
        """Return the number of the service's only layer or table, or of the one with the wanted name.

        Raises:
            FatalError: there is none, or several and none is named.
        """
        try:
            service = self._object("", {})
        except ArcGisError as error:
            raise self._as_civicwire(error, "the service") from error
        offered = {str(one["id"]): str(one["name"]) for kind in ("layers", "tables") for one in service.get(kind) or []}
        wanted = self._protocol.layer_name
        chosen = [number for number, name in offered.items() if wanted is None or name == wanted]
        if len(chosen) != 1:
            raise FatalError(
                f"{self._source.key}: the service offers {offered or 'no layers'}, which is not one layer"
                f"{f' called {wanted}' if wanted else ''}. Set layer_name in producers/sources/{self._source.key}.yaml."
            )
        return chosen[0]

    def _described(self, layer: str) -> dict[str, Any]:
        try:
            return self._object(f"/{layer}", {})
        except ArcGisError as error:
            raise self._as_civicwire(error, f"layer {layer}") from error

    def _object(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        answer = as_object(self._body(path, params), self._source.key, self._protocol.service + path)
        _raise_error(answer)
        return answer

    def _body(self, path: str, params: dict[str, str]) -> bytes:
        return self._portal.get(self._protocol.service + path, {"f": "json", **params}).body.read()

    def _as_civicwire(self, error: ArcGisError, what: str) -> RetriableError | FatalError:
        if error.code in SERVER_ERRORS:
            return RetriableError(f"{self._source.key}: {what} answered {error}. The cursor stays; poll again later.")
        hint = "Set the token's variable." if error.code in TOKEN_ERRORS else "Check the service in the source file."
        return FatalError(f"{self._source.key}: {what} answered {error}. {hint}")

    # --- rows -----------------------------------------------------------------------------------------------------

    def _where(self, after: int | None = None) -> str:
        parts = []
        if self._since:
            parts.append(f"{self._source.event_time} >= timestamp '{self._since} 00:00:00'")
        if self._until:
            parts.append(f"{self._source.event_time} < timestamp '{self._until} 00:00:00'")
        if after is not None:
            parts.append(f"{self._object_id} > {after}")
        return " AND ".join(parts) or "1=1"

    def _count(self) -> int:
        return int(self._single({"where": self._where(), "returnCountOnly": "true"}).get("count", -1))

    def _highest(self) -> str:
        statistic = {
            "statisticType": "max",
            "onStatisticField": self._object_id,
            "outStatisticFieldName": "highest",
        }
        answer = self._single({"where": self._where(), "outStatistics": json.dumps([statistic])})
        features = answer.get("features") or [{}]
        return str((features[0].get("attributes") or {}).get("highest"))

    def _single(self, params: dict[str, str]) -> dict[str, Any]:
        try:
            return self._object(f"/{self._layer}/query", params)
        except ArcGisError as error:
            raise self._as_civicwire(error, "a query") from error

    def _pages(self, scan: Scan) -> Iterator[list[Published | Dead]]:
        expected = self._count()
        received = 0
        last: int | None = None
        while True:
            rows, numbers, more = self._page(last)
            received += len(numbers)
            if numbers:
                last = numbers[-1]
                yield rows
            if not more:
                break
        after = self._count()
        if not expected == received == after:
            raise RetriableError(
                f"{self._source.key}: the portal counts {after} rows (before: {expected}) and gave {received}: "
                f"{after - received} short. The cursor stays; poll again."
            )
        position = {"portal_rows": str(after), "layer": self._layer, "object_id": self._object_id}
        scan.finished = Finished(position, after)

    def _page(self, last: int | None) -> tuple[list[Published | Dead], list[int], bool]:
        """Return one page: its rows, their object ids, and whether there is more."""
        problem: Exception | str = ""
        page_rows = self._page_rows
        for _ in range(PAGE_READS):
            params = {
                "where": self._where(-1 if last is None else last),
                "outFields": "*",
                "returnGeometry": "false",
                "orderByFields": self._object_id,
                "resultRecordCount": str(page_rows),
            }
            page_rows = max(SMALLEST_PAGE, page_rows // 2)
            try:
                rows, numbers, more = self._parse(self._body(f"/{self._layer}/query", params))
            except ArcGisError as error:
                if error.code not in SERVER_ERRORS:
                    raise self._as_civicwire(error, "a query") from error
                problem = error
                continue
            except (ValueError, KeyError, TypeError) as error:
                problem = f"a page cannot be read ({error})"
                continue
            if any(
                one <= before
                for before, one in zip([last if last is not None else -1, *numbers], numbers, strict=False)
            ):
                problem = "a page repeats rows or is out of order"
                continue
            if more and not numbers:
                problem = "a page is empty although it is not the last"
                continue
            return rows, numbers, more
        raise RetriableError(f"{self._source.key}: {problem}, {PAGE_READS} times over. The cursor stays; poll again.")

    def _parse(self, body: bytes) -> tuple[list[Published | Dead], list[int], bool]:
        page = JsonArray(body.decode("utf-8"), "features")
        whole = page.whole
        if not isinstance(whole, dict):
            raise ValueError("no object")  # noqa: TRY004 - a malformed page, whatever its type
        _raise_error(whole)
        more = bool(whole.get("exceededTransferLimit") or (whole.get("properties") or {}).get("exceededTransferLimit"))
        rows: list[Published | Dead] = []
        numbers: list[int] = []
        for place, value in enumerate(page.values):
            attributes = value["attributes"]
            numbers.append(int(attributes[self._object_id]))
            values = {name.lower(): item for name, item in attributes.items() if name != self._object_id}
            if len(values) < len(attributes) - 1:
                detail = "Two of the row's columns differ only in letter case."
                rows.append(dead_letter(self._source.key, "columns_ambiguous", detail, page.original(place)))
                continue
            rows.append(Published(values, partial(page.original, place)))
        return rows, numbers, more


def _raise_error(answer: dict[str, Any]) -> None:
    error = answer.get("error")
    if error is not None:
        details = " ".join(map(str, error.get("details") or [])) if isinstance(error, dict) else str(error)
        code = error.get("code") if isinstance(error, dict) else None
        message = str(error.get("message") or "") if isinstance(error, dict) else ""
        raise ArcGisError(int(code or 0), f"{message} {details}".strip())
