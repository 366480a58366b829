"""Registrations of runners: mint, find, list, remove, and the runner group they go to.

A mint is never repeated here: its answer may be lost while GitHub has registered the runner, and a second try
of the same name then meets its own record (409, NameTaken). A JIT config names no job: GitHub gives the
runner any job its labels match (issue cdk-github-runners#906).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

import httpx
from pydantic import SecretStr

from runners.github.calls import Call, Calls
from runners.github.errors import UPSTREAM, name_taken, our_fault
from runners.github.fields import Fields
from runners.github.scope import Scope
from runners.github.tokens import ExpiringToken, SingleFlight, TokenSource
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, UpstreamError

# The runner's own limits on a name. GitHub refuses others only after the Machine is paid for.
_NAME = re.compile(r'[^"/:<>\\|*?\s\x00-\x1f]{1,64}')
_LABELS_MAX = 100

# A repository has one group, and this is its id.
_REPOSITORY_GROUP = 1

_NOT_FOUND = 404
_CONFLICT = 409
_UNPROCESSABLE = 422


@dataclass(frozen=True, slots=True)
class JitRegistration:
    """One minted registration.

    Attributes:
        github_id: GitHub's id of the runner.
        jit_config: what the runner starts with: a private key, handed out once and never logged.
    """

    github_id: int
    name: str
    jit_config: SecretStr


@dataclass(frozen=True, slots=True)
class SeenRegistration:
    """One entry of the runner list; ``online`` and ``busy`` lag by seconds to minutes, as users report."""

    github_id: int
    name: str
    online: bool
    busy: bool


class Removal(StrEnum):
    """What came of a DELETE."""

    DELETED = "deleted"
    """It is gone, and GitHub gives it no job any more."""
    ABSENT = "absent"
    """It was not there."""
    BUSY = "busy"
    """It runs a job: leave it."""


class Registrations:
    """The runner calls of one GitHub.

    Args:
        calls: sends them.
        tokens: asked first for a registration token.
        clock: decides when a registration token is too old to hand out.
        margin: seconds of life a registration token must have left to be handed out again.
    """

    def __init__(self, calls: Calls, tokens: TokenSource, clock: Clock, *, margin: float) -> None:
        self._calls = calls
        self._tokens = tokens
        self._clock = clock
        self._margin = margin
        self._groups: dict[str, dict[str, int]] = {}
        self._group_reads = SingleFlight[dict[str, int]]()
        self._registration_tokens: dict[str, ExpiringToken] = {}
        self._registration_mints = SingleFlight[ExpiringToken]()

    async def mint_jit(self, scope: str, name: str, group: str, labels: tuple[str, ...]) -> JitRegistration:
        """Registers a runner and returns its just-in-time configuration.

        Args:
            scope: ``orgs/NAME`` or ``repos/OWNER/NAME``.
            name: never used before.
            group: the runner group's name; not looked at for a repository.
            labels: all of its labels: GitHub adds none.

        Raises:
            NameTaken: the name is registered; see there.
            UpstreamError: anything else; with ``answered`` False the runner may be registered all the same.
        """
        attempted = f"mint a JIT configuration for {name} in {scope}"
        where = Scope.parse(scope, attempted)
        if not _NAME.fullmatch(name):
            raise our_fault(attempted, "GitHub's runner accepts no such name", "use 1 to 64 plain characters")
        if not 1 <= len(labels) <= _LABELS_MAX:
            raise our_fault(attempted, f"{len(labels)} labels", f"give the pool 1 to {_LABELS_MAX} labels")
        body = {
            "name": name,
            "runner_group_id": await self.runner_group_id(scope, group),
            "labels": list(labels),
            "work_folder": "_work",
        }
        call = Call(
            "POST", f"/{where.path}/actions/runners/generate-jitconfig", attempted, where.owner, body=body
        )
        response = await self._calls.send(call)
        if response.status_code == _CONFLICT:
            raise name_taken(response, attempted=attempted)
        if response.status_code in (_NOT_FOUND, _UNPROCESSABLE):
            self._groups.pop(where.path, None)  # the group may have been made anew, under another id
        if response.status_code != httpx.codes.CREATED:
            raise self._calls.refusal(call, response)
        return self._calls.parse(call, response, lambda answer: _jit(Fields(answer, "")))

    async def registration_token(self, scope: str) -> SecretStr:
        """Returns a registration token with some life left; one serves a burst of runners.

        The TokenSource's own comes first; else one is minted, once for all who ask at the same time.

        Raises:
            UpstreamError: it could not be had.
        """
        where = Scope.parse(scope, f"get a registration token for {scope}")
        published = await self._tokens.registration_token(scope)
        if published is not None:
            return published
        kept = self._registration_tokens.get(where.path)
        if kept is None or kept.expires_at - self._margin <= self._clock.now():
            kept = await self._registration_mints.join(
                where.path, lambda: self.mint_registration_token(scope)
            )
            self._registration_tokens[where.path] = kept
        return kept.token

    async def mint_registration_token(self, scope: str) -> ExpiringToken:
        """Mints a registration token, valid for an hour, and returns it with its end.

        Raises:
            UpstreamError: it could not be minted.
        """
        attempted = f"mint a registration token for {scope}"
        where = Scope.parse(scope, attempted)
        call = Call("POST", f"/{where.path}/actions/runners/registration-token", attempted, where.owner)
        return await self._calls.read(
            call, lambda answer: ExpiringToken(SecretStr(answer.secret("token")), answer.time("expires_at"))
        )

    async def delete_runner(self, scope: str, github_id: int) -> Removal:
        """Removes a registration, unless it runs a job.

        Raises:
            UpstreamError: it is unknown whether it is gone.
        """
        attempted = f"remove runner {github_id} from {scope}"
        where = Scope.parse(scope, attempted)
        call = Call("DELETE", f"/{where.path}/actions/runners/{github_id:d}", attempted, where.owner)
        response = await self._calls.send(call)
        match response.status_code:
            case httpx.codes.NO_CONTENT:
                return Removal.DELETED
            case httpx.codes.NOT_FOUND:
                return Removal.ABSENT
            case httpx.codes.UNPROCESSABLE_ENTITY:
                return Removal.BUSY
        raise self._calls.refusal(call, response)

    async def find_runner(self, scope: str, name: str) -> SeenRegistration | None:
        """Returns the registration of that exact name, or None when GitHub lists none.

        Raises:
            UpstreamError: the list could not be read; that says nothing about absence.
        """
        attempted = f"look for runner {name} in {scope}"
        where = Scope.parse(scope, attempted)
        call = Call(
            "GET", f"/{where.path}/actions/runners", attempted, where.owner, {"name": name, "per_page": 100}
        )
        seen = await self._calls.read(
            call, lambda answer: [_seen(entry) for entry in answer.parts("runners")]
        )
        return next((runner for runner in seen if runner.name == name), None)

    async def list_runners(self, scope: str) -> tuple[SeenRegistration, ...]:
        """Returns all registrations of a scope, by id.

        Raises:
            UpstreamError: the list could not be read whole.
        """
        attempted = f"list the runners of {scope}"
        where = Scope.parse(scope, attempted)
        call = Call("GET", f"/{where.path}/actions/runners", attempted, where.owner)
        seen = {runner.github_id: runner for runner in await self._calls.pages(call, "runners", _seen)}
        return tuple(seen[github_id] for github_id in sorted(seen))

    async def runner_group_id(self, scope: str, name: str) -> int:
        """Returns the id of a runner group, read once per scope and kept until a mint says it is wrong.

        Raises:
            UpstreamError: the groups could not be read, or none has that name (not found).
        """
        attempted = f"find runner group {name} in {scope}"
        where = Scope.parse(scope, attempted)
        if where.repository is not None:
            return _REPOSITORY_GROUP
        groups = self._groups.get(where.path)
        if groups is None or name.casefold() not in groups:
            groups = await self._group_reads.join(where.path, lambda: self._read_groups(where, attempted))
            self._groups[where.path] = groups
        if name.casefold() not in groups:
            raise UpstreamError(
                upstream=UPSTREAM,
                error_class=ErrorClass.NOT_FOUND,
                attempted=attempted,
                why="the organization shows this App no group of that name",
                next_step="correct the pool's runner_group, or create the group",
            )
        return groups[name.casefold()]

    async def _read_groups(self, where: Scope, attempted: str) -> dict[str, int]:
        call = Call("GET", f"/{where.path}/actions/runner-groups", attempted, where.owner)
        found = await self._calls.pages(
            call, "runner_groups", lambda entry: (entry.text("name").casefold(), entry.whole("id"))
        )
        return dict(found)


def _jit(answer: Fields) -> JitRegistration:
    runner = answer.part("runner")
    return JitRegistration(
        runner.whole("id"), runner.text("name"), SecretStr(answer.secret("encoded_jit_config"))
    )


def _seen(entry: Fields) -> SeenRegistration:
    return SeenRegistration(
        entry.whole("id"), entry.text("name"), entry.text("status") == "online", entry.flag("busy")
    )
