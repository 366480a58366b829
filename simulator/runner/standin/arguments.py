"""Command line and `ACTIONS_RUNNER_INPUT_*` environment, read as the real runner reads them.

As in the source of actions/runner 2.336. Every input variable is taken out of the environment at once, so
that no child (a hook, a step) can see a token. An argument the command does not know is complained about, and
then ignored.
"""

import os

PREFIX = "ACTIONS_RUNNER_INPUT_"
COMMANDS = ("configure", "remove", "run", "warmup")
FLAGS = frozenset(
    {
        "check",
        "commit",
        "disableupdate",
        "ephemeral",
        "generateserviceconfig",
        "help",
        "local",
        "no-default-labels",
        "once",
        "replace",
        "runasservice",
        "unattended",
        "version",
    }
)
KNOWN = {
    "configure": FLAGS - {"check", "local", "once"}
    | {"auth", "labels", "name", "pat", "runnergroup", "token", "url", "work"},
    "remove": frozenset({"help", "version", "commit", "local", "token", "pat", "unattended"}),
    "run": frozenset(
        {"help", "version", "commit", "check", "once", "jitconfig", "startuptype", "pat", "url"}
    ),
    "warmup": frozenset({"help", "version", "commit"}),
}
TRUE = frozenset({"1", "true", "$true", ""})


class Arguments:
    """What one invocation was told.

    Attributes:
        command: configure, run, remove, warmup, or empty.
        unknown: arguments the command does not know.
    """

    def __init__(self, argv: list[str]) -> None:
        self.command = next((word for word in argv if word in COMMANDS), "")
        self._inputs = _take_inputs()
        self._given = _parse(argv)
        known = KNOWN.get(self.command, frozenset({"help", "version", "commit"}))
        self.unknown = sorted(name for name in self._given if name not in known)

    def text(self, name: str) -> str | None:
        """The value of an argument: command line first, then environment."""
        value = self._given.get(name)
        return self._inputs.get(name) if value is None else value

    def flag(self, name: str) -> bool:
        """Whether a flag is set."""
        if name in self._given:
            return True
        return name in self._inputs and self._inputs[name].strip().lower() in TRUE - {""}


def _take_inputs() -> dict[str, str]:
    inputs = {}
    for key in [key for key in os.environ if key.upper().startswith(PREFIX)]:
        inputs[key[len(PREFIX) :].lower()] = os.environ.pop(key)
    return inputs


def _parse(argv: list[str]) -> dict[str, str]:
    """`--flag`, `--name value`; what stands where no option asked for it belongs to nobody."""
    given: dict[str, str] = {}
    name = ""
    for word in argv:
        if word.startswith("--"):
            name = word[2:].lower()
            given[name] = ""
            if name in FLAGS:
                name = ""
        elif name:
            given[name] = word
            name = ""
    return given
