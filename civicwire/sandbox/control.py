"""The control side under ``/_sandbox``: make rows, change them, spoil answers, and tell the truth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from civicwire.sandbox import described
from civicwire.sandbox.faults import Fault
from civicwire.sandbox.makers import Maker
from civicwire.sandbox.mutations import Mutation, mutate
from civicwire.sandbox.portal import Portal
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Row, Store
from civicwire.sandbox.truth import summary
from schemas.errors import ConfigError

TRUTH_ROWS = 2_000
"""Rows of the truth sent in one go."""

_NO_MORE = object()


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Seed(_Body):
    """What to fill a feed with; the days are in the feed's own zone and both included."""

    rows: int = Field(ge=0, le=20_000_000)
    seed: int = 1
    first: date | None = Field(default=None, alias="from")
    until: date | None = None


class Published(_Body):
    """A dataset to publish: its description as YAML (``described.Description``)."""

    description: str


class Rows(_Body):
    """Whole rows as published."""

    rows: list[dict[str, Any]] | None = None


class Keys(_Body):
    """Natural keys."""

    keys: list[str]


class Columns(_Body):
    """A drift of the columns."""

    rename: dict[str, str] = {}
    add: dict[str, dict[str, str]] = {}
    drop: list[str] = []
    upper_case_header: bool | None = None


class Layer(_Body):
    """The number under which an ArcGIS layer is published from now on."""

    layer: int = Field(ge=0)


class Token(_Body):
    """The app token that the portal asks for from now on; null asks for none."""

    required: str | None


def seed_store(store: Store, maker: Maker, wanted: Seed) -> dict[str, Any]:
    """Fill ``store`` anew and return rows and days.

    Raises:
        ConfigError: the rows do not fit between the days.
    """
    yesterday = datetime.now(ZoneInfo(store.feed.zone)).date() - timedelta(days=1)
    first, last = maker.days(wanted.rows, wanted.until or yesterday)
    first, last = wanted.first or first, wanted.until or last
    loaded = store.load(maker.generate(wanted.rows, wanted.seed, first, last))
    return {"rows": loaded, "from": first.isoformat(), "until": last.isoformat(), "version": store.state.version}


def fill_empty(portal: Portal, names: Iterable[str], rows: int) -> None:
    """Fill those of the named feeds that hold no row yet with ``rows`` each.

    Raises:
        ConfigError: there is no such feed.
    """
    for name in names:
        if name not in portal.stores:
            raise ConfigError(f"There is no feed {name}: use one of {', '.join(portal.stores)}.")
        if portal.stores[name].count() == 0:
            seed_store(portal.stores[name], portal.makers[name], Seed(rows=rows))


def routes(portal: Portal) -> list[web.RouteDef]:  # noqa: C901, PLR0915 - one small function for each route
    """Return the control routes of ``portal``."""

    def store_of(request: web.Request) -> Store:
        name = request.match_info["feed"]
        if name not in portal.stores:
            raise ConfigError(f"There is no feed {name}: use one of {', '.join(portal.stores)}.")
        return portal.stores[name]

    async def health(_: web.Request) -> web.Response:
        feeds = {
            name: {
                "rows": await asyncio.to_thread(store.count),
                "version": store.state.version,
                "kind": store.feed.kind,
                "path": _path(store),
            }
            for name, store in portal.stores.items()
        }
        return web.json_response({"status": "ok", "feeds": feeds})

    async def publish(request: web.Request) -> web.Response:
        body = Published.model_validate(await request.json())
        description = described.read(body.description, "The description")
        store = await asyncio.to_thread(portal.publish, description, body.description)
        return web.json_response({"feed": store.feed.name, "path": _path(store), "rows": store.count()})

    async def seed(request: web.Request) -> web.Response:
        body = Seed.model_validate(await request.json())
        store = store_of(request)
        return web.json_response(await asyncio.to_thread(seed_store, store, portal.makers[store.feed.name], body))

    async def upsert(request: web.Request) -> web.Response:
        body = Rows.model_validate(await request.json())
        done = await asyncio.to_thread(store_of(request).upsert, body.rows or [])
        return web.json_response(asdict(done))

    async def delete(request: web.Request) -> web.Response:
        body = Keys.model_validate(await request.json())
        done = await asyncio.to_thread(store_of(request).delete, body.keys)
        return web.json_response(asdict(done))

    async def replace(request: web.Request) -> web.Response:
        body = Rows.model_validate(await request.json() if request.can_read_body else {})
        return web.json_response({"rows": await asyncio.to_thread(store_of(request).replace_all, body.rows)})

    async def change(request: web.Request) -> web.Response:
        body = Mutation.model_validate(await request.json())
        store = store_of(request)
        return web.json_response(await asyncio.to_thread(mutate, store, portal.makers[store.feed.name], body))

    async def columns(request: web.Request) -> web.Response:
        body = Columns.model_validate(await request.json())
        fields = await asyncio.to_thread(lambda: store_of(request).change_columns(**body.model_dump()))
        return web.json_response({"columns": fields})

    async def layer(request: web.Request) -> web.Response:
        body = Layer.model_validate(await request.json())
        await asyncio.to_thread(store_of(request).move_layer, body.layer)
        return web.json_response({"layer": body.layer})

    async def truth(request: web.Request) -> web.StreamResponse:
        store = store_of(request)
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for lines in _truth_pages(store):
            await response.write(lines)
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    async def truth_summary(request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(summary, store_of(request)))

    async def put_file(request: web.Request) -> web.Response:
        stored = await asyncio.to_thread(
            portal.given.put,
            "/" + request.match_info["path"],
            await request.read(),
            request.headers.get("Content-Type", "text/csv"),
            _http_date(request.headers.get("Last-Modified")),
        )
        return web.json_response({"etag": stored.etag, "bytes": stored.size})

    async def delete_file(request: web.Request) -> web.Response:
        removed = await asyncio.to_thread(portal.given.remove, "/" + request.match_info["path"])
        return web.json_response({"removed": removed})

    async def add_fault(request: web.Request) -> web.Response:
        fault = Fault.model_validate(await request.json())
        portal.faults.add(fault.model_copy(update={"hits": 0, "seen": 0}))
        return await list_faults(request)

    async def list_faults(_: web.Request) -> web.Response:
        return web.json_response({"faults": [fault.model_dump() for fault in portal.faults.listed()]})

    async def clear_faults(_: web.Request) -> web.Response:
        portal.faults.clear()
        return web.json_response({"faults": []})

    async def list_requests(_: web.Request) -> web.Response:
        return web.json_response({"requests": list(portal.log)})

    async def clear_requests(_: web.Request) -> web.Response:
        portal.log.clear()
        return web.json_response({"requests": []})

    async def app_token(request: web.Request) -> web.Response:
        portal.app_token = Token.model_validate(await request.json()).required
        return web.json_response({"required": portal.app_token})

    feed = "/_sandbox/feeds/{feed}"
    return [
        web.get("/_sandbox/health", health),
        web.post("/_sandbox/feeds", publish),
        web.post(f"{feed}/seed", seed),
        web.post(f"{feed}/upsert", upsert),
        web.post(f"{feed}/delete", delete),
        web.post(f"{feed}/replace", replace),
        web.post(f"{feed}/mutate", change),
        web.post(f"{feed}/columns", columns),
        web.post(f"{feed}/layer", layer),
        web.get(f"{feed}/truth", truth),
        web.get(f"{feed}/truth/summary", truth_summary),
        web.put("/_sandbox/files/{path:.+}", put_file),
        web.delete("/_sandbox/files/{path:.+}", delete_file),
        web.post("/_sandbox/faults", add_fault),
        web.get("/_sandbox/faults", list_faults),
        web.delete("/_sandbox/faults", clear_faults),
        web.get("/_sandbox/requests", list_requests),
        web.delete("/_sandbox/requests", clear_requests),
        web.put("/_sandbox/app_token", app_token),
    ]


def _http_date(text: str | None) -> int | None:
    """Return an HTTP date as epoch seconds."""
    if text is None:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        raise ConfigError(f"{text} is no HTTP date: write it like Tue, 14 Nov 2023 22:13:20 GMT.") from None


def _path(store: Store) -> str:
    match store.feed.kind:
        case "socrata":
            return f"/resource/{store.feed.address}.json"
        case "ckan":
            return f"/api/3/action/datastore_search?resource_id={store.feed.address}"
        case "arcgis":
            return store.feed.address
        case _:
            return "/" + (store.feed.address or store.feed.files[max(store.feed.files)]).lstrip("/")


def _truth_pages(store: Store) -> Iterator[bytes]:
    """Yield the published rows by key as lines of JSON; the read stays on the server's own thread."""
    lines = []
    for row in store.published(f"order by {quoted(store.feed.identity)}"):
        lines.append(_line(row))
        if len(lines) == TRUTH_ROWS:
            yield b"".join(lines)
            lines = []
    yield b"".join(lines)


def _line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


@web.middleware
async def errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn a refused control request into JSON ``{"error": …}`` with status 400."""
    if not request.path.startswith("/_sandbox/"):
        return await handler(request)
    try:
        return await handler(request)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors())
        return web.json_response({"error": f"{wrong}. Correct the request."}, status=400)
    except json.JSONDecodeError as error:
        return web.json_response({"error": f"The body is no JSON ({error}): send an object."}, status=400)
    except ConfigError as error:
        return web.json_response({"error": str(error)}, status=400)
