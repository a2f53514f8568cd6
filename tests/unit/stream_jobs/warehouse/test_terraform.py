"""The committed JSON of tables and topics is what the code describes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.cloud import bigquery

from schemas import topics
from stream_jobs.warehouse import tables, terraform


def document(path: str) -> dict:
    return json.loads(terraform.documents()[path])


def test_committed_json_is_up_to_date():
    assert terraform.stale() == [], "run `make generate` and commit terraform/"


def test_every_table_and_stage_has_a_file_with_its_columns():
    for table in tables.TABLES:
        written = document(f"tables/{table.name}.json")
        assert [column["name"] for column in written["schema"]] == [column.name for column in table.columns]
        assert (written["partition"]["field"], written["clustering"]) == (table.partition, list(table.cluster))
    assert {path for path in terraform.documents() if path.startswith("tables/stage/")} == {
        f"tables/stage/{stage.name}.json" for stage in tables.STAGES.values()
    }


def test_a_type_has_the_name_by_which_bigquery_answers():
    columns = {column["name"]: column for column in document("tables/incidents.json")["schema"]}
    assert [columns[name]["type"] for name in ("revision", "deleted", "latitude")] == ["INTEGER", "BOOLEAN", "FLOAT"]
    assert (columns["revision"]["mode"], columns["latitude"]["mode"]) == ("REQUIRED", "NULLABLE")


def test_stage_partitions_expire_and_those_of_tables_do_not():
    hours = tables.STAGE_EXPIRES_HOURS
    assert document("tables/stage/incidents.json")["partition"]["expiration_ms"] == hours * 3_600_000
    assert document("tables/incidents.json")["partition"]["expiration_ms"] is None


def test_a_required_partition_filter_reaches_the_file(monkeypatch: pytest.MonkeyPatch):
    plain = tables.Table.definition

    def with_filter(self: tables.Table, project: str, dataset: str) -> bigquery.Table:
        table = plain(self, project, dataset)
        table.require_partition_filter = True
        return table

    assert document("tables/polls.json")["require_partition_filter"] is False
    monkeypatch.setattr(tables.Table, "definition", with_filter)
    assert document("tables/polls.json")["require_partition_filter"] is True


def test_every_feed_has_its_raw_topic():
    written = document("topics.json")
    assert written["raw.san_diego_calls"] == {"partitions": 2, "configs": topics.FOR_EVER}
    assert {topic.name for topic in topics.SHARED} < written.keys()


def test_an_edited_a_missing_and_an_orphaned_file_are_stale(tmp_path: Path):
    terraform.write(tmp_path)
    assert terraform.stale(tmp_path) == []
    (tmp_path / "tables/polls.json").write_text("{}", encoding="utf-8")
    (tmp_path / "tables/stage/drift.json").unlink()
    (tmp_path / "tables/nobody.json").write_text("{}", encoding="utf-8")
    changed = ["tables/nobody.json", "tables/polls.json", "tables/stage/drift.json"]
    assert terraform.stale(tmp_path) == changed
    assert terraform.write(tmp_path) == changed
    assert terraform.stale(tmp_path) == []


def test_check_exits_with_1_and_says_how_to_repair(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["terraform", "--check"])
    monkeypatch.setattr(terraform, "stale", lambda: ["topics.json"])
    assert terraform.main() == 1
    assert "make generate" in capsys.readouterr().err
