"""A broker and a registry as a provider runs them: TLS, a login, certificates by an authority of their own."""

from __future__ import annotations

import base64
import datetime as dt
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from civicwire.stack import Stack, kafka
from civicwire.stack.ports import LOOPBACK, allocate
from civicwire.stack.process import Place

HOST = "localhost"
"""The only name that the certificates are for."""
SCRAM_USER, SCRAM_PASSWORD = "ada", "scram-$1'\"\\-5f2c91d8"
PLAIN_USER, PLAIN_PASSWORD = "bea", "plain-7be0a46c3d"
REGISTRY_USER, REGISTRY_PASSWORD = "cleo", "registry-91c5e0b27a"
PASSWORDS = {
    "scram": SCRAM_PASSWORD,
    "the end of scram": SCRAM_PASSWORD.rpartition("-")[2],
    "plain": PLAIN_PASSWORD,
    "registry": REGISTRY_PASSWORD,
}


@dataclass(frozen=True)
class Signed:
    """PEM files: a certificate, its key, and both in one."""

    certificate: Path
    key: Path
    both: Path


@dataclass(frozen=True)
class Authority:
    """Who signs certificates; ``file`` is the PEM file to trust."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path

    @classmethod
    def made(cls, file: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("authority", key.public_key(), "authority", key, authority=True)
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(certificate, key, file)

    def sign(self, folder: Path, name: str) -> Signed:
        """Make a key, and a certificate for :data:`HOST`."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("server", key.public_key(), "authority", self.key, authority=False)
        own = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        signed = Signed(folder / f"{name}.pem", folder / f"{name}.key", folder / f"{name}.both.pem")
        signed.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        signed.key.write_bytes(own)
        signed.both.write_bytes(own + signed.certificate.read_bytes())
        return signed


def _certificate(
    subject: str, key: ec.EllipticCurvePublicKey, issuer: str, by: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(by, hashes.SHA256())
    )


def guard_broker(patch: pytest.MonkeyPatch, certificate: Path, client_authority: Path) -> dict[str, str]:
    """Give the brokers that are started from now on two listeners more: with a login, and with mutual TLS.

    Returns their addresses, ``sasl_ssl`` and ``ssl``.
    """
    ports = allocate(("sasl_ssl", "ssl"), {})
    plain = kafka._properties
    login = "org.apache.kafka.common.security"

    def guarded(place: Place) -> dict[str, object]:
        found = plain(place)
        for name, port in ports.items():
            found["listeners"] = f"{found['listeners']},{name.upper()}://{LOOPBACK}:{port}"
            found["advertised.listeners"] = f"{found['advertised.listeners']},{name.upper()}://{HOST}:{port}"
        found["listener.security.protocol.map"] = f"{found['listener.security.protocol.map']},SASL_SSL:SASL_SSL,SSL:SSL"
        return found | {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificate,
            "listener.name.ssl.ssl.client.auth": "required",
            "listener.name.ssl.ssl.truststore.type": "PEM",
            "listener.name.ssl.ssl.truststore.location": client_authority,
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f'{login}.plain.PlainLoginModule required user_{PLAIN_USER}="{PLAIN_PASSWORD}";'
            ),
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{login}.scram.ScramLoginModule required;",
        }

    patch.setattr(kafka, "_properties", guarded)
    return {name: f"{HOST}:{port}" for name, port in ports.items()}


def add_scram_user(stack: Stack) -> None:
    """Let :data:`SCRAM_USER` in."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    user = UserScramCredentialUpsertion(SCRAM_USER, info, SCRAM_PASSWORD.encode())
    admin = AdminClient({"bootstrap.servers": str(stack.endpoints.kafka)})
    for future in admin.alter_user_scram_credentials([user]).values():
        future.result(30)


@contextmanager
def guarded_registry(behind: str, certificate: Path) -> Iterator[str]:
    """Stand before a registry with TLS and basic authentication; yields the address to ask."""
    expected = "Basic " + base64.b64encode(f"{REGISTRY_USER}:{REGISTRY_PASSWORD}".encode()).decode()
    origin, _, path = behind.partition("/apis/")

    class Front(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != expected:
                self._answer(401, b'{"error_code": 40101, "message": "Unauthorized"}')
                return
            headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
            asked = urllib.request.Request(origin + self.path, body or None, headers, method=self.command)  # noqa: S310
            try:
                with urllib.request.urlopen(asked) as answer:  # noqa: S310
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815  the base class finds them by these names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Front)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://{HOST}:{server.server_port}/apis/{path}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
