"""machines/runner/pins.toml: which pins there are, what each looks like, and writing them anew. Pure.

A value that does not have its form is a mistake, empty means not read yet, and a key nobody knows is a typing
error: what is wrong is said all at once.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import NamedTuple

IMAGE = "ubuntu:24.04"
READ_AT = "read_at"
TIME = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"
PACKAGE_VERSION = r"\d[A-Za-z0-9.+~:-]{0,80}"


class Pin(NamedTuple):
    """One value that a build is made of.

    Attributes:
        section: the table of pins.toml.
        key: the key in it.
        argument: the ARG of the Dockerfile that takes it.
        form: regular expression of the whole value.
    """

    section: str
    key: str
    argument: str
    form: str

    @property
    def name(self) -> str:
        """``runner.sha256``."""
        return f"{self.section}.{self.key}"


PINS = (
    Pin("base", "digest", "BASE_DIGEST", r"sha256:[0-9a-f]{64}"),
    Pin("runner", "version", "RUNNER_VERSION", r"\d{1,4}\.\d{1,6}\.\d{1,6}"),
    Pin("runner", "sha256", "RUNNER_SHA256", r"[0-9a-f]{64}"),
    Pin("docker", "engine", "DOCKER_VERSION", PACKAGE_VERSION),
    Pin("docker", "buildx", "BUILDX_VERSION", PACKAGE_VERSION),
    Pin("docker", "compose", "COMPOSE_VERSION", PACKAGE_VERSION),
)
PACKAGES = {"engine": "docker.io", "buildx": "docker-buildx", "compose": "docker-compose-v2"}
"""The package of each key in ``[docker]``."""


class PinsWrong(Exception):
    """pins.toml is not what it should be; one line per mistake."""


def read(text: str) -> dict[str, str]:
    """The values by name, empty ones included.

    Raises:
        PinsWrong: no TOML, a key too many or too few, or a value without its form.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PinsWrong(f"pins.toml is no TOML: {error}") from None
    flat = {READ_AT: found.pop(READ_AT, None)}
    for section, keys in found.items():
        inner = keys if isinstance(keys, dict) else {"": keys}
        flat |= {f"{section}.{key}".rstrip("."): value for key, value in inner.items()}
    known = {pin.name: pin.form for pin in PINS} | {READ_AT: TIME}
    wrong = [f"{name} is no pin: remove it" for name in flat if name not in known]
    for name, form in known.items():
        value = flat.get(name)
        if not isinstance(value, str):
            wrong.append(f'{name} is missing: write {name.rpartition(".")[2]} = ""')
        elif value and not re.fullmatch(form, value):
            wrong.append(f"{name} is {value[:80]!r}, which no publisher wrote: run make pins")
    if wrong:
        raise PinsWrong("\n".join(wrong))
    return {name: str(flat[name]) for name in known}


def complete(values: Mapping[str, str]) -> dict[str, str]:
    """The build arguments.

    Raises:
        PinsWrong: a value is empty.
    """
    empty = [
        f"{pin.name} is empty: run make pins where there is internet" for pin in PINS if not values[pin.name]
    ]
    if empty:
        raise PinsWrong("\n".join(empty))
    return {pin.argument: values[pin.name] for pin in PINS}


def write(text: str, values: Mapping[str, str], read_at: str) -> str:
    """The file with new values, its comments and order kept.

    Raises:
        PinsWrong: a value does not have its form; nothing is written then.
    """
    fresh = {**values, READ_AT: read_at}
    section, lines = "", []
    for line in text.splitlines():
        if found := re.fullmatch(r"\[(\w+)\]", line):
            section = found[1]
        if found := re.fullmatch(r'(\w+) = ".*"', line):
            name = f"{section}.{found[1]}" if section else found[1]
            lines.append(f'{found[1]} = "{fresh[name]}"')
        else:
            lines.append(line)
    written = "\n".join(lines) + "\n"
    if read(written) != fresh:
        raise PinsWrong("pins.toml has lines that cannot be written anew: give each pin a line of its own")
    complete(fresh)
    return written


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed, one line per pin: old → new."""
    lines = []
    for pin in PINS:
        before, after = old[pin.name], new[pin.name]
        what = f"unchanged, {after}" if before == after else f"{before or '(empty)'} → {after}"
        lines.append(f"  {pin.name:<15} {what}")
    return lines
