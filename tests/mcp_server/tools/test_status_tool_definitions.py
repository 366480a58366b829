"""What every tool's definition must be: closed, read-only, short, with no figure but those of settings."""

import re

import jsonschema
import pytest
from pydantic import ValidationError
from status_tool_world import TOOL, tokens

from mcp_server.resources import TEMPLATES
from mcp_server.settings import StatusSettings
from mcp_server.tools.registry import TOOLS, definition
from mcp_server.tools.schema import output_schema

NOUN = "fly-gha GitHub Actions runners"
EVERY = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
LIST_TOKENS_MAX = 10_000


def defined(tool, **changes):
    return definition(tool, StatusSettings(**changes)).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )


def descriptions(schema):
    """Every description in a schema, at whatever depth."""
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for value in schema.values():
            yield from descriptions(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from descriptions(value)


@EVERY
def test_a_definition_says_that_the_tool_only_reads(tool):
    assert defined(tool)["annotations"] == {
        "title": tool.title,
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }


@EVERY
def test_both_schemas_are_schemas_of_objects_and_the_input_is_closed(tool):
    found = defined(tool)
    for schema in (found["inputSchema"], found["outputSchema"]):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    assert found["inputSchema"]["additionalProperties"] is False
    assert found["outputSchema"]["required"]


@EVERY
def test_every_example_is_valid_by_schema_and_by_model(tool):
    found = defined(tool)["inputSchema"]
    assert tool.examples
    for question, arguments in tool.examples:
        assert question
        jsonschema.Draft202012Validator(found).validate(dict(arguments))
        tool.arguments.model_validate(dict(arguments))
    assert found["examples"] == [dict(arguments) for _, arguments in tool.examples]


@EVERY
def test_unknown_arguments_are_refused_and_nothing_is_converted(tool):
    good = dict(tool.examples[0][1])
    for bad in ({"mallory": 1}, {"min_revision": "5"}, {"min_revision": -1}, {"min_revision": True}):
        with pytest.raises(ValidationError):
            tool.arguments.model_validate({**good, **bad})


@EVERY
def test_a_description_begins_with_the_product_and_names_the_tool_that_it_is_not(tool):
    text = defined(tool)["description"]
    assert text.startswith(NOUN)
    others = [name for name in TOOL if name != tool.name and name in text]
    assert others, "it names no neighbour"
    assert tool.name not in text


@EVERY
def test_no_description_holds_a_figure_that_is_not_a_setting(tool):
    marked = defined(tool, stale_after_s=3333, answer_soft_tokens=77_777, call_timeout_s=222)
    text = re.sub(r"\b(3333|77777|222)\b", "", marked["description"])
    assert not re.search(r"\d", text)
    for said in descriptions([marked["inputSchema"], marked["outputSchema"]]):
        assert not re.search(r"\d", said), said
    for template in TEMPLATES:
        assert not re.search(r"\d", template.description)


def test_changing_a_setting_changes_the_text():
    tool = TOOL["capacity_check"]
    assert "30 s" in defined(tool)["description"]
    assert "7.5 s" in defined(tool, stale_after_s=7.5)["description"]


def test_every_schema_of_an_answer_has_the_frame_and_time_is_a_date_time():
    for output in (*(tool.output for tool in TOOLS), *(template.tool.output for template in TEMPLATES)):
        schema = output_schema(output)
        assert {"revision", "as_of", "age_s", "stale"} <= set(schema["properties"])
        assert schema["properties"]["as_of"]["format"] == "date-time"
        assert "null" not in str(schema)


def test_the_whole_list_is_short_enough_to_read():
    listed = [
        definition(tool, StatusSettings()).model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in TOOLS
    ]
    assert tokens(listed) < LIST_TOKENS_MAX
