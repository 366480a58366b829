"""``fly-gha demo``: the verb. Exit 0 only when the simulators' own logs say that everything went right."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer

from runners.cli.demo.options import Credentials, Options, Registration, Sabotage, Variant
from runners.cli.demo.script import LEAST_JOBS, TOTAL
from runners.cli.outcome import Exit, fail
from runners.cli.screen import screen

DEFAULT_FOLDER = Path(".fly-gha/demo")
MOST_SPARES = 4
"""Of either kind: half of the pool's cap of ten and more stays for what is created for a job."""


def demo(
    seed: Annotated[int, typer.Option(help="Repeats script, faults and latencies.")] = 1,
    scale: Annotated[float, typer.Option(min=1, max=40, help="How many times faster than real.")] = 20.0,
    jobs: Annotated[int, typer.Option(min=LEAST_JOBS, max=TOTAL, help="Jobs of the burst.")] = TOTAL,
    registration: Annotated[
        Registration | None,
        typer.Option(help="How every pool registers; by default one by jit, one by token."),
    ] = None,
    credentials: Annotated[
        Credentials, typer.Option(help="Who holds the App key: publisher, Infisical or dispatcher.")
    ] = Credentials.PUBLISHED,
    stopped: Annotated[int, typer.Option(min=0, max=MOST_SPARES, help="Stopped spares of gha-medium.")] = 0,
    ready: Annotated[int, typer.Option(min=0, max=MOST_SPARES, help="Ready spares of gha-medium.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the summary to this file.")] = None,
    keep_serving: Annotated[bool, typer.Option("--keep-serving", help="Leave it up until Ctrl-C.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show each event of the dispatcher.")] = False,
    sabotage: Annotated[
        list[Sabotage] | None, typer.Option(help="Make the world wrong; the demo must fail. May be repeated.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where its files go.")] = DEFAULT_FOLDER,
) -> None:
    """Follow one job, then drive 60 with faults against simulated Fly, GitHub and Infisical."""
    console = screen()
    console.print(f"fly-gha demo: simulated Fly, GitHub and Infisical, time scale 1:{scale:g}")
    if json_file is not None and not json_file.parent.is_dir():
        fail(Exit.BAD_USE, f"--json {json_file}: the folder {json_file.parent} does not exist.")
    if json_file is not None:
        _may_write(json_file)
    from runners.cli.demo.processes import DemoBroken, FolderRefused  # noqa: PLC0415 - the first line must not wait for it
    from runners.cli.demo.run import run  # noqa: PLC0415 - likewise
    from runners.store.errors import StoreError  # noqa: PLC0415 - likewise

    options = Options(
        seed=seed,
        scale=scale,
        variant=Variant(registration, credentials, stopped, ready, jobs),
        folder=folder.resolve(),
        sabotage=frozenset(sabotage or ()),
        keep_serving=keep_serving,
        trace=trace,
        program=Path(sys.argv[0]),
    )
    try:
        summary = asyncio.run(run(options, console, json_file))
    except FolderRefused as error:
        fail(Exit.UNREACHABLE, f"The demo did not start: {error}")
    except (DemoBroken, StoreError) as error:
        fail(Exit.UNREACHABLE, f"The demo broke: {error}")
    except httpx.HTTPError as error:
        logs = f"the logs in {folder} say more"
        fail(Exit.UNREACHABLE, f"The demo broke: one of its processes did not answer ({error!r}); {logs}.")
    except (KeyboardInterrupt, asyncio.CancelledError):
        fail(Exit.NO, "Stopped; every process of the demo was ended.")
    if not summary.ok:
        raise typer.Exit(Exit.NO)


def _may_write(json_file: Path) -> None:
    """Find out before the demo, not after it, that its summary has no place."""
    try:
        json_file.open("a", encoding="utf-8").close()
    except OSError as error:
        fail(Exit.BAD_USE, f"--json {json_file} cannot be written: {error.strerror}.")
