"""A Socrata dataset: its view's metadata, and a page of rows in the order of ``:id``, which is as good as random."""

from __future__ import annotations

from typing import Any

from civicwire.scaffold.address import Address
from civicwire.scaffold.sample import SAMPLE_ROWS, Column, ColumnType, Dataset, Row
from producers.clients.pages import as_object, split_array
from producers.http import Portal
from producers.rows import as_text
from schemas.errors import ConfigError, RetriableError

_TYPES: dict[str, ColumnType] = {
    "number": "number",
    "money": "number",
    "percent": "number",
    "calendar_date": "floating_timestamp",
    "floating_timestamp": "floating_timestamp",
    "location": "location",
    "point": "location",
}
TOKEN = "SOCRATA_APP_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable of the app token, without which requests share a pool and are throttled."""


def read(portal: Portal, address: Address, key: str) -> Dataset:
    """Return the dataset at ``address``.

    Raises:
        ConfigError: the view is no table of rows.
        RetriableError, FatalError: the portal does not answer or refuses.
    """
    path = f"/api/views/{address.name}.json"
    view = as_object(portal.get(path).body.read(), key, path)
    described = view.get("columns")
    if not isinstance(described, list) or not described:
        raise ConfigError(
            f"{address.host} has no columns for {address.name}: it is a map or a chart. Paste the dataset behind it."
        )
    columns = [_column(one) for one in described if not str(one.get("fieldName", "")).startswith(":")]
    return Dataset(
        title=str(view.get("name") or ""),
        description=str(view.get("description") or ""),
        licence=_licence(view),
        protocol={
            "name": "socrata",
            "version": "2.1",
            "host": address.host,
            "dataset": address.name,
            "page_rows": 20_000,
            "token_env": TOKEN,
        },
        address=address.name,
        columns=columns,
        rows=_rows(portal, address, key, {column.name for column in columns}),
        total=_total(portal, address, key),
        key=_row_identifier(view),
    )


def _column(described: dict[str, Any]) -> Column:
    name = str(described["fieldName"])
    kind = _TYPES.get(str(described.get("dataTypeName")), "text")
    return Column(name, name, str(described.get("name") or ""), str(described.get("description") or ""), kind)


def _licence(view: dict[str, Any]) -> str:
    stated = view.get("license")
    return str((stated.get("name") if isinstance(stated, dict) else stated) or "")


def _row_identifier(view: dict[str, Any]) -> str | None:
    identity = view.get("rowIdentifierColumnId")
    if identity is None:
        return None
    return next((str(one["fieldName"]) for one in view["columns"] if one.get("id") == identity), None)


def _rows(portal: Portal, address: Address, key: str, names: set[str]) -> list[Row]:
    path = f"/resource/{address.name}.json"
    body = portal.get(path, {"$order": ":id", "$limit": str(SAMPLE_ROWS)}).body.read()
    try:
        rows = [value for value, _ in split_array(body.decode("utf-8"))]
        return [{name: as_text(value) for name, value in row.items() if name in names} for row in rows]
    except (ValueError, AttributeError) as error:
        raise RetriableError(f"{key}: {path} is no JSON array of rows ({error}). Look at it in a browser.") from error


def _total(portal: Portal, address: Address, key: str) -> int | None:
    path = f"/resource/{address.name}.json"
    body = portal.get(path, {"$select": "count(*) as n"}).body.read()
    try:
        (row,) = (value for value, _ in split_array(body.decode("utf-8")))
        return int(row["n"])
    except (ValueError, TypeError, KeyError) as error:
        raise RetriableError(f"{key}: {path} gave no count ({error}). Try again.") from error
