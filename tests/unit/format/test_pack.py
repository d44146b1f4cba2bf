"""The tar of an evidence pack: one spelling, and nothing in it that can change unseen."""

import io
import tarfile

import pytest

from airlift.errors import FormatError
from airlift.format import pack

FILES = {"report.json": b"{}\n", "CHECK.txt": b"x" * 512, "empty": b""}
TOP = "airlift-audit-plant7-0123456789abcdef"


def test_other_tools_unpack_it() -> None:
    """An auditor has tar, and may have nothing else."""
    with tarfile.open(fileobj=io.BytesIO(pack.encode(TOP, FILES))) as tar:
        names = tar.getnames()
        read = {name: tar.extractfile(name) for name in names}
        found = {name: one.read() for name, one in read.items() if one}
    assert names == [f"{TOP}/CHECK.txt", f"{TOP}/empty", f"{TOP}/report.json"]
    assert found == {f"{TOP}/{name}": data for name, data in FILES.items()}


def test_it_reads_what_it_writes() -> None:
    """The far end has to get back what was put in."""
    assert pack.decode(pack.encode(TOP, FILES)) == (TOP, dict(sorted(FILES.items())))


def test_no_byte_of_framing_can_change() -> None:
    """Headers and padding are in no digest: what is there has to be what is written."""
    sound = pack.encode(TOP, FILES)
    for at in range(len(sound)):
        bad = bytearray(sound)
        bad[at] ^= 1
        try:
            found = pack.decode(bytes(bad))[1]
        except FormatError:
            continue
        assert found != FILES, at
        assert pack.list_digests(found) != pack.list_digests(FILES), at


@pytest.mark.parametrize("cut", [1, 512, 1024, 1025, 2048])
def test_one_that_is_cut_off_is_refused(cut: int) -> None:
    """A stick that was pulled out early gives a short file."""
    with pytest.raises(FormatError):
        pack.decode(pack.encode(TOP, FILES)[:-cut])


def test_what_follows_its_end_is_refused() -> None:
    """Readers of tar stop at the end, and would never show it."""
    with pytest.raises(FormatError) as caught:
        pack.decode(pack.encode(TOP, FILES) + bytes(512))
    told = "pack: at byte 2560 is not a header airlift writes"
    assert caught.value.problem == told


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b", "x" * 64, "\u00e4"])
def test_a_name_that_leads_elsewhere_is_none(name: str) -> None:
    """A member may be unpacked by anything, to anywhere."""
    assert not pack.is_name(name)


def test_digests_are_in_the_form_of_sha256sum() -> None:
    """Whoever has no airlift checks with what every host has."""
    assert pack.list_digests({"b": b"", "a": b"x", pack.SIGNATURE: b"s"}) == (
        b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  a\n"
        b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
    )


@pytest.mark.parametrize(
    "bad",
    [b"", b"x\n", b"0" * 64 + b"  b\n" + b"0" * 64 + b"  a\n", b"0" * 64 + b"  a"],
)
def test_a_list_of_digests_has_one_spelling(bad: bytes) -> None:
    """Two lists that read alike could be signed for one and shown for the other."""
    with pytest.raises(FormatError) as caught:
        pack.read_digests(bad)
    assert caught.value.problem == "DIGESTS: is not a sorted list of digests"
