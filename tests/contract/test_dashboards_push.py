"""Pushing dashboards and alerts to a Grafana: everything once, nothing twice, and what would change before it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from grafana_stub import TOKEN, Kept, grafana
from typer.testing import CliRunner, Result

from civicwire.cli import app
from civicwire.grafana.push import differences
from dashboards import alerts
from dashboards.folders import FOLDERS
from schemas.errors import CivicwireError

BOARDS = sum(len(folder.dashboards) for folder in FOLDERS)


@pytest.fixture
def there() -> Iterator[Kept]:
    with grafana() as kept:
        yield kept


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: Kept) -> None:
    for name, value in {
        "HOME": str(tmp_path),
        "WAREHOUSE": "http://127.0.0.1:9050",
        "DATASET": "elsewhere",
        "GRAFANA": there.url,
        "GRAFANA_TOKEN": TOKEN,
        "PROMETHEUS": "http://127.0.0.1:9090",
        "ALERT_WEBHOOK": "http://127.0.0.1:8000/hook",
        "DOCS": "https://example.org/docs/",
    }.items():
        monkeypatch.setenv(f"CIVICWIRE_{name}", value)


def push(*words: str) -> Result:
    return CliRunner().invoke(app, ["dashboards", "push", *words])


def states(told: Result) -> set[str]:
    return {line.split()[0] for line in told.stdout.splitlines() if line.strip()}


def test_a_push_puts_everything_there(there: Kept):
    told = push()
    assert told.exit_code == 0, told.output
    assert set(there.folders) == {folder.uid for folder in FOLDERS}
    assert set(there.datasources) == {"civicwire-bigquery", "civicwire-prometheus"}
    assert (
        there.datasources["civicwire-bigquery"]["jsonData"]["serviceEndpoint"] == "http://127.0.0.1:9050/bigquery/v2/"
    )
    assert len(there.dashboards) == BOARDS
    (group,) = there.groups.values()
    assert {rule["uid"] for rule in group["rules"]} == {one.uid for one in alerts.ALERTS}


def test_a_push_fills_in_what_grafana_has_no_environment_for(there: Kept):
    push()
    kept = json.dumps([there.datasources, there.dashboards, list(there.groups.values()), there.contact_points])
    assert "${CIVICWIRE" not in kept
    (group,) = there.groups.values()
    silent = next(rule for rule in group["rules"] if rule["uid"] == "civicwire-feed-silent")
    assert "from elsewhere_marts.feed_status" in silent["data"][0]["model"]["rawSql"]
    assert silent["annotations"]["runbook_url"] == "https://example.org/docs/runbooks/feed-silent.md"
    assert "{{ $labels.source }}" in silent["annotations"]["summary"], "templates are escaped in files only"
    variables = there.dashboards["civicwire-austin"]["dashboard"]["templating"]["list"]
    assert [one["query"] for one in variables if one["name"] == "dataset"] == ["elsewhere"]


def test_a_second_push_changes_nothing(there: Kept):
    push()
    there.requests.clear()
    told = push()
    assert told.exit_code == 0
    assert states(told) == {"same"}
    assert there.writes == []


def test_diff_says_what_would_change_and_changes_nothing(there: Kept):
    assert states(push("--diff")) == {"new"}
    assert there.writes == []
    push()
    board = there.dashboards["civicwire-austin"]["dashboard"]
    panel = next(one for one in board["panels"] if one["id"] == 11)
    panel["title"] = "Renamed in the browser"
    there.requests.clear()
    told = push("--diff")
    assert "changed  dashboard civicwire-austin" in told.stdout
    assert 'title: "Renamed in the browser" -> "Reports per year"' in told.stdout
    assert there.writes == []
    push()
    assert there.writes == [("POST", "dashboards/db")]
    assert states(push()) == {"same"}


def test_a_dashboard_that_was_moved_is_moved_back(there: Kept):
    push()
    there.dashboards["civicwire-truth"]["meta"]["folderUid"] = "somewhere"
    assert "meta.folderUid" in push("--diff").stdout
    push()
    assert there.dashboards["civicwire-truth"]["meta"]["folderUid"] == "civicwire-folder-feeds"


def test_without_prometheus_rules_about_parts_are_left_out(there: Kept, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CIVICWIRE_PROMETHEUS")
    told = push()
    assert told.exit_code == 0, told.output
    assert "CIVICWIRE_PROMETHEUS" in told.stdout
    (group,) = there.groups.values()
    assert {rule["uid"] for rule in group["rules"]} == {one.uid for one in alerts.ALERTS if one.sql}


def test_alerts_go_by_mail_or_by_grafanas_own_policies(there: Kept, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CIVICWIRE_ALERT_WEBHOOK")
    assert push().exit_code == 0
    assert there.contact_points == {}
    (group,) = there.groups.values()
    assert not any("notification_settings" in rule for rule in group["rules"])
    monkeypatch.setenv("CIVICWIRE_ALERT_EMAIL", "a@example.org;b@example.org")
    assert push().exit_code == 0
    assert there.contact_points["civicwire-alerts"]["settings"]["addresses"] == "a@example.org;b@example.org"


def test_json_tells_every_thing_and_its_state():
    answer = json.loads(push("--diff", "--json").stdout)
    assert answer["pushed"] is False
    assert len(answer["changes"]) == len(FOLDERS) + 2 + BOARDS + 1 + 1
    assert {one["state"] for one in answer["changes"]} == {"new"}


def failed(*words: str) -> CivicwireError:
    told = push(*words)
    assert isinstance(told.exception, CivicwireError), told.exception
    return told.exception


def test_a_wrong_token_and_a_missing_one_say_what_to_set(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CIVICWIRE_GRAFANA_TOKEN", "wrong")
    assert "service account" in str(failed())
    monkeypatch.delenv("CIVICWIRE_GRAFANA_TOKEN")
    assert "CIVICWIRE_GRAFANA_TOKEN" in str(failed())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:9", "No Grafana answers"),
        ("grafana", "no address"),
        ("http://admin:secret@127.0.0.1:3000", "holds a password"),
    ],
)
def test_an_address_that_does_not_do_says_so(url: str, words: str):
    message = str(failed("--url", url))
    assert words in message
    assert "secret" not in message


def test_a_grafana_that_fails_is_told_from_one_that_refuses(there: Kept):
    there.fails_with = 503
    assert "try again" in str(failed())
    there.fails_with = 422
    assert "refused" in str(failed())


def test_fields_that_grafana_adds_are_no_difference_and_lost_ones_are():
    assert list(differences({"a": 1, "b": {"c": []}}, {"a": 1, "b": {"c": None, "d": 2}, "id": 3})) == []
    assert list(differences({"a": {"b": 1}}, {"a": {}})) == ["a.b: null -> 1"]
    assert list(differences({"a": [1, 2]}, {"a": [1]})) == ["a: [1] -> [1, 2]"]
