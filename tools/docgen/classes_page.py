"""docs/classes.md: the classes that come with fly-gha, from their files, with Fly's speeds and prices."""

from docgen.blocks import code, page, table
from machines.classes import MEMORY_LEFT_MIN_MB, Disk, MachineClass, load_classes
from machines.prices import (
    USD_PER_GB_ROOTFS_MONTH,
    USD_PER_GB_VOLUME_MONTH,
    dearest_usd_per_hour,
    usd_per_hour,
    usd_per_hour_stopped,
)
from machines.speeds import ROOT, VOLUME, disk_speed

BASE = "iad"


def classes_page() -> str:
    """The whole page."""
    classes = sorted(load_classes().values(), key=lambda one: one.cpus)
    return page(
        "Machine classes",
        "A class is a size of Machine: one TOML file in [machines/](../machines), whose comments say "
        "why it is "
        "as it is. A pool named `gha-medium` boots the class `gha-medium`, unless its `machine_class` says "
        "otherwise.",
        table(("Class", "For", "CPUs", "Memory", "Root disk", "Job's disk", "Its speed"), map(_row, classes)),
        "The root disk holds the image and what a job installs outside its workspace. The job's disk "
        "holds the "
        "workspace and Docker's data. Fly caps the root disk of every size at "
        f"{ROOT.iops} IOPS and {ROOT.mib_per_second} MiB/s, so no class that comes with fly-gha works "
        f"on it.",
        "## Prices",
        "US dollars per hour, estimated from Fly's price list: there is no price API, and these are no "
        f"invoices. The first figure is for {BASE}, the second for the dearest region. A started Machine's "
        "volume is in its price.",
        table(("Class", f"Started, {BASE}", "Started, dearest", "Stopped spare"), map(_price, classes)),
        f"A stopped spare pays for its root disk (${USD_PER_GB_ROOTFS_MONTH:g} per GB and 30 days) and "
        f"for its "
        f"volume (${USD_PER_GB_VOLUME_MONTH:g}). Fly bills a volume by whole hours.",
        "## Where a job writes",
        table(
            ("`disk.kind`", "What it is", "For", "Against"),
            (
                (
                    code("volume"),
                    "a volume of the Machine's own, wiped at every boot and deleted after the Machine",
                    "room for little money; Docker's overlay2 works",
                    "a second call per launch, and the Machine must go where its volume is",
                ),
                (
                    code("tmpfs"),
                    f"memory; {MEMORY_LEFT_MIN_MB} MiB must be left for the job",
                    "the fastest; nothing to create, to pay for or to delete; overlay2 works",
                    "what is written is memory that the job does not have",
                ),
                (
                    code("root"),
                    "the root disk",
                    "nothing to create or to pay for while the Machine runs",
                    f"{ROOT.mib_per_second} MiB/s; it is an overlay, on which overlay2 does not work",
                ),
            ),
        ),
        "A volume's speed follows the CPUs:",
        table(
            ("CPUs from", "IOPS", "MiB/s"),
            (
                (f"{cpus} {kind}", f"{speed.iops}", f"{speed.mib_per_second}")
                for (kind, cpus), speed in VOLUME.items()
            ),
        ),
        "Volumes are created without backups, under a name that the fleet's name is in. The volume of "
        "a launch "
        "that Fly refuses is deleted at once. Every other one goes when no Machine has it any more: "
        "when an "
        "unbroken series of lists has shown it so for `timing.absence_confirm` and "
        "`timing.launch_deadline`. "
        "`fly-gha sweep --dry-run` shows what is about to go.",
        "## A class of your own",
        "Copy a file from [machines/](../machines) into a folder, change it, and name the folder in "
        "`fleet.classes`: its files add to the classes above, and replace those of the same name. A "
        "file that "
        "says what Fly would refuse, or would silently ignore, ends `fly-gha serve` with the key, what "
        "was found "
        "and what was expected. Spares that were made from an older version of a class are replaced.",
    )


def _row(one: MachineClass) -> tuple[str, ...]:
    return (
        code(one.name),
        one.description.partition(": ")[2] or one.description,
        f"{one.cpus} {one.cpu_kind}",
        f"{one.memory_mb / 1024:g} GB",
        f"{one.rootfs_gb} GB",
        _disk(one.disk),
        _speed(one),
    )


def _disk(disk: Disk) -> str:
    if disk.kind == "root":
        return "the root disk"
    return f"{disk.kind}, {disk.size_gb or disk.size_mb / 1024:g} GB"


def _speed(one: MachineClass) -> str:
    speed = disk_speed(one)
    return "memory's own" if speed is None else f"{speed.iops} IOPS, {speed.mib_per_second} MiB/s"


def _price(one: MachineClass) -> tuple[str, ...]:
    return (
        code(one.name),
        f"{usd_per_hour(one, BASE):.4f}",
        f"{dearest_usd_per_hour(one, ()):.4f}",
        f"{usd_per_hour_stopped(one):.4f}",
    )
