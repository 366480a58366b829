"""Fly's caps of disks, by the size that has them."""

import pytest

from machines.classes import Disk, MachineClass
from machines.speeds import Speed, disk_speed


def sized(kind, cpus, disk):
    return MachineClass("x", "x", kind, cpus, cpus * 2048, 12, disk, 30)


@pytest.mark.parametrize(
    ("kind", "sizes", "speed"),
    [
        ("shared", (1, 2), Speed(4000, 16)),
        ("shared", (4, 8), Speed(8000, 32)),
        ("performance", (1,), Speed(12_000, 48)),
        ("performance", (2, 4), Speed(16_000, 64)),
        ("performance", (8, 16), Speed(32_000, 128)),
    ],
)
def test_a_volumes_speed_follows_the_cpus(kind, sizes, speed):
    assert {disk_speed(sized(kind, cpus, Disk("volume", size_gb=1))) for cpus in sizes} == {speed}


def test_the_root_disk_is_as_slow_in_every_size_and_a_tmpfs_has_no_cap():
    assert {disk_speed(sized("performance", cpus, Disk("root"))) for cpus in (1, 16)} == {Speed(2000, 8)}
    assert disk_speed(sized("performance", 8, Disk("tmpfs", 2048))) is None
