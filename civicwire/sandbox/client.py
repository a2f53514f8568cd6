"""The control side from outside: what the demo, the tests and the command line use to steer a sandbox portal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import requests

from schemas.errors import ConfigError, EnvironmentMissingError, RetriableError

TIMEOUT_S = 600.0
"""Seconds for one command: making a million rows takes most of a minute."""
POLL_S = 0.05
"""Seconds between two looks at a portal that is starting."""


class SandboxClient:
    """Commands to the portal at ``base_url``. Every method returns the portal's JSON.

    Raises (every method):
        ConfigError: the portal refused the command; its message says why.
        EnvironmentMissingError: no portal answers.
        RetriableError: the portal failed.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = requests.Session()

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        try:
            response = self._session.request(
                method, f"{self.base_url}/_sandbox/{path}", json=body, data=content, headers=headers, stream=stream,
                timeout=TIMEOUT_S,
            )  # fmt: skip
        except requests.ConnectionError as error:
            raise EnvironmentMissingError(
                f"No sandbox portal answers at {self.base_url}: start it with `civicwire sandbox serve`."
            ) from error
        if response.status_code == requests.codes.bad_request:
            raise ConfigError(str(response.json()["error"]))
        if not response.ok:
            raise RetriableError(f"The sandbox portal answered {response.status_code} to {method} {path}: see its log.")
        return response

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer: dict[str, Any] = self._call(method, path, body).json()
        return answer

    def wait_ready(self, timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait until the portal answers and return its health."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self.health()
            except EnvironmentMissingError:
                if time.monotonic() > end:
                    raise
                time.sleep(POLL_S)

    def health(self) -> dict[str, Any]:
        """Return ``{"status", "feeds": {name: {rows, version, kind, path}}}``."""
        return self._json("GET", "health")

    def seed(
        self, feed: str, rows: int, seed: int = 1, *, until: str | None = None, first: str | None = None
    ) -> dict[str, Any]:
        """Fill ``feed`` anew with ``rows`` rows; days are ISO dates, ``until`` defaults to yesterday."""
        body = {"rows": rows, "seed": seed, "until": until, "from": first}
        return self._json("POST", f"feeds/{feed}/seed", {k: v for k, v in body.items() if v is not None})

    def upsert(self, feed: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Publish whole rows by key; returns counts inserted, revised, unchanged, deleted."""
        return self._json("POST", f"feeds/{feed}/upsert", {"rows": list(rows)})

    def delete(self, feed: str, keys: Iterable[str]) -> dict[str, Any]:
        """Unpublish rows; returns counts."""
        return self._json("POST", f"feeds/{feed}/delete", {"keys": list(keys)})

    def replace(self, feed: str, rows: Iterable[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """Truncate and insert, the present rows or the given ones; returns ``{"rows"}``."""
        return self._json("POST", f"feeds/{feed}/replace", {} if rows is None else {"rows": list(rows)})

    def mutate(
        self,
        feed: str,
        *,
        insert: int = 0,
        late: int = 0,
        revise: int = 0,
        delete: int = 0,
        behind_seconds: float = 0,
        seed: int = 1,
    ) -> dict[str, list[dict[str, Any]]]:
        """Make random changes; returns lists ``inserted, late, revised, deleted`` of ``{key, before, after}``.

        ``behind_seconds`` stamps them so much earlier than they can be seen (a late commit).
        """
        body = {"insert": insert, "late": late, "revise": revise, "delete": delete, "seed": seed}
        return self._json("POST", f"feeds/{feed}/mutate", {**body, "behind_seconds": behind_seconds})

    def columns(
        self,
        feed: str,
        *,
        rename: Mapping[str, str] | None = None,
        add: Mapping[str, Mapping[str, str]] | None = None,
        drop: Sequence[str] = (),
        upper_case_header: bool | None = None,
    ) -> list[str]:
        """Change the published columns; ``add`` maps a name to ``{"type", "value"}``. Returns the field names."""
        body = {"rename": rename or {}, "add": add or {}, "drop": list(drop), "upper_case_header": upper_case_header}
        fields: list[str] = self._json("POST", f"feeds/{feed}/columns", body)["columns"]
        return fields

    def layer(self, feed: str, number: int) -> dict[str, Any]:
        """Publish an ArcGIS feed under another layer number."""
        return self._json("POST", f"feeds/{feed}/layer", {"layer": number})

    def truth(self, feed: str) -> Iterator[dict[str, Any]]:
        """Yield every row as now published, by key."""
        with self._call("GET", f"feeds/{feed}/truth", stream=True) as response:
            for line in response.iter_lines(chunk_size=1 << 20):
                if line:
                    yield json.loads(line)

    def summary(self, feed: str) -> dict[str, Any]:
        """Return the truth counted: rows, by_month, by_category, by_area, newest_event, nulls and more."""
        return self._json("GET", f"feeds/{feed}/truth/summary")

    def put_file(
        self, path: str, content: bytes, *, content_type: str = "text/csv", modified_s: float | None = None
    ) -> dict[str, Any]:
        """Serve ``content`` at ``path`` instead of whatever is there; ``modified_s`` is epoch seconds."""
        headers = {"Content-Type": content_type}
        if modified_s is not None:
            headers["Last-Modified"] = formatdate(modified_s, usegmt=True)
        answer: dict[str, Any] = self._call(
            "PUT", f"files/{quote(path.lstrip('/'))}", content=content, headers=headers
        ).json()
        return answer

    def delete_file(self, path: str) -> bool:
        """Stop serving the given file at ``path``; say whether there was one."""
        return bool(self._json("DELETE", f"files/{quote(path.lstrip('/'))}")["removed"])

    def add_fault(
        self, kind: str, match: str = ".*", *, times: int | None = 1, **details: object
    ) -> list[dict[str, Any]]:
        """Spoil requests whose decoded path and query match; see ``faults.Fault`` for the details of each kind."""
        faults: list[dict[str, Any]] = self._json(
            "POST", "faults", {"kind": kind, "match": match, "times": times, **details}
        )["faults"]
        return faults

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules with how often each has matched (``seen``) and spoiled (``hits``)."""
        faults: list[dict[str, Any]] = self._json("GET", "faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        """Forget all rules."""
        self._json("DELETE", "faults")

    def requests(self) -> list[dict[str, Any]]:
        """Return the portal's requests since the log was cleared: method, path, query, status, bytes, fault."""
        logged: list[dict[str, Any]] = self._json("GET", "requests")["requests"]
        return logged

    def clear_requests(self) -> None:
        """Forget the request log."""
        self._json("DELETE", "requests")

    def require_app_token(self, token: str | None) -> None:
        """Ask for this app token from now on; None asks for none."""
        self._json("PUT", "app_token", {"required": token})
