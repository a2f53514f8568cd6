"""How Flink's tables get into broker and registry; no text but the one that goes to Flink holds a secret."""

from __future__ import annotations

import os
import runpy
import sys
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from civicwire.cli import app
from stream_jobs import access, jobs
from stream_jobs.session import SUBMIT
from stream_jobs.tables import Cluster

BROKER, REGISTRY = "broker.example:9092", "https://registry.example"
PASSWORD = 'it\'s "hard" to \\ guess'  # noqa: S105  a password that is nobody's
FEEDS = ["san_diego_calls"]
CLUSTER = Cluster(BROKER, REGISTRY)


@pytest.fixture
def login(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("CIVICWIRE_"):
            monkeypatch.delenv(name)
    ca = tmp_path / "ca.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----\nwhom-we-trust\n", encoding="utf-8")
    for name, value in {
        "HOME": str(tmp_path),
        "KAFKA": BROKER,
        "KAFKA_SECURITY": "sasl_ssl",
        "KAFKA_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_USERNAME": "ada",
        "KAFKA_PASSWORD": PASSWORD,
        "KAFKA_CA": str(ca),
        "REGISTRY": REGISTRY,
        "REGISTRY_USERNAME": "sr",
        "REGISTRY_PASSWORD": "sesame",
    }.items():
        monkeypatch.setenv(f"CIVICWIRE_{name}", value)


def tables(job: jobs.Job) -> list[str]:
    return [text for text in job.definitions if text.startswith(jobs.TABLE)]


@pytest.mark.usefixtures("login")
def test_every_table_names_the_secrets_and_none_holds_one():
    for job in (jobs.normalize(CLUSTER, FEEDS), jobs.windows(CLUSTER)):
        for table in tables(job):
            assert "'properties.security.protocol' = 'SASL_SSL'" in table
            assert "${CIVICWIRE_KAFKA_PASSWORD}" in table
            assert "${CIVICWIRE_KAFKA_CA}" in table
            assert "'value.avro-confluent.basic-auth.user-info' = '${CIVICWIRE_REGISTRY_USERNAME}:" in table
            assert not any(secret in table for secret in ("sesame", "guess", "whom-we-trust"))


@pytest.mark.usefixtures("login")
def test_what_goes_to_flink_is_quoted_for_sql_and_for_the_login_module():
    (table, *_) = tables(jobs.windows(CLUSTER))
    filled = access.filled(table)
    assert r"""ScramLoginModule required username="ada" password="it''s \"hard\" to \\ guess";'""" in filled
    assert "'sr:sesame'" in filled
    assert "-----BEGIN CERTIFICATE-----\nwhom-we-trust\n'" in filled
    assert "${" not in filled


@pytest.mark.usefixtures("login")
def test_each_form_in_which_a_secret_may_be_quoted_back_is_known():
    forms = access.secrets()
    assert {PASSWORD, r"it''s \"hard\" to \\ guess", "sesame"} <= set(forms)
    assert [len(form) for form in forms] == sorted(map(len, forms), reverse=True), "the longest first"
    assert "ada" not in forms


@pytest.mark.usefixtures("login")
def test_what_flink_quotes_of_a_refused_statement_is_told_without_secrets(monkeypatch, tmp_path, capsys):
    (table, *_) = tables(jobs.windows(CLUSTER))
    refused = f"SQL parse failed: {access.filled(table)}\nCaused by: java.lang.IllegalArgumentException: {PASSWORD}"
    for name in ("pyflink", "pyflink.common", "pyflink.java_gateway", "pyflink.table"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    submit = runpy.run_path(str(SUBMIT))["submit"]
    create = sys.modules["pyflink.table"].TableEnvironment.create.return_value
    create.execute_sql.side_effect = RuntimeError(refused)
    job = {"name": "windows", "definitions": [access.filled(table)], "inserts": [], "settings": {}}
    with (tmp_path / "answers").open("w+", encoding="utf-8") as answers:
        assert submit({"settings": {}, "secrets": access.secrets(), "jobs": [job]}, answers) is False
        answers.seek(0)
        told = answers.read() + capsys.readouterr().err
    assert "IllegalArgumentException" in told
    assert "ScramLoginModule" in told
    assert not any(secret in told for secret in ("guess", "sesame"))


@pytest.mark.usefixtures("login")
def test_sql_is_printed_without_secrets():
    printed = CliRunner().invoke(app, ["jobs", "sql", "normalize/san_diego_calls"])
    assert printed.exit_code == 0, printed.output
    assert "${CIVICWIRE_KAFKA_PASSWORD}" in printed.output
    assert "guess" not in printed.output


@pytest.mark.usefixtures("login")
def test_a_changed_password_is_no_reason_to_leave_the_checkpoint(monkeypatch):
    before = jobs.windows(CLUSTER)
    monkeypatch.setenv("CIVICWIRE_KAFKA_PASSWORD", "another")
    monkeypatch.setenv("CIVICWIRE_KAFKA_MECHANISM", "PLAIN")
    assert jobs.windows(CLUSTER).fingerprint == before.fingerprint


@pytest.mark.usefixtures("login")
def test_tables_of_another_broker_are_plain():
    (table, *_) = tables(jobs.windows(Cluster("127.0.0.1:17000", "http://127.0.0.1:17001")))
    assert "security" not in table
    assert "basic-auth" not in table
