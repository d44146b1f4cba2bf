"""Slips for tests: of a delivery with names that try to break out of a page."""

from airlift.artifact import Kind, Release, ReleaseFile
from airlift.digest import sha256
from airlift.format.dispatch import Dispatch, Earlier
from airlift.outbound.drives import Drive
from airlift.outbound.ledger import VolumeNote
from airlift.outbound.slip import Slip
from airlift.outbound.stowage import Berth
from airlift.trust.fingerprint import Fingerprint

EVIL = "</style><script>alert(1)</script>\u202e"
"""A name that nobody should ever see run."""


def made(volumes: int = 3, *, name: str = "acme/qwen3-32b-instruct") -> Slip:
    """Return the slip of the second of three media with so many *volumes*."""
    record = Dispatch(
        site="plant7-north",
        sequence=42,
        earlier=tuple(
            Earlier(sequence=one, sha256=sha256(b"%d" % one))
            for one in range(41, 0, -1)
        ),
        issued="2026-11-23T12:00:00Z",
        operator="alice@export-host",
        releases=(),
        needs=(),
        packing_sha256=sha256(b""),
        packing_size=0,
    )
    notes = tuple(
        VolumeNote(
            name=f"AIRLIFT-plant7-north-000042.{one:04d}-of-0017.tar",
            size=2_146_435_072 - one,
            sha256=sha256(b"volume %d" % one),
        )
        for one in range(6, 6 + volumes)
    )
    weights = ReleaseFile(path="w", size=65_500_000_000, sha256=sha256(b"w"))
    release = Release(
        kind=Kind.MODEL,
        name=name,
        revision="9216db5781bf21249d130ec9da846c4624c16137",
        counter=3,
        files=(weights,),
        licence="apache-2.0",
    )
    drive = Drive(
        filesystem="exfat", label="AIRLIFT-B", uuid="6A1F-33C0", serial="4C530001240611"
    )
    berth = Berth(
        number=2,
        drive=drive,
        folder="/media/b",
        mount="",
        written="2026-11-23T12:40:00Z",
    )
    return Slip(
        record=record,
        releases=(release,),
        root=Fingerprint(sha256(b"root")),
        expires="2027-01-07T12:00:00Z",
        code="7K3M-Q2ZA-9XWD",
        made="2026-11-23T12:40:00Z",
        berth=berth,
        media=3,
        volumes=notes,
        count=17,
    )
