"""HTTP to a portal: patient with what may pass, bounded in everything, and honest about what it cost."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, cast
from urllib.parse import urljoin, urlsplit

import requests
from requests_ratelimiter import LimiterAdapter
from urllib3.util.retry import Retry

from producers.catalog import Source
from schemas.errors import FatalError, RetriableError

USER_AGENT = "civicwire/0.1 (open-data poller)"
CONNECT_TIMEOUT_SECONDS = 10
READ_TIMEOUT_SECONDS = 60
"""Between two bytes, not for the whole body: large files take minutes and still never stand still that long."""
RETRIES = 4
BACKOFF_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 120
"""A portal may ask for any wait in Retry-After; beyond two minutes the poll ends and the schedule comes back later."""
PASSING = (429, 500, 502, 503, 504)
LONGEST_CHAIN = 5
"""Redirects that are followed for one request."""
CHUNK_BYTES = 1 << 18
IN_MEMORY_BYTES = 16 << 20
NOT_MODIFIED = 304
OK = 200
ACCEPTED = 202
NOT_FOUND = 404


@dataclass
class Cost:
    """What talking to the portal took: HTTP requests with retries, and body bytes after decompression."""

    requests: int = 0
    bytes_received: int = 0


@dataclass
class Answer:
    """One answer: ``body`` is a temporary file at its start (empty for 304); ``sha256`` is of the decompressed body."""

    status: int
    headers: Mapping[str, str]
    body: IO[bytes]
    sha256: str

    def header_time(self, name: str) -> datetime | None:
        """Return an HTTP date header as a UTC instant, None if absent or unreadable."""
        try:
            return parsedate_to_datetime(self.headers[name]).astimezone(UTC)
        except (KeyError, ValueError, TypeError):
            return None


class Portal:
    """A session with one source's portal.

    Args:
        source: whose protocol settings bound rate and size and name the token's environment variable.
        host: scheme and host to use instead of the source's own (the sandbox).
    """

    def __init__(self, source: Source, host: str | None = None) -> None:
        self.host = (host or source.protocol.host).rstrip("/")
        self.cost = Cost()
        self._key = source.key
        self._redirect_hosts = source.protocol.redirect_hosts
        self._limit = source.protocol.max_response_bytes
        self._session = requests.Session()
        retry = Retry(
            total=RETRIES,
            status_forcelist=PASSING,
            backoff_factor=BACKOFF_SECONDS,
            backoff_jitter=BACKOFF_SECONDS,
            retry_after_max=LONGEST_WAIT_SECONDS,
            raise_on_status=False,
        )
        # The sandbox is our own machine: no bucket there, or every test would wait for a stranger's comfort.
        rate = 10_000.0 if host else source.protocol.requests_per_second
        adapter = LimiterAdapter(per_second=rate, burst=max(1, int(rate)), per_host=True, max_retries=retry)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.headers["User-Agent"] = USER_AGENT
        token_env = getattr(source.protocol, "token_env", None)
        if token_env and os.environ.get(token_env):
            self._session.headers["X-App-Token"] = os.environ[token_env]

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        missing_ok: bool = False,
    ) -> Answer:
        """Return the answer to one GET, retried where the fault may pass; with ``missing_ok`` a 404 is an answer too.

        Raises:
            RetriableError: the portal kept failing, cut the body short, or answered with a page for people.
            FatalError: the portal refuses (4xx) or the body is larger than the source allows.
        """
        try:
            with self._follow(path, params, headers) as response:
                if not (missing_ok and response.status_code == NOT_FOUND):
                    self._refuse(response, path)
                return self._read(response, path)
        except requests.exceptions.RetryError as error:
            self.cost.requests += 1 + RETRIES
            raise RetriableError(
                f"{self._key}: the portal kept failing at {path}: {error}. Poll again later."
            ) from error
        except requests.exceptions.RequestException as error:
            raise RetriableError(
                f"{self._key}: {type(error).__name__} at {path}, nothing of this poll is kept. Poll again later."
            ) from error

    def size(self, path: str) -> int | None:
        """Return how many bytes the file at ``path`` has, None where the server does not say.

        Raises:
            RetriableError: the portal does not answer.
        """
        try:
            response = self._session.head(self.host + path, timeout=CONNECT_TIMEOUT_SECONDS, allow_redirects=False)
        except requests.exceptions.RequestException as error:
            raise RetriableError(f"{self._key}: {type(error).__name__} at {path}. Try again later.") from error
        self.cost.requests += 1
        length = response.headers.get("Content-Length", "")
        return int(length) if response.status_code == OK and length.isdigit() else None

    def _follow(
        self, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        """Return the answer at the end of the redirects that are allowed."""
        url, asked = self.host + path, params
        for _ in range(LONGEST_CHAIN + 1):
            elsewhere = urlsplit(url).netloc != urlsplit(self.host).netloc
            # The token is for the portal alone.
            sent = {**(headers or {}), **({"X-App-Token": None} if elsewhere else {})}
            response = self._session.get(
                url,
                params=asked,
                headers=cast("Mapping[str, str]", sent),
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                stream=True,
                allow_redirects=False,
            )
            history = response.raw.retries.history if response.raw.retries else ()
            self.cost.requests += 1 + len(history)
            if not response.is_redirect:
                return response
            with response:
                target = urljoin(url, response.headers["Location"])
            self._allow(url, target, path)
            url, asked = target, None
        raise FatalError(f"{self._key}: {path} was redirected more than {LONGEST_CHAIN} times. Correct its address.")

    def _allow(self, url: str, target: str, path: str) -> None:
        """Refuse a redirect that leaves TLS or the web, or leads to an address that is not public.

        The address is looked up here and again when the connection is made; a name that changes its address in between
        is not caught.
        """
        here, there = urlsplit(url), urlsplit(target)
        if there.scheme != here.scheme and (here.scheme, there.scheme) != ("http", "https"):
            raise FatalError(f"{self._key}: {path} redirects from {here.scheme} to {there.scheme}, which is refused.")
        if there.netloc == urlsplit(self.host).netloc or there.hostname in self._redirect_hosts:
            return
        try:
            found = socket.getaddrinfo(there.hostname, there.port or there.scheme, type=socket.SOCK_STREAM)
        except OSError as error:
            raise RetriableError(f"{self._key}: {path} redirects to {there.hostname}, which has no address.") from error
        if any(not ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_global for one in found):
            raise FatalError(
                f"{self._key}: {path} redirects to {there.hostname}, a private address, which is refused. "
                f"If it is right, add it to redirect_hosts in producers/sources/{self._key}.yaml."
            )

    def _refuse(self, response: requests.Response, path: str) -> None:
        status = response.status_code
        if status in (OK, NOT_MODIFIED):
            kind = response.headers.get("Content-Type", "")
            if status == OK and kind.startswith("text/html"):
                raise RetriableError(
                    f"{self._key}: {path} answered with an HTML page where data was due. "
                    "Look at it in a browser; poll again later."
                )
            return
        if status in PASSING or status == ACCEPTED:
            raise RetriableError(f"{self._key}: {path} answered {status} after {RETRIES} retries. Poll again later.")
        said = response.raw.read(300, decode_content=True).decode("utf-8", "replace").strip()
        raise FatalError(
            f"{self._key}: {path} answered {status}: {said!r}. Check the dataset's id and whether it is still public."
        )

    def _read(self, response: requests.Response, path: str) -> Answer:
        body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - the caller reads it
        digest = hashlib.sha256()
        size = 0
        for chunk in response.iter_content(CHUNK_BYTES):
            size += len(chunk)
            if size > self._limit:
                raise FatalError(
                    f"{self._key}: {path} is larger than {self._limit} bytes. "
                    "Raise max_response_bytes in the source file if that is right."
                )
            digest.update(chunk)
            body.write(chunk)
        self.cost.bytes_received += size
        body.seek(0)
        return Answer(response.status_code, response.headers, body, digest.hexdigest())
