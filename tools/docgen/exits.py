"""What each exit code of a verb means, for the pages that list them."""

from collections.abc import Mapping

from runners.cli.outcome import Exit

EXIT_MEANINGS: Mapping[Exit, str] = {
    Exit.OK: "It did what it was asked.",
    Exit.NO: "It ran, and the answer is no: nothing of that name, a token not fresh, a demo that failed.",
    Exit.BAD_USE: "Bad use: an unknown option, a wrong argument, a mistake in fleet.toml (each is named).",
    Exit.UNREACHABLE: "What it needs cannot be reached or does not let it in: dispatcher, database, port.",
}
