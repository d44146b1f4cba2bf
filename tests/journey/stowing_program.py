"""Two sticks that are file systems of their own; run where it may mount."""

import subprocess
import sys
from pathlib import Path

from airlift.outbound.quay import NO_LIMIT, Wanted
from journey.test_stowing import CUT, Carrier, Yard, volumes


class Hands(Carrier):
    """Somebody who does something to stick `a` once writing is about to begin."""

    def __init__(self, what: str, stick: Path) -> None:
        super().__init__()
        self.what, self.stick, self.done = what, stick, False

    def loading(self, plan: object, left: Wanted | None) -> None:
        """Act once."""
        if self.done:
            return
        self.done = True
        if self.what == "full":
            free = 700_000
            room = subprocess.check_output(
                ["df", "--output=avail", "-B1", str(self.stick)], text=True
            )
            size = int(room.split()[1]) - free
            (self.stick / "others.bin").write_bytes(bytes(size))
        else:
            subprocess.run(["umount", "-l", self.stick], check=True)


def main(what: str, folder: Path) -> None:
    """Export to both sticks; print what went wrong and what lies where."""
    a, b = folder / "a", folder / "b"
    for stick in (a, b):
        stick.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", stick], check=True
        )
    yard = Yard(folder)
    hands = Hands(what, a)
    yard.export(a, b, carrier=hands, most=NO_LIMIT, capacity=CUT)
    print("\n".join(hands.troubles))
    print(yard.where())
    left = sorted(path.name for path in a.iterdir() if "AIRLIFT" in path.name)
    print([name for name in left if name.endswith((".part", ".tar"))])
    if what == "full":
        yard.crossing.isolated.land(a, b)
    else:
        assert len(volumes(b)) == 5
        yard.crossing.isolated.land(b)
    print("landed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
