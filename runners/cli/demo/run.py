"""The demo's course: start everything, follow one job, drive the burst, wait for a clean world, judge."""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from runners.cli.demo.fleet_text import FLEET_MAX, MEDIUM_MAX, SMALL_MAX
from runners.cli.demo.follow import follow
from runners.cli.demo.judge import Caps, judge
from runners.cli.demo.judge_variant import judge_variant
from runners.cli.demo.options import Credentials, Options, Sabotage, Variant
from runners.cli.demo.place import Place, prepare
from runners.cli.demo.processes import Processes, sole_user
from runners.cli.demo.reader import Reader, make_reader
from runners.cli.demo.report import print_commands, print_summary, print_trace, write_summary
from runners.cli.demo.sabotage import sabotage
from runners.cli.demo.script import RunScript, Script, first_job, write_script
from runners.cli.demo.spares import end_spares, until_warm
from runners.cli.demo.summary import Summary, added_latencies, phase_spreads, slowest, spread
from runners.cli.demo.watch import Watch
from runners.cli.demo.worlds import Worlds

LOOK_S = 0.25
# The burst and the clean-up after it must fit into this, or the demo judges what there is.
BURST_DEADLINE_S = 50.0
CAPS = Caps(FLEET_MAX, {"gha-medium": MEDIUM_MAX, "gha-small": SMALL_MAX})


async def run(options: Options, console: Console, json_file: Path | None) -> Summary:
    """Run the whole demo.

    Raises:
        DemoBroken: a process did not start or ended early.
        CancelledError: it was told to stop, by SIGTERM, or by SIGHUP when its terminal was closed.
    """
    me = asyncio.current_task()
    if me is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    with sole_user(options.folder):
        return await _run(options, console, json_file)


async def _run(options: Options, console: Console, json_file: Path | None) -> Summary:
    place = prepare(options.folder, seed=options.seed, scale=options.scale, variant=options.variant)
    async with Processes(place) as processes:
        worlds, reader = await _start(processes, place, console)
        try:
            await _first(worlds, reader, processes, place, console)
            summary = await _burst(options, worlds, reader, processes, place, console)
            print_summary(console, summary)
            if json_file is not None:
                write_summary(json_file, summary)
                console.print(f"summary written to {json_file}", markup=False)
            print_commands(console, options.program, place, summary, keep_serving=options.keep_serving)
            if options.keep_serving:
                console.print(f"serving at {place.url} until Ctrl-C", markup=False)
                await until_stopped(processes)
        finally:
            await worlds.close()
            await reader.close()
    return summary


async def until_stopped(processes: Processes) -> None:
    """Leave it up until Ctrl-C or a signal: the way it is meant to end, so that the verdict stays the answer.

    Raises:
        DemoBroken: a process ended by itself.
    """
    with suppress(asyncio.CancelledError):
        while True:
            processes.check()
            await asyncio.sleep(1.0)


async def _start(processes: Processes, place: Place, console: Console) -> tuple[Worlds, Reader]:
    began = time.monotonic()
    await processes.start_simulators()
    console.print(f"  simulators of Fly, GitHub and Infisical      up after {time.monotonic() - began:.1f} s")
    if place.variant.credentials is Credentials.PUBLISHED:
        publishing = asyncio.create_task(processes.publish_tokens())
        try:
            reader = await make_reader(place)
        except BaseException:
            publishing.cancel()  # nobody awaits it any more, and its process is ended with the others
            raise
        await publishing
        console.print(
            f"  tokens published (it alone holds the App key) after {time.monotonic() - began:.1f} s"
        )
    else:
        reader = await make_reader(place)
    await processes.start_dispatcher()
    console.print(f"  dispatcher on SQLite, credentials pulled      after {time.monotonic() - began:.1f} s")
    if place.variant.warm:
        await until_warm(reader, place.variant, processes)
        console.print(f"  {_spares(place.variant)} after {time.monotonic() - began:.1f} s")
    return Worlds(processes.urls), reader


def _spares(variant: Variant) -> str:
    return f"spares of gha-medium: {variant.stopped} stopped, {variant.ready} ready".ljust(45)


async def _first(
    worlds: Worlds, reader: Reader, processes: Processes, place: Place, console: Console
) -> None:
    console.print("\n[bold]One job, phase by phase[/bold]")
    ids = await worlds.queue(first_job(), place.scale)
    await follow(reader, ids["first"], processes, lambda line: console.print(line, markup=False))


async def _burst(
    options: Options,
    worlds: Worlds,
    reader: Reader,
    processes: Processes,
    place: Place,
    console: Console,
) -> Summary:
    script = write_script(options.seed, place.scale, options.variant.jobs)
    console.print(f"\n[bold]{len(script.jobs)} jobs, {len(script.faults)} faults[/bold]")
    if Sabotage.CAP in options.sabotage:
        await sabotage(Sabotage.CAP, worlds, place)
    for fault in script.faults:
        await worlds.arm(fault)
        console.print(f"  armed: {fault.says}", markup=False)
    began = time.monotonic()
    queued: dict[str, int] = {}
    queueing = asyncio.create_task(_queue(worlds, script.runs, place, queued))
    try:
        await _until_clean(
            options, script, worlds, reader, processes, place, console, queued, queueing, began
        )
    finally:
        queueing.cancel()
    for kind in sorted(options.sabotage - {Sabotage.CAP}):
        await sabotage(kind, worlds, place)
    seconds = time.monotonic() - began
    return await _judge(options, script, worlds, reader, place, queued, seconds)


async def _queue(worlds: Worlds, runs: tuple[RunScript, ...], place: Place, queued: dict[str, int]) -> None:
    began = time.monotonic()
    for each in runs:
        await asyncio.sleep(max(0.0, each.after / place.scale - (time.monotonic() - began)))
        queued.update(await worlds.queue(each, place.scale))


async def _until_clean(
    options: Options,
    script: Script,
    worlds: Worlds,
    reader: Reader,
    processes: Processes,
    place: Place,
    console: Console,
    queued: Mapping[str, int],
    queueing: asyncio.Task[None],
    began: float,
) -> None:
    """Show progress until every job is concluded and nothing is left, or the deadline has passed."""
    seen = 0
    warm = place.variant.warm
    with Watch(console, len(script.jobs)).shown() as watch:
        while time.monotonic() - began < BURST_DEADLINE_S:
            processes.check()
            if queueing.done():
                queueing.result()
            status, jobs = await asyncio.gather(reader.get("/v1/status"), reader.jobs())
            ours = [job for job in jobs if job["id"] in queued.values()]
            watch.update(status, ours, time.monotonic() - began)
            if options.trace:
                seen = await print_trace(console, reader, seen)
            if len(queued) == len(script.jobs) and _is_idle(status, spares=warm):
                concluded = await worlds.concluded()
                if set(queued.values()) <= concluded:
                    if warm:
                        # What is kept warm would be kept for ever: from here on it is not wanted any more.
                        await end_spares(reader)
                        warm = False
                    elif await worlds.volumes() == 0:
                        # A volume is deleted some time after its Machine: until then the world is not clean.
                        return
            await asyncio.sleep(LOOK_S)


def _is_idle(status: Mapping[str, Any], *, spares: bool) -> bool:
    """Whether the dispatcher holds nothing any more, or spares only; what sabotage left is not waited for."""
    open_jobs = status["queue"]["queued"] + status["queue"]["in_progress"]
    machines = 0 if spares else sum(pool["live_machines"] for pool in status["pools"])
    runners = sum(count for state, count in status["runners"].items() if state != "gone")
    return not (open_jobs or machines or runners)


async def _judge(
    options: Options,
    script: Script,
    worlds: Worlds,
    reader: Reader,
    place: Place,
    queued: Mapping[str, int],
    seconds: float,
) -> Summary:
    journals = await worlds.journals()
    jobs = [await reader.job(job_id) for job_id in queued.values()]
    by_id = {job["id"]: job for job in jobs if "id" in job}
    checks = judge(
        journals["fly"],
        journals["github"],
        expected={queued[job.name]: job.expect for job in script.jobs if job.name in queued},
        lost={
            queued[job.name]: by_id.get(queued[job.name], {}).get("lost") for job in script.jobs if job.dies
        },
        unfired=await worlds.unfired(),
        armed=len(script.faults),
        caps=CAPS,
    )
    checks = (*checks, *judge_variant(place.variant, journals))
    latencies = added_latencies(place.folder / "fleet.db")
    slowest_job, slowest_wait = slowest(by_id.values())
    return Summary(
        seed=options.seed,
        scale=options.scale,
        seconds=seconds,
        jobs=len(by_id),
        phases=phase_spreads(by_id.values()),
        added_latency=spread(latencies),
        held_back=max(0, len(by_id) + 1 - len(latencies)),
        slowest_job=slowest_job,
        slowest_wait=slowest_wait,
        checks=checks,
    )
