"""The index in memory answers like the one that stays."""

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from airlift.digest import sha256
from airlift.registry.pieces import PieceIndex
from airlift.registry.places import PassingPlaces

BLOBS = [sha256(bytes([number])) for number in range(12)]
MARKS = [bytes([number]) * 16 for number in range(9)]


def test_both_indexes_give_the_same_answers(tmp_path: Path) -> None:
    """A delivery must not be made of other pieces because it builds on nothing."""
    drawn = random.Random(1)
    passing = PassingPlaces()
    with closing(PieceIndex.open(tmp_path)) as staying:
        for _ in range(40):
            blob = drawn.choice(BLOBS)
            starts = drawn.sample(range(100), drawn.randrange(20))
            rows = [(drawn.choice(MARKS), start, 7 + start) for start in starts]
            among = drawn.sample(BLOBS, 8)
            wanted = drawn.sample(MARKS, 5)
            for index in (passing, staying):
                index.add(blob, rows)
            assert passing.known(among) == staying.known(among)
            assert passing.find(wanted, among) == staying.find(wanted, among)


def test_it_loads_without_a_database() -> None:
    """SQLAlchemy takes longer to load than a small delivery to plan."""
    code = "import sys, airlift.cli.cmd_export; sys.exit('sqlalchemy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
