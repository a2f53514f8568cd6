"""``civicwire dashboards``: put the dashboards and alerts on a Grafana."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

dashboards = typer.Typer(no_args_is_help=True, help="Put the dashboards and alert rules on a Grafana.")
TOKEN = "CIVICWIRE_GRAFANA_TOKEN"  # noqa: S105 - the name of a variable


def register(app: typer.Typer) -> None:
    """Add ``dashboards`` and its command to ``app``."""
    app.add_typer(dashboards, name="dashboards")


@dashboards.callback()
def _group() -> None:
    """Keep the command a word of its own, also while there is one."""


@dashboards.command()
def push(  # noqa: PLR0917 typer passes options by name
    url: Annotated[str, typer.Option(envvar="CIVICWIRE_GRAFANA", help="Where Grafana is opened.")],
    diff: Annotated[
        bool, typer.Option("--diff", help="Change nothing: say what would change, field by field.")
    ] = False,
    warehouse: Annotated[
        str | None, typer.Option(help="Base URL of the emulator as Grafana reaches it; default: as it is reached here.")
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(envvar="CIVICWIRE_PROMETHEUS", help="Base URL of the Prometheus that scrapes civicwire."),
    ] = None,
    docs: Annotated[
        str, typer.Option(envvar="CIVICWIRE_DOCS", help="Where docs/ is read, for links to runbooks.")
    ] = "docs",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Put folders, data sources, dashboards, a contact point and alert rules on a Grafana; again and again if you like.

    The token of a service account is read from CIVICWIRE_GRAFANA_TOKEN. Alerts go to CIVICWIRE_ALERT_WEBHOOK or
    CIVICWIRE_ALERT_EMAIL; without either they follow Grafana's own policies. Exit code 1 when Grafana refused
    something, 2 for a token or an address that does not do, 3 when no Grafana answers.
    """
    from civicwire.commands import console as wide
    from civicwire.grafana.client import Grafana
    from civicwire.grafana.push import Addresses, plan
    from civicwire.settings import Settings
    from schemas.errors import ConfigError

    token = os.environ.get(TOKEN)
    if not token:
        raise ConfigError(f"There is no token for Grafana: set {TOKEN} to that of a service account.")
    settings = Settings()
    reached = None if settings.target == "bigquery" else warehouse or settings.require("warehouse").warehouse
    addresses = Addresses(
        warehouse=reached,
        prometheus=prometheus,
        webhook=os.environ.get("CIVICWIRE_ALERT_WEBHOOK") or None,
        email=os.environ.get("CIVICWIRE_ALERT_EMAIL") or None,
        docs=docs,
    )
    console = wide(stderr=as_json)
    done = []
    for change in plan(Grafana(url, token), settings, addresses):
        console.print(f"{change.state:<8} {change.kind} {change.uid}: {change.title}", markup=False)
        for line in change.differences if diff else ():
            console.print(f"           {line}", markup=False)
        if change.state != "same" and not diff:
            change.send()
        done.append(change)
    if not prometheus:
        console.print("Rules about jobs and parts are left out: set CIVICWIRE_PROMETHEUS.", markup=False)
    if as_json:
        told = [
            {
                "kind": one.kind,
                "uid": one.uid,
                "title": one.title,
                "state": one.state,
                "differences": list(one.differences),
            }
            for one in done
        ]
        typer.echo(json.dumps({"pushed": not diff, "changes": told}, indent=2))
