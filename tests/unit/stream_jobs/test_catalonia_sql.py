"""Catalonia's hate crimes in, incidents and dead letters out, through the SQL that runs in production."""

from __future__ import annotations

import csv
import fnmatch
import os
from collections import Counter
from pathlib import Path
from typing import Any

import feed_run
import pytest
from stream_rows import NO_VALUES

from civicwire.settings import ROOT
from producers import catalog
from schemas import topics
from stream_jobs import crosswalk

FACTS = "catalonia_hate_facts"
PERSONS = "catalonia_hate_persons"
API_NAMES = {
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


def real_rows() -> list[dict[str, str | None]]:
    """The real file as the API gives it: its own names, no key for an empty value; none where it is absent."""
    folder = Path(os.environ.get("CIVICWIRE_REAL_DATA", ROOT.parent / "shared" / "data")) / "catalonia"
    rows: list[dict[str, str | None]] = []
    for path in folder.glob("fets_odi_discriminacio_*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows += [{API_NAMES[name]: value or None for name, value in row.items()} for row in csv.DictReader(lines)]
    return rows


def fact(**values: str | None) -> dict[str, str | None]:
    return {
        "any": "2023",
        "n_m_mes": "7",
        "nom_mes": "juliol",
        "regi_policial_rp": "RP  Metropolitana Nord",
        "rea_b_sica_policial_abp": "ABP  Badalona ",
        "prov_ncia": "Barcelona",
        "comarca": "Barcelonès",
        "municipi": "Badalona",
        "tipus_de_lloc_dels_fets": "Via Pública urbana",
        "canal_dels_fets": "Presencial",
        "tipus_de_fet": "DELICTES",
        "t_tol_del_fet_codi_penal": "Lesions",
        "tipus_de_fet_codi_penal_o": "Lesions (lleu)",
        "mbit_fet": "LGTBI-fòbia",
        "nombre_fets_o_infraccions": "1",
        **values,
    }


def person(**values: str | None) -> dict[str, str | None]:
    return {
        "any": "2023",
        "num_mes": "7",
        "nom_mes": "juliol",
        "area_basica_policial_abp": "ABP Badalona",
        "provincia": "Barcelona",
        "comarca": "Barcelonès",
        "municipi": "Badalona",
        "tipus_de_fet_codi_penal_o": "Amenaces",
        "ambit_procediment_fet": "LGTBI fòbia",
        "rol_victima_o_autoria": "Víctima",
        "sexe": "Dona",
        "edat_inici_fets": "34",
        "nombre": "1",
        **values,
    }


FACT_CASES = {
    "good": fact(),
    "padded month": fact(n_m_mes="07"),
    "by name": fact(n_m_mes=None, nom_mes=" Març "),
    "13": fact(n_m_mes="13", nom_mes="DESEMBRE"),
    "two months": fact(n_m_mes="1", nom_mes="febrer"),
    "no month": fact(n_m_mes=None, nom_mes=None),
    "no year": fact(any=None),
    "odd month": fact(n_m_mes="x", nom_mes="y"),
    "odd year": fact(any="20xx"),
    "long ago": fact(any="0204"),
    "masked": fact(municipi="Resta municipis ABP Anoia"),
    "masked again": fact(municipi="Resta de municipis ABP Anoia"),
    "virtual": fact(
        rea_b_sica_policial_abp="ABP Virtual",
        prov_ncia="Província virtual",
        comarca="Comarca Virtual",
        municipi="Municipi Virtual",
        canal_dels_fets="Int. i/o Xarxes",
    ),
    "nowhere": fact(rea_b_sica_policial_abp=None, municipi=" ", comarca=None, prov_ncia=None),
    "two facts": fact(nombre_fets_o_infraccions="2"),
    "at home": fact(tipus_de_fet_codi_penal_o="Maltractaments en l'àmbit de la llar"),
    "new offence": fact(tipus_de_fet_codi_penal_o="Quelcom de nou"),
    "three victims": fact(nombre_v_ctimes="3"),
    "no offence": fact(tipus_de_fet_codi_penal_o=None, mbit_fet=None),
}
VARIANTS = {
    "hate_crime": [
        "Contra exer. drets fonamentals i llib. públiques",
        "CONTRA EXER. DRETS FONAMENTALS I LLIB. PÚBLIQUES",
        "Contra exer. drets  fonamentals i llib. Públiques",
        "Contra exercici drets fonamentals i llibertats públiques",
        "Expressions, càntics, pancartes o símbols amb cont",
        "Assetjament/comportament agressiu vers col·lectiu",
    ],
    "assault": [
        "Lesions",
        "LESIONS",
        "lesions (lleu)",
        "Amenaces (lleu)",
        "Maltractament d\u2019obra sense lesió (lleu)",
    ],
    "disorder": ["Assetjament", "assetjament sexual", "Actes d\u2019exhibició obscena/atemptat llibertat sexual"],
    "theft": ["Furt", "FURT (lleu)", "Robatori amb força interior vehicle"],
    "burglary": ["Robatori amb força"],
    "family_disturbance": [
        "Violència fís/psíq habitual a l'àmbit familiar",
        "Vexacions i/o injuries pers.173.2 (lleu)",
    ],
}
MOTIVES = {
    "lgtbi_phobia": ["LGTBI-fòbia", "LGTBI fòbia", "lgtbi-FÒBIA "],
    "ethnic_or_racial_origin": [
        "Etnic/origen nacional/origen racial",
        "Ètnic/origen nacional/origen racial",
        "Ètnia/origen nacional/origen racial",
        "Ètnic, origen nacional i/o racial",
    ],
    "none_given": ["Sense àmbit", "sense àmbit"],
    "disability": ["Discapacitat físic/sensorial", "Discapacitat física/sensorial"],
    "other": ["POE Oci nocturn", "Esportiu", "Bullying (menors d\u2019edat)"],
    "unmapped": ["Quelcom de nou"],
}
PERSON_CASES = {
    "good": person(),
    "author": person(rol_victima_o_autoria="Persones autores", sexe="HOME", edat_inici_fets="34.0"),
    "unknown": person(rol_victima_o_autoria="Testimoni", sexe=None, edat_inici_fets="150", nombre=None),
    "words": person(rol_victima_o_autoria="Persona autora", edat_inici_fets="quaranta"),
    "said to be unknown": person(sexe="Desconegut", rol_victima_o_autoria=None),
    "newborn": person(edat_inici_fets="0"),
    "oldest": person(edat_inici_fets="110"),
    "too old": person(edat_inici_fets="111"),
    "unborn": person(edat_inici_fets="-1"),
    "two": person(nombre="2"),
}
ROLES = ["Víctima", "víctima", "Víctimes", "Victimes", "Persona autora", "PERSONES AUTORES"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> feed_run.Made:
    offences = [word for words in VARIANTS.values() for word in words]
    motives = [word for words in MOTIVES.values() for word in words]
    events = {
        FACTS: [
            *(feed_run.event(FACTS, name, row) for name, row in FACT_CASES.items()),
            *(feed_run.event(FACTS, f"offence {w}", fact(tipus_de_fet_codi_penal_o=w)) for w in offences),
            *(feed_run.event(FACTS, f"motive {w}", fact(mbit_fet=w)) for w in motives),
            feed_run.event(FACTS, "deleted", fact(), revision=2, op="delete"),
            feed_run.event(FACTS, "expired", fact(), revision=2, op="expire"),
            feed_run.event(FACTS, "spoilt", fact(any="x"), revision=2, op="revise"),
            feed_run.event(FACTS, "deleted bad", fact(any="x"), revision=2, op="delete"),
            *(feed_run.event(FACTS, record_id, row) for record_id, row in feed_run.shaped(FACTS, real_rows())),
        ],
        PERSONS: [
            *(feed_run.event(PERSONS, name, row) for name, row in PERSON_CASES.items()),
            *(feed_run.event(PERSONS, f"role {w}", person(rol_victima_o_autoria=w)) for w in ROLES),
            feed_run.event(PERSONS, "expired", person(), revision=2, op="expire"),
            feed_run.event(PERSONS, "spoilt", person(any="x"), revision=2, op="revise"),
            feed_run.event(PERSONS, "bad", person(any="x")),
        ],
    }
    return feed_run.run(tmp_path_factory.mktemp("catalonia"), events)


@pytest.fixture(scope="module")
def incident(made: feed_run.Made) -> Any:
    """Look an incident up by record id and revision; None where there is none."""
    found = made.by(topics.INCIDENTS, "record_id", "revision")

    def look(record_id: str, revision: int = 1) -> dict[str, Any] | None:
        return found.get((record_id, revision))

    return look


@pytest.fixture(scope="module")
def person_of(made: feed_run.Made) -> Any:
    """Look a person up by record id and revision; None where there is none."""
    found = made.by(topics.PERSONS, "record_id", "revision")

    def look(record_id: str, revision: int = 1) -> dict[str, Any] | None:
        return found.get((record_id, revision))

    return look


def test_a_fact_becomes_an_incident_of_its_month(incident):
    assert incident("good") == {
        **NO_VALUES,
        "incident_id": f"{FACTS}:good",
        "source": FACTS,
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "hate_crime",
        "occurred_local": "2023-07-01T00:00:00",
        "occurred_at": "2023-06-30T22:00:00",
        "time_precision": "month",
        "time_zone": "Europe/Madrid",
        "category": "assault",
        "crime_against": "person",
        "code": "Lesions (lleu)",
        "description": "Lesions",
        "motive": "lgtbi_phobia",
        "motive_code": "LGTBI-fòbia",
        "status": "unknown",
        "area_kind": "police_area",
        "area": "ABP Badalona",
        "place": "Badalona, Barcelonès, Barcelona",
        "premise": "Via Pública urbana",
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "poll_id": f"{FACTS}@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }


@pytest.mark.parametrize(
    ("record_id", "occurred", "flags"),
    [
        ("padded month", "2023-07-01T00:00:00", ""),
        ("by name", "2023-03-01T00:00:00", "month_from_name"),
        ("13", "2023-12-01T00:00:00", "month_from_name"),
        ("two months", "2023-01-01T00:00:00", "month_mismatch"),
    ],
)
def test_the_month_is_its_number_or_else_its_catalan_name(incident, record_id, occurred, flags):
    found = incident(record_id)
    assert (found["occurred_local"], found["quality_flags"]) == (occurred, flags)


@pytest.mark.parametrize(
    ("record_id", "reason"),
    [
        ("no month", "event_time_missing"),
        ("no year", "event_time_missing"),
        ("odd month", "event_time_unparsable"),
        ("odd year", "event_time_unparsable"),
        ("long ago", "event_time_out_of_range"),
    ],
)
def test_a_row_without_usable_month_is_a_dead_letter_and_no_incident(made, incident, record_id, reason):
    assert incident(record_id) is None
    assert f"{FACTS}:{record_id}:1:{reason}" in made.by(topics.DEAD_LETTERS, "dead_id")


@pytest.mark.parametrize(
    ("record_id", "flags"),
    [
        ("masked", "place_masked"),
        ("masked again", "place_masked"),
        ("virtual", "place_online,place_virtual"),
        ("nowhere", "area_unknown,place_unknown"),
        ("two facts", "count_not_one"),
    ],
)
def test_what_is_known_of_the_place_and_the_count_is_flagged(incident, record_id, flags):
    assert incident(record_id)["quality_flags"] == flags


@pytest.mark.parametrize(("category", "word"), [(c, w) for c, words in VARIANTS.items() for w in words])
def test_every_spelling_of_an_offence_reaches_its_category(incident, category, word):
    assert incident(f"offence {word}")["category"] == category


@pytest.mark.parametrize(("motive", "word"), [(m, w) for m, words in MOTIVES.items() for w in words])
def test_every_spelling_of_a_motive_is_one_motive(incident, motive, word):
    found = incident(f"motive {word}")
    assert (found["motive"], found["motive_code"]) == (motive, word.strip())


def test_an_offence_outside_the_crosswalk_stays_unmapped(incident):
    assert [incident(name)["category"] for name in ("new offence", "no offence")] == ["unmapped", "unmapped"]
    assert [incident("no offence")[name] for name in ("code", "motive", "motive_code")] == [None, None, None]


def test_harm_inside_the_family_is_marked(incident):
    assert incident("at home")["domestic"] is True


def test_victims_are_counted_where_the_feed_counts_them(incident):
    assert [incident(name)["victims"] for name in ("three victims", "good")] == [3, None]


def test_only_a_delete_and_a_spoilt_revision_end_an_incident(made, incident):
    ends = [(one["op"], one["deleted"]) for one in (incident(name, 2) for name in ("deleted", "expired", "spoilt"))]
    assert ends == [("delete", True), ("expire", False), ("withdraw", True)]
    spoilt = incident("spoilt", 2)
    assert (spoilt["occurred_local"], spoilt["occurred_at"], spoilt["time_precision"]) == (None, None, None)
    letters = made.by(topics.DEAD_LETTERS, "dead_id")
    assert f"{FACTS}:spoilt:2:event_time_unparsable" in letters
    assert not [dead_id for dead_id in letters if ":deleted bad:" in dead_id]


def test_a_person_is_no_incident_and_has_every_field(made, person_of):
    assert {one["source"] for one in made.records[topics.INCIDENTS.name]} == {FACTS}
    assert person_of("good") == {
        "person_id": f"{PERSONS}:good",
        "source": PERSONS,
        "record_id": "good",
        "revision": 1,
        "op": "insert",
        "deleted": False,
        "late": False,
        "kind": "hate_crime",
        "role": "victim",
        "role_code": "Víctima",
        "sex": "female",
        "sex_code": "Dona",
        "age": 34,
        "age_code": "34",
        "motive": "lgtbi_phobia",
        "motive_code": "LGTBI fòbia",
        "occurred_local": "2023-07-01T00:00:00",
        "occurred_at": "2023-06-30T22:00:00",
        "time_precision": "month",
        "time_zone": "Europe/Madrid",
        "category": "assault",
        "crime_against": "person",
        "code": "Amenaces",
        "area_kind": "police_area",
        "area": "ABP Badalona",
        "place": "Badalona, Barcelonès, Barcelona",
        "premise": None,
        "domestic": None,
        "quality_flags": "",
        "observed_at": "2026-11-20T12:00:00",
        "source_updated_at": None,
        "poll_id": f"{PERSONS}@20261120T120000.000000Z",
        "raw_partition": 1,
        "raw_offset": 0,
    }


@pytest.mark.parametrize(
    ("record_id", "described", "flags"),
    [
        ("author", ("author", "male", 34), ""),
        ("unknown", ("unmapped", None, None), "age_unknown,role_unknown,sex_unknown"),
        ("words", ("author", "female", None), "age_unknown"),
        ("said to be unknown", (None, "unknown", 34), "role_unknown,sex_unknown"),
        ("newborn", ("victim", "female", 0), ""),
        ("oldest", ("victim", "female", 110), ""),
        ("too old", ("victim", "female", None), "age_impossible"),
        ("unborn", ("victim", "female", None), "age_impossible"),
        ("two", ("victim", "female", 34), "count_not_one"),
    ],
)
def test_a_person_is_role_sex_and_age_as_far_as_they_are_known(person_of, record_id, described, flags):
    found = person_of(record_id)
    assert ((found["role"], found["sex"], found["age"]), found["quality_flags"]) == (described, flags)


def test_what_was_published_of_a_person_stands_beside_what_it_means(person_of):
    found = person_of("unknown")
    assert (found["role_code"], found["sex_code"], found["age_code"]) == ("Testimoni", None, "150")


@pytest.mark.parametrize("role", ROLES)
def test_every_spelling_of_a_role_is_one_role(person_of, role):
    wanted = "victim" if role.lower().startswith("v") else "author"
    assert person_of(f"role {role}")["role"] == wanted


def test_a_spoilt_revision_withdraws_a_person_and_an_expired_one_stays(made, person_of):
    ends = [(one["op"], one["deleted"]) for one in (person_of(name, 2) for name in ("expired", "spoilt"))]
    assert ends == [("expire", False), ("withdraw", True)]
    assert person_of("spoilt", 2)["occurred_local"] is None
    assert person_of("bad") is None
    letters = {dead_id for dead_id in made.by(topics.DEAD_LETTERS, "dead_id") if dead_id.startswith(PERSONS)}
    assert letters == {f"{PERSONS}:{name}:event_time_unparsable" for name in ("spoilt:2", "bad:1")}


def test_persons_and_facts_share_their_vocabulary():
    assert crosswalk.of_source(FACTS) == crosswalk.of_source(PERSONS)


def test_the_names_of_an_earlier_year_are_renamed_to_those_of_2025():
    earlier = {
        "n_m_mes": "7",
        "nom_mes": "juliol",
        "any": "2022",
        "rea_b_sica_policial_abp": "ABP Badalona",
        "prov_ncia": "Barcelona",
        "mbit_fet": "Sexisme",
        "rol": "Víctima",
        "edat": "20",
        "nombre_v_ctimes": "1",
    }
    ((_, known),) = feed_run.shaped(PERSONS, [earlier])
    assert {"num_mes", "provincia", "ambit_procediment_fet", "rol_victima_o_autoria", "nombre"} <= set(known)
    assert set(catalog.find(PERSONS).renames.values()) <= set(catalog.find(PERSONS).columns)


def test_two_equal_persons_are_two_persons():
    assert len({record_id for record_id, _ in feed_run.shaped(PERSONS, [person(), person()])}) == 2


def test_every_real_fact_becomes_an_incident_of_its_year(made, incident, real_data):
    record_ids = [record_id for record_id, _ in feed_run.shaped(FACTS, real_rows())]
    assert len(record_ids) == len(set(record_ids)) == 3_102
    incidents = [incident(record_id) for record_id in record_ids]
    years = Counter(one["occurred_local"][:4] for one in incidents)
    assert years == {"2020": 391, "2021": 496, "2022": 641, "2023": 761, "2024": 813}
    assert {one["occurred_local"][7:] for one in incidents} == {"-01T00:00:00"}
    assert {one["code"] for one in incidents if one["category"] == "unmapped"} == set()
    flags = Counter(flag for one in incidents for flag in one["quality_flags"].split(",") if flag)
    masked = sum("esta" in str(row["municipi"]) for row in real_rows())
    assert flags == {"place_masked": masked, "place_online": 276, "place_virtual": 5}
    assert Counter(one["category"] for one in incidents) == CATEGORIES
    assert Counter(one["motive"] for one in incidents) == MOTIVES_COUNTED
    assert Counter(one["crime_against"] for one in incidents) == AGAINST


CATEGORIES = {
    "assault": 1_224,
    "hate_crime": 943,
    "other": 407,
    "kidnapping": 1,
    "vandalism": 231,
    "disorder": 96,
    "theft": 65,
    "robbery": 61,
    "family_disturbance": 25,
    "sexual_assault": 23,
    "homicide": 7,
    "fraud": 5,
    "burglary": 4,
    "trespass": 4,
    "arson": 3,
    "aggravated_assault": 2,
    "drugs": 1,
}
"""All 3,102: none is unmapped. Those of hate_crime and sexual_assault were counted by hand."""
MOTIVES_COUNTED = {
    "lgtbi_phobia": 1_180,
    "ethnic_or_racial_origin": 1_042,
    "political_orientation": 440,
    "islamophobia": 87,
    "sexism": 66,
    "disability": 65,
    "religion": 57,
    "other": 39,
    "none_given": 38,
    "antisemitism": 35,
    "aporophobia": 35,
    "antigypsyism": 14,
    "illness": 3,
    "age": 1,
}
"""Added up from the file's own words, 33 spellings."""
AGAINST = {"person": 1_257, "property": 369, "society": 126, None: 1_350}


def test_the_breaks_of_the_source_file_are_those_of_the_real_rows(real_data):
    of_year: dict[str, Counter[str]] = {}
    for row in real_rows():
        words = " ".join(str(row[name]).lower() for name in ("tipus_de_fet", "mbit_fet", "prov_ncia"))
        seen = of_year.setdefault(str(row["any"]), Counter())
        for word in ("altres ", "administrati", "islam", "gitan", "sense", "virtual"):
            seen[word] += words.startswith(word) if word == "altres " else word in words
        seen["victims"] += row["nombre_v_ctimes"] is not None
    counted = {word: [of_year[year][word] for year in sorted(of_year)] for word in of_year["2020"]}
    assert counted == {
        "altres ": [0, 20, 47, 45, 50],
        "administrati": [9, 12, 7, 47, 76],
        "islam": [0, 0, 22, 36, 29],
        "gitan": [0, 0, 4, 6, 4],
        "sense": [0, 0, 0, 0, 38],
        "virtual": [0, 0, 0, 0, 5],
        "victims": [391, 472, 0, 0, 0],
    }
    assert {one.date.year for one in catalog.find(FACTS).breaks} == {2021, 2022, 2023, 2024}


def test_every_real_offence_is_matched_by_the_crosswalk(real_data):
    known = crosswalk.of_source(FACTS)["category"]
    assert not known.exact.keys() - {"altres"}
    offences = {" ".join(str(row["tipus_de_fet_codi_penal_o"]).lower().split()) for row in real_rows()}
    patterns = [pattern.replace("%", "*").replace("_", "?") for pattern in known.patterns]
    strangers = {one for one in offences if not any(fnmatch.fnmatchcase(one, each) for each in patterns)}
    assert strangers <= set(known.exact)
