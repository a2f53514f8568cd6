"""An ArcGIS FeatureServer over a store: service and layer descriptions, counts, statistics and pages of features.

As the real one does, it answers errors with status 200, clips a page to its own limit without a word, and says in
``exceededTransferLimit`` whether there is more. The object id is the row's number in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from civicwire.sandbox.reply import JSON, Reply
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Store

OBJECT_ID = "OBJECTID"
MAX_RECORD_COUNT = 2_000
_TYPES = {"number": "esriFieldTypeDouble", "epoch_ms": "esriFieldTypeDate"}
_CONDITION = re.compile(
    rf"(?:{OBJECT_ID}\s*(?P<id_is>>=|>)\s*(?P<id>-?\d+))|(?P<all>1=1)"
    r"|(?:(?P<column>\w+)\s*(?P<time_is>>=|<)\s*timestamp\s*'(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)')",
    re.IGNORECASE,
)


class RefusedError(Exception):
    """What the service says in an error object."""


def answer(store: Store, path: str, query: Mapping[str, str]) -> Reply:
    """Return the answer for ``path`` below the service: the service itself, its layer, or a query of the layer."""
    try:
        body = _answer(store, path.strip("/"), query)
    except RefusedError as error:
        body = {"error": {"code": 400, "message": str(error), "details": []}}
    return Reply(200, _json(body), {"Content-Type": JSON}, compressible=True)


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(store: Store, path: str, query: Mapping[str, str]) -> dict[str, Any]:
    layer = str(store.state.layer)
    spatial = any(p.column.field == "POINT_X" for p in store.state.columns)
    if not path:
        offered = [{"id": store.state.layer, "name": store.feed.title, "type": "Feature Layer" if spatial else "Table"}]
        return {
            "currentVersion": 12,
            "layers": offered if spatial else [],
            "tables": [] if spatial else offered,
            "maxRecordCount": MAX_RECORD_COUNT,
        }
    number, _, verb = path.partition("/")
    if number != layer or verb not in ("", "query"):
        raise RefusedError("Invalid URL")
    return _query(store, query) if verb else _layer(store)


def _layer(store: Store) -> dict[str, Any]:
    fields = [{"name": OBJECT_ID, "type": "esriFieldTypeOID", "alias": OBJECT_ID}]
    fields += [
        {"name": p.column.field, "type": _TYPES.get(p.column.type, "esriFieldTypeString"), "alias": p.column.name}
        for p in store.state.columns
    ]
    return {
        "id": store.state.layer,
        "name": store.feed.title,
        "objectIdField": OBJECT_ID,
        "maxRecordCount": MAX_RECORD_COUNT,
        "editingInfo": {"lastEditDate": store.state.modified_ms},
        "fields": fields,
    }


def _query(store: Store, query: Mapping[str, str]) -> dict[str, Any]:
    where, bounds = _condition(store, query.get("where", ""))
    if query.get("returnCountOnly") == "true":
        return {"count": store.read(f'select count(*) from "rows" where {where}', bounds).fetchone()[0]}  # noqa: S608 - our own
    if "outStatistics" in query:
        (wanted,) = json.loads(query["outStatistics"])
        highest = store.read(f'select max(n) from "rows" where {where}', bounds).fetchone()[0]  # noqa: S608 - our own
        return {"features": [{"attributes": {wanted["outStatisticFieldName"]: highest}}]}
    limit = min(int(query.get("resultRecordCount") or MAX_RECORD_COUNT), MAX_RECORD_COUNT)
    offset = int(query.get("resultOffset") or 0)
    columns = store.state.columns
    chosen = ", ".join(quoted(p.stored) for p in columns)
    select = f'select n, {chosen} from "rows" where {where} order by n limit ? offset ?'  # noqa: S608 - our own
    rows = store.read(select, (*bounds, limit + 1, offset)).fetchall()
    features = [
        {
            "attributes": {OBJECT_ID: n}
            | {p.column.field: _value(v, p.column.type) for p, v in zip(columns, values, strict=True)}
        }
        for n, *values in rows[:limit]
    ]
    return {"objectIdFieldName": OBJECT_ID, "features": features, "exceededTransferLimit": len(rows) > limit}


def _value(value: str | None, kind: str) -> str | int | float | None:
    """Return a value in its JSON type."""
    if value is None or kind not in _TYPES:
        return value
    return int(value) if re.fullmatch(r"-?\d+", value) else float(value)


def _condition(store: Store, where: str) -> tuple[str, list[int]]:
    """Return a where clause as SQL and its values; object ids and times joined by AND are all that is spoken here."""
    parts: list[str] = []
    values: list[int] = []
    for text in re.split(r"\s+and\s+", where.strip(), flags=re.IGNORECASE):
        match = _CONDITION.fullmatch(text.strip())
        if match is None:
            raise RefusedError("Unable to complete operation.")
        if match["id"]:
            parts.append(f"n {match['id_is']} ?")
            values.append(int(match["id"]))
        elif match["column"]:
            dates = {p.column.field.lower(): p.stored for p in store.state.columns if p.column.type == "epoch_ms"}
            if match["column"].lower() not in dates:
                raise RefusedError("Unable to complete operation.")
            parts.append(f"cast({quoted(dates[match['column'].lower()])} as integer) {match['time_is']} ?")
            values.append(int(datetime.fromisoformat(match["time"]).replace(tzinfo=UTC).timestamp() * 1000))
    return " and ".join(parts) or "true", values
