"""Who makes the rows of each feed; for most a few lines that draw a row's values at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from math import cos, exp, pi
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
        level: how many rows a day gets, in proportion to the others.
    """

    feed: Feed
    draw: Callable[[Random, int, datetime], Drawn]
    revisable: tuple[str, tuple[str, ...]]
    end: date | None = None
    level: Callable[[date], float] = lambda _: 1.0

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
        for day, rows in spread(count, days_between(first, last), self.level):
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


_HOURS = list(accumulate((5, 3, 3, 2, 1, 2, 3, 4, 5, 5, 5, 6, 7, 6, 6, 7, 8, 9, 9, 8, 8, 7, 7, 6)))
"""The hours of a day by how much happens in them: quiet before dawn, most in the early evening."""


def _moment(random: Random, day: date) -> datetime:
    hour = random.choices(range(24), cum_weights=_HOURS)[0]
    return datetime(day.year, day.month, day.day, hour, random.randrange(60))  # noqa: DTZ001 - civil


def _season(day: date, share: float = 0.12) -> float:
    """Return the level of a day, between 1 less and 1 plus ``share``: highest in July."""
    return 1 - share * cos(2 * pi * (day.timetuple().tm_yday - 15) / 365)


NEW_RECORDS, NEW_RECORDS_ALL = date(2024, 3, 7), date(2025, 1, 1)
"""Los Angeles moved from its old table to the new one between these days, area by area."""


def _moved(day: date) -> float:
    """Return the share of Los Angeles that reports to the new records system."""
    return min(max((day - NEW_RECORDS) / (NEW_RECORDS_ALL - NEW_RECORDS), 0.0), 1.0)


TRICKLE = 0.02
"""Share of the usual rows that a table of Los Angeles holds at least, before and after the move."""


def _la_level(day: date) -> float:
    return _season(day, 0.06) * (1 + 0.03 * (day.year - 2018)) * max(1 - _moved(day), TRICKLE)


def _la_nibrs_level(day: date) -> float:
    return _season(day, 0.06) * max(_moved(day), TRICKLE)


def _winter(day: date) -> float:
    return _season(day, -0.1)


def _floating(at: datetime) -> str:
    return f"{at:%Y-%m-%d}T00:00:00.000"


LA_AREAS = (
    "Central", "Rampart", "Southwest", "Hollenbeck", "Harbor", "Hollywood", "Wilshire", "West LA", "Van Nuys",
    "West Valley", "Northeast", "77th Street", "Newton", "Pacific", "N Hollywood", "Foothill", "Devonshire",
    "Southeast", "Mission", "Olympic", "Topanga",
)  # fmt: skip
LA_BUSY = list(accumulate((13, 10, 11, 7, 7, 10, 9, 8, 8, 8, 8, 14, 10, 11, 10, 7, 8, 11, 8, 10, 8)))
"""How much is reported in each area, in proportion to the others."""
LA_WEAPONS = (
    ("", "", 62), ("400", "STRONG-ARM (HANDS, FIST, FEET OR BODILY FORCE)", 19), ("102", "HAND GUN", 4),
    ("500", "UNKNOWN WEAPON/OTHER WEAPON", 4), ("511", "VERBAL THREAT", 3),
    ("200", "KNIFE WITH BLADE 6INCHES OR LESS", 3), ("307", "VEHICLE", 2),
    ("207", "OTHER KNIFE", 2), ("302", "BLUNT INSTRUMENT", 1),
)  # fmt: skip
LA_WEAPON_SHARES = list(accumulate(share for *_, share in LA_WEAPONS))
LA_CRIMES = (
    ("510", "VEHICLE - STOLEN"), ("330", "BURGLARY FROM VEHICLE"), ("624", "BATTERY - SIMPLE ASSAULT"),
    ("440", "THEFT PLAIN - PETTY ($950 & UNDER)"), ("230", "ASSAULT WITH DEADLY WEAPON, AGGRAVATED ASSAULT"),
    ("310", "BURGLARY"), ("210", "ROBBERY"), ("740", "VANDALISM - FELONY ($400 & OVER, ALL CHURCH VANDALISMS)"),
)  # fmt: skip
LA_STATUS = {"IC": "Invest Cont", "AA": "Adult Arrest", "AO": "Adult Other", "JA": "Juv Arrest"}


def _la_legacy(random: Random, number: int, at: datetime) -> Drawn:
    area = random.choices(range(len(LA_AREAS)), cum_weights=LA_BUSY)[0]
    code, words = random.choices(LA_CRIMES, (23, 13, 16, 12, 12, 12, 6, 8))[0]
    status = random.choices(list(LA_STATUS), (80, 10, 9, 1))[0]
    # A stolen car has no victim to describe.
    age, sex, descent = ("0", None, None) if code == "510" else _la_victim(random)
    weapon, weapon_words, _ = random.choices(LA_WEAPONS, cum_weights=LA_WEAPON_SHARES)[0]
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
        "vict_age": age,
        "vict_sex": sex,
        "vict_descent": descent,
        "premis_cd": "101",
        "premis_desc": "STREET",
        "weapon_used_cd": weapon or None,
        "weapon_desc": weapon_words or None,
        "status": status,
        "status_desc": LA_STATUS[status],
        "crm_cd_1": code,
        "location": f"{random.randrange(1, 90) * 100} S  {random.choice(('MAIN', 'HOPE', 'FIGUEROA'))}          ST",
        "lat": f"{34 + random.random() / 3:.4f}",
        "lon": f"{-118 - random.random() / 2:.4f}",
    }


def _la_victim(random: Random) -> tuple[str, str, str]:
    age = 0 if random.random() < 0.1 else min(max(int(random.gauss(39, 15)), 2), 99)  # noqa: PLR2004 - share of unknown
    return str(age), random.choices("MFX", (47, 45, 8))[0], random.choices("HWBOXAK", (37, 24, 17, 9, 9, 3, 1))[0]


NIBRS = (
    ("13A", "Aggravated Assault", "Person", "A"), ("23F", "Theft From Motor Vehicle", "Property", "A"),
    ("240", "Motor Vehicle Theft", "Property", "A"), ("120", "Robbery", "Property", "A"),
    ("220", "Burglary/Breaking & Entering", "Property", "A"), ("90J", "Trespass of Real Property", "Society", "B"),
)  # fmt: skip


def _la_nibrs(random: Random, number: int, at: datetime) -> Drawn:
    area = random.choices(range(len(LA_AREAS)), cum_weights=LA_BUSY)[0]
    code, words, against, group = random.choice(NIBRS)
    weapon = random.choices(("", "HANDGUN", "PERSONAL WEAPONS (HANDS, FEET)", "KNIFE"), (70, 9, 15, 6))[0]
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
        "weapon_desc": weapon or None,
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
        "sexe": random.choices(("Home", "Dona"), (62, 38))[0],
        "edat_inici_fets": "150" if random.random() < 0.05 else str(min(max(int(random.gauss(36, 14)), 10), 90)),  # noqa: PLR2004 - share of unknown
        "nombre": "1",
    }


COUNTIES = ("Alameda County", "Fresno County", "Los Angeles County", "San Diego County", "San Francisco County")


def _laus(random: Random, number: int, at: datetime) -> Drawn:  # noqa: ARG001 - the number says the month
    """Five counties a month backwards, Los Angeles twice: the row's number says which, so that no two are alike."""
    county, back = number % (len(COUNTIES) + 1), number // (len(COUNTIES) + 1)
    months = 2025 * 12 - back
    force = (850, 450, 5_000, 1_600, 560, 5_000)[county] * 1_000 + random.randrange(-9, 10) * 1_000
    # The spring of 2020, and the years of recovery after it.
    since = months - (2020 * 12 + 3)
    rate = 0.045 if since < 0 else 0.05 + 0.13 * exp(-since / 11)
    out = int(force * (rate + random.randrange(-3, 4) / 1_000))
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
NEIGHBOURHOODS = (
    "Baker", "Five Points", "Stapleton", "Capitol Hill", "baker", "Montbello", "union-station", "cbd", "lincoln-park",
    "speer", "hampden", "dia", "northeast-park-hill", "west-colfax", "gateway-green-valley-ranch", "globeville",
)  # fmt: skip
BUSY_NEIGHBOURHOODS = list(accumulate((7, 11, 10, 7, 1, 8, 6, 8, 5, 4, 6, 6, 6, 5, 7, 5)))
DENVER = ZoneInfo("America/Denver")


def _epoch_ms(at: datetime) -> str:
    return str(int(at.replace(tzinfo=DENVER).timestamp() * 1000))


WINTER, NIGHT = (11, 12, 1, 2, 3), (20, 21, 22, 23, 0, 1, 2, 3, 4, 5)
DUSK = (6, 18, 19)
"""Months of snow, and hours without daylight; the year round, which is near enough for made-up rows."""


def _road(random: Random, at: datetime) -> str:
    shares = (62, 10, 14, 8, 6) if at.month in WINTER else (83, 11, 0, 0, 6)
    return random.choices(("DRY", "WET", "SNOW", "ICY", "  "), shares)[0]


def _light(random: Random, at: datetime) -> str:
    if at.hour in NIGHT:
        return random.choices(("DARK-LIGHTED", "DARK-UNLIGHTED"), (85, 15))[0]
    return "DAWN OR DUSK" if at.hour in DUSK else "DAY LIGHT"


def _place(random: Random) -> tuple[int, str, str]:
    """Return a neighbourhood's number and a place in it; the city is made of squares, as nobody has to find the way."""
    place = random.choices(range(len(NEIGHBOURHOODS)), cum_weights=BUSY_NEIGHBOURHOODS)[0]
    latitude, longitude = 39.69 + (place // 4) * 0.025, -104.99 + (place % 4) * 0.025
    return place, f"{latitude + random.gauss(0, 0.006):.6f}", f"{longitude + random.gauss(0, 0.006):.6f}"


def _accident(random: Random, number: int, at: datetime) -> Drawn:
    incident = f"{at.year}{number:07d}"
    happened = _epoch_ms(at)
    place, latitude, longitude = _place(random)
    return {
        "incident_id": incident,
        "offense_id": f"{incident}54410",
        "offense_code": "5441",
        "offense_code_extension": "0",
        "top_traffic_accident_offense": f"{random.choice(ACCIDENT_TYPES):<30}",
        "first_occurrence_date": happened,
        "reported_date": happened,
        "incident_address": f"{random.choice(('I25', 'COLFAX', 'SPEER'))} / {random.choice(('BROADWAY', 'PENA'))}",
        "geo_lon": longitude,
        "geo_lat": latitude,
        "district_id": str(random.randrange(1, 7)),
        "precinct_id": str(random.randrange(100, 700)),
        "neighborhood_id": NEIGHBOURHOODS[place],
        "bicycle_ind": "0",
        "pedestrian_ind": "0",
        "ROAD_CONDITION": _road(random, at),
        "LIGHT_CONDITION": _light(random, at),
        "SERIOUSLY_INJURED": random.choices("012", (962, 35, 3))[0],
        "FATALITIES": random.choices("01", (995, 5))[0],
    }


def _us(at: datetime) -> str:
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at.minute:02d}:00 {'PM' if at.hour >= 12 else 'AM'}"  # noqa: PLR2004


def _contact(random: Random, number: int, at: datetime) -> Drawn:  # noqa: ARG001 - contacts have no number
    closed = at + timedelta(hours=random.choice((0, 0, 5, 72)))
    place, latitude, longitude = _place(random)
    located = random.random() < 0.4  # noqa: PLR2004 - most contacts say nothing of a place
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
        "Council_District": str(1 + place % 11) if located else "0",
        "Longitude": longitude if located else "0",
        "Latitude": latitude if located else "0",
    }


MAKERS: dict[str, Maker] = {
    "austin_crime_reports": austin,
    "san_diego_calls": san_diego,
    "la_crime_2010_2019": Simple(
        FEEDS["la_crime_2010_2019"], _la_legacy, ("status", tuple(LA_STATUS)), level=_la_level
    ),
    "la_crime_2020_2024": Simple(
        FEEDS["la_crime_2020_2024"], _la_legacy, ("status", tuple(LA_STATUS)), level=_la_level
    ),
    "la_nibrs_offenses": Simple(
        FEEDS["la_nibrs_offenses"], _la_nibrs, ("status", ("14", "21", "33")), level=_la_nibrs_level
    ),
    "catalonia_hate_facts": Simple(FEEDS["catalonia_hate_facts"], _hate_facts, ("mbit_fet", MOTIVES)),
    "catalonia_hate_persons": Simple(FEEDS["catalonia_hate_persons"], _hate_persons, ("sexe", ("Home", "Dona"))),
    "california_laus": Simple(
        FEEDS["california_laus"], _laus, ("Status (Preliminary / Final) ", ("Preliminary", "Final", "Revised"))
    ),
    "denver_traffic_accidents": Simple(
        FEEDS["denver_traffic_accidents"], _accident, ("neighborhood_id", NEIGHBOURHOODS), level=_winter
    ),
    "denver_311": Simple(
        FEEDS["denver_311"], _contact, ("Case_Status", ("Closed - Answer Provided", "Routed to Agency", "Transferred"))
    ),
}
"""Who makes the rows of each feed that is not described in a file."""
