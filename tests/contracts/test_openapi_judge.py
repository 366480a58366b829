"""The judge itself: what it closes, what it lets pass, and when a deviation counts as needed."""

import dataclasses
import json

import pytest

from tests.contracts.closing import ClosedSchemas
from tests.contracts.deviations import Deviation, OverlayWrong, load
from tests.contracts.exchange import Exchange
from tests.contracts.judge import Judge

THING = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "note": {"type": "string", "nullable": True},
        "at": {"type": "string", "format": "date-time"},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}}
DOCUMENT = {
    "servers": [{"url": "https://api.test/v1"}],
    "components": {
        "schemas": {"Thing": THING, "Named": NAMED, "Error": {"type": "object", "properties": {"error": {}}}}
    },
    "paths": {
        "/things": {
            "get": {
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                    {"name": "kind", "in": "query", "required": True, "schema": {"enum": ["a", "b"]}},
                ],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}
                            }
                        }
                    },
                },
            },
        },
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "put": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                },
                "responses": {"204": {}},
            },
        },
        "/things/latest": {"get": {"responses": {"204": {}}}},
    },
}
LISTED = Exchange(
    method="GET",
    path="/v1/things",
    query=(("kind", "a"), ("limit", "3")),
    request_headers={},
    request_body=b"",
    status=200,
    response_headers={"content-type": "application/json; charset=utf-8"},
    response_body=b'[{"id": 1, "note": null, "at": "2026-11-20T19:00:00Z", "tags": {"any": "name"}}]',
)
PUT = Exchange(
    method="PUT",
    path="/v1/things/7",
    query=(),
    request_headers={"content-type": "application/json"},
    request_body=b'{"id": 7}',
    status=204,
    response_headers={},
    response_body=b"",
    sent_by="Client.put",
)
REFUSED = {"status": 404, "response_body": b'{"error": "gone"}'}
MISSING = Deviation("*", "what", "fact", status=404, schema='{"$ref": "#/components/schemas/Error"}')


def judged(exchange, *deviations, **changes):
    return Judge(DOCUMENT, deviations).judge(dataclasses.replace(exchange, **changes))


def test_what_is_as_published_has_no_problem_and_needs_no_deviation():
    for exchange in (LISTED, PUT):
        verdict = judged(exchange, MISSING)
        assert (verdict.problems, verdict.needed) == ((), frozenset())


@pytest.mark.parametrize(
    ("exchange", "changes", "problem"),
    [
        (LISTED, {"path": "/things"}, "GET /things is no operation of the specification"),
        (LISTED, {"path": "/v1/thing"}, "GET /v1/thing is no operation of the specification"),
        (LISTED, {"query": (("kind", "a"), ("limt", "3"))}, "query parameter limt is unknown"),
        (LISTED, {"query": ()}, "query parameter kind is missing"),
        (LISTED, {"query": (("kind", "c"),)}, "query kind: 'c' is not one of ['a', 'b']"),
        (LISTED, {"query": (("kind", "a"), ("limit", "x"))}, "query limit: 'x' is not of type 'integer'"),
        (LISTED, {"request_body": b"{}"}, "request body is not foreseen"),
        (LISTED, {"status": 202}, "status 202 is not listed"),
        (LISTED, {"response_body": b""}, "response body is missing"),
        (LISTED, {"response_body": b"<html>"}, "response is not JSON"),
        (
            LISTED,
            {"response_headers": {"content-type": "text/html"}},
            "response is text/html, not application/json",
        ),
        (LISTED, {"response_body": b'[{"id": "1"}]'}, "response[0].id: '1' is not of type 'integer'"),
        (LISTED, {"response_body": b"[{}]"}, "response[0]: 'id' is a required property"),
        (
            LISTED,
            {"response_body": b'[{"id": 1, "at": "soon"}]'},
            "response[0].at: 'soon' is not a 'date-time'",
        ),
        (
            LISTED,
            {"response_body": b'[{"id": 1, "noet": "x"}]'},
            "response[0]: Additional properties are not allowed ('noet' was unexpected)",
        ),
        (PUT, {"path": "/v1/things/x"}, "path id: 'x' is not of type 'integer'"),
        (PUT, {"request_body": b""}, "request body is missing"),
        (
            PUT,
            {"request_body": b'{"id": 7, "nmae": "x"}'},
            "request: Additional properties are not allowed ('nmae' was unexpected)",
        ),
        (PUT, {"response_body": b"{}"}, "response body is not foreseen"),
    ],
)
def test_what_is_not_as_published_is_named(exchange, changes, problem):
    assert judged(exchange, **changes).problems == (problem,)


def test_a_literal_segment_is_a_closer_match_than_a_hole():
    verdict = judged(PUT, method="GET", path="/v1/things/latest", request_body=b"")
    assert (verdict.operation, verdict.problems) == ("GET /things/latest", ())


def test_a_malformed_request_made_by_hand_is_judged_by_its_refusal_only():
    refusal = {"request_body": b"{", "status": 422, "response_body": b'{"error": "no"}'}
    refusal["response_headers"] = {"content-type": "application/json"}
    listed = dataclasses.replace(MISSING, status=422)
    assert judged(PUT, listed, sent_by="", **refusal).problems == ()
    assert judged(PUT, listed, **refusal).problems == ("request is not JSON",)


def test_a_deviation_counts_as_needed_only_where_nothing_else_helps():
    idle = dataclasses.replace(MISSING, status=410)
    verdict = judged(LISTED, MISSING, idle, **REFUSED)
    assert (verdict.problems, verdict.needed) == ((), {MISSING})
    assert judged(LISTED, idle, **REFUSED).problems == ("status 404 is not listed",)


def test_a_deviation_of_one_operation_replaces_what_is_listed_there_and_one_of_all_does_not():
    other = {"response_body": b'{"error": "x"}'}
    of_one = dataclasses.replace(MISSING, operation="GET /things", status=200)
    assert judged(LISTED, of_one, **other).needed == {of_one}
    of_all = dataclasses.replace(MISSING, status=200)
    assert judged(LISTED, of_all, **other).problems


def test_a_deviation_may_add_a_parameter_or_change_a_component():
    starred = Deviation("GET /things", "what", "fact", parameter="tags.{key}")
    query = (*LISTED.query, ("tags.colour", "red"), ("tags.size", "xl"))
    assert judged(LISTED, starred, query=query).needed == {starred}
    merged = Deviation(
        "*", "what", "fact", component="Thing", schema='{"properties": {"id": {"nullable": true}}}'
    )
    assert judged(LISTED, merged, response_body=b'[{"id": null}]').needed == {merged}
    assert judged(LISTED, merged, response_body=b'[{"id": "x"}]').problems


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"allOf": [{"$ref": "Thing"}, {"$ref": "Named"}]}, {"id": 1, "name": "x"}, {"id": 1, "nmae": "x"}),
        ({"allOf": [{"$ref": "Named"}], "description": "one"}, {"name": "x"}, {"nmae": "x"}),
        ({"allOf": [{"$ref": "Named"}], "nullable": True}, None, {"nmae": "x"}),
        ({"anyOf": [{"$ref": "Thing"}, {"$ref": "Named"}]}, {"name": "x"}, {"id": 1, "nmae": "x"}),
        ({"anyOf": [{"$ref": "Thing"}, {"$ref": "Named"}]}, {"id": 1}, {"id": 1, "name": "x"}),
        (
            {"properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {"b": 1},
            {"b": 1, "c": 1},
        ),
        ({"type": "string", "enum": ["a"], "nullable": True}, None, "b"),
        ({"type": "object"}, {"anything": 1}, []),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, {"b": 1}, 1),
        ({"type": "array", "items": {"$ref": "Named"}}, [{"name": "x"}], [{"nmae": "x"}]),
    ],
)
def test_composed_objects_are_closed_as_one(schema, good, bad):
    schemas = ClosedSchemas({"Thing": THING, "Named": NAMED}, prefix="")
    assert schemas.problems(schema, good, "it") == []
    assert schemas.problems(schema, bad, "it") != []


@pytest.mark.parametrize(
    "entry",
    [
        'operation = "*"\nstatus = 404\nwhat = "x"',
        'operation = "*"\nwhat = "x"\nfact = "y"',
        'operation = "*"\nstatus = 404\nparameter = "p"\nwhat = "x"\nfact = "y"',
        'operation = "*"\nstatus = 404\nwhat = "x"\nfact = "y"\nshcema = "{}"',
        "\n[[deviation]]\n".join(['operation = "*"\nstatus = 404\nwhat = "x"\nfact = "y"'] * 2),
    ],
)
def test_an_overlay_that_cannot_be_meant_so_is_refused(tmp_path, entry):
    overlay = tmp_path / "deviations.toml"
    overlay.write_text(f"[[deviation]]\n{entry}\n")
    with pytest.raises(OverlayWrong):
        load(overlay)


def test_an_overlay_of_an_operation_that_does_not_exist_is_refused():
    with pytest.raises(OverlayWrong):
        judged(LISTED, dataclasses.replace(MISSING, operation="GET /nothing"))


def test_the_document_itself_is_left_as_it_was():
    before = json.dumps(DOCUMENT)
    judged(LISTED, MISSING, **REFUSED)
    assert json.dumps(DOCUMENT) == before
