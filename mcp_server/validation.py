"""Validation: a question's arguments by its tool's model, or what is wrong with them in words of ours."""

from pydantic import ValidationError

from mcp_server.catalog import Question
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.tools.tool import Arguments


def validated(question: Question) -> Arguments:
    """The arguments as the tool takes them.

    Raises:
        Refused: ARGUMENT_UNKNOWN or ARGUMENT_INVALID, in words of the schema; nothing is quoted.
    """
    try:
        return question.tool.arguments.model_validate(dict(question.arguments))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    known = ", ".join(question.tool.arguments.model_fields) or "none"
    if first["type"] == "extra_forbidden":
        raise Refused(
            Rule.ARGUMENT_UNKNOWN,
            cause="an argument was sent that this tool does not have",
            attempted=f"call {question.tool.name}",
            missing=f"only these are known: {known}",
            next_step="send the call again with known arguments only",
        )
    name = next((part for part in first["loc"] if part in question.tool.arguments.model_fields), "arguments")
    raise Refused(
        Rule.ARGUMENT_INVALID,
        cause=f"{name}: {_rule_words(first['type'], first['msg'])}",
        attempted=f"call {question.tool.name}",
        missing=f"a valid {name}; the input schema says what that is",
        next_step="correct it and send the call again",
    )


def _rule_words(kind: str, message: str) -> str:
    """Pydantic's own words for its own rules; those of a custom check may quote the value."""
    return (
        message if kind not in ("value_error", "assertion_error") else "it has not the form that is asked for"
    )
