"""How clients get into a broker and a registry: as the environment says, at the addresses that it names alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from confluent_kafka import KafkaError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from civicwire.settings import ROOT, Settings
from schemas import access
from schemas.errors import ConfigError

BROKER, REGISTRY = "broker.example:9092", "https://registry.example"
PASSWORD = "Tr0ub4dor&3"  # noqa: S105  a password that is nobody's
ROOMS = ("civicwire", "producers", "schemas", "stream_jobs", "dashboards")


@pytest.fixture
def environment(monkeypatch):
    """Sets the environment's settings, and no others."""

    def setting(**values: str) -> None:
        for name in list(os.environ):
            if name.startswith("CIVICWIRE_"):
                monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(f"CIVICWIRE_{name.upper()}", value)

    setting()
    return setting


@pytest.fixture
def ca(tmp_path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    return str(file)


def key(folder: Path, form: serialization.PrivateFormat) -> str:
    file = folder / "key.pem"
    made = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return str(file)


def login(**others: str) -> dict[str, str]:
    known = {"kafka": BROKER, "kafka_security": "SASL_SSL", "kafka_username": "ada", "kafka_password": PASSWORD}
    return known | others


def test_without_settings_a_broker_is_plain(environment):
    environment(kafka=BROKER)
    assert access.client(BROKER) == {"bootstrap.servers": BROKER, "log_level": access.SYSLOG_CRITICAL}
    assert access.replication(BROKER) == access.OF_THE_BROKER


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_reaches_every_client_of_the_broker_that_the_environment_names(environment, mechanism):
    environment(**login(kafka_mechanism=mechanism, kafka_replication="3"))
    found = access.client(BROKER)
    assert (found["security.protocol"], found["sasl.mechanism"]) == ("sasl_ssl", mechanism)
    assert (found["sasl.username"], found["sasl.password"]) == ("ada", PASSWORD)
    assert "ssl.ca.location" not in found, "without a file the system decides whom to trust"
    assert access.replication(BROKER) == 3


def test_certificates_reach_the_client(environment, ca, tmp_path):
    own = key(tmp_path, serialization.PrivateFormat.PKCS8)
    environment(kafka=BROKER, kafka_security="ssl", kafka_ca=ca, kafka_certificate=ca, kafka_key=own)
    found = access.client(BROKER)
    assert (found["ssl.ca.location"], found["ssl.certificate.location"], found["ssl.key.location"]) == (ca, ca, own)
    assert not any(name.startswith("sasl") for name in found)


def test_another_broker_than_the_environments_is_plain_and_gets_no_password(environment):
    environment(**login(registry=REGISTRY, registry_username="sr", registry_password=PASSWORD))
    assert PASSWORD not in repr(access.client("127.0.0.1:17000"))
    assert "security.protocol" not in access.client("127.0.0.1:17000")
    assert "basic.auth.user.info" not in access.registry_client("http://127.0.0.1:17001")


def test_settings_of_no_broker_disturb_nothing(environment):
    environment(kafka_security="sasl_ssl", kafka_certificate=__file__, registry_username="sr")
    assert Settings().kafka is None
    assert access.client("127.0.0.1:17000")["bootstrap.servers"] == "127.0.0.1:17000"
    assert access.registry_client("http://127.0.0.1:17001")["url"] == "http://127.0.0.1:17001"


def test_a_registry_gets_its_login_and_its_authority(environment, ca):
    environment(registry=REGISTRY, registry_username="sr", registry_password=PASSWORD, registry_ca=ca)
    found = access.registry_client(REGISTRY)
    assert (found["basic.auth.user.info"], found["ssl.ca.location"]) == (f"sr:{PASSWORD}", ca)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kafka_security": "sasl_ssl", "kafka_username": "ada"}, "CIVICWIRE_KAFKA_PASSWORD must be set"),
        ({"kafka_security": "sasl_ssl"}, "CIVICWIRE_KAFKA_USERNAME and CIVICWIRE_KAFKA_PASSWORD must be set"),
        ({"kafka_username": "ada", "kafka_password": PASSWORD}, "would not be used, because CIVICWIRE_KAFKA_SECURITY"),
        ({"kafka_security": "ssl", "kafka_password": PASSWORD}, "CIVICWIRE_KAFKA_PASSWORD would not be used"),
        ({"kafka_ca": __file__}, "CIVICWIRE_KAFKA_CA would not be used"),
        ({"kafka_security": "ssl", "kafka_certificate": __file__}, "CIVICWIRE_KAFKA_KEY must be set"),
        ({"kafka_security": "kerberos"}, "CIVICWIRE_KAFKA_SECURITY is 'kerberos'"),
        ({"kafka_mechanism": "GSSAPI"}, "CIVICWIRE_KAFKA_MECHANISM is 'GSSAPI'"),
        ({"kafka_security": "ssl", "kafka_ca": "/nowhere/ca.pem"}, "CIVICWIRE_KAFKA_CA is '/nowhere/ca.pem'"),
        ({"kafka_replication": "0"}, "CIVICWIRE_KAFKA_REPLICATION"),
        (login(kafka_password=f"{PASSWORD}\n"), "CIVICWIRE_KAFKA_PASSWORD is: a line break"),
    ],
)
def test_settings_that_do_not_fit_together_are_named_and_secrets_are_not_told(environment, settings, named):
    environment(**{"kafka": BROKER} | settings)
    with pytest.raises(ConfigError) as told:
        access.client(BROKER)
    assert named in str(told.value)
    assert PASSWORD not in str(told.value)
    with pytest.raises(ConfigError):
        Settings()
    assert told.value.__cause__ is None


def test_a_key_that_only_one_of_the_clients_could_read_is_refused_with_the_command_that_converts_it(
    environment, ca, tmp_path
):
    old = key(tmp_path, serialization.PrivateFormat.TraditionalOpenSSL)
    environment(kafka=BROKER, kafka_security="ssl", kafka_certificate=ca, kafka_key=old)
    with pytest.raises(ConfigError, match="openssl pkcs8"):
        access.client(BROKER)


def test_a_key_in_the_place_of_its_file_is_not_told(environment):
    environment(kafka=BROKER, kafka_security="ssl", kafka_key="-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n")
    with pytest.raises(ConfigError) as told:
        access.client(BROKER)
    assert "CIVICWIRE_KAFKA_KEY" in str(told.value)
    assert "MIGHAgEAMBMG" not in str(told.value)


def test_a_registrys_password_does_not_leave_unencrypted(environment):
    environment(registry="http://registry.example", registry_username="sr", registry_password=PASSWORD)
    with pytest.raises(ConfigError, match="https://"):
        access.registry_client("http://registry.example")


def test_no_way_of_printing_the_settings_tells_a_password(environment):
    environment(**login(registry=REGISTRY, registry_username="sr", registry_password=PASSWORD))
    known = Settings()
    assert PASSWORD not in f"{known!r} {known} {known.model_dump()} {known.model_dump_json()}"


@pytest.mark.parametrize(
    ("code", "text", "variable"),
    [
        (KafkaError._AUTHENTICATION, "Invalid username or password", "CIVICWIRE_KAFKA_PASSWORD"),
        (KafkaError._AUTHENTICATION, "mechanism handshake failed", "CIVICWIRE_KAFKA_MECHANISM"),
        (KafkaError._SSL, "certificate could not be verified", "CIVICWIRE_KAFKA_CA"),
        (KafkaError._RESOLVE, "Name or service not known", "CIVICWIRE_KAFKA"),
        (KafkaError._TRANSPORT, "connecting to a PLAINTEXT broker listener?", "CIVICWIRE_KAFKA_SECURITY"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "not authorized", "CIVICWIRE_KAFKA_USERNAME"),
    ],
)
def test_an_error_is_told_with_the_variable_to_look_at(environment, code, text, variable):
    environment(**login())
    assert variable in access.advice(BROKER, KafkaError(code, text))
    assert "CIVICWIRE" not in access.advice("127.0.0.1:17000", KafkaError(code, text))


def test_no_client_is_built_beside_the_module_that_knows_how_to_get_in():
    sources = {file: file.read_text(encoding="utf-8") for room in ROOMS for file in (ROOT / room).rglob("*.py")}
    needed = ("bootstrap.servers", "metadata.broker.list", "SchemaRegistryClient(")
    found = {
        file.relative_to(ROOT).as_posix() for file, text in sources.items() if any(word in text for word in needed)
    }
    assert found == {"schemas/access.py", "schemas/registry.py", "stream_jobs/access.py"}
