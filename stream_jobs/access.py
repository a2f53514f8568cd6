"""How Flink's tables get into broker and registry: the options of a table, in which secrets are only named.

An option holds ``${CIVICWIRE_KAFKA_PASSWORD}``; :func:`filled` puts the secret there when the statement is on its way
to Flink. So no job, file or printed SQL has any.
"""

from __future__ import annotations

import re

from schemas import access

_CONNECTOR = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security"
"""The connector carries Kafka's client under names of its own."""
_LOGINS = {
    "PLAIN": f"{_CONNECTOR}.plain.PlainLoginModule",
    "SCRAM-SHA-256": f"{_CONNECTOR}.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_CONNECTOR}.scram.ScramLoginModule",
}
_NAMED = re.compile(r"\$\{(CIVICWIRE_\w+)\}")


def kafka(bootstrap_servers: str) -> dict[str, str]:
    """Return the options with which a table of Flink's Kafka connectors reaches a broker; secrets are only named.

    Certificates stand in the options themselves, so that task managers need no file.

    Raises:
        ConfigError: the environment's settings do not fit together.
    """
    found = {"bootstrap.servers": bootstrap_servers}
    known = access.of_broker(bootstrap_servers)
    if known is not None and known.encrypted:
        found["security.protocol"] = known.kafka_security.upper()
        if known.kafka_ca:
            found |= {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": "${CIVICWIRE_KAFKA_CA}"}
        if known.kafka_certificate:
            found |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.certificate.chain": "${CIVICWIRE_KAFKA_CERTIFICATE}",
                "ssl.keystore.key": "${CIVICWIRE_KAFKA_KEY}",
            }
        if known.kafka_security == "sasl_ssl":
            module = _LOGINS[known.kafka_mechanism]
            found |= {
                "sasl.mechanism": known.kafka_mechanism,
                "sasl.jaas.config": (
                    f'{module} required username="${{CIVICWIRE_KAFKA_USERNAME}}" '
                    'password="${CIVICWIRE_KAFKA_PASSWORD}";'
                ),
            }
    return {f"properties.{name}": value for name, value in found.items()}


def registry(url: str) -> dict[str, str]:
    """Return the options with which Flink's format ``avro-confluent`` reaches a registry; secrets are only named.

    Raises:
        ConfigError: the environment's settings do not fit together.
    """
    found = {"url": url}
    known = access.of_registry(url)
    if known is not None:
        if known.registry_username:
            found |= {
                "basic-auth.credentials-source": "USER_INFO",
                "basic-auth.user-info": "${CIVICWIRE_REGISTRY_USERNAME}:${CIVICWIRE_REGISTRY_PASSWORD}",
            }
        if known.registry_ca:
            found |= {
                "properties.schema.registry.ssl.truststore.type": "PEM",
                "properties.schema.registry.ssl.truststore.certificates": "${CIVICWIRE_REGISTRY_CA}",
            }
    return found


def filled(statement: str) -> str:
    """Return a SQL statement of Flink with the secrets in the places of their names."""
    named = _named(access.Access())
    return _NAMED.sub(lambda found: named[found[1]].replace("'", "''"), statement)


def secrets() -> list[str]:
    """Return every secret in each form in which :func:`filled` writes it, to be taken out of what others say."""
    hidden = ("CIVICWIRE_KAFKA_PASSWORD", "CIVICWIRE_KAFKA_KEY", "CIVICWIRE_REGISTRY_PASSWORD")
    known = access.Access()
    named = [value for name, value in _named(known).items() if name in hidden]
    bare = [access.secret(known.kafka_password)] if known.kafka_password else []
    return sorted({form for value in (*named, *bare) for form in (value, value.replace("'", "''"))}, key=len)[::-1]


def _named(known: access.Access) -> dict[str, str]:
    """Return what may be named in an option, each as it stands there."""
    files = {
        "CIVICWIRE_KAFKA_CA": known.kafka_ca,
        "CIVICWIRE_KAFKA_CERTIFICATE": known.kafka_certificate,
        "CIVICWIRE_KAFKA_KEY": known.kafka_key,
        "CIVICWIRE_REGISTRY_CA": known.registry_ca,
    }
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items() if path is not None}
    texts |= {
        "CIVICWIRE_KAFKA_USERNAME": _quoted(known.kafka_username or ""),
        "CIVICWIRE_KAFKA_PASSWORD": _quoted(access.secret(known.kafka_password)),
        "CIVICWIRE_REGISTRY_USERNAME": known.registry_username or "",
        "CIVICWIRE_REGISTRY_PASSWORD": access.secret(known.registry_password),
    }
    return {name: text for name, text in texts.items() if text}


def _quoted(text: str) -> str:
    r"""Return a text as it stands between the quotes of a JAAS configuration, whose reader knows \\ and \"."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
