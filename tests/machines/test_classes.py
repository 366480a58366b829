"""Machine classes: the four that come with the product, and every mistake in a file named."""

from dataclasses import replace

import pytest

from machines.classes import ClassFileError, Disk, MachineClass, load_class, load_classes

GOOD = """
description = "x"
[guest]
cpu_kind = "performance"
cpus = 2
memory_mb = 8192
[rootfs]
size_gb = 20
[disk]
kind = "tmpfs"
size_mb = 4096
[stop]
timeout_s = 30
"""


def write(folder, text, name="gha-x"):
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file


def test_the_four_classes_that_come_with_the_product_are_whole_cpus_with_four_gb_each():
    classes = load_classes()
    assert {name: (one.cpus, one.memory_mb // 1024, one.rootfs_gb) for name, one in classes.items()} == {
        "gha-large": (8, 32, 12),
        "gha-medium": (4, 16, 12),
        "gha-small": (2, 8, 12),
        "gha-xlarge": (16, 64, 12),
    }
    assert {one.cpu_kind for one in classes.values()} == {"performance"}
    assert all(one.name == name and one.description for name, one in classes.items())


def test_an_operator_may_add_a_class_of_their_own(tmp_path):
    text = GOOD.replace('"performance"', '"shared"').replace("8192", "2048")
    write(tmp_path, text.replace('"tmpfs"\nsize_mb = 4096', '"root"'))
    one = load_classes(tmp_path)["gha-x"]
    assert (one.cpu_kind, one.cpus, one.memory_mb, one.stop_timeout_s) == ("shared", 2, 2048, 30)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (('"performance"', '"turbo"'), "guest.cpu_kind"),
        (("cpus = 2", "cpus = 3"), "guest.cpus"),
        (("cpus = 2", 'cpus = "2"'), "guest.cpus"),
        (("8192", "8000"), "guest.memory_mb"),
        (("8192", "2048"), "memory_mb = 2048 does not fit 2 performance CPUs: expected 4096 to 16384"),
        (("cpus = 2\nmemory_mb = 8192", "cpus = 8\nmemory_mb = 15872"), "expected 16384 to 65536"),
        (("size_gb = 20", "size_gb = 4"), "rootfs.size_gb"),
        (("size_gb", "rootfs_size_gb"), "rootfs.rootfs_size_gb"),
        (("timeout_s = 30", "timeout_s = 301"), "stop.timeout_s"),
        (('"tmpfs"', '"ssd"'), "disk: Input tag 'ssd'"),
        (("size_mb = 4096", ""), "disk.size_mb: Field required"),
        (("size_mb = 4096", "size_gb = 4"), "disk.size_gb"),
        (("size_mb = 4096", "size_mb = 512"), "disk.size_mb"),
        (("size_mb = 4096", "size_mb = 6145"), "disk.size_mb = 6145 of guest.memory_mb = 8192 leaves 2047"),
        (('"tmpfs"', '"root"'), "disk.size_mb"),
        (('description = "x"\n', ""), "description"),
        (("[stop]", "[stopp]"), "stopp"),
    ],
)
def test_a_mistake_in_a_class_is_named_with_its_key(tmp_path, change, named):
    with pytest.raises(ClassFileError) as caught:
        load_class(write(tmp_path, GOOD.replace(*change)))
    assert named in str(caught.value)
    assert "gha-x.toml" in str(caught.value)


def test_a_tmpfs_may_take_all_but_what_the_job_needs(tmp_path):
    one = load_class(write(tmp_path, GOOD.replace("size_mb = 4096", "size_mb = 6144")))
    assert one.disk == Disk("tmpfs", 6144)


def test_the_root_disk_may_be_chosen(tmp_path):
    one = load_class(write(tmp_path, GOOD.replace('"tmpfs"\nsize_mb = 4096', '"root"')))
    assert one.disk == Disk("root")


def test_a_volume_may_be_as_large_as_fly_allows(tmp_path):
    volume = GOOD.replace('"tmpfs"\nsize_mb = 4096', '"volume"\nsize_gb = 500')
    assert load_class(write(tmp_path, volume)).disk == Disk("volume", size_gb=500)
    for wrong in ("size_gb = 501", "size_gb = 0", "size_mb = 500"):
        with pytest.raises(ClassFileError, match=r"disk\.size_"):
            load_class(write(tmp_path, volume.replace("size_gb = 500", wrong)))


def test_the_classes_that_come_with_the_product_have_room_for_what_github_promises():
    for one in load_classes().values():
        assert (one.disk.size_gb or one.disk.size_mb / 1024) >= 14 + 2, one.name


def test_a_fingerprint_follows_what_a_machine_is_made_of_and_nothing_else():
    one = load_classes()["gha-small"]
    assert replace(one, name="other", description="other").fingerprint == one.fingerprint
    changed = [
        replace(one, cpu_kind="shared"),
        replace(one, cpus=4),
        replace(one, memory_mb=4096),
        replace(one, rootfs_gb=13),
        replace(one, disk=Disk("tmpfs", 2048)),
        replace(one, disk=Disk("root")),
        replace(one, disk=Disk("volume", size_gb=21)),
        replace(one, stop_timeout_s=31),
    ]
    assert len({each.fingerprint for each in [one, *changed]}) == 1 + len(changed)
    assert len(one.fingerprint) == 12


def test_a_fingerprint_is_the_same_in_every_process_and_release():
    one = MachineClass("x", "x", "performance", 2, 8192, 12, Disk("tmpfs", 4096), 30)
    assert one.fingerprint == "ee23daacc77c"


def test_every_mistake_is_told_at_once(tmp_path):
    text = GOOD.replace('"performance"', '"turbo"').replace("size_gb = 20", "size_gb = 4")
    with pytest.raises(ClassFileError) as caught:
        load_class(write(tmp_path, text))
    assert len(caught.value.mistakes) == 2


def test_what_is_no_toml_or_no_file_is_said_plainly(tmp_path):
    with pytest.raises(ClassFileError, match="is not TOML"):
        load_class(write(tmp_path, "guest = ["))
    with pytest.raises(ClassFileError, match="cannot be read"):
        load_class(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ClassFileError, match="cannot be read"):
        load_class(tmp_path / "bytes.toml")
    with pytest.raises(ClassFileError, match="no machine class here"):
        load_classes(tmp_path / "nowhere")
