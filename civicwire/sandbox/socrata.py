"""Socrata's SODA 2.1 over the stores: pages of rows, metadata, headers and errors in its own forms."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any
from urllib.parse import urlencode

from civicwire.sandbox.reply import JSON, Reply, accepts_gzip, http_date, not_modified
from civicwire.sandbox.soql import SoqlError
from civicwire.sandbox.soql_sql import Query, compile_request, request_of
from civicwire.sandbox.store import Store

FIRST_PUBLISHED = 1_420_070_400
"""Epoch second at which every dataset was created: 1 January 2015."""


def page(store: Store, parameters: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Reply:
    """Return one page of a dataset's rows, 304 when the client has it, 400 when the query is refused."""
    state = store.state
    try:
        query = compile_request(request_of(parameters), store.schema(), "rows")
    except SoqlError as error:
        return refused(error, parameters, store)
    compressed = accepts_gzip(headers)
    described = {
        "Content-Type": JSON,
        "ETag": _etag(store, state.version, parameters, compressed=compressed),
        "Last-Modified": http_date(state.rows_updated_at),
        "X-SODA2-Fields": json.dumps(query.fields, separators=(",", ":")),
        "X-SODA2-Types": json.dumps(query.types, separators=(",", ":")),
        "X-SODA2-Truth-Last-Modified": http_date(state.rows_updated_at),
        "X-SODA2-Secondary-Last-Modified": http_date(state.rows_updated_at),
        "X-SODA2-Data-Out-Of-Date": "false",
        "Access-Control-Allow-Origin": "*",
        "Vary": "Accept-Encoding",
    }
    if not_modified(headers, described["ETag"], state.rows_updated_at):
        return Reply(304, headers=described)
    return Reply(200, _rows(store, query), described, compressible=True)


def _etag(store: Store, version: int, parameters: Sequence[tuple[str, str]], *, compressed: bool) -> str:
    asked = urlencode(sorted(parameters))
    digest = hashlib.sha256(f"{store.feed.address} {version} {asked}".encode()).digest()
    return f'W/"{base64.urlsafe_b64encode(digest[:18]).decode()}{"--gzip" if compressed else ""}"'


def _rows(store: Store, query: Query) -> bytes:
    prefixes = [encode_basestring(name) + ":" for name in query.fields]
    objects = [kind == "location" for kind in query.types]
    described = list(zip(prefixes, objects, strict=True))
    lines = []
    for values in store.read(query.sql, query.parameters):
        cells = [
            prefix + (value if is_object else encode_basestring(value if isinstance(value, str) else _text(value)))
            for (prefix, is_object), value in zip(described, values, strict=True)
            if value is not None
        ]
        lines.append("{" + ",".join(cells) + "}")
    return ("[" + "\n,".join(lines) + "]\n").encode()


def _text(value: float) -> str:
    """Return a computed number as Socrata writes it: text without a trailing fraction of zero."""
    return str(int(value)) if value == int(value) else repr(value)


def refused(error: SoqlError, parameters: Sequence[tuple[str, str]], store: Store) -> Reply:
    """Return the 400 that Socrata gives to a query it cannot run."""
    line = next((value for name, value in parameters if name in ("$where", "$select", "$order") and value), "")
    body: dict[str, Any] = {
        "message": (
            f"Query coordinator error: {error.code}; {error.detail}; position: "
            f'Map(row -> 1, column -> {error.position + 1}, line -> "{line}")'
        ),
        "errorCode": error.code,
        "data": {
            "dataset": store.feed.address,
            "position": {"row": 1, "column": error.position + 1, "line": line},
        },
    }
    return Reply(400, _json(body), {"Content-Type": JSON})


def missing(identifier: str) -> Reply:
    """Return the 404 for a dataset that is not there."""
    body = {"code": "dataset.missing", "error": True, "message": "Not found", "data": {"id": identifier}}
    return Reply(404, _json(body), {"Content-Type": JSON})


def forbidden() -> Reply:
    """Return the 403 for a request without the token that the portal was told to ask for."""
    body = {"code": "permission_denied", "error": True, "message": "Invalid app_token specified"}
    return Reply(403, _json(body), {"Content-Type": JSON})


def metadata(store: Store) -> Reply:
    """Return what ``/api/views/{id}.json`` says of a dataset. ``rowsUpdatedAt`` is epoch seconds."""
    state = store.state
    columns = [
        {
            "id": 300_000_000 + i,
            "name": p.column.name,
            "dataTypeName": {"floating_timestamp": "calendar_date"}.get(p.column.type, p.column.type),
            "fieldName": p.column.field,
            "description": p.column.description,
            "position": i,
            "renderTypeName": {"floating_timestamp": "calendar_date"}.get(p.column.type, p.column.type),
        }
        for i, p in enumerate(state.columns, start=1)
    ]
    key = next((c for c, p in zip(columns, state.columns, strict=True) if p.stored == store.feed.key), None)
    body = {
        "id": store.feed.address,
        "name": store.feed.title,
        "description": store.feed.description,
        "assetType": "dataset",
        "createdAt": FIRST_PUBLISHED,
        "publicationDate": FIRST_PUBLISHED,
        "rowsUpdatedAt": state.rows_updated_at or FIRST_PUBLISHED,
        "viewLastModified": max(state.modified_ms // 1000, FIRST_PUBLISHED),
        "viewType": "tabular",
        "rowIdentifierColumnId": key["id"] if key else None,
        "rowIdentifier": key["fieldName"] if key else None,
        "columns": columns,
    }
    if store.feed.licence:
        body["license"] = {"name": store.feed.licence}
    headers = {"Content-Type": JSON, "Last-Modified": http_date(state.rows_updated_at)}
    return Reply(200, _json(body), headers, compressible=True)


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
