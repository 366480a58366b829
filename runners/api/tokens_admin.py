"""``/v1/tokens``: who may ask what; ``/v1/token``: what the asking token itself may.

The scope ``admin`` makes and ends tokens, and nothing else.

What admin means: such a token cannot read or operate anything itself, yet it can make one that can, and so
its bearer may do whatever the fleet lets anybody do. None of that is silent: each making is an event that
names the maker, the scopes and the limits, and each ending is one. Limits and ends are handed down: a token
that is limited to pools or repositories makes, sees and ends only tokens within its own limits, and one that
ends makes none that outlives it.
"""

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from runners.api.access import SCOPES, Accesses, Admin, Fleet, Reader, Viewer, new_token
from runners.api.carrying_out import Act, Done, carry_out, no_if_match
from runners.api.lookups import ShortText, invalid, not_found
from runners.api.operate_access import attempted
from runners.api.operate_bodies import Asked, TokenBody, read_body
from runners.store import events, tokens
from runners.store.tokens import ApiToken
from runners.wire.times import maybe_rfc3339, rfc3339
from runners.wire.token import TokenList, TokenMade, TokenRevoked, TokenView

router = APIRouter(prefix="/v1", tags=["admin"])
DAY_S = 86_400.0


@router.get("/token")
async def own_token(fleet: Fleet, viewer: Reader) -> TokenView:
    """The token that asks: so that its bearer can see that it may do no more than it should."""
    return _token_view(viewer.token, fleet.clock.now())


@router.get("/tokens")
async def token_list(fleet: Fleet, viewer: Admin) -> TokenList:
    """Every token, revoked ones included, without their texts."""
    now = fleet.clock.now()

    def op(conn: Connection) -> TokenList:
        found = tuple(_token_view(each, now) for each in tokens.all(conn) if _manages(viewer, each))
        return TokenList(revision=events.revision(conn), as_of=rfc3339(now), tokens=found)

    return await fleet.store.run(op)


@router.post("/tokens", response_model=TokenMade)
async def make_token(fleet: Fleet, viewer: Admin, access: Accesses, request: Request) -> Response:
    """Make a token; its text is in this one answer, and nowhere else."""
    no_if_match(request)
    body = await read_body(request, TokenBody)
    _check(fleet, body)
    repositories, pools = tuple(body.repositories), tuple(body.pools)
    if not _within(viewer, repositories, pools):
        await access.deny(
            viewer.token,
            "wider",
            attempted(request),
            why="the token is limited, and one that it makes must be limited to some of the same",
            next_step="give the new token repositories and pools that your own has, word by word",
        )

    def do(act: Act) -> Done:
        made = new_token(
            fleet.entropy,
            name=body.name,
            scopes=tuple(dict.fromkeys(body.scopes)),
            now=act.now,
            repositories=repositories,
            pools=pools,
            expires_at=_end(viewer, body, act.now),
        )
        tokens.insert(act.conn, made.row, made.secret_hash)
        act.event("token_made", f"token/{made.row.id}", described(made.row))
        answer = TokenMade(
            text=made.text.get_secret_value(),
            token=_token_view(made.row, act.now),
            revision=events.revision(act.conn),
            as_of=rfc3339(act.now),
            next=("keep the text now: it is stored nowhere and cannot be shown again",),
        )
        lost = (
            f"the text was in the first answer only; if that is lost, revoke {made.row.id} and make another"
        )
        return Done(answer, kept=answer.model_copy(update={"text": None, "next": (lost,)}))

    return await carry_out(request, fleet, viewer, body, do)


@router.delete("/tokens/{token_id}", response_model=TokenRevoked)
async def revoke_token(fleet: Fleet, viewer: Admin, request: Request, token_id: ShortText) -> Response:
    """End a token now; its own maker's, or itself, too."""
    no_if_match(request)
    body = await read_body(request, Asked)

    def do(act: Act) -> Done:
        before = tokens.get(act.conn, token_id)
        if before is None or not _manages(viewer, before):
            raise not_found(
                "token", (each.id for each in tokens.all(act.conn) if _manages(viewer, each)), token_id
            )
        changed = tokens.revoke(act.conn, token_id, act.now)
        if changed:
            act.event("token_revoked", f"token/{token_id}", f"{_state(before, act.now)} -> revoked")
        told = (
            "it opens nothing from now on; streams that it has open end"
            if changed
            else "it was revoked before"
        )
        answer = TokenRevoked(
            token=_token_view(tokens.get(act.conn, token_id) or before, act.now),
            changed=changed,
            revision=events.revision(act.conn),
            as_of=rfc3339(act.now),
            next=(told,),
        )
        return Done(answer)

    return await carry_out(request, fleet, viewer, body, do)


def _check(fleet: Fleet, body: TokenBody) -> None:
    """Refuse what would make a token that opens nothing.

    Raises:
        ApiProblem: 422, a scope or a pool that does not exist, or a pattern that is no owner/name.
    """
    if set(body.scopes) - set(SCOPES):
        raise invalid("a scope does not exist", "make a token", f"the scopes are {', '.join(SCOPES)}")
    known = [pool.name for pool in fleet.settings.pools]
    if set(body.pools) - set(known):
        raise invalid("a pool does not exist", "make a token", f"the pools are {', '.join(known)}")
    if not all(each.count("/") == 1 for each in body.repositories):
        raise invalid(
            "a repository is not an owner/name pattern", "make a token", "write owner/name or owner/*"
        )


def _within(viewer: Viewer, repositories: tuple[str, ...], pools: tuple[str, ...]) -> bool:
    """Whether these limits lie within the viewer's own, as far as words tell: patterns are not compared."""
    own = viewer.token
    return all(
        not limit or (bool(given) and set(given) <= set(limit))
        for limit, given in ((own.repositories, repositories), (own.pools, pools))
    )


def _manages(viewer: Viewer, token: ApiToken) -> bool:
    return _within(viewer, token.repositories, token.pools)


def _end(viewer: Viewer, body: TokenBody, now: float) -> float | None:
    """When the new token ends: as asked, and by itself with the one that makes it.

    Raises:
        ApiProblem: 422, later than that.
    """
    asked, own = None if body.days is None else now + body.days * DAY_S, viewer.token.expires_at
    if own is not None and asked is not None and asked > own:
        raise invalid(
            f"the new token would outlive the one that makes it, which ends {rfc3339(own)}",
            "make a token",
            "ask for fewer days, or use a token that ends later",
        )
    return own if asked is None else asked


def described(token: ApiToken) -> str:
    """``none -> read operate, pools gha-small, ends 2026-…``; never the text."""
    limits = [
        f"{name} {' '.join(given)}"
        for name, given in (("repositories", token.repositories), ("pools", token.pools))
        if given
    ]
    ends = f"ends {maybe_rfc3339(token.expires_at) or 'never'}"
    return ", ".join((f"none -> {' '.join(sorted(token.scopes))}", *(limits or ["no limits"]), ends))


def _token_view(token: ApiToken, now: float) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        scopes=tuple(sorted(token.scopes)),
        repositories=token.repositories,
        pools=token.pools,
        created_at=rfc3339(token.created_at),
        expires_at=maybe_rfc3339(token.expires_at),
        revoked_at=maybe_rfc3339(token.revoked_at),
        last_used_at=maybe_rfc3339(token.last_used_at),
        state=_state(token, now),
    )


def _state(token: ApiToken, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.valid(now) else "ended"
