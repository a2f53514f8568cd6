"""An ArcGIS FeatureServer over a store: service and layer descriptions, counts, statistics and pages of features.

As the real one does, it answers errors with status 200, clips a page to its own limit without a word, and says in
``exceededTransferLimit`` whether there is more. The object id is the row's number in the store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from civicwire.sandbox.reply import JSON, Reply
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Store

OBJECT_ID = "OBJECTID"
MAX_RECORD_COUNT = 2_000
_TYPES = {"number": "esriFieldTypeDouble", "epoch_ms": "esriFieldTypeDate"}
_CONDITION = re.compile(rf"(?:{OBJECT_ID}\s*(>=|>)\s*(-?\d+))|(1=1)", re.IGNORECASE)


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
        "description": store.feed.description,
        "copyrightText": store.feed.licence,
        "objectIdField": OBJECT_ID,
        "maxRecordCount": MAX_RECORD_COUNT,
        "editingInfo": {"lastEditDate": store.state.modified_ms},
        "fields": fields,
    }


def _query(store: Store, query: Mapping[str, str]) -> dict[str, Any]:
    bound = _bound(query.get("where", ""))
    if query.get("returnCountOnly") == "true":
        return {"count": store.read('select count(*) from "rows" where n > ?', (bound,)).fetchone()[0]}
    if "outStatistics" in query:
        (wanted,) = json.loads(query["outStatistics"])
        highest = store.read('select max(n) from "rows" where n > ?', (bound,)).fetchone()[0]
        return {"features": [{"attributes": {wanted["outStatisticFieldName"]: highest}}]}
    limit = min(int(query.get("resultRecordCount") or MAX_RECORD_COUNT), MAX_RECORD_COUNT)
    offset = int(query.get("resultOffset") or 0)
    columns = store.state.columns
    chosen = ", ".join(quoted(p.stored) for p in columns)
    select = f'select n, {chosen} from "rows" where n > ? order by n limit ? offset ?'  # noqa: S608 - our own identifiers
    rows = store.read(select, (bound, limit + 1, offset)).fetchall()
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


def _bound(where: str) -> int:
    """Return the object id below or at which no row is wanted; all of the language that is spoken here."""
    match = _CONDITION.fullmatch(where.strip())
    if match is None:
        raise RefusedError("Unable to complete operation.")
    if match[3]:
        return -1
    return int(match[2]) - (match[1] == ">=")
