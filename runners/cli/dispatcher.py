"""The dispatcher as the command line sees it: requests with a token, and errors as exit codes."""

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import urlsplit

import httpx
import typer

from runners.cli.outcome import Exit, fail

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 10.0
KEY_BYTES = 18
CHANGE_TRIES = 2
# What the API calls a list is a verb here.
_LISTS = {
    "GET /v1/jobs": "`fly-gha jobs --all`",
    "GET /v1/runners": "`fly-gha runners --all`",
    "GET /v1/pools": "`fly-gha status`",
    "GET /v1/tokens": "`fly-gha token list`",
}
_UNNAMED = (
    "No API token was given. Next: name the file that holds one with --token-file or FLY_GHA_TOKEN_FILE; "
    "`fly-gha token create --local` makes one where fleet.toml is."
)
# A name or an address, as a URL has it; whether it exists is another question.
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")

UrlOption = Annotated[
    str, typer.Option("--url", envvar="FLY_GHA_URL", help="Where the dispatcher is.", show_default=True)
]
TokenOption = Annotated[
    str,
    typer.Option(
        "--token-file",
        envvar="FLY_GHA_TOKEN_FILE",
        help="File with an API token; else FLY_GHA_TOKEN in the environment.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


class Dispatcher:
    """One dispatcher's API.

    Args:
        url: its base URL.
        token_file: a file with the token, or "" for FLY_GHA_TOKEN. A token is never an argument: arguments
            show in process lists.
    """

    def __init__(self, url: str, token_file: str = "") -> None:
        if not _is_address(url):
            fail(Exit.BAD_USE, f"{url!r} is not a URL; expected something like {DEFAULT_URL}.")
        self._url = url.rstrip("/")
        self._token = _token(token_file)

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, absent: str = "") -> dict[str, Any]:
        """One answer as JSON; every failure ends the verb with its sentence and exit code.

        Args:
            path: what is asked for.
            params: the query; what is None is left out.
            absent: the sentence for what is not found, when the verb knows a better one than the dispatcher.
        """
        try:
            answer = self._send(path, params)
        except httpx.HTTPError as error:
            fail(Exit.UNREACHABLE, self._silence(error))
        if answer.is_success:
            return _object(answer, self._url)
        if absent and answer.status_code == httpx.codes.NOT_FOUND:
            fail(Exit.NO, absent)
        return self._refused(answer)

    def look(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | str:
        """As ``get``, for who looks again and again: a dispatcher that cannot answer now is one sentence.

        What it will not answer later either (a wrong token, a wrong question) ends the verb.
        """
        try:
            answer = self._send(path, params)
        except httpx.HTTPError as error:
            return self._silence(error)
        if answer.is_success:
            return _object(answer, self._url)
        if answer.is_server_error:
            return f"The dispatcher at {self._url} cannot answer now ({answer.status_code})."
        return self._refused(answer)

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a change, under an Idempotency-Key: what got no answer is asked again, safely."""
        headers = {**self._authorization(), "Idempotency-Key": secrets.token_urlsafe(KEY_BYTES)}
        url = f"{self._url}{path}"
        for left in reversed(range(CHANGE_TRIES)):
            try:
                answer = httpx.request(
                    method, url, json=dict(body), headers=headers, timeout=TIMEOUT_S, trust_env=False
                )
            except httpx.ConnectError as error:
                fail(Exit.UNREACHABLE, f"{self._silence(error)} Nothing was changed.")
            except httpx.HTTPError as error:
                if left:
                    continue
                fail(
                    Exit.UNREACHABLE,
                    f"{self._silence(error)} Whether it was done is not known; asking again is safe: "
                    "what is so already is not done twice.",
                )
            return _object(answer, self._url) if answer.is_success else self._refused(answer)
        raise AssertionError("every try returns, fails or leaves another")

    def may_read(self, path: str) -> dict[str, Any] | None:
        """As ``get``, or None when the token may not read: operating does not include it."""
        try:
            answer = self._send(path, None)
        except httpx.HTTPError as error:
            fail(Exit.UNREACHABLE, self._silence(error))
        if answer.status_code == httpx.codes.FORBIDDEN:
            return None
        return _object(answer, self._url) if answer.is_success else self._refused(answer)

    def _refused(self, answer: httpx.Response) -> NoReturn:
        if not self._token and answer.status_code == httpx.codes.UNAUTHORIZED:
            fail(Exit.UNREACHABLE, _UNNAMED)
        _say(answer)

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _send(self, path: str, params: Mapping[str, Any] | None) -> httpx.Response:
        given = {key: value for key, value in (params or {}).items() if value is not None}
        return httpx.get(
            f"{self._url}{path}",
            params=given,
            headers=self._authorization(),
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def _silence(self, error: httpx.HTTPError) -> str:
        return (
            f"The dispatcher at {self._url} did not answer ({type(error).__name__}). "
            "Start it with `fly-gha serve`, or name another with --url or FLY_GHA_URL."
        )


def segment(name: str) -> str:
    """A name as one segment of a path; other characters are in no name of ours, and it is not found so."""
    return re.sub(r"[^A-Za-z0-9-]", "_", name) or "_"


def _say(answer: httpx.Response) -> NoReturn:
    """Say the Problem in its own words, and its next step in those of the command line."""
    try:
        problem = answer.json()
        text = f"{problem['what']}: {problem['why']}. Next: {_next_step(str(problem['next_step']))}"
    except (ValueError, KeyError, TypeError):
        text = f"The dispatcher answered {answer.status_code} without saying why."
    no = answer.status_code in (
        httpx.codes.NOT_FOUND,
        httpx.codes.CONFLICT,
        httpx.codes.PRECONDITION_FAILED,
    )
    bad = answer.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST)
    fail(Exit.NO if no else Exit.BAD_USE if bad else Exit.UNREACHABLE, text[0].upper() + text[1:])


def _next_step(said: str) -> str:
    for route, verb in _LISTS.items():
        said = said.replace(route, verb)
    return said if said.endswith("?") else f"{said}."


def _object(answer: httpx.Response, url: str) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        fail(Exit.UNREACHABLE, f"What answers at {url} is not a fly-gha dispatcher.")
    return body


def _is_address(url: str) -> bool:
    """Whether it can be asked at all."""
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in ("http", "https")
            and bool(_HOST.fullmatch(parts.hostname or ""))
            and parts.port != 0
        )
    except ValueError:
        return False


def _token(token_file: str) -> str:
    if not token_file:
        return _sendable(os.environ.get("FLY_GHA_TOKEN", ""), "FLY_GHA_TOKEN")
    try:
        text = Path(token_file).read_text(encoding="utf-8")
    except OSError as error:
        fail(Exit.BAD_USE, f"The token file {token_file} cannot be read: {error.strerror}.")
    except ValueError:
        text = "not text"
    return _sendable(text, f"The token file {token_file}")


def _sendable(text: str, where: str) -> str:
    """The token, if a header can carry it; it is never shown."""
    token = text.strip()
    if not all("!" <= char <= "~" for char in token):
        fail(Exit.BAD_USE, f"{where} does not hold an API token, which is one word that begins with fgr_.")
    return token
