"""A layer or table of an ArcGIS FeatureServer: the service, the layer's fields, and one page of features."""

from __future__ import annotations

from typing import Any

from civicwire.scaffold.address import Address
from civicwire.scaffold.sample import SAMPLE_ROWS, Column, ColumnType, Dataset, Row
from producers.clients.pages import as_object, elements
from producers.http import Portal
from producers.rows import as_text
from schemas.errors import ConfigError, FatalError, RetriableError

LARGEST_PAGE = 2_000
_TYPES: dict[str, ColumnType] = {
    "esriFieldTypeDate": "epoch_ms",
    "esriFieldTypeDouble": "number",
    "esriFieldTypeSingle": "number",
    "esriFieldTypeInteger": "number",
    "esriFieldTypeSmallInteger": "number",
    "esriFieldTypeBigInteger": "number",
}


def read(portal: Portal, address: Address, key: str) -> Dataset:
    """Return the layer at ``address``.

    Raises:
        ConfigError: the service has several layers and the address names none of them.
        RetriableError, FatalError: the portal does not answer or refuses.
    """
    number, layer_name = _layer(_object(portal, address.name, key), address)
    path = f"{address.name}/{number}"
    layer = _object(portal, path, key)
    fields = [one for one in layer.get("fields") or [] if isinstance(one, dict)]
    object_id = next(
        (str(one["name"]) for one in fields if one.get("type") == "esriFieldTypeOID"),
        str(layer.get("objectIdField") or "OBJECTID"),
    )
    columns = [
        Column(
            str(one["name"]).lower(),
            str(one["name"]),
            str(one.get("alias") or ""),
            str(one.get("description") or ""),
            _TYPES.get(str(one.get("type")), "text"),
        )
        for one in fields
        if one["name"] != object_id and one.get("type") != "esriFieldTypeGeometry"
    ]
    if len({column.name for column in columns}) < len(columns):
        raise ConfigError(f"{path} has columns that differ only in letter case, which the poller cannot keep apart.")
    page_rows = min(LARGEST_PAGE, int(layer.get("maxRecordCount") or LARGEST_PAGE))
    protocol: dict[str, Any] = {
        "name": "arcgis",
        "version": "feature_server",
        "host": address.host,
        "service": address.name,
        **({"layer_name": layer_name} if layer_name else {}),
        "page_rows": page_rows,
    }
    notes = []
    if layer.get("geometryType") and not any(column.name in ("latitude", "lat") for column in columns):
        notes.append("The layer has shapes, which are not polled: coordinates are read from columns only.")
    return Dataset(
        title=str(layer.get("name") or ""),
        description=str(layer.get("description") or ""),
        licence=str(layer.get("copyrightText") or ""),
        protocol=protocol,
        address=address.name,
        columns=columns,
        rows=_rows(portal, path, key, object_id, min(page_rows, SAMPLE_ROWS)),
        total=int(_object(portal, f"{path}/query", key, where="1=1", returnCountOnly="true").get("count", 0)),
        notes=notes,
    )


def _layer(service: dict[str, Any], address: Address) -> tuple[str, str | None]:
    """Return the layer's number, and its name where the service has others."""
    offered = {str(one["id"]): str(one["name"]) for kind in ("layers", "tables") for one in service.get(kind) or []}
    if not offered:
        raise ConfigError(f"{address.host}{address.name} has no layers. Look at it in a browser.")
    number = address.part or (next(iter(offered)) if len(offered) == 1 else "")
    if number not in offered:
        listed = ", ".join(f"{number} {name!r}" for number, name in offered.items())
        raise ConfigError(f"The service has the layers {listed}: paste the address with the number of one, …/0.")
    if len(offered) == 1:
        return number, None
    if [*offered.values()].count(offered[number]) > 1:
        raise ConfigError(f"Several layers are called {offered[number]!r}, so it cannot be found again by its name.")
    return number, offered[number]


def _object(portal: Portal, path: str, key: str, **params: str) -> dict[str, Any]:
    answer = as_object(portal.get(path, {"f": "json", **params}).body.read(), key, path)
    if "error" in answer:
        raise FatalError(f"{key}: {path} answered {answer['error']}. Look at the address in a browser.")
    return answer


def _rows(portal: Portal, path: str, key: str, object_id: str, limit: int) -> list[Row]:
    asked = {
        "f": "json",
        "where": "1=1",
        "outFields": "*",
        "returnGeometry": "false",
        "orderByFields": object_id,
        "resultRecordCount": str(limit),
    }
    text = portal.get(f"{path}/query", asked).body.read().decode("utf-8", "replace")
    try:
        features = [value["attributes"] for value, _ in elements(text, "features")]
        return [{str(n).lower(): as_text(v) for n, v in one.items() if n != object_id} for one in features]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RetriableError(f"{key}: {path} gave no features ({error}). Look at it in a browser.") from error
