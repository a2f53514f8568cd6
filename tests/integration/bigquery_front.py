"""Stands in front of the emulator as BigQuery does: gives tokens, wants them, and keeps a list of what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = "of-the-test"  # noqa: S105 - of nobody
NAMES = {"projects": "{project}", "datasets": "{dataset}", "tables": "{table}", "jobs": "{job}", "queries": "{job}"}


@dataclass
class Front:
    """The address, the file of credentials, what was called and how often without the token."""

    url: str
    credentials: Path
    calls: set[str] = field(default_factory=set)
    without_token: int = 0
    jobs: list[dict[str, Any]] = field(default_factory=list)


def template(method: str, path: str) -> str:
    """Return a request as the documentation lists it: the ids of things replaced by what they are."""
    parts = path.partition("?")[0].strip("/").split("/")
    parts = parts[parts.index("v2") + 1 :]
    named = [NAMES.get(before, part) for before, part in zip(["", *parts], parts, strict=False)]
    upload = "upload " if "/upload/" in path else ""
    return f"{upload}{method} {'/'.join(named)}"


@contextmanager
def front(emulator: str, folder: Path) -> Iterator[Front]:
    """Serve in front of ``emulator``; ``folder`` gets the credentials."""
    session = requests.Session()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == "/token":
                answer = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
                self._answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())
                return
            found.calls.add(template(self.command, self.path))
            found.without_token += self.headers.get("Authorization") != f"Bearer {TOKEN}"
            if "application/json" in self.headers.get("Content-Type", "") and body[:1] == b"{":
                found.jobs.append(json.loads(body))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            answer = session.request(self.command, emulator + self.path, data=body, headers=headers, timeout=300)
            sent = {
                name: value.replace(emulator, found.url)
                for name, value in answer.headers.items()
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "content-encoding"}
            }
            self._answer(answer.status_code, sent, answer.content)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the base class's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Front(f"http://127.0.0.1:{server.server_port}", folder / "credentials.json")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "project_id": "civicwire-cloud",
        "private_key_id": "1",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "client_email": "writer@civicwire-cloud.iam.gserviceaccount.com",
        "token_uri": f"{found.url}/token",
    }
    found.credentials.write_text(json.dumps(account), encoding="utf-8")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
