"""The stand-in's HTTP client for GitHubSim's `/_runner/` routes: one short connection per call."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

CALL_TIMEOUT = 30.0


class Unreachable(Exception):
    """No answer from the service."""


class Answer:
    """Status, JSON body (empty when there is none) and headers of an answer."""

    def __init__(self, status: int, body: dict[str, Any], headers: http.client.HTTPMessage) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    def seconds(self, header: str, default: float) -> float:
        """A header that holds seconds."""
        text = self.headers.get(header)
        return default if text is None else float(text)


class Service:
    """Calls the service at a base URL such as http://127.0.0.1:8002/_runner."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._path = parts.path.rstrip("/")

    def call(
        self, method: str, path: str, body: dict[str, Any] | None = None, authorization: str = ""
    ) -> Answer:
        """Make one call; no retry.

        Raises:
            Unreachable: no answer.
        """
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if authorization:
            headers["Authorization"] = authorization
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CALL_TIMEOUT)
        try:
            connection.request(method, self._path + path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            raw = answer.read()
            return Answer(answer.status, json.loads(raw) if raw else {}, answer.headers)
        except (OSError, http.client.HTTPException, ValueError) as wrong:
            raise Unreachable(f"{method} {path}: {type(wrong).__name__}: {wrong}") from wrong
        finally:
            connection.close()
