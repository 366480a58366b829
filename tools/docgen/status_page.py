"""The generated parts of docs/status.md: fly-gha-status's tools, resources, rules, commands and settings."""

import ast
import inspect
from typing import Any

import typer.main

from docgen.blocks import code, plain, table
from docgen.settings_page import model_table
from mcp_server.cli.main import app
from mcp_server.credentials import LISTED
from mcp_server.resources import TEMPLATES
from mcp_server.rule import CLASS_OF, ErrorClass
from mcp_server.settings import PREFIX, StatusSettings
from mcp_server.tools.registry import TOOLS

PROGRAM = "fly-gha-status"


def status_tools() -> str:
    """Every tool with its scope and its description, as an agent reads it under the default settings."""
    settings = StatusSettings.model_construct()
    rows = [(code(tool.name), code(tool.scope.value), plain(tool.describe(settings))) for tool in TOOLS]
    return table(("Tool", "Scope", "What an agent is told"), rows)


def status_resources() -> str:
    """Every resource template."""
    rows = [(code(each.uri_template), code(each.tool.scope.value), each.description) for each in TEMPLATES]
    return table(("Resource", "Scope", "What it is"), rows)


def status_rules() -> str:
    """Every class of refusal with its rules."""
    meanings = _documented(ErrorClass)
    rows = [
        (
            code(error_class.value),
            ", ".join(code(rule.value) for rule, its in CLASS_OF.items() if its is error_class),
            meanings[error_class.name],
        )
        for error_class in ErrorClass
    ]
    return table(("Class", "Rules", "What it means"), rows)


def status_settings() -> str:
    """Every setting."""
    return model_table(StatusSettings, lambda name: f"{PREFIX}{name.upper()}")


def status_credentials() -> str:
    """The names that are refused."""
    return table(("Name", "What it would open"), [(code(name), what) for name, what in LISTED.items()])


def status_verbs() -> str:
    """Every command."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group)
    rows = [(code(f"{PROGRAM} [--stdio]"), plain((group.help or "").partition("\n\n")[0]))]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        for verb, each in getattr(command, "commands", {"": command}).items():
            path = f"{PROGRAM} {name} {verb}".strip()
            rows.append((code(path), plain((each.help or "").partition("\n\n")[0])))
    return table(("Command", "What it does"), rows)


def _documented(enum: type[ErrorClass]) -> dict[str, str]:
    """The docstring that stands under each member, which only the source has."""
    body = ast.parse(inspect.getsource(enum)).body[0]
    if not isinstance(body, ast.ClassDef):
        raise TypeError("not a class")
    found: dict[str, str] = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(before, ast.Assign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            target = before.targets[0]
            if isinstance(target, ast.Name):
                found[target.id] = plain(str(after.value.value))
    return found
