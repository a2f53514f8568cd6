"""What a push would change, and the push itself. Doing it twice changes nothing the second time.

Grafana adds fields of its own to whatever it keeps, so a thing is unchanged when every field that is sent is there with
the same value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from civicwire.grafana.client import Grafana
from civicwire.settings import ROOT, Settings
from dashboards import alerts
from dashboards.folders import FOLDERS, plain
from schemas.errors import ConfigError

PROVISIONING = ROOT / "dashboards" / "provisioning"
MESSAGE = "civicwire dashboards push"
_PLACEHOLDER = re.compile(r"\$\{(CIVICWIRE_\w+)\}")
_SHOWN = 60
"""Characters of a value that a difference shows."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing on the Grafana, and what a push does to it.

    Attributes:
        kind: folder, data source, dashboard, contact point or alert rules.
        uid: in Grafana.
        title: for people.
        state: what it is against what is there.
        differences: a line for each field that differs, before and after.
        send: makes it so.
    """

    kind: str
    uid: str
    title: str
    state: Literal["new", "changed", "same"]
    differences: tuple[str, ...]
    send: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a push needs to know and this home does not.

    Attributes:
        warehouse: base URL of the emulator as Grafana reaches it; None where the warehouse is BigQuery.
        prometheus: base URL of the Prometheus that scrapes ``civicwire metrics``; without one, rules about parts are
            left out.
        webhook: gets the alerts; without it and ``email`` they follow Grafana's own policies.
        email: addresses that get the alerts, separated by semicolons.
        docs: where docs/ is read.
    """

    warehouse: str | None = None
    prometheus: str | None = None
    webhook: str | None = None
    email: str | None = None
    docs: str = "docs"


def plan(grafana: Grafana, settings: Settings, addresses: Addresses) -> Iterator[Change]:
    """Yield every thing that a push puts on the Grafana, in the order in which one needs the other.

    Raises:
        ConfigError: an address is missing.
    """
    environment = {
        "CIVICWIRE_PROJECT": settings.project,
        "CIVICWIRE_LOCATION": settings.location,
        "CIVICWIRE_DATASET": settings.dataset,
        "CIVICWIRE_WAREHOUSE": addresses.warehouse,
        "CIVICWIRE_PROMETHEUS": addresses.prometheus,
        "CIVICWIRE_ALERT_WEBHOOK": addresses.webhook,
        "CIVICWIRE_ALERT_EMAIL": addresses.email,
        "CIVICWIRE_DOCS": addresses.docs.rstrip("/"),
    }
    yield from _folders(grafana)
    cloud = settings.target == "bigquery"
    names = ["bigquery-cloud.yaml.example" if cloud else "bigquery.yaml"]
    if addresses.prometheus:
        names.append("prometheus.yaml")
    for name in names:
        yield from _data_sources(grafana, _filled(_provisioned(f"datasources/{name}"), environment))
    yield from _dashboards(grafana, settings.dataset)
    reached = addresses.webhook or addresses.email
    if reached:
        name = "contact_points.yaml" if addresses.webhook else "contact_points-email.yaml.example"
        yield from _contact_points(grafana, _filled(_provisioned(f"alerting/{name}"), environment))
    yield _rules(grafana, environment, measured=bool(addresses.prometheus), reached=bool(reached))


def _folders(grafana: Grafana) -> Iterator[Change]:
    for folder in FOLDERS:
        wanted = {"uid": folder.uid, "title": folder.title}
        there = grafana.get("folders", folder.uid)
        if there is None:
            yield _change(
                "folder", folder.uid, folder.title, wanted, there, _sender(grafana, "POST", "folders", wanted)
            )
        else:
            renamed = {"title": folder.title, "overwrite": True}
            send = _sender(grafana, "PUT", f"folders/{folder.uid}", renamed)
            yield _change("folder", folder.uid, folder.title, wanted, there, send)


def _data_sources(grafana: Grafana, file: dict[str, Any]) -> Iterator[Change]:
    for one in file["datasources"]:
        # `editable` is a word of provisioning files, the API calls it readOnly and sets it itself.
        wanted = {name: value for name, value in one.items() if name != "editable"}
        uid = wanted["uid"]
        there = grafana.get("datasources", "uid", uid)
        where = ("POST", "datasources") if there is None else ("PUT", f"datasources/uid/{uid}")
        yield _change("data source", uid, wanted["name"], wanted, there, _sender(grafana, *where, wanted))


def _dashboards(grafana: Grafana, dataset: str) -> Iterator[Change]:
    for folder in FOLDERS:
        for build in folder.dashboards.values():
            board: dict[str, Any] = plain(build())
            for variable in board["templating"]["list"]:
                if variable["name"] == "dataset":
                    variable["query"] = dataset
            wanted = {"dashboard": board, "meta": {"folderUid": folder.uid}}
            there = grafana.get("dashboards", "uid", board["uid"])
            body = {"dashboard": board | {"id": None}, "folderUid": folder.uid, "overwrite": True, "message": MESSAGE}
            send = _sender(grafana, "POST", "dashboards/db", body)
            yield _change("dashboard", board["uid"], board["title"], wanted, there, send)


def _contact_points(grafana: Grafana, file: dict[str, Any]) -> Iterator[Change]:
    kept = grafana.get("v1", "provisioning", "contact-points")
    present = {one["uid"]: one for one in kept if isinstance(one, dict)} if isinstance(kept, list) else {}
    for point in file["contactPoints"]:
        for receiver in point["receivers"]:
            wanted = {"name": point["name"], **receiver}
            there = present.get(wanted["uid"])
            path = "v1/provisioning/contact-points"
            where = ("POST", path) if there is None else ("PUT", f"{path}/{wanted['uid']}")
            # Grafana does not show an address that it holds for a secret: then its name and type decide.
            compared = wanted if there is None else _without_secrets(wanted, there)
            yield _change(
                "contact point", wanted["uid"], wanted["name"], compared, there, _sender(grafana, *where, wanted)
            )


def _without_secrets(wanted: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    hidden = {name for name, value in there.get("settings", {}).items() if value == "[REDACTED]"}
    return wanted | {"settings": {name: value for name, value in wanted["settings"].items() if name not in hidden}}


def _rules(grafana: Grafana, environment: Mapping[str, str | None], *, measured: bool, reached: bool) -> Change:
    group = _filled(plain(alerts.group()), environment)
    by_uid = {one.uid: one for one in alerts.ALERTS}
    group["rules"] = [
        {name: value for name, value in rule.items() if reached or name != "notification_settings"}
        for rule in group["rules"]
        if measured or by_uid[rule["uid"]].sql is not None
    ]
    path = f"v1/provisioning/folder/{alerts.FOLDER_UID}/rule-groups/{alerts.GROUP}"
    there = grafana.get(*path.split("/"))
    # The number of the organisation is the token's.
    for rule in group["rules"]:
        rule.pop("orgID", None)
    return _change(
        "alert rules", alerts.GROUP, f"{len(group['rules'])} rules", group, there, _sender(grafana, "PUT", path, group)
    )


def _change(  # noqa: PLR0917 - what a change is made of
    kind: str, uid: str, title: str, wanted: dict[str, Any], there: Any, send: Callable[[], None]
) -> Change:
    if there is None:
        return Change(kind, uid, title, "new", (), send)
    found = tuple(differences(wanted, there))
    return Change(kind, uid, title, "changed" if found else "same", found, send)


def _sender(grafana: Grafana, method: str, path: str, body: dict[str, Any]) -> Callable[[], None]:
    return lambda: grafana.send(method, *path.split("/"), body=body)


def differences(wanted: Any, there: Any, where: str = "") -> Iterator[str]:
    """Yield a line for each field of ``wanted`` that ``there`` lacks or has otherwise: its path, before and after."""
    if isinstance(wanted, dict) and isinstance(there, dict):
        for name, value in wanted.items():
            yield from differences(value, there.get(name), f"{where}.{name}" if where else name)
    elif isinstance(wanted, list) and isinstance(there, list) and len(wanted) == len(there):
        for at, (ours, theirs) in enumerate(zip(wanted, there, strict=True)):
            yield from differences(ours, theirs, f"{where}[{_name(ours, at)}]")
    elif wanted != there and not (there is None and wanted in (None, {}, [], "", False)):
        yield f"{where}: {_short(there)} -> {_short(wanted)}"


def _name(item: Any, at: int) -> str:
    """Return a list's item by what it is called, so that a difference says which panel it is in."""
    return str(item.get("title") or item.get("name") or item.get("uid") or at) if isinstance(item, dict) else str(at)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _provisioned(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((PROVISIONING / name).read_text(encoding="utf-8"))
    return loaded


def _filled(holder: dict[str, Any], environment: Mapping[str, str | None]) -> dict[str, Any]:
    """Return ``holder`` with every ``${CIVICWIRE_…}`` replaced.

    Raises:
        ConfigError: one has no value.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if found is None:
            raise ConfigError(f"Grafana has to be told {match[1]}: set it in the environment.")
        return json.dumps(found)[1:-1]

    filled: dict[str, Any] = json.loads(_PLACEHOLDER.sub(value, json.dumps(holder)))
    return filled
