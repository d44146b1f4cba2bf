"""Drives: what the system tells of a medium, and what a medium may be."""

import os
from pathlib import Path

from airlift.outbound import drives
from airlift.outbound.drives import Drive


def number_of(folder: Path) -> str:
    """Return the device number of *folder* as the system writes it."""
    device = folder.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def test_what_the_device_manager_knows_is_told(tmp_path: Path) -> None:
    """The number on the stick's case is what the slip and a finder compare."""
    (tmp_path / f"b{number_of(tmp_path)}").write_text(
        "S:disk/by-id/usb-Acme\nE:ID_FS_LABEL=CARRY\x1b[2J\nE:ID_FS_UUID=6A1F-22C0\n"
        "E:ID_SERIAL=Acme_Stick_0123\nE:ID_SERIAL_SHORT=0123\n"
    )
    found = drives.drive_of(tmp_path, udev=tmp_path, system=tmp_path)
    assert (found.label, found.uuid, found.serial) == (
        "CARRY\\x1b[2J",
        "6A1F-22C0",
        "0123",
    )
    assert found.filesystem == drives.filesystem_of(tmp_path)
    assert found.shown() == (
        f"{found.filesystem}, label CARRY\\x1b[2J, uuid 6A1F-22C0, serial 0123"
    )


def test_without_a_device_manager_the_kernel_knows_the_serial(tmp_path: Path) -> None:
    """The serial is that of the stick, above the partition."""
    stick = tmp_path / "devices" / "usb1" / "1-2"
    partition = stick / "host0" / "block" / "sdb" / "sdb1"
    partition.mkdir(parents=True)
    (stick / "serial").write_text("0123\n")
    (tmp_path / number_of(tmp_path)).symlink_to(partition)
    found = drives.drive_of(tmp_path, udev=tmp_path / "none", system=tmp_path)
    assert (found.label, found.uuid, found.serial) == ("", "", "0123")


def test_a_medium_is_another_when_anything_known_of_both_differs() -> None:
    """What is not known contradicts nothing."""
    stick = Drive(filesystem="vfat", uuid="6A1F-22C0", serial="0123")
    assert stick.may_be(stick)
    assert stick.may_be(Drive())
    assert stick.may_be(Drive(serial="0123"))
    assert not stick.may_be(Drive(uuid="6A1F-22C0", serial="4567"))
    assert not stick.may_be(Drive(uuid="FFFF-FFFF"))
    assert Drive().shown() == ""
