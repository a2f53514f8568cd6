"""What people paste: the address of a dataset's page, of its API or of its file, and what it says of the protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from schemas.errors import ConfigError

Protocol = Literal["socrata", "arcgis", "ckan", "csv_file"]
PROTOCOLS: tuple[Protocol, ...] = ("socrata", "arcgis", "ckan", "csv_file")

_FOUR_BY_FOUR = re.compile(
    # of the API, short links, and /Category/Title/id; a file called 2023-data.csv or a CKAN dataset is none
    r"/(?:resource|d|api/views|api/v3/views|api/id)/(?P<api>[a-z0-9]{4}-[a-z0-9]{4})(?:[/.].*)?"
    r"|(?:/[^/]+){2,}/(?P<page>[a-z0-9]{4}-[a-z0-9]{4})(?:/(?:data|about_data|about|explore)[^.]*)?/?"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SERVICE = re.compile(r"(?P<service>/.*/FeatureServer)(?:/(?P<layer>\d+))?(?:/.*)?", re.IGNORECASE)
_DATASET = re.compile(r"/dataset/(?P<name>[^/]+)")
_SECRET = re.compile(r"(^|[_$-])(token|key|apikey|sig|signature|password|pwd|secret)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a dataset is.

    Attributes:
        protocol: how it is read.
        host: scheme and host.
        name: Socrata's id, the path of a FeatureServer or file, or the name of a CKAN dataset (empty: see ``part``).
        part: number of a FeatureServer's layer or id of a CKAN resource, empty where the address does not say one.
    """

    protocol: Protocol
    host: str
    name: str
    part: str = ""


def parse(url: str, protocol: Protocol | None = None) -> Address:
    """Return what ``url`` stands for; ``protocol`` settles it where the address alone does not.

    Raises:
        ConfigError: it is no address, carries a credential, or does not say what the protocol needs.
    """
    try:
        parts = urlsplit(url.strip() if "//" in url else f"https://{url.strip()}")
        host, path, query = f"{parts.scheme.lower()}://{parts.netloc}", parts.path, parts.query
        known = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or re.search(r"[\s\x00-\x1f]", host + path):
        raise ConfigError(f"{url!r} is no web address: paste the dataset's page or its API address with --from.")
    if parts.username is not None or any(_SECRET.search(name) for name in parse_qs(query, keep_blank_values=True)):
        raise ConfigError(
            "The address carries a credential, which must not get into a file: paste it without, and set the token's "
            "variable (SOCRATA_APP_TOKEN) instead."
        )
    for wanted in PROTOCOLS if protocol is None else (protocol,):
        read = _any_file if protocol == "csv_file" else _READERS[wanted]
        found = read(host, path, query)
        if found is not None:
            return found
    if re.search(r"/MapServer(/|$)", path, re.IGNORECASE):
        raise ConfigError("A MapServer cannot be polled: look for the same layer's FeatureServer and paste that.")
    if protocol is None:
        raise ConfigError(
            f"{host}{path} does not say how it is read. Paste a Socrata dataset's page, a FeatureServer, a CKAN "
            f"dataset or a CSV file, or say --protocol {', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}."
        )
    raise ConfigError(f"{host}{path} is no address of a {protocol} dataset: {_FORMS[protocol]}")


def _socrata(host: str, path: str, query: str) -> Address | None:  # noqa: ARG001 - one signature for all
    found = _FOUR_BY_FOUR.fullmatch(path)
    return Address("socrata", host, found["api"] or found["page"]) if found else None


def _arcgis(host: str, path: str, query: str) -> Address | None:  # noqa: ARG001
    found = _SERVICE.fullmatch(path)
    if found is None:
        return None
    service = found["service"][: -len("FeatureServer")] + "FeatureServer"
    return Address("arcgis", host, service, found["layer"] or "")


def _ckan(host: str, path: str, query: str) -> Address | None:
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    if "/api/3/action/" in path or "/api/action/" in path:
        identity = asked.get("resource_id") or asked.get("id") or ""
        if path.endswith("package_show"):
            return Address("ckan", host, identity) if identity else None
        return Address("ckan", host, "", identity) if _UUID.fullmatch(identity) else None
    resource = _UUID.findall(path.partition("/resource/")[2] or path.partition("/datastore/dump/")[2])
    dataset = _DATASET.search(path)
    if resource:
        return Address("ckan", host, dataset["name"] if dataset else "", resource[0])
    return Address("ckan", host, dataset["name"]) if dataset else None


def _csv_file(host: str, path: str, query: str) -> Address | None:
    whole = f"{path}?{query}" if query else path
    return Address("csv_file", host, whole) if re.search(r"\.csv\b", whole, re.IGNORECASE) else None


def _any_file(host: str, path: str, query: str) -> Address | None:
    return Address("csv_file", host, f"{path}?{query}" if query else path) if path.strip("/") else None


_READERS = {"socrata": _socrata, "arcgis": _arcgis, "ckan": _ckan, "csv_file": _csv_file}
_FORMS = {
    "socrata": "it needs the id of the form abcd-1234.",
    "arcgis": "it needs …/FeatureServer, with the layer's number where the service has several.",
    "ckan": "it needs /dataset/NAME, or the id of the resource.",
    "csv_file": "it needs a path.",
}
