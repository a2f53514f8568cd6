"""A server that answers like Grafana's API and refuses what Grafana refuses, so that a push can be tried without one.

Its checks are those of Grafana 11's API documentation: a token, JSON, ids and uids that fit, folders that exist, the
fields that a rule must have.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

TOKEN = "glsa_stub"  # noqa: S105 - of the stub
UID = re.compile(r"[a-zA-Z0-9\-_]{1,40}")


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Kept:
    """What the Grafana holds, and the requests that it got."""

    def __init__(self) -> None:
        self.folders: dict[str, dict[str, Any]] = {}
        self.datasources: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.contact_points: dict[str, dict[str, Any]] = {}
        self.groups: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.fails_with: int | None = None
        self.url = ""

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [one for one in self.requests if one[0] != "GET"]

    # --- what Grafana answers --------------------------------------------------------------------------------

    def answer(self, method: str, path: str, body: Any) -> Any:
        for pattern, answers in self.ROUTES.items():
            if (match := re.fullmatch(pattern, path)) and method in answers:
                return answers[method](self, body, *match.groups())
        raise RefusedError(404, "Not found")

    def get_folder(self, _: Any, uid: str) -> Any:
        return _found(self.folders, uid)

    def post_folder(self, body: Any) -> Any:
        _valid_uid(body["uid"])
        if body["uid"] in self.folders:
            raise RefusedError(412, "the folder has been changed by someone else")
        self.folders[body["uid"]] = {"id": len(self.folders) + 1, "version": 1, **body}
        return self.folders[body["uid"]]

    def put_folder(self, body: Any, uid: str) -> Any:
        if not body.get("overwrite") and "version" not in body:
            raise RefusedError(400, "version or overwrite is needed")
        self.get_folder(None, uid)["title"] = body["title"]
        return self.folders[uid]

    def get_datasource(self, _: Any, uid: str) -> Any:
        return _found(self.datasources, uid)

    def post_datasource(self, body: Any) -> Any:
        _checked_datasource(body)
        if any(one["name"] == body["name"] for one in self.datasources.values()):
            raise RefusedError(409, "data source with the same name already exists")
        self.datasources[body["uid"]] = {"id": 1, "orgId": 1, "readOnly": False, **body}
        return {"datasource": self.datasources[body["uid"]]}

    def put_datasource(self, body: Any, uid: str) -> Any:
        _checked_datasource(body)
        self.get_datasource(None, uid).update(body)
        return {"datasource": self.datasources[uid]}

    def get_dashboard(self, _: Any, uid: str) -> Any:
        return _found(self.dashboards, uid)

    def post_dashboard(self, body: Any) -> Any:
        board = body["dashboard"]
        if not board.get("title"):
            raise RefusedError(400, "Dashboard title cannot be empty")
        _valid_uid(board["uid"])
        _found(self.folders, body["folderUid"])
        present = self.dashboards.get(board["uid"])
        if present and not body.get("overwrite"):
            raise RefusedError(412, "The dashboard has been changed by someone else")
        if board.get("id") is not None:
            raise RefusedError(404, "Dashboard not found: a new one must have no id")
        version = present["dashboard"]["version"] + 1 if present else 1
        self.dashboards[board["uid"]] = {
            "dashboard": {**board, "id": 7, "version": version},
            "meta": {"folderUid": body["folderUid"], "provisioned": False},
        }
        return {"status": "success", "uid": board["uid"], "version": version}

    def get_contact_points(self, _: Any) -> Any:
        shown = json.loads(json.dumps(list(self.contact_points.values())))
        for one in shown:
            if "url" in one["settings"]:
                one["settings"]["url"] = "[REDACTED]"
        return shown

    def post_contact_point(self, body: Any) -> Any:
        if body["type"] == "webhook" and not body["settings"].get("url"):
            raise RefusedError(400, "required field 'url' is not specified")
        self.contact_points[body["uid"]] = {**body, "provenance": "api"}
        return self.contact_points[body["uid"]]

    def put_contact_point(self, body: Any, uid: str) -> Any:
        _found(self.contact_points, uid)
        self.contact_points[uid] = {**body, "provenance": "api"}
        return {}

    def get_group(self, _: Any, folder: str, name: str) -> Any:
        return _found(self.groups, (folder, name))

    def put_group(self, body: Any, folder: str, name: str) -> Any:
        _found(self.folders, folder)
        if body["interval"] % 10:
            raise RefusedError(400, "interval should be a multiple of 10 seconds")
        for rule in body["rules"]:
            self._check_rule(rule, name)
        kept = [{"id": at, "orgID": 1, "provenance": "api", **rule} for at, rule in enumerate(body["rules"], 1)]
        self.groups[folder, name] = {**body, "rules": kept}
        return self.groups[folder, name]

    def _check_rule(self, rule: Any, group: str) -> None:
        _valid_uid(rule["uid"])
        for name in ("title", "condition", "data", "noDataState", "execErrState", "for", "folderUID", "ruleGroup"):
            if rule.get(name) in (None, "", []):
                raise RefusedError(400, f"invalid alert rule: {name} is needed")
        if rule["ruleGroup"] != group:
            raise RefusedError(400, "invalid alert rule: another group")
        if rule["condition"] not in {query["refId"] for query in rule["data"]}:
            raise RefusedError(400, "invalid alert rule: the condition is none of its queries")
        for query in rule["data"]:
            if query["datasourceUid"] != "__expr__" and query["datasourceUid"] not in self.datasources:
                raise RefusedError(400, f"invalid alert query: data source not found {query['datasourceUid']}")
            if query["datasourceUid"] != "__expr__" and not query.get("relativeTimeRange", {}).get("from"):
                raise RefusedError(400, "invalid alert query: it has no time range")
        receiver = rule.get("notification_settings", {}).get("receiver")
        if receiver and receiver not in {one["name"] for one in self.contact_points.values()}:
            raise RefusedError(400, f"receiver {receiver} does not exist")

    ROUTES: ClassVar[dict[str, dict[str, Callable[..., Any]]]] = {
        r"folders/([^/]+)": {"GET": get_folder, "PUT": put_folder},
        r"folders": {"POST": post_folder},
        r"datasources/uid/([^/]+)": {"GET": get_datasource, "PUT": put_datasource},
        r"datasources": {"POST": post_datasource},
        r"dashboards/uid/([^/]+)": {"GET": get_dashboard},
        r"dashboards/db": {"POST": post_dashboard},
        r"v1/provisioning/contact-points": {"GET": get_contact_points, "POST": post_contact_point},
        r"v1/provisioning/contact-points/([^/]+)": {"PUT": put_contact_point},
        r"v1/provisioning/folder/([^/]+)/rule-groups/([^/]+)": {"GET": get_group, "PUT": put_group},
    }


def _found(kept: dict[Any, Any], key: Any) -> Any:
    if key not in kept:
        raise RefusedError(404, "not found")
    return kept[key]


def _valid_uid(uid: str) -> None:
    if not UID.fullmatch(uid):
        raise RefusedError(400, "uid contains illegal characters or is longer than 40")


def _checked_datasource(body: Any) -> None:
    for name in ("name", "type", "access"):
        if not body.get(name):
            raise RefusedError(400, f"bad request data: {name}")
    _valid_uid(body["uid"])


@contextmanager
def grafana() -> Iterator[Kept]:
    """Yield a Grafana that answers at its ``url`` on loopback."""
    kept = Kept()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            path = self.path.removeprefix("/api/")
            kept.requests.append((self.command, path))
            try:
                self._check(text)
                status, answer = 200, kept.answer(self.command, path, json.loads(text or "null"))
            except RefusedError as refused:
                status, answer = refused.status, {"message": str(refused)}
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _check(self, text: bytes) -> None:
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise RefusedError(401, "Invalid API key")
            if kept.fails_with:
                raise RefusedError(kept.fails_with, "Internal error")
            if text and self.headers.get("Content-Type") != "application/json":
                raise RefusedError(400, "bad request data")

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - names of the standard library

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
