"""Prices against the table of Fly's pricing page."""

from dataclasses import replace

import pytest

from machines.classes import Disk, MachineClass, load_classes
from machines.prices import MARKUP, dearest_usd_per_hour, usd_per_hour, usd_per_hour_stopped


def size(kind, cpus, gigabytes):
    return MachineClass("x", "x", kind, cpus, gigabytes * 1024, 20, Disk("root"), 30)


@pytest.mark.parametrize(
    ("machine_class", "expected"),
    [
        (size("shared", 4, 8), 0.0594),
        (size("shared", 8, 16), 0.1188),
        (size("performance", 2, 4), 0.0861),
        (size("performance", 2, 8), 0.1139),
        (size("performance", 4, 16), 0.2278),
        (size("performance", 8, 16), 0.3444),
        (size("performance", 16, 64), 0.9111),
    ],
)
def test_the_base_price_is_flys(machine_class, expected):
    assert usd_per_hour(machine_class, "iad") == pytest.approx(expected, abs=0.00005)
    assert usd_per_hour(machine_class, "ewr") == usd_per_hour(machine_class, "iad")


def test_a_region_marks_up_the_whole_sum():
    small = size("performance", 2, 8)
    assert usd_per_hour(small, "gru") == pytest.approx(usd_per_hour(small, "iad") * 1.615)


def test_a_volume_costs_the_same_wherever_it_is_and_whether_its_machine_runs_or_not():
    without = size("performance", 2, 8)
    having = replace(without, disk=Disk("volume", size_gb=48))
    for region in ("iad", "gru"):
        assert usd_per_hour(having, region) - usd_per_hour(without, region) == pytest.approx(0.01)
    assert usd_per_hour_stopped(having) - usd_per_hour_stopped(without) == pytest.approx(0.01)
    assert usd_per_hour(replace(without, disk=Disk("tmpfs", 2048)), "iad") == usd_per_hour(without, "iad")


def test_an_unknown_region_costs_as_much_as_the_dearest():
    small = load_classes()["gha-small"]
    assert usd_per_hour(small, "mars") == usd_per_hour(small, "gru")


def test_the_dearest_of_a_pools_regions_is_taken_and_of_all_when_none_is_named():
    small = load_classes()["gha-small"]
    assert dearest_usd_per_hour(small, ("iad", "lhr", "ams")) == usd_per_hour(small, "lhr")
    assert dearest_usd_per_hour(small, ()) == usd_per_hour(small, "gru")


def test_a_stopped_spare_pays_for_its_disks_only():
    assert usd_per_hour_stopped(size("performance", 2, 8)) * 720 == pytest.approx(3.0)
    assert usd_per_hour_stopped(load_classes()["gha-small"]) * 720 == pytest.approx(12 * 0.15 + 20 * 0.15)


def test_every_region_that_fly_lists_has_its_markup():
    listed = "ams arn bom cdg dfw ewr fra gru iad jnb lax lhr nrt ord sin sjc syd yyz"
    assert sorted(MARKUP) == listed.split()
