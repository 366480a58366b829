"""`bin/Runner.Listener`: picks the command, unpacks a JIT config, answers with an exit code."""

from .arguments import Arguments
from .codes import SUCCESS, TERMINATED, VERSION
from .folder import Folder
from .terminal import error, say


def main(root: str, argv: list[str]) -> int:
    """Do what the command line says.

    Args:
        root: the runner's folder.
        argv: the arguments after the program's name.

    Returns:
        The exit code, one of the real listener's (codes.py).
    """
    folder = Folder(root)
    folder.load_env()
    arguments = Arguments(argv)
    if arguments.unknown:
        named = f" for command {arguments.command}" if arguments.command else ""
        error(
            f"Unrecognized command-line input arguments{named}: '{', '.join(arguments.unknown)}'. "
            "For usage refer to: ./config.sh --help"
        )
    if arguments.flag("version"):
        say(VERSION)
        return SUCCESS
    match arguments.command:
        case "configure" | "remove":
            from . import configuring  # noqa: PLC0415 - `run` must not pay for it

            return getattr(configuring, arguments.command)(folder, arguments)  # type: ignore[no-any-return]
        case "run":
            return _run(folder, arguments)
        case _:
            return SUCCESS


def _run(folder: Folder, arguments: Arguments) -> int:
    if (encoded := arguments.text("jitconfig")) is not None:
        try:
            folder.write_jit(encoded)
        except (ValueError, OSError) as wrong:
            error(str(wrong))
            return TERMINATED
    if not folder.configured:
        error("Runner is not configured.")
        return TERMINATED
    from .listening import Listener  # noqa: PLC0415 - `configure` must not pay for it

    return Listener(folder).run()
