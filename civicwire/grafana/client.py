"""Grafana's HTTP API, as much of it as a push needs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import requests

from schemas.errors import ConfigError, EnvironmentMissingError, FatalError, RetriableError

TIMEOUT_SECONDS = 30
_LONGEST = 300
"""Characters of an answer that a message repeats."""


class Grafana:
    """One Grafana.

    Args:
        url: where people open it, with the path where it has one.
        token: of a service account with the role Admin, or Editor and the right to data sources and alerting.

    Raises (every method):
        ConfigError: the token is not accepted or may not do this.
        EnvironmentMissingError: nothing answers there.
        FatalError: Grafana refused what it was sent; the message has its words.
        RetriableError: Grafana failed.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"{url!r} is no address of a Grafana: write it like https://grafana.example.org.")
        if parts.username or parts.password:
            raise ConfigError("The address of Grafana holds a password: give a token in CIVICWIRE_GRAFANA_TOKEN.")
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers.update({"Authorization": f"Bearer {token}", "User-Agent": "civicwire"})

    def get(self, *path: str) -> dict[str, Any] | list[Any] | None:
        """Return what is at ``/api/<path>``, None where nothing is."""
        response = self._ask("GET", path)
        if response.status_code == requests.codes.not_found:
            return None
        found: dict[str, Any] | list[Any] = self._answer(response)
        return found

    def send(self, method: str, *path: str, body: dict[str, Any]) -> None:
        """Send ``body`` to ``/api/<path>``."""
        response = self._ask(method, path, body)
        if response.status_code == requests.codes.not_found:
            raise FatalError(f"{self._at(path)} does not exist: is this Grafana older than 10.4?")
        self._answer(response)

    def _ask(self, method: str, path: tuple[str, ...], body: dict[str, Any] | None = None) -> requests.Response:
        try:
            return self._session.request(
                method, self._at(path), json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise EnvironmentMissingError(
                f"No Grafana answers at {self.url} ({type(error).__name__}): start it or correct --url."
            ) from error

    def _at(self, path: tuple[str, ...]) -> str:
        return f"{self.url}/api/{'/'.join(quote(part, safe='') for part in path)}"

    def _answer(self, response: requests.Response) -> Any:
        where = f"{response.request.method} {urlsplit(response.url).path}"
        if response.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
            raise ConfigError(
                f"Grafana does not let this token {where}: give one of a service account with the role Admin."
            )
        if response.status_code >= requests.codes.internal_server_error:
            raise RetriableError(f"Grafana answered {response.status_code} to {where}: look at its log and try again.")
        if not response.ok:
            raise FatalError(f"Grafana refused {where} ({response.status_code}): {response.text[:_LONGEST]}")
        if response.is_redirect:
            raise ConfigError(f"{self.url} sends elsewhere ({response.headers['Location']}): give that address.")
        try:
            return response.json() if response.content else {}
        except requests.JSONDecodeError:
            raise ConfigError(f"{where} at {self.url} answered no JSON: is there a Grafana?") from None
