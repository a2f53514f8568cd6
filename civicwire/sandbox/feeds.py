"""The feeds that the sandbox portal publishes: what each looks like from outside, and nothing of how it is read.

Others are described in files, see ``described``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ColumnType = Literal["text", "number", "floating_timestamp", "location", "epoch_ms"]

COLUMN_TYPES: dict[str, ColumnType] = {
    "text": "text",
    "number": "number",
    "floating_timestamp": "floating_timestamp",
    "location": "location",
    "epoch_ms": "epoch_ms",
}
"""The types a column can have, by name."""


@dataclass(frozen=True)
class Column:
    """One published column.

    Attributes:
        field: the API's field name (the CSV's header for a file).
        name: the title that people see.
        type: the portal's data type. Values are kept as text; Socrata and files publish them so, ArcGIS and CKAN
            publish ``number`` and ``epoch_ms`` as JSON numbers.
        description: what the portal says of it.
    """

    field: str
    name: str
    type: ColumnType = "text"
    description: str = ""


@dataclass(frozen=True)
class Feed:
    """One feed.

    Attributes:
        name: the source's name in civicwire.
        title: the dataset's title.
        kind: the protocol: a Socrata dataset, one CSV file a year, an ArcGIS service or a CKAN resource.
        address: the Socrata id, the file's path with ``{year}``, the service's path, or the resource's id.
        columns: in the order in which they are published.
        key: the natural key, empty where rows have none: then ``:id`` stands for it on the control side.
        event: columns of the event's local time; the first that has a value counts.
        category: column that the truth is counted by.
        area: column that the truth is counted by.
        zone: IANA name of the zone of all local times.
        description: what the portal says of the dataset.
        licence: what the portal says of its licence.
        event_time: how the event column writes a time, as ``described.written`` reads it; empty where rows find their
            file by the key (San Diego).
        files: year to path, where each year's file has a path of its own.
    """

    name: str
    title: str
    kind: Literal["socrata", "csv", "arcgis", "ckan"]
    address: str
    columns: tuple[Column, ...]
    key: str
    event: tuple[str, ...]
    category: str
    area: str
    zone: str
    description: str = ""
    licence: str = ""
    event_time: str = ""
    files: Mapping[int, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """The column by which the control side names a row."""
        return self.key or ":id"


AUSTIN = Feed(
    name="austin_crime_reports",
    title="Crime Reports",
    kind="socrata",
    address="fdj4-gpfu",
    columns=(
        Column("incident_report_number", "Incident Number"),
        Column("crime_type", "Highest Offense Description"),
        Column("ucr_code", "Highest Offense Code"),
        Column("family_violence", "Family Violence"),
        Column("occ_date_time", "Occurred Date Time", "floating_timestamp"),
        Column("occ_date", "Occurred Date", "floating_timestamp"),
        Column("occ_time", "Occurred Time"),
        Column("rep_date_time", "Report Date Time", "floating_timestamp"),
        Column("rep_date", "Report Date", "floating_timestamp"),
        Column("rep_time", "Report Time"),
        Column("location_type", "Location Type"),
        Column("address", "Address"),
        Column("zip_code", "Zip Code"),
        Column("council_district", "Council District", "number"),
        Column("sector", "APD Sector"),
        Column("district", "APD District"),
        Column("pra", "PRA"),
        Column("census_tract", "Census Tract"),
        Column("clearance_status", "Clearance Status"),
        Column("clearance_date", "Clearance Date", "floating_timestamp"),
        Column("ucr_category", "UCR Category"),
        Column("category_description", "Category Description"),
        Column("x_coordinate", "X-coordinate", "number"),
        Column("y_coordinate", "Y-coordinate", "number"),
        Column("latitude", "Latitude", "number"),
        Column("longitude", "Longitude", "number"),
        Column("location", "Location", "location"),
    ),
    key="incident_report_number",
    event=("occ_date_time", "occ_date"),
    category="crime_type",
    area="sector",
    zone="America/Chicago",
)

SAN_DIEGO = Feed(
    name="san_diego_calls",
    title="Police Calls for Service",
    kind="csv",
    address="police_calls_for_service/pd_calls_for_service_{year}_datasd.csv",
    columns=tuple(
        Column(field, field)
        for field in (
            "incident_num",
            "date_time",
            "day_of_week",
            "address_number_primary",
            "address_dir_primary",
            "address_road_primary",
            "address_sfx_primary",
            "address_dir_intersecting",
            "address_road_intersecting",
            "address_sfx_intersecting",
            "call_type",
            "disposition",
            "beat",
            "priority",
        )
    ),
    key="incident_num",
    event=("date_time",),
    category="call_type",
    area="beat",
    zone="America/Los_Angeles",
)


def _columns(names: str, **types: ColumnType) -> tuple[Column, ...]:
    """Return columns of the given field names, text unless their type is said."""
    return tuple(Column(name, name, types.get(name, "text")) for name in names.split())


_LA_LEGACY = _columns(
    "dr_no date_rptd date_occ time_occ area area_name rpt_dist_no part_1_2 crm_cd crm_cd_desc mocodes "
    "vict_age vict_sex vict_descent premis_cd premis_desc weapon_used_cd weapon_desc status status_desc "
    "crm_cd_1 crm_cd_2 crm_cd_3 crm_cd_4 location cross_street lat lon",
    date_rptd="floating_timestamp",
    date_occ="floating_timestamp",
)


def _la_legacy(name: str, address: str, title: str) -> Feed:
    return Feed(name, title, "socrata", address, _LA_LEGACY, "dr_no", ("date_occ",), "crm_cd", "area_name", _LA_ZONE)


_LA_ZONE = "America/Los_Angeles"
LA_2010 = _la_legacy("la_crime_2010_2019", "63jg-8b9z", "Crime Data from 2010 to 2019")
LA_2020 = _la_legacy("la_crime_2020_2024", "2nrs-mtv8", "Crime Data from 2020 to 2024")
LA_NIBRS = Feed(
    name="la_nibrs_offenses",
    title="LAPD NIBRS Offenses Dataset",
    kind="socrata",
    address="k7nn-b2ep",
    columns=_columns(
        "caseno uniquenibrno date_rptd date_occ time_occ area area_name rpt_dist_no totaloffensecount group "
        "nibr_code nibr_description crime_against premis_cd premis_desc weapon_used_cd weapon_desc status "
        "status_desc totalvictimcount victim_shot domestic_violence_crime hate_crime gang_related_crime "
        "transit_related_crime homeless_victim_crime homeless_suspect_crime homeless_arrestee_crime "
        "hndrdth_loc_chk hndrdth_lat hndrdth_lon",
        date_rptd="floating_timestamp",
        date_occ="floating_timestamp",
    ),
    key="uniquenibrno",
    event=("date_occ",),
    category="nibr_code",
    area="area_name",
    zone=_LA_ZONE,
)
HATE_FACTS = Feed(
    name="catalonia_hate_facts",
    title="Fets delictius de l'àmbit de l'odi i discriminació",
    kind="socrata",
    address="y48r-ae59",
    columns=_columns(
        "any n_m_mes nom_mes regi_policial_rp rea_b_sica_policial_abp prov_ncia comarca municipi "
        "tipus_de_lloc_dels_fets canal_dels_fets tipus_de_fet t_tol_del_fet_codi_penal "
        "tipus_de_fet_codi_penal_o mbit_fet nombre_fets_o_infraccions nombre_v_ctimes"
    ),
    key="",
    event=("any",),
    category="mbit_fet",
    area="rea_b_sica_policial_abp",
    zone="Europe/Madrid",
)
HATE_PERSONS = Feed(
    name="catalonia_hate_persons",
    title="Persones de l'àmbit de l'odi i discriminació",
    kind="socrata",
    address="gci6-2ubm",
    columns=_columns(
        "any num_mes nom_mes regio_policial_rp area_basica_policial_abp provincia comarca municipi "
        "tipus_de_lloc_dels_fets tipus_de_fet tipus_de_fet_codi_penal_o ambit_procediment_fet "
        "rol_victima_o_autoria sexe edat_inici_fets nombre"
    ),
    key="",
    event=("any",),
    category="ambit_procediment_fet",
    area="area_basica_policial_abp",
    zone="Europe/Madrid",
)
LAUS = Feed(
    name="california_laus",
    title="Local Area Unemployment Statistics (LAUS)",
    kind="ckan",
    address="b4bc4656-7866-420f-8d87-4eda4c9996ed",
    columns=(
        *(Column(name, name) for name in ("Area Type ", "Area Name ", "Date")),
        Column("Year ", "Year ", "number"),
        *(Column(name, name) for name in ("Month", "Seasonally Adjusted (Y/N) ", "Status (Preliminary / Final) ")),
        *(
            Column(name, name, "number")
            for name in ("Labor Force", "Employment ", "Unemployment ", "Unemployment Rate ")
        ),
    ),
    key="",
    event=("Date",),
    category="Area Type ",
    area="Area Name ",
    zone=_LA_ZONE,
)
_DENVER_SERVICES = "/zdB7qR0BtYrg0Xpl/arcgis/rest/services"
ACCIDENTS = Feed(
    name="denver_traffic_accidents",
    title="ODC_CRIME_TRAFFICACCIDENTS5YR_P",
    kind="arcgis",
    address=f"{_DENVER_SERVICES}/ODC_CRIME_TRAFFICACCIDENTS5YR_P/FeatureServer",
    columns=_columns(
        "incident_id offense_id offense_code offense_code_extension top_traffic_accident_offense "
        "first_occurrence_date last_occurrence_date reported_date incident_address geo_x geo_y geo_lon "
        "geo_lat district_id precinct_id neighborhood_id bicycle_ind pedestrian_ind HARMFUL_EVENT_SEQ_1 "
        "ROAD_LOCATION ROAD_CONDITION LIGHT_CONDITION TU1_VEHICLE_TYPE TU2_VEHICLE_TYPE SERIOUSLY_INJURED "
        "FATALITIES POINT_X POINT_Y",
        first_occurrence_date="epoch_ms",
        last_occurrence_date="epoch_ms",
        reported_date="epoch_ms",
        geo_lon="number",
        geo_lat="number",
        bicycle_ind="number",
        pedestrian_ind="number",
        SERIOUSLY_INJURED="number",
        FATALITIES="number",
    ),
    key="incident_id",
    event=("first_occurrence_date",),
    category="top_traffic_accident_offense",
    area="neighborhood_id",
    zone="America/Denver",
)
DENVER_311 = Feed(
    name="denver_311",
    title="ODC_service_requests_311",
    kind="arcgis",
    address=f"{_DENVER_SERVICES}/ODC_service_requests_311/FeatureServer",
    columns=_columns(
        "Case_Summary Case_Status Case_Source Case_Created_Date Case_Created_dttm Case_Closed_Date "
        "Case_Closed_dttm First_Call_Resolution Customer_Zip_Code Incident_Address_1 Incident_Address_2 "
        "Incident_Intersection_1 Incident_Intersection_2 Incident_Zip_Code Longitude Latitude Agency Division "
        "Major_Area Type Topic Council_District Police_District Neighborhood",
        Case_Created_Date="epoch_ms",
        Case_Closed_Date="epoch_ms",
        Longitude="number",
        Latitude="number",
    ),
    key="",
    event=("Case_Created_dttm",),
    category="Agency",
    area="Council_District",
    zone="America/Denver",
)

FEEDS: dict[str, Feed] = {
    feed.name: feed
    for feed in (
        AUSTIN, SAN_DIEGO, LA_2010, LA_2020, LA_NIBRS, HATE_FACTS, HATE_PERSONS, LAUS, ACCIDENTS, DENVER_311
    )
}  # fmt: skip
"""The feeds with rows of a shape of their own (``makers``), by name; another dataset is a file in ``described/``."""
