"""Whereabouts: what media say of themselves helps to find a stick, and does no harm."""

from pathlib import Path

import pytest

from airlift.digest import Sha256
from airlift.errors import FormatError
from airlift.format import medium_note
from airlift.format.medium_note import MediumNote
from airlift.format.volume import Cut, Label
from airlift.inbound.whereabouts import Whereabouts

CUTTING = "1a2b3c4d5e6f7a8b"
LABEL = Label(
    site="plant7",
    sequence=7,
    dispatch=Sha256("0" * 64),
    cutting=CUTTING,
    ordinal=1,
    count=9,
    first=Cut(0, 0),
    end=Cut(1, 0),
)


def note(number: int, media: dict[int, tuple[int, ...]], **other: str) -> MediumNote:
    """Return what medium *number* says."""
    cutting = other.get("cutting", CUTTING)
    site = other.get("site", "plant7")
    return MediumNote(
        site=site, sequence=7, cutting=cutting, number=number, media=media
    )


FIRST = note(1, {1: (1, 2, 3)})
SECOND = note(2, {1: (1, 2, 3), 2: (4, 5)})
LAST = note(3, {1: (1, 2), 2: (3, 4, 5), 3: (6, 7, 8, 9)})


def test_a_note_is_read_as_it_was_written() -> None:
    """It is text, so that people can read it too."""
    assert medium_note.encode(SECOND) == (
        "medium 2 of delivery 7 to plant7, cutting 1a2b3c4d5e6f7a8b\n"
        "medium 1 has volumes 1-3\n"
        "medium 2 has volumes 4-5\n"
    )
    for one in (FIRST, SECOND, LAST):
        text = medium_note.encode(one)
        assert medium_note.decode(text.encode()) == one
        # As other systems leave it.
        assert medium_note.decode(text.replace("\n", "\r\n").encode()) == one


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"medium 1",
        b"medium 1 of delivery 7 to PLANT7, cutting 1a2b3c4d5e6f7a8b\n",
        b"medium 1 of delivery 7 to plant7, cutting 1a2b3c4d5e6f7a8b\nrm -rf /\n",
        b"medium 1 of delivery 7 to plant7, cutting 1a2b3c4d5e6f7a8b\nmedium 1 has\n",
        b"medium 1 of delivery 7 to plant7, cutting 1a2b3c4d5e6f7a8b\n" * 3000,
        b"\xff" * 100,
    ],
)
def test_what_is_no_note_says_nothing(data: bytes) -> None:
    """Anybody can write a file of that name on a stick."""
    with pytest.raises(FormatError):
        medium_note.decode(data)


def test_what_earlier_media_said_is_remembered(tmp_path: Path) -> None:
    """Days lie between two sticks."""
    Whereabouts(tmp_path).learn([FIRST])
    Whereabouts(tmp_path).learn([SECOND])
    assert Whereabouts(tmp_path).tell(LABEL, [2, 4, 5, 6]) == (
        "2 on medium 1, 4-5 on medium 2"
    )


def test_a_medium_knows_best_what_it_has_itself(tmp_path: Path) -> None:
    """Plans change while sticks are written."""
    whereabouts = Whereabouts(tmp_path)
    whereabouts.learn([LAST, FIRST])
    assert whereabouts.tell(LABEL, [3, 5, 9]) == (
        "3 on medium 1, 5 on medium 2, 9 on medium 3"
    )


def test_notes_of_something_else_say_nothing(tmp_path: Path) -> None:
    """Ordinals count in one cutting of one delivery only."""
    whereabouts = Whereabouts(tmp_path)
    whereabouts.learn(
        [note(1, {1: (1,)}, cutting="0" * 16), note(2, {2: (1,)}, site="other")]
    )
    assert whereabouts.tell(LABEL, [1]) == ""


def test_what_is_damaged_is_forgotten(tmp_path: Path) -> None:
    """A hint that is lost must not stop an import."""
    Whereabouts(tmp_path).learn([FIRST])
    (tmp_path / "media.json").write_text("x")
    assert Whereabouts(tmp_path).tell(LABEL, [1]) == ""
