"""The portal itself: finds what a path stands for, lets faults spoil the answer, and keeps the request log."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import re
import socket
import struct
from collections import deque
from pathlib import Path
from typing import Any

from aiohttp import web

from civicwire.sandbox import arcgis, ckan, described, faults, files, socrata
from civicwire.sandbox.described import Description
from civicwire.sandbox.feeds import FEEDS, Feed
from civicwire.sandbox.makers import MAKERS, Maker
from civicwire.sandbox.reply import FilePart, Reply, accepts_gzip
from civicwire.sandbox.store import Store
from schemas.errors import ConfigError

LOGGED_REQUESTS = 100_000
"""Portal requests that the log remembers."""
CHUNK_BYTES = 1 << 20
"""Bytes of a file sent in one go."""

_ACTION = re.compile(r"/api/3/action/(?P<action>\w+)")
_DATASET = re.compile(r"/(resource|api/views)/(?P<id>[a-z0-9]{4}-[a-z0-9]{4})(\.json)?")


class Portal:
    """All feeds of one state folder behind one address."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._published = state / "published"
        self._published.mkdir(parents=True, exist_ok=True)
        self.stores: dict[str, Store] = {}
        self.makers: dict[str, Maker] = dict(MAKERS)
        self.given = files.GivenFiles(state / "files")
        self.faults = faults.Faults()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOGGED_REQUESTS)
        self.app_token: str | None = None
        self._datasets: dict[str, Store] = {}
        self._resources: dict[str, Store] = {}
        self._services: dict[str, Store] = {}
        self._year_files: dict[str, files.YearFiles] = {}
        self._previous: dict[str, web.BaseRequest] = {}
        self._request_ids = itertools.count(1)
        for feed in FEEDS.values():
            self._add(feed, state / f"{feed.name}.sqlite")
        # What was published on command stands in front of what the checkout describes under the same name or address.
        for description in {**described.load_all(), **described.load_all(self._published)}.values():
            self._add_described(description)

    def publish(self, description: Description, text: str) -> Store:
        """Publish the dataset of ``description``, from now on and after a restart, and return its store.

        Rows stay as they are where the dataset was published with the same description before.

        Raises:
            ConfigError: it is one of the feeds that have their own makers.
        """
        store = self._add_described(description)
        (self._published / f"{description.name}.yaml").write_text(text, encoding="utf-8")
        return store

    def _add_described(self, description: Description) -> Store:
        if description.name in FEEDS:
            raise ConfigError(f"{description.name} is a feed that the portal has anyway: choose another name.")
        # Another description, another table: its columns may be others.
        mark = hashlib.sha256(description.model_dump_json().encode()).hexdigest()[:12]
        self.makers[description.name] = description.maker()
        return self._add(description.feed(), self._state / f"{description.name}.{mark}.sqlite")

    def _add(self, feed: Feed, path: Path) -> Store:
        store = self.stores[feed.name] = Store(feed, path)
        match feed.kind:
            case "socrata":
                self._datasets[feed.address] = store
            case "ckan":
                self._resources[feed.address] = store
            case "arcgis":
                self._services[feed.address] = store
            case "csv":
                self._year_files[feed.name] = files.YearFiles(store, self._state / "written" / feed.name)
        return store

    def find(self, request: web.BaseRequest) -> Reply:
        """Return the answer to ``request`` when nothing goes wrong. Blocks on SQLite: call it in a thread."""
        path = request.path
        given = self.given.get(path)
        if given is not None:
            return files.answer(given, request.headers)
        dataset = _DATASET.fullmatch(path)
        if dataset is not None:
            return self._dataset(dataset["id"], request, metadata=path.startswith("/api/"))
        action = _ACTION.fullmatch(path)
        if action is not None:
            return ckan.answer(self._resources, action["action"], request.query)
        service, found, below = path.partition("/FeatureServer")
        if found and (service := service + found) in self._services:
            return arcgis.answer(self._services[service], below, request.query)
        return self._file(path, request)

    def _file(self, path: str, request: web.BaseRequest) -> Reply:
        for year_files in [*self._year_files.values()][::-1]:
            written = year_files.get(path)
            if written is not None:
                return files.answer(written, request.headers)
        body = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>\n'
        return Reply(404, body, {"Content-Type": "application/xml"})

    def _dataset(self, identifier: str, request: web.BaseRequest, *, metadata: bool) -> Reply:
        token = request.headers.get("X-App-Token") or request.query.get("$$app_token")
        if self.app_token is not None and token != self.app_token:
            return socrata.forbidden()
        store = self._datasets.get(identifier)
        if store is None:
            return socrata.missing(identifier)
        if metadata:
            return socrata.metadata(store)
        return socrata.page(store, list(request.query.items()), request.headers)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one portal request, fault or not, and log it."""
        fault = self.faults.take(request.raw_path)
        entry: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "query": dict(request.query),
            "headers": {n: request.headers[n] for n in ("If-None-Match", "If-Modified-Since") if n in request.headers},
            "status": None,
            "bytes": 0,
            "fault": fault.kind if fault else None,
        }
        self.log.append(entry)
        if fault is not None and fault.kind == "reset":
            return _reset(request)
        reply = await faults.instead(fault) if fault is not None else None
        if reply is None:
            asked: web.BaseRequest = request
            if fault is not None and fault.kind == "repeat_page":
                asked = self._previous.get(request.path, request)
            else:
                self._previous[request.path] = request.clone()
            reply = await asyncio.to_thread(self.find, asked)
            if fault is not None:
                try:
                    reply = await asyncio.to_thread(faults.spoil, fault, reply)
                except ConfigError as error:
                    reply = Reply(500, f"{error}\n".encode(), {"Content-Type": "text/plain"})
        reply.headers["X-Socrata-RequestId"] = f"{next(self._request_ids):025x}"
        cut = fault if fault is not None and fault.kind == "cut" and fault.length == "original" else None
        return await _send(request, reply, entry, cut)


def _reset(request: web.Request) -> web.Response:
    """Break the connection so that the client sees a reset."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=500)


async def _send(
    request: web.Request, reply: Reply, entry: dict[str, Any], cut: faults.Fault | None
) -> web.StreamResponse:
    """Send ``reply``; a cut announces the whole length, sends a part and hangs up."""
    body = reply.body
    if reply.compressible and reply.status == 200 and accepts_gzip(request.headers):  # noqa: PLR2004
        body = await asyncio.to_thread(gzip.compress, reply.content(), 1, mtime=0)
        reply.headers["Content-Encoding"] = "gzip"
    length = len(body) if isinstance(body, bytes) else body.length
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if reply.status != 304:  # noqa: PLR2004 - it has no body to measure
        response.content_length = length
    entry["status"] = reply.status
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    if cut is not None:
        length = int(length * cut.fraction)
    for start in range(0, length, CHUNK_BYTES):
        size = min(CHUNK_BYTES, length - start)
        if isinstance(body, FilePart):
            chunk = await asyncio.to_thread(body.read, start, size)
        else:
            chunk = body[start : start + size]
        await response.write(chunk)
        entry["bytes"] += len(chunk)
    if cut is not None and request.transport is not None:
        request.transport.close()
        return response
    await response.write_eof()
    return response
