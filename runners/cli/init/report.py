"""What init did, in words and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.cli.init.choices import Choices
from runners.cli.init.next_steps import Step
from runners.cli.init.permissions import Right
from runners.cli.screen import screen
from runners.cli.telling import say
from runners.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Report:
    """All that there is to tell.

    Attributes:
        files: path and what it is, in the order they were written.
        unchanged: those that were there already, word for word.
        kept: copies of what was there before.
        missing: settings that are still to be given.
        settings: the written file, read back; those that are missing have a stand-in.
    """

    directory: Path
    choices: Choices
    files: tuple[tuple[Path, str], ...]
    unchanged: frozenset[Path]
    kept: tuple[Path, ...]
    missing: tuple[str, ...]
    settings: Settings
    rights: tuple[Right, ...]
    steps: tuple[Step, ...]

    def document(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "fleet": self.settings.fleet.name,
            "directory": str(self.directory),
            "files": [
                {"path": str(path), "what": what, "written": path not in self.unchanged}
                for path, what in self.files
            ],
            "kept": [str(path) for path in self.kept],
            "complete": not self.missing,
            "missing": list(self.missing),
            "pools": [
                {
                    "name": pool.name,
                    "runs_on": list(pool.served_labels),
                    "machine_class": pool.class_name,
                    "scope": pool.scope,
                    "apps": list(pool.apps),
                    "regions": list(pool.regions),
                    "max_machines": pool.max_machines,
                }
                for pool in self.settings.pools
            ],
            "permissions": [asdict(right) for right in self.rights],
            "next": [{"says": step.says, "commands": list(step.commands)} for step in self.steps],
        }


def tell(report: Report) -> None:
    """The report for a person."""
    say((f"fleet {report.settings.fleet.name}",), indent="")
    say(
        f"{path} is there already: {what}" if path in report.unchanged else f"wrote {path}: {what}"
        for path, what in report.files
    )
    say(f"kept {path}: what was there before" for path in report.kept)
    say(_pools(report))
    if report.missing:
        say((f"still missing in fleet.toml: {', '.join(report.missing)}; the steps below say where from",))
    say(("",), indent="")
    say(("Permissions",), indent="")
    say(_rights(report.rights))
    say(("",), indent="")
    say(("Next",), indent="")
    console = screen()
    for number, step in enumerate(report.steps, start=1):
        say((f"{number}. {step.says}",))
        for command in step.commands:
            # Never wrapped: it is there to be copied.
            console.print(f"       {command}", markup=False, soft_wrap=True)


def _pools(report: Report) -> Iterator[str]:
    for pool in report.settings.pools:
        yield (
            f"pool {pool.name}: runs-on {', '.join(pool.served_labels)}, in {', '.join(pool.regions)}, "
            f"{pool.max_machines} Machines at most"
        )


def _rights(rights: tuple[Right, ...]) -> Iterator[str]:
    for where in dict.fromkeys(right.where for right in rights):
        here = [right for right in rights if right.where == where]
        yield f"{where}: " + "; ".join(
            f"{right.what}: {right.level}" if right.level else right.what for right in here
        )
