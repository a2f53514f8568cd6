"""A resource in CKAN's datastore: the dataset that it belongs to, its fields, and one page of records."""

from __future__ import annotations

from typing import Any

from civicwire.scaffold.address import Address
from civicwire.scaffold.sample import SAMPLE_ROWS, Column, ColumnType, Dataset, Row, all_numbers
from producers.clients.pages import as_object, elements
from producers.http import Portal
from producers.rows import as_text
from schemas.errors import ConfigError, FatalError, RetriableError

ROW_NUMBER = "_id"
SEARCH = "/api/3/action/datastore_search"
_NUMBERS = ("numeric", "int", "int2", "int4", "int8", "float4", "float8", "double precision", "integer", "bigint")


def read(portal: Portal, address: Address, key: str) -> Dataset:
    """Return the resource at ``address``.

    Raises:
        ConfigError: the dataset has several resources and the address names none, or none is in the datastore.
        RetriableError, FatalError: the portal does not answer or refuses.
    """
    if address.part:
        resource = _action(portal, key, "resource_show", id=address.part)
        package = _action(portal, key, "package_show", id=str(resource.get("package_id") or address.name))
    else:
        package = _action(portal, key, "package_show", id=address.name)
        resource = _only(package)
    identity = str(resource.get("id"))
    text = portal.get(SEARCH, {"resource_id": identity, "limit": str(SAMPLE_ROWS), "sort": "_id asc"}).body.read()
    result = _result(as_object(text, key, SEARCH), key, "datastore_search")
    try:
        records = [value for value, _ in elements(text.decode("utf-8"), "records")]
        rows: list[Row] = [{str(n): as_text(v) for n, v in one.items() if n != ROW_NUMBER} for one in records]
    except (ValueError, AttributeError) as error:
        raise RetriableError(f"{key}: {SEARCH} gave no records ({error}). Look at it in a browser.") from error
    return Dataset(
        title=str(package.get("title") or resource.get("name") or ""),
        description=str(resource.get("description") or package.get("notes") or ""),
        licence=str(package.get("license_title") or ""),
        protocol={"name": "ckan", "version": "3", "host": address.host, "resource": identity, "page_rows": 5_000},
        address=identity,
        columns=[_column(one, rows) for one in result.get("fields") or [] if one.get("id") != ROW_NUMBER],
        rows=rows,
        total=int(result.get("total") or 0),
    )


def _column(field: dict[str, Any], rows: list[Row]) -> Column:
    name = str(field["id"])
    info = field.get("info") or {}
    values = [value for row in rows if (value := row.get(name)) is not None]
    kind: ColumnType = "number" if str(field.get("type")) in _NUMBERS and all_numbers(values) else "text"
    return Column(name, name, str(info.get("label") or ""), str(info.get("notes") or ""), kind)


def _only(package: dict[str, Any]) -> dict[str, Any]:
    """Return the package's only resource in the datastore."""
    held = [one for one in package.get("resources") or [] if one.get("datastore_active")]
    if len(held) == 1:
        only: dict[str, Any] = held[0]
        return only
    if not held:
        raise ConfigError(
            "None of the dataset's resources is in the datastore. Paste the address of its CSV file, with "
            "--protocol csv_file where it does not end in .csv."
        )
    listed = "; ".join(f"{one.get('name')!r} …/resource/{one.get('id')}" for one in held)
    raise ConfigError(f"The dataset has several resources: {listed}. Paste the address of one of them.")


def _action(portal: Portal, key: str, action: str, **params: str) -> dict[str, Any]:
    path = f"/api/3/action/{action}"
    return _result(as_object(portal.get(path, params).body.read(), key, path), key, action)


def _result(answer: dict[str, Any], key: str, action: str) -> dict[str, Any]:
    result = answer.get("result")
    if answer.get("success") is not True or not isinstance(result, dict):
        raise FatalError(f"{key}: {action} answered {answer.get('error')!r}. Look at the dataset in a browser.")
    return result
