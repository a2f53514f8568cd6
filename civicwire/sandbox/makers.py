"""Who makes the rows of each feed; for most a few lines that draw a row's values at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Protocol
from zoneinfo import ZoneInfo

from civicwire.sandbox import austin, san_diego
from civicwire.sandbox.feeds import FEEDS, Feed
from civicwire.sandbox.store import Row, Store, Values, stamp
from civicwire.sandbox.weights import days_between, spread

Drawn = dict[str, str | None]
DAYS = 364
"""Days before the last one over which rows are spread where nothing else is said."""


class Maker(Protocol):
    """Makes rows as the portal would have published them."""

    def days(self, rows: int, until: date) -> tuple[date, date]:
        """Return the first and the last day of ``rows`` rows where nobody says otherwise, none after ``until``."""

    def generate(self, count: int, seed: int, first: date, last: date) -> Iterator[list[Values]]:
        """Yield batches of rows for ``Store.load``, exactly ``count`` from ``first`` to ``last``."""

    def newest(self, random: Random, store: Store, count: int) -> list[Row]:
        """Return new rows, later than everything published."""

    def late(self, random: Random, store: Store, count: int) -> list[Row]:
        """Return new rows of a time before the newest."""

    def revise(self, random: Random, store: Store, row: Row) -> Row:
        """Return ``row`` with some of its values changed."""


@dataclass(frozen=True)
class Simple:
    """A feed whose rows are independent of each other.

    Attributes:
        feed: the feed.
        draw: returns the values of one row, from a number that no other row has and its local civil time.
        revisable: the column that a revision changes, and its values.
        end: the last day of a feed that goes no further, such as an archive.
    """

    feed: Feed
    draw: Callable[[Random, int, datetime], Drawn]
    revisable: tuple[str, tuple[str, ...]]
    end: date | None = None

    def days(self, rows: int, until: date) -> tuple[date, date]:  # noqa: ARG002 - part of the protocol
        """See ``Maker``."""
        last = min(until, self.end or until)
        first = last - timedelta(days=DAYS)
        return (max(first, date(last.year, 1, 1)) if self._one_file_a_year else first), last

    @property
    def _one_file_a_year(self) -> bool:
        """Whether a row of another year than the newest would stand in a file that nobody reads any more."""
        return "{year}" in self.feed.address

    def generate(self, count: int, seed: int, first: date, last: date) -> Iterator[list[Values]]:
        """See ``Maker``."""
        number = 0
        for day, rows in spread(count, days_between(first, last), lambda _: 1.0):
            random = Random(f"{self.feed.name} {seed} {day}")  # noqa: S311 - made-up rows, no secrets
            published = stamp(int(datetime(day.year, day.month, day.day, 20, tzinfo=UTC).timestamp() * 1000))
            batch = []
            for _ in range(rows):
                number += 1
                row = self.draw(random, number, _moment(random, day))
                batch.append((published, published, *(row.get(c.field) for c in self.feed.columns)))
            if batch:
                yield batch

    def newest(self, random: Random, store: Store, count: int) -> list[Row]:
        """See ``Maker``."""
        return self._drawn(random, store, self._today(), 0, count)

    def late(self, random: Random, store: Store, count: int) -> list[Row]:
        """See ``Maker``."""
        today = self._today()
        earlier = today - timedelta(days=random.randrange(30, 300))
        if self._one_file_a_year:
            earlier = max(earlier, date(today.year, 1, 1))
        return self._drawn(random, store, earlier, 1_000_000, count)

    def _today(self) -> date:
        today = datetime.now(ZoneInfo(self.feed.zone)).date()
        return min(today, self.end or today)

    def _drawn(self, random: Random, store: Store, day: date, apart: int, count: int) -> list[Row]:
        start = store.state.next_row + 1 + apart
        published = {p.stored: p.column.field for p in store.state.columns}
        rows = []
        for i in range(count):
            row = self.draw(random, start + i, _moment(random, day))
            rows.append({published[field]: value for field, value in row.items() if field in published})
        return rows

    def revise(self, random: Random, store: Store, row: Row) -> Row:  # noqa: ARG002 - part of the protocol
        """See ``Maker``."""
        column, values = self.revisable
        return row | {column: random.choice([value for value in values if value != row.get(column)])}


def _moment(random: Random, day: date) -> datetime:
    return datetime(day.year, day.month, day.day, random.randrange(24), random.randrange(60))  # noqa: DTZ001 - civil


def _floating(at: datetime) -> str:
    return f"{at:%Y-%m-%d}T00:00:00.000"


LA_AREAS = ("Central", "Rampart", "Southwest", "Hollenbeck", "Harbor", "Hollywood", "Wilshire", "Van Nuys", "Topanga")
LA_CRIMES = (
    ("510", "VEHICLE - STOLEN"), ("330", "BURGLARY FROM VEHICLE"), ("624", "BATTERY - SIMPLE ASSAULT"),
    ("440", "THEFT PLAIN - PETTY ($950 & UNDER)"), ("230", "ASSAULT WITH DEADLY WEAPON, AGGRAVATED ASSAULT"),
    ("310", "BURGLARY"), ("210", "ROBBERY"), ("740", "VANDALISM - FELONY ($400 & OVER, ALL CHURCH VANDALISMS)"),
)  # fmt: skip
LA_STATUS = {"IC": "Invest Cont", "AA": "Adult Arrest", "AO": "Adult Other", "JA": "Juv Arrest"}


def _la_legacy(random: Random, number: int, at: datetime) -> Drawn:
    area = random.randrange(len(LA_AREAS))
    code, words = random.choice(LA_CRIMES)
    status = random.choices(list(LA_STATUS), (80, 10, 9, 1))[0]
    return {
        "dr_no": f"{at:%y}{area + 1:02d}{number:08d}",
        "date_rptd": _floating(at + timedelta(days=random.choice((0, 0, 1, 4)))),
        "date_occ": _floating(at),
        "time_occ": f"{at:%H%M}",
        "area": f"{area + 1:02d}",
        "area_name": LA_AREAS[area],
        "rpt_dist_no": f"{area + 1:02d}{random.randrange(100):02d}",
        "part_1_2": "1",
        "crm_cd": code,
        "crm_cd_desc": words,
        "vict_age": str(random.choice((0, 0, 23, 31, 47, 66))),
        "vict_sex": random.choice("MFX"),
        "vict_descent": random.choice("BHWO"),
        "premis_cd": "101",
        "premis_desc": "STREET",
        "status": status,
        "status_desc": LA_STATUS[status],
        "crm_cd_1": code,
        "location": f"{random.randrange(1, 90) * 100} S  {random.choice(('MAIN', 'HOPE', 'FIGUEROA'))}          ST",
        "lat": f"{34 + random.random() / 3:.4f}",
        "lon": f"{-118 - random.random() / 2:.4f}",
    }


NIBRS = (
    ("13A", "Aggravated Assault", "Person", "A"), ("23F", "Theft From Motor Vehicle", "Property", "A"),
    ("240", "Motor Vehicle Theft", "Property", "A"), ("120", "Robbery", "Property", "A"),
    ("220", "Burglary/Breaking & Entering", "Property", "A"), ("90J", "Trespass of Real Property", "Society", "B"),
)  # fmt: skip


def _la_nibrs(random: Random, number: int, at: datetime) -> Drawn:
    area = random.randrange(len(LA_AREAS))
    code, words, against, group = random.choice(NIBRS)
    case = f"{at:%y}{area + 1:02d}{number // 2:07d}"
    return {
        "caseno": case,
        "uniquenibrno": f"{case}-{code}-{number}",
        "date_rptd": _floating(at),
        "date_occ": _floating(at),
        "time_occ": f"{at:%H%M}",
        "area": str(area + 1),
        "area_name": LA_AREAS[area],
        "rpt_dist_no": f"{area + 1}{random.randrange(100):02d}",
        "totaloffensecount": "1",
        "group": group,
        "nibr_code": code,
        "nibr_description": words,
        "crime_against": against,
        "status": random.choice(("14", "21")),
        "status_desc": random.choice(("Invest Cont", "Adult Arrest")),
        "hndrdth_loc_chk": f"{random.randrange(1, 90) * 100} BLOCK N VERMONT AV",
        "hndrdth_lat": f"{34 + random.random() / 3:.2f}",
        "hndrdth_lon": f"{-118 - random.random() / 2:.2f}",
    }


MONTHS = (
    "gener", "febrer", "març", "abril", "maig", "juny", "juliol", "agost", "setembre", "octubre", "novembre", "desembre"
)  # fmt: skip
POLICE_AREAS = (
    ("RP Metropolitana Barcelona", "ABP Eixample", "Barcelona", "Barcelonès", "Barcelona"),
    ("RP Girona", "ABP Gironès - Pla de l'Estany", "Girona", "Gironès", "Girona"),
    ("RP Ponent", "ABP Segrià - Garrigues - Pla d'Urgell", "Lleida", "Segrià", "Resta municipis Segrià"),
    ("RP  Metropolitana Nord", "ABP Badalona", "Barcelona", "Barcelonès", "Badalona"),
)
MOTIVES = ("LGTBI-fòbia", "Ètnic/origen nacional/origen racial", "Religiós", "Ideologia", "LGTBI fòbia", "Gènere")
PENAL = ("Lesions", "Amenaces", "DANYS", "21.-DELICTES CONTRA LA CONSTITUCIÓ", "Coaccions")


def _hate_facts(random: Random, number: int, at: datetime) -> Drawn:
    region, area, province, county, town = random.choice(POLICE_AREAS)
    return {
        "any": str(at.year),
        "n_m_mes": str(at.month),
        "nom_mes": MONTHS[at.month - 1].title() if number % 2 else MONTHS[at.month - 1],
        "regi_policial_rp": region,
        "rea_b_sica_policial_abp": area,
        "prov_ncia": province,
        "comarca": county,
        "municipi": town,
        "tipus_de_lloc_dels_fets": random.choice(
            ("Via pública urbana", "Via Pública urbana", "Internet o xarxes socials")
        ),
        "canal_dels_fets": random.choice(("Presencial", "Internet")),
        "tipus_de_fet": random.choice(("Delictes", "DELICTES", "Infraccions administratives")),
        "t_tol_del_fet_codi_penal": random.choice(PENAL),
        "tipus_de_fet_codi_penal_o": random.choice(PENAL),
        "mbit_fet": random.choice(MOTIVES),
        "nombre_fets_o_infraccions": "1",
    }


def _hate_persons(random: Random, number: int, at: datetime) -> Drawn:
    fact = _hate_facts(random, number, at)
    return {
        "any": fact["any"],
        "num_mes": fact["n_m_mes"],
        "nom_mes": fact["nom_mes"],
        "regio_policial_rp": fact["regi_policial_rp"],
        "area_basica_policial_abp": fact["rea_b_sica_policial_abp"],
        "provincia": fact["prov_ncia"],
        "comarca": fact["comarca"],
        "municipi": fact["municipi"],
        "tipus_de_lloc_dels_fets": fact["tipus_de_lloc_dels_fets"],
        "tipus_de_fet": fact["tipus_de_fet"],
        "tipus_de_fet_codi_penal_o": fact["tipus_de_fet_codi_penal_o"],
        "ambit_procediment_fet": fact["mbit_fet"],
        "rol_victima_o_autoria": random.choice(
            ("Víctima", "víctima", "Víctimes", "Persona autora", "Persones autores")
        ),
        "sexe": random.choice(("Home", "Dona")),
        "edat_inici_fets": str(random.choice((19, 24, 33, 41, 58, 150))),
        "nombre": "1",
    }


COUNTIES = ("Alameda County", "Fresno County", "Los Angeles County", "San Diego County", "San Francisco County")


def _laus(random: Random, number: int, at: datetime) -> Drawn:  # noqa: ARG001 - the number says the month
    """Five counties a month backwards, Los Angeles twice: the row's number says which, so that no two are alike."""
    county, back = number % (len(COUNTIES) + 1), number // (len(COUNTIES) + 1)
    months = 2025 * 12 - back
    force = random.randrange(10, 5_000) * 1_000
    out = force * random.randrange(30, 90) // 1_000
    return {
        "Area Type ": "County",
        "Area Name ": "Los Angeles County" if county == len(COUNTIES) else COUNTIES[county],
        "Date": f"{months // 12:04d}-{months % 12 + 1:02d}-01",
        "Year ": str(months // 12),
        "Month": date(2000, months % 12 + 1, 1).strftime("%B"),
        "Seasonally Adjusted (Y/N) ": "Y" if county == len(COUNTIES) else "N",
        "Status (Preliminary / Final) ": "Preliminary" if back == 0 else "Final",
        "Labor Force": str(force),
        "Employment ": str(force - out),
        "Unemployment ": str(out),
        "Unemployment Rate ": f"{out / force:.3f}",
    }


ACCIDENT_TYPES = (
    "TRAF - ACCIDENT",
    "TRAF - ACCIDENT - HIT & RUN",
    "TRAF - ACCIDENT - DUI/DUID",
    "TRAF - ACCIDENT - SBI",
)
NEIGHBOURHOODS = ("Baker", "Five Points", "Stapleton", "Capitol Hill", "baker", "Montbello")
DENVER = ZoneInfo("America/Denver")


def _epoch_ms(at: datetime) -> str:
    return str(int(at.replace(tzinfo=DENVER).timestamp() * 1000))


def _accident(random: Random, number: int, at: datetime) -> Drawn:
    incident = f"{at.year}{number:07d}"
    happened = _epoch_ms(at)
    return {
        "incident_id": incident,
        "offense_id": f"{incident}54410",
        "offense_code": "5441",
        "offense_code_extension": "0",
        "top_traffic_accident_offense": f"{random.choice(ACCIDENT_TYPES):<30}",
        "first_occurrence_date": happened,
        "reported_date": happened,
        "incident_address": f"{random.choice(('I25', 'COLFAX', 'SPEER'))} / {random.choice(('BROADWAY', 'PENA'))}",
        "geo_lon": f"{-104.9 - random.random() / 10:.6f}",
        "geo_lat": f"{39.7 + random.random() / 10:.6f}",
        "district_id": str(random.randrange(1, 7)),
        "precinct_id": str(random.randrange(100, 700)),
        "neighborhood_id": random.choice(NEIGHBOURHOODS),
        "bicycle_ind": "0",
        "pedestrian_ind": "0",
        "ROAD_CONDITION": random.choice(("DRY", "WET", "ICY", "  ")),
        "LIGHT_CONDITION": random.choice(("DAY LIGHT", "DARK-LIGHTED")),
        "SERIOUSLY_INJURED": "0",
        "FATALITIES": "0",
    }


def _us(at: datetime) -> str:
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at.minute:02d}:00 {'PM' if at.hour >= 12 else 'AM'}"  # noqa: PLR2004


def _contact(random: Random, number: int, at: datetime) -> Drawn:  # noqa: ARG001 - contacts have no number
    closed = at + timedelta(hours=random.choice((0, 0, 5, 72)))
    return {
        "Case_Summary": random.choice(("Illegal Parking", "Missed Trash", "General Inquiry", "Graffiti")),
        "Case_Status": random.choice(("Closed - Answer Provided", "Routed to Agency", "Transfered")),
        "Case_Source": random.choice(("Phone", "Web", "PocketGov")),
        "Case_Created_Date": _epoch_ms(at.replace(hour=0, minute=0)),
        "Case_Created_dttm": _us(at),
        "Case_Closed_dttm": _us(closed),
        "First_Call_Resolution": "Y",
        "Customer_Zip_Code": random.choice(("80202", "00000", "80219")),
        "Agency": random.choice(("311", "Public Works", "Finance")),
        "Type": random.choice(("Inquiry", "Request", "Complaint")),
        "Council_District": str(random.randrange(12)),
        "Longitude": "0",
        "Latitude": "0",
    }


MAKERS: dict[str, Maker] = {
    "austin_crime_reports": austin,
    "san_diego_calls": san_diego,
    "la_crime_2010_2019": Simple(FEEDS["la_crime_2010_2019"], _la_legacy, ("status", tuple(LA_STATUS))),
    "la_crime_2020_2024": Simple(FEEDS["la_crime_2020_2024"], _la_legacy, ("status", tuple(LA_STATUS))),
    "la_nibrs_offenses": Simple(FEEDS["la_nibrs_offenses"], _la_nibrs, ("status", ("14", "21", "33"))),
    "catalonia_hate_facts": Simple(FEEDS["catalonia_hate_facts"], _hate_facts, ("mbit_fet", MOTIVES)),
    "catalonia_hate_persons": Simple(FEEDS["catalonia_hate_persons"], _hate_persons, ("sexe", ("Home", "Dona"))),
    "california_laus": Simple(
        FEEDS["california_laus"], _laus, ("Status (Preliminary / Final) ", ("Preliminary", "Final", "Revised"))
    ),
    "denver_traffic_accidents": Simple(
        FEEDS["denver_traffic_accidents"], _accident, ("neighborhood_id", NEIGHBOURHOODS)
    ),
    "denver_311": Simple(
        FEEDS["denver_311"], _contact, ("Case_Status", ("Closed - Answer Provided", "Routed to Agency", "Transferred"))
    ),
}
"""Who makes the rows of each feed that is not described in a file."""
