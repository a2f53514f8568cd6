"""``civicwire source`` asks a portal, says what it guessed, writes files, and never touches one that exists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from civicwire.sandbox.client import SandboxClient
from civicwire.scaffold.propose import Wanted, propose, write
from civicwire.settings import ROOT
from producers import catalog
from producers.http import Portal
from schemas import loader
from schemas.errors import ConfigError, FatalError, RetriableError

SPRINGFIELD = (ROOT / "docs" / "springfield.yaml").read_text(encoding="utf-8")
KEY = "springfield_incidents"
PAGE = "/Public-Safety/Police-Incidents/spr1-ngfd"
SAID = ("--time-zone", "America/Chicago", "--kind", "crime_report")
FILES = {
    f"producers/sources/{KEY}.yaml",
    f"schemas/raw/{KEY}.avsc",
    f"stream_jobs/normalize/{KEY}.sql",
    f"stream_jobs/crosswalks/{KEY}/offense_code.csv",
    f"stream_jobs/crosswalks/{KEY}/report_status_code.csv",
    f"civicwire/sandbox/described/{KEY}.yaml",
}


@pytest.fixture
def springfield(portal: SandboxClient) -> SandboxClient:
    portal.publish(SPRINGFIELD)
    portal.seed(KEY, 300)
    portal.clear_requests()
    return portal


def wanted(portal: SandboxClient, path: str = PAGE, **more: Any) -> Wanted:
    return Wanted(
        **{"key": KEY, "url": portal.base_url + path, "time_zone": "America/Chicago", "kind": "crime_report"} | more
    )


def new(checkout: Any, portal: SandboxClient, *arguments: str) -> Any:
    return checkout.run("civicwire.cli", "source", "new", KEY, "--from", portal.base_url + PAGE, *arguments)


def test_new_writes_every_file_of_a_feed_says_its_guesses_and_passes_its_own_check(
    checkout: Any, springfield: SandboxClient
) -> None:
    before = checkout.files()
    done = new(checkout, springfield, *SAID)
    assert done.returncode == 0, done.stderr
    assert checkout.files() - before == FILES
    assert "Police Incidents: 9 columns, a sample of 300 of 300 rows" in done.stdout
    assert "the portal itself calls it the row identifier" in done.stdout
    source = (checkout.folder / f"producers/sources/{KEY}.yaml").read_text(encoding="utf-8")
    assert "event_time: occurred_on  # guessed: by its name and the form of its values" in source
    assert yaml.safe_load(source)["vocabularies"] == ["offense", "report_status", "patrol_beat"]
    checked = checkout.run("civicwire.cli", "source", "check")
    assert checked.returncode == 0, checked.stderr
    assert f"{KEY}: source, schema, SQL and crosswalks fit together" in checked.stdout


def test_a_dry_run_prints_the_same_files_and_writes_none(checkout: Any, springfield: SandboxClient) -> None:
    before = checkout.files()
    printed = new(checkout, springfield, *SAID, "--dry-run", "--json")
    assert printed.returncode == 0, printed.stderr
    assert checkout.files() == before
    files = json.loads(printed.stdout)["files"]
    assert set(files) == FILES
    assert f"--- schemas/raw/{KEY}.avsc\n" in new(checkout, springfield, *SAID, "--dry-run").stdout
    new(checkout, springfield, *SAID)
    assert {name: (checkout.folder / name).read_text(encoding="utf-8") for name in files} == files


def test_nothing_that_exists_is_overwritten_and_then_nothing_is_written(
    springfield: SandboxClient, tmp_path: Path
) -> None:
    proposal = propose(wanted(springfield), tmp_path)
    mine = tmp_path / f"stream_jobs/normalize/{KEY}.sql"
    mine.parent.mkdir(parents=True)
    mine.write_text("-- mine\n", encoding="utf-8")
    for attempt in (lambda: propose(wanted(springfield), tmp_path), lambda: write(proposal, tmp_path)):
        with pytest.raises(
            ConfigError, match=r"Nothing was written, because .*exists: remove it or choose another key"
        ):
            attempt()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]
    assert mine.read_text(encoding="utf-8") == "-- mine\n"


def test_the_portal_is_asked_little_and_a_sample_is_bounded(springfield: SandboxClient, tmp_path: Path) -> None:
    springfield.seed(KEY, 3_000)
    springfield.clear_requests()
    proposal = propose(wanted(springfield), tmp_path)
    assert len(springfield.requests()) == 3
    assert (len(proposal.draft.dataset.rows), proposal.draft.dataset.total) == (1_000, 3_000)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            (),
            "--time-zone, the IANA zone of the feed's civil times, like America/Chicago; and --kind, one of",
        ),
        (("--time-zone", "Springfield", "--kind", "crime_report"), "write --time-zone like America/Chicago"),
        (("--time-zone", "America/Chicago", "--kind", "crimes"), "give --kind one of crime_report"),
        (("--time-zone", "America/Chicago", "--kind", "indicator"), "or california_laus and adapt them"),
        ((*SAID, "--event-time", "when"), "give --event-time one of incident_no, occurred_on"),
        ((*SAID, "--record-id", "number"), "give --record-id one of incident_no"),
    ],
)
def test_what_only_a_person_can_say_is_asked_for_with_exit_code_2(
    checkout: Any, springfield: SandboxClient, arguments: tuple[str, ...], told: str
) -> None:
    done = new(checkout, springfield, *arguments)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("key", ["Springfield", "1st", "a-b", "../evil", "x" * 41, ""])
def test_a_key_that_is_no_name_is_refused(springfield: SandboxClient, tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match="is no key"):
        propose(wanted(springfield, key=key), tmp_path)


def test_a_portal_that_has_no_such_dataset_no_rows_or_another_protocol_ends_in_a_sentence(
    portal: SandboxClient, tmp_path: Path
) -> None:
    portal.publish(SPRINGFIELD)
    portal.seed(KEY, 0)
    with pytest.raises(ConfigError, match="has no rows yet"):
        propose(wanted(portal), tmp_path)
    with pytest.raises(FatalError, match="still public"):
        propose(wanted(portal, "/d/none-here"), tmp_path)
    with pytest.raises((FatalError, RetriableError)):
        propose(wanted(portal, PAGE, protocol="csv_file"), tmp_path)


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"columns": 7}', b'{"columns": [{}]}', b"<html>", b"\xff\xfe", b""])
def test_whatever_a_portal_answers_it_ends_in_an_error_of_ours(
    portal: SandboxClient, tmp_path: Path, answer: bytes
) -> None:
    portal.put_file("/api/views/odd1-odd1.json", answer, content_type="application/json")
    with pytest.raises((ConfigError, FatalError, RetriableError)):
        propose(wanted(portal, "/d/odd1-odd1"), tmp_path)
    portal.delete_file("/api/views/odd1-odd1.json")


def test_a_column_that_the_model_gets_is_left_to_its_default_and_one_without_is_refused(
    springfield: SandboxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = loader.document("incident")
    grown = [{"name": "unheard_of", "type": ["null", "double"], "default": None, "doc": "New."}]
    document = loader.document

    def known(name: str) -> dict[str, Any]:
        return {**incident, "fields": [*incident["fields"], *grown]} if name == "incident" else document(name)

    monkeypatch.setattr(loader, "document", known)
    sql = propose(wanted(springfield), tmp_path).files[f"stream_jobs/normalize/{KEY}.sql"]
    assert "unheard_of" not in sql
    for field in incident["fields"]:
        assert "default" in field or field["name"] in sql
    grown.append({"name": "must_be_said", "type": "double", "doc": "New."})
    with pytest.raises(FatalError, match="new column must_be_said"):
        propose(wanted(springfield), tmp_path)


def test_a_path_with_a_year_becomes_a_file_for_each_year(portal: SandboxClient, tmp_path: Path) -> None:
    described = yaml.safe_load(SPRINGFIELD) | {"protocol": "csv", "address": "/open/incidents_{year}.csv"}
    portal.publish(yaml.safe_dump(described))
    year = portal.seed(KEY, 100)["until"][:4]
    files = propose(wanted(portal, f"/open/incidents_{year}.csv"), tmp_path).files
    protocol = yaml.safe_load(files[f"producers/sources/{KEY}.yaml"])["protocol"]
    assert protocol["path"] == "/open/incidents_{year}.csv"
    assert protocol["years"] in (["current"], [int(year)])


@pytest.mark.parametrize("limit", [100_000, 4 << 20])
def test_of_a_long_file_only_its_beginning_is_read(portal: SandboxClient, limit: int) -> None:
    content = b"case_id,date\n" + b"".join(b"%d,2026-01-01\n" % n for n in range(100_000))
    portal.put_file("/open/long.csv", content)
    protocol = catalog.CsvFile(name="csv_file", host=portal.base_url, path="/open/long.csv")
    reader = Portal(catalog.Source.model_construct(key=KEY, protocol=protocol))
    answer = reader.get("/open/long.csv", first_bytes=limit)
    assert answer.body.read() == content[:limit]
    reader.close()


BROKEN = [
    ("producers/sources/{}.yaml", "record_id: [incident_no]", "record_id: [number]", "'number' is no column"),
    ("schemas/raw/{}.avsc", '"name": "late"', '"name": "later"', "copy them from one of these"),
    ("schemas/raw/{}.avsc", '"doc": "Report Status."', '"doc": ""', "report_status has no doc"),
    ("stream_jobs/normalize/{}.sql", "insert into dead_letters", "insert into drift", "or rows vanish"),
    ("stream_jobs/crosswalks/{}/offense_code.csv", "BURGLARY,burglary", "BURGLARY,stealing", "stealing is no category"),
    ("stream_jobs/normalize/{}.sql", "{{ status }}", "'open'", "report_status_code.csv is used nowhere"),
    ("civicwire/sandbox/described/{}.yaml", "event: occurred_on", "event: nowhere", "'nowhere' is none of the columns"),
]


@pytest.mark.parametrize("change", BROKEN)
def test_check_names_the_file_that_does_not_fit_and_the_fix(
    checkout: Any, springfield: SandboxClient, change: tuple[str, str, str, str]
) -> None:
    file, old, broken, told = change
    write(propose(wanted(springfield), checkout.folder), checkout.folder)
    path = checkout.folder / file.format(KEY)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, broken), encoding="utf-8")
    done = checkout.run("civicwire.cli", "source", "check", KEY)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_check_of_a_feed_that_does_not_exist_lists_those_that_do(checkout: Any) -> None:
    done = checkout.run("civicwire.cli", "source", "check", "nowhere")
    assert done.returncode == 2
    assert "use one of austin_crime_reports" in " ".join(done.stderr.split())


def test_codes_are_mapped_where_their_words_are_obvious(springfield: SandboxClient, tmp_path: Path) -> None:
    write(propose(wanted(springfield), tmp_path), tmp_path)
    text = (tmp_path / f"stream_jobs/crosswalks/{KEY}/offense_code.csv").read_text(encoding="utf-8")
    assert dict(line.split(",") for line in text.splitlines()[1:]) == {
        "BURGLARY": "burglary",
        "DONUT RELATED": "unmapped",
        "GRAND THEFT": "theft",
        "SIMPLE ASSAULT": "assault",
        "VANDALISM": "vandalism",
        "VEHICLE THEFT": "vehicle_theft",
    }
