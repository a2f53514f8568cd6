"""The cities' real rows as their portals publish them, one function a feed.

The files are copies that people made of the portals (PROVENANCE.tsv beside them says whose). Where a spreadsheet
mangled a copy, or it is older than the service, only its form is mended here: names, dates, blanks.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from producers import catalog

AUSTIN, SAN_DIEGO = "austin_crime_reports", "san_diego_calls"
LOS_ANGELES, LAUS = "la_crime_2020_2024", "california_laus"
DENVER, CATALONIA = "denver_traffic_accidents", "catalonia_hate_facts"

Row = dict[str, Any]

CATALAN_NAMES = {
    "Any": "any",
    "Núm. Mes": "n_m_mes",
    "Mes": "nom_mes",
    "Regió Policial (RP)": "regi_policial_rp",
    "Àrea Bàsica Policial (ABP)": "rea_b_sica_policial_abp",
    "Província": "prov_ncia",
    "Comarca": "comarca",
    "Municipi": "municipi",
    "Tipus de lloc dels fets": "tipus_de_lloc_dels_fets",
    "Canal dels fets": "canal_dels_fets",
    "Tipus de fet": "tipus_de_fet",
    "Títol del fet (Codi Penal) o Llei de referència": "t_tol_del_fet_codi_penal",
    "Tipus de fet (Codi penal) o d'Infracció (altres lleis)": "tipus_de_fet_codi_penal_o",
    "Àmbit fet": "mbit_fet",
    "Nombre fets o infraccions": "nombre_fets_o_infraccions",
    "Nombre víctimes": "nombre_v_ctimes",
}
"""The CSV file's names and those of the API, where accented letters became underscores."""
ACCIDENT_NAMES = {"offense_type_id": "top_traffic_accident_offense", "lng": "geo_lon", "lat": "geo_lat"}
"""Names of the file of 2014 and of today's service."""
LOS_ANGELES_FILES = ("10k", "13k_extra_cols", "6k_blank_headers")
SPREADSHEET_DATES = ("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p")


def file(folder: Path, name: str) -> Path:
    """A real file; the test is skipped, saying which, where it is absent."""
    path = folder / name
    if not path.is_file():
        pytest.skip(f"the real file {name} is not here; set CIVICWIRE_REAL_DATA to the folder that has it")
    return path


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def austin(folder: Path) -> list[Row]:
    """Every distinct report of the four copies of the API's default page, in its newest state."""
    newest: dict[str, Row] = {}
    for day in ("2023-12-28", "2024-06-02", "2024-06-03", "2024-06-05"):
        path = file(folder, f"austin/soda_json_{day}_1000rows.json")
        for row in json.loads(path.read_text(encoding="utf-8")):
            newest[row["incident_report_number"]] = row
    return list(newest.values())


def san_diego(folder: Path) -> Path:
    """The file of 2023 as it stood on 24 January, byte for byte."""
    return file(folder, "san_diego/pd_calls_2023_snapshot_B_28970rows.csv")


def los_angeles(folder: Path) -> list[Row]:
    """Every distinct report of the three copies that have all columns, as the API writes dates and blanks."""
    found: dict[str, Row] = {}
    known = set(catalog.find(LOS_ANGELES).columns)
    for name in LOS_ANGELES_FILES:
        with file(folder, f"los_angeles/rows_csv_excel_{name}.csv").open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = csv.reader(lines)
        columns = [column.strip().lower().replace(" ", "_").replace("-", "_") for column in header]
        for cells in rows:
            # Of two columns of one name the first: the second DATE OCC is a spreadsheet's serial number.
            listed = dict(reversed(list(zip(columns, cells, strict=True))))
            row: Row = {column: value for column, value in listed.items() if column in known and value}
            row |= {"dr_no": row["dr_no"].zfill(9)}
            row |= {column: f"{spreadsheet_day(row[column])}T00:00:00.000" for column in ("date_occ", "date_rptd")}
            found.setdefault(row["dr_no"], row)
    return list(found.values())


def spreadsheet_day(text: str) -> str:
    """The ISO date of a month/day/year that a spreadsheet or the portal's CSV export wrote."""
    for form in SPREADSHEET_DATES:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a civil date
        except ValueError:
            continue
    raise ValueError(text)


def catalonia(folder: Path) -> list[Row]:
    """Every fact of the file of November 2025 under the API's names; it leaves blanks out."""
    rows = table(file(folder, "catalonia/fets_odi_discriminacio_20251124.csv"))
    return [{CATALAN_NAMES[name]: value for name, value in row.items() if value} for row in rows]


def denver(folder: Path) -> list[Row]:
    """Every accident of the file of 2014 as the service has them: its names, times as epoch milliseconds."""
    rows = []
    for line in table(file(folder, "denver_accidents/traffic_accidents_2014-05_data.csv")):
        named = {ACCIDENT_NAMES.get(name.lower(), name.lower()): value for name, value in line.items() if value}
        del named["offense_category_id"]
        times = {name: epoch_ms(value) for name, value in named.items() if name.endswith("_date")}
        rows.append(named | times)
    return rows


def epoch_ms(local: str) -> str:
    """Epoch milliseconds of a Denver time."""
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("America/Denver"))
    return str(int(moment.astimezone(UTC).timestamp()) * 1000)


def laus(folder: Path) -> list[Row]:
    """Every county and month of the file under the portal's names.

    The file says neither which of Los Angeles County's two rows a month is the seasonally adjusted one (the second is
    taken for it) nor which month is preliminary (the newest, 2023-04).
    """
    seen: set[tuple[str, str]] = set()
    rows = []
    for line in table(file(folder, "laus/LAUS_CA_from_rda.csv")):
        key = (line["County"], line["Date"])
        rows.append(
            {
                "Area Type ": "County",
                "Area Name ": line["County"],
                "Date": line["Date"],
                "Year ": line["Year"],
                "Seasonally Adjusted (Y/N) ": "Y" if key in seen else "N",
                "Status (Preliminary / Final) ": "Preliminary" if line["Date"] == "2023-04-01" else "Final",
                "Labor Force": line["LaborForce"],
                "Employment ": line["Employment"],
                "Unemployment ": line["Unemployment"],
                "Unemployment Rate ": line["UnemploymentRate"],
            }
        )
        seen.add(key)
    return rows
