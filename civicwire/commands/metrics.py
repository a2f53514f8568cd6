"""``civicwire metrics``: the line for Prometheus."""

from __future__ import annotations

from typing import Annotated

import typer


def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve; 0 takes a free one.")] = 9464,
    host: Annotated[str, typer.Option(help="Address to serve at.")] = "127.0.0.1",
    once: Annotated[bool, typer.Option("--once", help="Print them once in Prometheus' text format.")] = False,
) -> None:
    """Serve the state of feeds, jobs, lags and parts to Prometheus, until Ctrl-C or SIGTERM.

    Nothing is sent anywhere: Prometheus asks. Exit code 1 when the port is taken.
    """
    from prometheus_client import generate_latest, start_http_server

    from civicwire.commands import console
    from civicwire.metrics import collectors
    from civicwire.settings import Settings
    from civicwire.stopping import on_signal
    from schemas.errors import FatalError

    found = collectors(Settings())
    if once:
        typer.echo(generate_latest(found).decode(), nl=False)
        return
    stop = on_signal()
    try:
        server, thread = start_http_server(port, addr=host, registry=found)
    except OSError as error:
        raise FatalError(f"Port {port} cannot be served ({error}). Choose another one with --port.") from error
    console().print(f"http://{host}:{server.server_port}/metrics", highlight=False)
    stop.wait()
    server.shutdown()
    thread.join()


def register(app: typer.Typer) -> None:
    """Add ``metrics``."""
    app.command()(metrics)
