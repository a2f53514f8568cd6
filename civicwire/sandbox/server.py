"""The sandbox portal as a process: one address for the portal and, under ``/_sandbox``, for those who steer it."""

from __future__ import annotations

import json
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from aiohttp import web

from civicwire.sandbox.control import errors, fill_empty, routes
from civicwire.sandbox.portal import Portal
from schemas.errors import EnvironmentMissingError

LARGEST_BODY = 4 << 30
"""Bytes that a control request may carry, enough for any city's file."""
LONGEST_LINE = 1 << 16
"""Bytes of a request line: a `$where` with many keys is long."""


def application(portal: Portal) -> web.Application:
    """Return the web application of ``portal``."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[errors])
    app.add_routes(routes(portal))
    app.router.add_route("GET", "/{path:.*}", portal.serve)
    app.router.add_route("HEAD", "/{path:.*}", portal.serve)
    return app


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    Raises:
        EnvironmentMissingError: the port is taken.
    """
    try:
        return socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise EnvironmentMissingError(
            f"Cannot listen on {host}:{port} ({error}): choose another with --port."
        ) from None


def run(
    host: str, port: int, state: Path, out: TextIO = sys.stdout, *, fill: Sequence[str] = (), rows: int = 0
) -> None:
    """Serve until SIGINT or SIGTERM; writes one line of JSON with the address once requests are answered.

    Of the feeds in ``fill`` those that hold no row get ``rows`` before anything is served.

    Raises:
        EnvironmentMissingError: the port is taken.
        ConfigError: a feed of ``fill`` is not published here.
    """
    listening = listen(host, port)
    portal = Portal(state)
    fill_empty(portal, fill, rows)
    app = application(portal)
    address = f"http://{host}:{listening.getsockname()[1]}"

    async def announce(_: web.Application) -> None:
        out.write(json.dumps({"portal": address, "state": str(state)}) + "\n")
        out.flush()

    app.on_startup.append(announce)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    web.run_app(
        app, sock=listening, print=None, access_log=None, handle_signals=True, shutdown_timeout=1.0,
        max_line_size=LONGEST_LINE, max_field_size=LONGEST_LINE,
    )  # fmt: skip
