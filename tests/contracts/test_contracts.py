"""Every exchange between our clients and the simulators is as the published specifications say."""

import dataclasses
import json
import re
from collections import defaultdict

import pytest

from tests.contracts.exchange import Exchange, json_of, objects_in
from tests.contracts.record import OUT_OF_SCOPE, Record, in_scope
from tests.contracts.sends import SENDS, public_methods

pytestmark = pytest.mark.xdist_group("contracts")

FIRST_REFUSAL = 400
NEVER_REFUSES = {"GET /meta"}

# Objects that the published schemas leave open, so that no misspelt key can be found in them: maps of free
# names, and what is only passed on. `[]` is any entry of a list.
OPEN_PLACES = {
    "fly": {"sends .config.env", "sends .config.metadata"}
    | {"answers .config.env", "answers .config.metadata", "answers .events[].request", "answers .request"},
    # The payload is judged as a webhook, see test_webhook_contract.py.
    "github": {"answers .permissions", "answers .request.headers", "answers .request.payload"},
    "infisical": {"answers .details[]", "answers .message[]", "answers .data.PERMISSIONS"},
}


def misspelt(key: str) -> str:
    """Two letters swapped, as in auto_destory."""
    swapped = key[:-3] + key[-2] + key[-3] + key[-1:] if len(key) >= 3 else key
    return swapped if swapped != key else key + "x"


def with_misspelt_key(body: bytes, place: tuple[str | int, ...]) -> bytes:
    value = json.loads(body)
    target = value
    for step in place:
        target = target[step]
    key = list(target)[-1]
    target[misspelt(key)] = target.pop(key)
    return json.dumps(value).encode()


def in_words(place: tuple[str | int, ...]) -> str:
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in place).removeprefix("[]")


def undetected_in(record: Record, exchange: Exchange, part: str) -> set[str]:
    """Where a misspelt key passes unseen; what is within such a place is not looked at."""
    body = getattr(exchange, part)
    passed: set[tuple[str | int, ...]] = set()
    for place, keys in objects_in(json_of(body)):
        if keys and not any(place[: len(outer)] == outer for outer in passed):
            wrong = dataclasses.replace(exchange, **{part: with_misspelt_key(body, place)})
            if not record.judge.judge(wrong).problems:
                passed.add(place)
    return {in_words(place) for place in passed}


def one_of_each(record: Record, *, sent_by_a_client: bool = False) -> list[Exchange]:
    """For each operation and status the exchange with the longest answer."""
    found: dict[tuple[str, int], Exchange] = {}
    for verdict in sorted(record.verdicts, key=lambda one: len(one.exchange.response_body)):
        if verdict.exchange.sent_by or not sent_by_a_client:
            found[verdict.operation, verdict.exchange.status] = verdict.exchange
    return list(found.values())


def test_every_exchange_is_as_published_or_a_listed_deviation(record):
    wrong = [str(verdict) for verdict in record.verdicts if verdict.problems]
    assert not wrong, "\n".join(wrong)
    assert len(record.verdicts) > 40


def test_every_listed_deviation_is_needed(record):
    needed = frozenset().union(*(verdict.needed for verdict in record.verdicts))
    idle = [one.name for one in record.judge.deviations if one not in needed]
    assert not idle, "no exchange needs:\n" + "\n".join(idle)


def test_every_operation_of_a_face_is_published_under_its_own_id(record):
    published = {_shape(key): op for key, op in record.judge.published.operations.items()}
    for served, served_id in record.served.items():
        operation = published.get(_shape(_without(record.judge.published.base, served)))
        assert operation is not None, f"{served} is not published"
        ours = (
            re.fullmatch(r"[a-z_]+_api_v\d_.*", served_id) is not None
        )  # made up by FastAPI: none was given
        assert ours or served_id == operation.definition["operationId"]


def test_every_operation_of_a_face_is_seen_to_do_well_and_to_refuse(record):
    seen = defaultdict(set)
    for verdict in record.verdicts:
        seen[_shape(verdict.operation)].add(verdict.exchange.status >= FIRST_REFUSAL)
    for served in record.served:
        operation = _without(record.judge.published.base, served)
        wanted = {False} if operation in NEVER_REFUSES else {False, True}
        assert seen[_shape(operation)] == wanted, f"{operation} was not seen in full"


@pytest.mark.parametrize("client", SENDS, ids=lambda client: client.__name__)
def test_a_client_sends_just_what_the_table_says(played, client):
    assert public_methods(client) == set(SENDS[client])
    sent = defaultdict(set)
    for record in played[0].values():
        for verdict in record.verdicts:
            name, _, method = verdict.exchange.sent_by.partition(".")
            if name == client.__name__:
                sent[method].add(verdict.operation)
    assert {method: sent[method] for method in SENDS[client]} == SENDS[client]


def test_what_is_not_judged_is_out_of_scope_by_a_listed_prefix(played):
    for record in played[0].values():
        judged = {id(verdict.exchange) for verdict in record.verdicts if verdict.operation}
        for exchange in record.exchanges:
            assert (id(exchange) in judged) is in_scope(exchange.path), exchange.line
    assert not any(in_scope(prefix + "x") for prefix in OUT_OF_SCOPE)
    assert all(in_scope(path) for path in ("/v1/apps/a/machines", "/app", "/api/v4/secrets", "/_simple"))


def test_a_misspelt_key_is_found_wherever_the_schemas_name_the_keys(record):
    undetected = set()
    for exchange in one_of_each(record, sent_by_a_client=True):
        undetected |= {f"sends {place}" for place in undetected_in(record, exchange, "request_body")}
    for exchange in one_of_each(record):
        undetected |= {f"answers {place}" for place in undetected_in(record, exchange, "response_body")}
    assert undetected == OPEN_PLACES[record.api]


def test_auto_destory_is_found_by_name(played):
    record = played[0]["fly"]
    create = next(
        one for one in record.exchanges if one.sent_by == "FlyClient.create_machine" and one.status == 200
    )
    wrong = dataclasses.replace(
        create, request_body=create.request_body.replace(b"auto_destroy", b"auto_destory")
    )
    (problem,) = record.judge.judge(wrong).problems
    assert problem.startswith("request.config: ")
    assert "'auto_destory' was unexpected" in problem


def test_a_misspelt_query_parameter_is_found(played):
    record = played[0]["fly"]
    listed = next(one for one in record.exchanges if ("include_deleted", "true") in one.query)
    wrong = dataclasses.replace(listed, query=(("include_deletde", "true"),))
    assert record.judge.judge(wrong).problems == ("query parameter include_deletde is unknown",)


def _without(base: str, operation: str) -> str:
    method, _, path = operation.partition(" ")
    return f"{method} {path.removeprefix(base)}"


def _shape(operation: str) -> str:
    return re.sub(r"\{[^}]+\}", "{}", operation)
