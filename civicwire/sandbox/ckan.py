"""CKAN's action API over a store: a resource's description and pages of its datastore, ``_id`` the row's number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from civicwire.sandbox.reply import JSON, Reply
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Store

ROWS_MAX = 3_200
"""A page's limit, a tenth of CKAN's own default, so that small feeds have several pages."""
ROW_NUMBER = "_id"
_TYPES = {"number": "numeric"}


def answer(stores: Mapping[str, Store], action: str, query: Mapping[str, str]) -> Reply:
    """Return the answer to one action; ``stores`` are those of CKAN feeds by resource id."""
    if action == "package_show":
        return _package(stores, query.get("id") or "")
    store = stores.get(query.get("id") or query.get("resource_id") or "")
    if store is None:
        return _reply(404, False, {"message": "Not found: Resource was not found.", "__type": "Not Found Error"})
    if action == "resource_show":
        return _reply(200, True, _resource(store))
    if action == "datastore_search":
        return _reply(200, True, _page(store, query))
    return _reply(400, False, {"message": f"Bad request - Action name not known: {action}"})


def _reply(status: int, success: bool, content: dict[str, Any]) -> Reply:
    body = {"help": "", "success": success, "result" if success else "error": content}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Reply(status, text.encode(), {"Content-Type": JSON}, compressible=True)


def _package(stores: Mapping[str, Store], name: str) -> Reply:
    """Return the dataset of one resource that every feed is here; its name is the feed's."""
    store = next((store for store in stores.values() if store.feed.name == name), None)
    if store is None:
        return _reply(404, False, {"message": "Not found", "__type": "Not Found Error"})
    package = {
        "id": name,
        "name": name,
        "title": store.feed.title,
        "notes": store.feed.description,
        "license_title": store.feed.licence or None,
        "resources": [_resource(store)],
    }
    return _reply(200, True, package)


def _resource(store: Store) -> dict[str, Any]:
    modified = datetime.fromtimestamp(store.state.modified_ms / 1000, UTC).replace(tzinfo=None)
    return {
        "id": store.feed.address,
        "package_id": store.feed.name,
        "name": store.feed.title,
        "format": "CSV",
        "datastore_active": True,
        "last_modified": modified.isoformat(timespec="microseconds"),
    }


def _page(store: Store, query: Mapping[str, str]) -> dict[str, Any]:
    columns = store.state.columns
    limit, offset = min(int(query.get("limit") or 100), ROWS_MAX), int(query.get("offset") or 0)
    chosen = ", ".join(quoted(p.stored) for p in columns)
    select = f'select n, {chosen} from "rows" order by n limit ? offset ?'  # noqa: S608 - our own identifiers
    records = [
        {ROW_NUMBER: n} | {p.column.field: _value(v, p.column.type) for p, v in zip(columns, values, strict=True)}
        for n, *values in store.read(select, (limit, offset))
    ]
    fields: list[dict[str, Any]] = [{"id": ROW_NUMBER, "type": "int"}]
    fields += [
        {"id": p.column.field, "type": _TYPES.get(p.column.type, "text"), "info": {"notes": p.column.description}}
        for p in columns
    ]
    return {
        "resource_id": store.feed.address,
        "fields": fields,
        "records": records,
        "limit": limit,
        "offset": offset,
        "total": store.count(),
    }


def _value(value: str | None, kind: str) -> str | int | float | None:
    if value is None or kind not in _TYPES:
        return value
    return int(value) if value.lstrip("-").isdigit() else float(value)
