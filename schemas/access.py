"""Where broker and registry are, and how one gets in: TLS, a login, a certificate.

Everything here is about the broker that ``CIVICWIRE_KAFKA`` names and the registry that ``CIVICWIRE_REGISTRY`` names.
At any other address, the embedded stack's above all, nothing of it applies: that is plain, and no password goes there.

Every client of Kafka and of the registry takes its settings from here, so that no signature carries a secret
(``stream_jobs/access.py`` for Flink).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from confluent_kafka import KafkaError
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from schemas.errors import ConfigError

SYSLOG_CRITICAL = 2
"""librdkafka prints its own retries and clean-ups to stderr; what matters comes back as an error."""
OF_THE_BROKER = -1
"""Replication as the broker has it by default: three on a managed cluster, one on a single broker."""
REGISTRY_SECONDS = 10
"""A registry on the same network answers in milliseconds; ten seconds tell a hang from a pause."""
PKCS8 = "-----BEGIN PRIVATE KEY-----"
"""The only form of a key that both librdkafka and Java read."""

_LOGIN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}  # noqa: SLF001  the library's only names
_TLS = {KafkaError._SSL}  # noqa: SLF001
_NAME = {KafkaError._RESOLVE}  # noqa: SLF001
_RIGHTS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
_ADVICE = (
    (_RIGHTS, "", "Give the user CIVICWIRE_KAFKA_USERNAME the right to do that."),
    (_LOGIN, "mechanism handshake", "Look at CIVICWIRE_KAFKA_MECHANISM."),
    (_LOGIN, "", "Look at CIVICWIRE_KAFKA_USERNAME, CIVICWIRE_KAFKA_PASSWORD and CIVICWIRE_KAFKA_MECHANISM."),
    (_TLS, "", "Look at CIVICWIRE_KAFKA_CA, and whether CIVICWIRE_KAFKA is the name that its certificate is for."),
    (_NAME, "", "Look at CIVICWIRE_KAFKA."),
    (None, "Connect to", "Look at CIVICWIRE_KAFKA, and whether this machine may reach it."),
    (None, "", "Look at CIVICWIRE_KAFKA and CIVICWIRE_KAFKA_SECURITY."),
)
"""What to look at, by the codes of an error and a part of its text; the first that fits."""


def _of_one_line(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("a line break or another character that cannot be printed is in it")
    return secret


def _readable(path: Path) -> Path:
    try:
        path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no PEM"
        raise ValueError(f"the file cannot be read: {reason}") from error
    return path.resolve()


_File = Annotated[Path, AfterValidator(_readable)]
_Secret = Annotated[SecretStr, AfterValidator(_of_one_line)]


class Access(BaseSettings):
    """Addresses and credentials of the parts that somebody else runs; each field is set by ``CIVICWIRE_<NAME>``.

    Empty is as good as unset. What is about the broker or the registry is looked at only where its address is set.

    Raises:
        ConfigError: a value cannot be used, is missing, or would silently not be used; the message names each one.
    """

    model_config = SettingsConfigDict(env_prefix="CIVICWIRE_", env_ignore_empty=True)

    kafka: str | None = Field(default=None, description="bootstrap servers, host:port")
    kafka_security: Annotated[Literal["plaintext", "ssl", "sasl_ssl"], BeforeValidator(str.lower)] = Field(
        default="plaintext", description="ssl encrypts, sasl_ssl logs in as well"
    )
    kafka_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(str.upper)] = Field(
        default="PLAIN", description="how sasl_ssl logs in"
    )
    kafka_username: str | None = Field(default=None, description="of sasl_ssl; some call it the API key")
    kafka_password: _Secret | None = Field(default=None, description="of sasl_ssl; some call it the API secret")
    kafka_ca: _File | None = Field(
        default=None, description="PEM file of who signed the brokers' certificates; unset is whom the system trusts"
    )
    kafka_certificate: _File | None = Field(default=None, description="PEM file of our own certificate, for mutual TLS")
    kafka_key: _File | None = Field(default=None, description="PEM file of its key, PKCS #8 and without a password")
    kafka_replication: int | None = Field(
        default=None, ge=1, description="copies of each topic that is made; unset is the broker's own default"
    )
    registry: str | None = Field(default=None, description="base URL of the Confluent-compatible registry API")
    registry_username: str | None = Field(default=None, description="of basic authentication")
    registry_password: _Secret | None = Field(default=None, description="of basic authentication")
    registry_ca: _File | None = Field(
        default=None, description="PEM file of who signed the registry's certificate; unset is whom the system trusts"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(_told(error)) from None  # the cause would show what was typed
        except SettingsError as error:
            raise ConfigError(f"A setting is no JSON: {error}. Write it as .env.example does.") from error
        if self.kafka:
            self._check_broker()
        if self.registry:
            self._check_registry()

    @property
    def encrypted(self) -> bool:
        """Whether the broker is spoken to through TLS."""
        return self.kafka_security != "plaintext"

    def _check_broker(self) -> None:
        login = {"CIVICWIRE_KAFKA_USERNAME": self.kafka_username, "CIVICWIRE_KAFKA_PASSWORD": self.kafka_password}
        tls = {"CIVICWIRE_KAFKA_CA": self.kafka_ca, "CIVICWIRE_KAFKA_CERTIFICATE": self.kafka_certificate}
        if self.kafka_security == "sasl_ssl":
            _need_all(login, "CIVICWIRE_KAFKA_SECURITY is sasl_ssl")
        else:
            _need_none(login, f"CIVICWIRE_KAFKA_SECURITY is {self.kafka_security}, which logs nobody in: take sasl_ssl")
        if not self.encrypted:
            _need_none(tls, "CIVICWIRE_KAFKA_SECURITY is plaintext: take ssl or sasl_ssl")
        pair = {"CIVICWIRE_KAFKA_CERTIFICATE": self.kafka_certificate, "CIVICWIRE_KAFKA_KEY": self.kafka_key}
        if any(pair.values()):
            _need_all(pair, "a certificate and its key belong together")
        if self.kafka_key and PKCS8 not in self.kafka_key.read_text(encoding="utf-8"):
            raise ConfigError(
                "CIVICWIRE_KAFKA_KEY is no PKCS #8 key without a password: "
                f"convert it with `openssl pkcs8 -topk8 -nocrypt -in {self.kafka_key.name}`."
            )

    def _check_registry(self) -> None:
        user = {
            "CIVICWIRE_REGISTRY_USERNAME": self.registry_username,
            "CIVICWIRE_REGISTRY_PASSWORD": self.registry_password,
        }
        if not any(user.values()):
            return
        _need_all(user, "a user and a password belong together")
        if not str(self.registry).startswith("https://"):
            raise ConfigError(
                "CIVICWIRE_REGISTRY_PASSWORD would be sent unencrypted: let CIVICWIRE_REGISTRY begin with https://."
            )


def _need_all(values: Mapping[str, object], why: str) -> None:
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} must be set as well: {why}.")


def _need_none(values: Mapping[str, object], why: str) -> None:
    unused = [name for name, value in values.items() if value]
    if unused:
        raise ConfigError(f"{' and '.join(unused)} would not be used, because {why}.")


def _told(error: ValidationError) -> str:
    """Return a sentence for each value that cannot be used; secrets are not shown."""
    told = []
    for one in error.errors():
        name = "_".join(str(part) for part in one["loc"][:1])
        secret = name.endswith(("password", "key"))  # somebody may have put the key itself where its file belongs
        shown = "" if secret else f" {one['input']!r}"
        told.append(f"CIVICWIRE_{name.upper()} is{shown}: {one['msg'].removeprefix('Value error, ')}.")
    return f"{' '.join(told)} .env.example says what each setting may be."


def of_broker(bootstrap_servers: str) -> Access | None:
    """Return the settings of the broker that the environment names; None for any other.

    Raises:
        ConfigError: they do not fit together.
    """
    known = Access()
    return known if known.kafka == bootstrap_servers else None


def of_registry(url: str) -> Access | None:
    """Return the settings of the registry that the environment names; None for any other.

    Raises:
        ConfigError: they do not fit together.
    """
    known = Access()
    return known if known.registry == url else None


def client(bootstrap_servers: str) -> dict[str, Any]:
    """Return the settings with which a client of confluent-kafka reaches a broker; others go beside them.

    Raises:
        ConfigError: the environment's settings do not fit together.
    """
    plain = {"bootstrap.servers": bootstrap_servers, "log_level": SYSLOG_CRITICAL}
    known = of_broker(bootstrap_servers)
    if known is None or not known.encrypted:
        return plain
    found: dict[str, Any] = {
        "security.protocol": known.kafka_security,
        "ssl.ca.location": known.kafka_ca,
        "ssl.certificate.location": known.kafka_certificate,
        "ssl.key.location": known.kafka_key,
    }
    if known.kafka_security == "sasl_ssl":
        found |= {
            "sasl.mechanism": known.kafka_mechanism,
            "sasl.username": known.kafka_username,
            "sasl.password": secret(known.kafka_password),
        }
    return plain | {name: str(value) for name, value in found.items() if value is not None}


def replication(bootstrap_servers: str) -> int:
    """Return how many copies a topic gets that is made there."""
    known = of_broker(bootstrap_servers)
    return OF_THE_BROKER if known is None or known.kafka_replication is None else known.kafka_replication


def registry_client(url: str) -> dict[str, Any]:
    """Return the settings with which confluent-kafka's client reaches a registry.

    Raises:
        ConfigError: the environment's settings do not fit together.
    """
    found: dict[str, Any] = {"url": url, "timeout": REGISTRY_SECONDS}
    known = of_registry(url)
    if known is None:
        return found
    # Left to itself the client trusts a list that Python carries, not the system's.
    system = ssl.get_default_verify_paths()
    trusted = known.registry_ca or system.cafile or system.capath
    if trusted:
        found["ssl.ca.location"] = str(trusted)
    if known.registry_username:
        found["basic.auth.user.info"] = f"{known.registry_username}:{secret(known.registry_password)}"
    return found


def secret(value: SecretStr | None) -> str:
    """Return the secret itself, empty where there is none."""
    return "" if value is None else value.get_secret_value()


def refused(error: KafkaError) -> bool:
    """Whether trying again is of no use: the login, the certificate or the name is not right."""
    return error.code() in _LOGIN | _TLS | _NAME


def advice(bootstrap_servers: str, error: KafkaError | None) -> str:
    """Return what to look at after an error of the client: variables, where the environment names the broker."""
    if error is None or Access().kafka != bootstrap_servers:
        return "Check it with `civicwire status`."
    code, text = error.code(), error.str()
    return next(told for codes, part, told in _ADVICE if (codes is None or code in codes) and part in text)


def registry_advice(url: str, text: str) -> str:
    """Return what to look at when the registry does not answer: variables, where the environment names it."""
    if Access().registry != url:
        return "Check it with `civicwire status`."
    if "ostname mismatch" in text:
        return "Its certificate is for another name: look at CIVICWIRE_REGISTRY."
    if "certificate verify failed" in text:
        return "Look at CIVICWIRE_REGISTRY_CA."
    return "Look at CIVICWIRE_REGISTRY, and whether this machine may reach it."
