"""A CSV file: its header and first rows, read no further than ``HEAD_BYTES``."""

from __future__ import annotations

import codecs
import csv
import io
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from civicwire.scaffold.address import Address
from civicwire.scaffold.sample import SAMPLE_ROWS, Column, Dataset, Row
from producers.http import Portal
from schemas.errors import ConfigError

HEAD_BYTES = 1 << 20
"""About five thousand rows of a call log; the file itself may have hundreds of megabytes."""
_YEAR = re.compile(r"(?<!\d)(20[0-4]\d)(?!\d)")


def read(portal: Portal, address: Address, key: str, zone: ZoneInfo) -> Dataset:
    """Return the file at ``address``; ``zone`` says which year it is there.

    Raises:
        ConfigError: it is no CSV that the poller reads.
        RetriableError, FatalError: the portal does not answer or refuses.
    """
    body = portal.get(address.name, first_bytes=HEAD_BYTES).body.read()
    whole = len(body) < HEAD_BYTES
    head, _, rest = body.removeprefix(codecs.BOM_UTF8).partition(b"\n")
    header = _header(head, address, key)
    encoding = _encoding(rest, whole=whole)
    records = _records(rest.decode(encoding, "replace"), len(header), whole=whole)
    names = [name.strip().lower() for name in header]
    multiline = any("\n" in value for record in records for value in record)
    path, years, note = _path(address.name, datetime.now(zone).year)
    protocol: dict[str, Any] = {
        "name": "csv_file",
        "version": "1",
        "host": address.host,
        "path": path,
        "years": years,
        "encoding": "utf-8" if encoding == "utf-8" else "detect",
        **({"multiline": True} if multiline else {}),
    }
    rows: list[Row] = [
        {name: value or None for name, value in zip(names, record, strict=True)}
        for record in records[:SAMPLE_ROWS]
        if len(record) == len(names)
    ]
    return Dataset(
        title="",
        description="",
        licence="",
        protocol=protocol,
        address=path,
        columns=[Column(name, title.strip() or name, title.strip()) for name, title in zip(names, header, strict=True)],
        rows=rows,
        notes=[note, "A file states neither title nor licence: say them with --title and --licence."],
    )


def _header(line: bytes, address: Address, key: str) -> list[str]:
    """Return the header's names; what the poller refuses is refused here."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    if not text.strip() or text.lstrip().startswith(("<", "{", "[")):
        raise ConfigError(f"{key}: {address.name} starts with {text[:60]!r}, which is no CSV header.")
    header = next(csv.reader([text]))
    if len(header) == 1 and any(mark in text for mark in (";", "\t", "|")):
        raise ConfigError(f"{key}: the columns of {address.name} are not separated by commas, which cannot be polled.")
    names = [name.strip().lower() for name in header]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{key}: the header of {address.name} has {', '.join(map(repr, repeated))} more than once.")
    return header


def _encoding(body: bytes, *, whole: bool) -> str:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body, final=whole)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _records(text: str, width: int, *, whole: bool) -> list[list[str]]:
    """Return the complete records; the last one of a part of a file may be cut."""
    records = list(csv.reader(io.StringIO(text, newline="")))
    if not whole:
        records = records[:-1]
    return [record for record in records if len(record) == width]


def _path(path: str, this_year: int) -> tuple[str, list[int | str], str]:
    """Return the source file's path and years, and what to tell of them."""
    bare = path.replace("{", "%7B").replace("}", "%7D")
    years = {int(year) for year in _YEAR.findall(bare)}
    if len(years) != 1:
        return bare, [this_year], "The path names no one year: the file is read as one table."
    (year,) = years
    pattern = _YEAR.sub("{year}", bare)
    if year == this_year:
        return pattern, ["current"], f"The path names {year}, this year: another year's file is read when it comes."
    return pattern, [year], f"The path names {year}, a past year: list the years to read, and `current`, under years."
