"""Every alert rule is complete, has a page that says what to do, and reaches somebody."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from civicwire.settings import ROOT
from dashboards import alerts
from dashboards.__main__ import RULES
from dashboards.folders import FOLDERS, plain

PROVISIONING = ROOT / "dashboards" / "provisioning"
RUNBOOKS = ROOT / "docs" / "runbooks"
GROUP: dict[str, Any] = plain(alerts.group())
FILE: dict[str, Any] = yaml.safe_load((ROOT / "dashboards" / RULES).read_text(encoding="utf-8"))
each = pytest.mark.parametrize("alert", alerts.ALERTS, ids=[one.name for one in alerts.ALERTS])
rules = pytest.mark.parametrize("rule", GROUP["rules"], ids=[one["uid"] for one in GROUP["rules"]])


def test_uids_are_unique_and_short_enough():
    uids = [one.uid for one in alerts.ALERTS]
    assert len(uids) == len(set(uids))
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)


@each
def test_a_rule_has_a_runbook_page_with_its_parts(alert: alerts.Alert):
    page = (RUNBOOKS / f"{alert.name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {alert.title}\n")
    assert f"`{alert.uid}`" in page
    assert ("BigQuery" if alert.sql else "Prometheus") in page.split("## What it means")[0]
    for part in ("## What it means", "## What to do", "## What is at stake"):
        assert part in page
    assert f"({alert.name}.md)" in (RUNBOOKS / "README.md").read_text(encoding="utf-8")


def test_no_runbook_page_is_without_its_rule():
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {one.name for one in alerts.ALERTS}


@each
def test_a_rule_asks_one_data_source_and_has_one_threshold(alert: alerts.Alert):
    assert (alert.sql is None) != (alert.metric is None)
    assert (alert.above is None) != (alert.below is None)


@each
def test_a_rule_leads_to_a_panel_that_exists(alert: alerts.Alert):
    uid, number = alert.dashboard
    boards = [plain(build()) for folder in FOLDERS for build in folder.dashboards.values()]
    board = next(one for one in boards if one["uid"] == uid)
    assert number in {panel["id"] for panel in board["panels"]}


@rules
def test_a_rule_is_complete(rule: dict[str, Any]):
    assert rule["condition"] == "B"
    assert [query["refId"] for query in rule["data"]] == ["A", "B"]
    asked, threshold = rule["data"]
    assert asked["datasourceUid"] in {alerts.WAREHOUSE, alerts.METRICS}
    assert asked["relativeTimeRange"]["from"] > asked["relativeTimeRange"]["to"] == 0
    assert threshold["datasourceUid"] == "__expr__"
    assert threshold["model"]["expression"] == "A"
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook_url"].startswith("${CIVICWIRE_DOCS}/runbooks/")
    assert rule["annotations"]["data_source"]
    assert rule["notification_settings"]["receiver"] == alerts.RECEIVER
    assert rule["isPaused"] is False


@each
def test_a_metric_is_one_that_civicwire_exports(alert: alerts.Alert):
    exporter = (ROOT / "civicwire" / "metrics.py").read_text(encoding="utf-8")
    for name in re.findall(r"civicwire_\w+", alert.metric or ""):
        assert f'"{name.removesuffix("_total")}"' in exporter


def test_the_data_sources_and_the_receiver_are_provisioned():
    found = set()
    for name in ("bigquery.yaml", "prometheus.yaml"):
        found |= {
            one["uid"] for one in yaml.safe_load((PROVISIONING / "datasources" / name).read_text())["datasources"]
        }
    assert found == {alerts.WAREHOUSE, alerts.METRICS}
    for name in ("contact_points.yaml", "contact_points-email.yaml.example"):
        text = (PROVISIONING / "alerting" / name).read_text(encoding="utf-8")
        (point,) = yaml.safe_load(text)["contactPoints"]
        assert point["name"] == alerts.RECEIVER
        assert re.search(r"(url|addresses): \$\{CIVICWIRE_ALERT_\w+\}", text), "an address comes from the environment"


def test_the_file_says_what_the_rules_say_with_templates_escaped():
    (group,) = FILE["groups"]
    assert group["interval"] == f"{alerts.EVERY_SECONDS}s"
    assert group["folder"] in {folder.title for folder in FOLDERS}
    text = json.dumps(group["rules"])
    assert "{{ $labels" not in text, "Grafana would take it for its environment's"
    restored = json.loads(text.replace("$$", "$"))
    sent = [
        {name: value for name, value in rule.items() if name not in {"folderUID", "orgID", "ruleGroup"}}
        for rule in GROUP["rules"]
    ]
    assert restored == sent
