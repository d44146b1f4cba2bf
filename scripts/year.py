"""A year of weekly deliveries to three sites, with all that goes wrong on the way.

Every week models change a little and each site gets a delivery: real exports, real
imports, in one process. On the way media are lost, damaged, late, refused at the door,
and old ones come again. One site sends receipts back, one has only a telephone, one never
answers. Nobody repairs anything by hand; in the end each site must hold what was approved
for it. Prints what it took, beside what an oracle would have carried.

    python scripts/year.py [--seed 1] [--weeks 52]

What the oracle is: for a site that answers, a sender who knows at every moment what truly
arrived, and cuts each delivery against that. For the site that never answers nobody can
know; there it is the best plan of anchors in hindsight, all sizes known, by dynamic
programming, under the same rule that an anchor travels twice and that any delivery must
heal whatever was lost since its anchor. Bytes are those of content, without labels and
signed records, which are the same either way.
"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from airlift.errors import AirliftError
from airlift.format import receipt as records
from airlift.format import state
from airlift.format.state import SiteState
from airlift.outbound.departure import Departure
from airlift.outbound.standing import Standing
from airlift.trust import receipt
from year_sides import MODELS, Sender, Site, Upstream, Way, copies

CLOSING = 12
"""Most weeks after the last change until the last delivery has come through."""


class Fate(StrEnum):
    """What becomes of a medium."""

    ARRIVES = "arrives"
    LOST = "lost"
    DAMAGED = "damaged"
    LATE = "late"
    REFUSED = "refused"


CHANCES = {Fate.LOST: 0.10, Fate.DAMAGED: 0.05, Fate.LATE: 0.04, Fate.REFUSED: 0.03}
REPLAYED, SILENT = 0.08, 0.10
"""That an old medium comes too; that nothing comes back."""


# --- the way --------------------------------------------------------------------------


@dataclass
class Line:
    """What a year was for one site.

    Attributes:
        site: The site.
        counts: Media by their fate, and what else is counted.
        carried: Bytes of content on all media.
        ideal: Bytes that the oracle would have carried.
        taken: How many deliveries were taken as they came.
        unequal: Deliveries after which the two codes differed.
        equal: Whether the site ended with what was approved for it.
    """

    site: Site
    counts: Counter[str] = field(default_factory=Counter)
    carried: int = 0
    ideal: int = 0
    taken: int = 0
    unequal: list[int] = field(default_factory=list)
    equal: bool = False

    @property
    def ratio(self) -> float:
        """Bytes carried to those of the oracle."""
        return self.carried / self.ideal


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A delivery: its bytes of content, and which version of each tensor it was of."""

    anchor: bool
    size: int
    versions: Mapping[tuple[str, str], int]


@dataclass
class Road:
    """The way to one site: media under way, old ones, and what comes back."""

    line: Line
    chance: random.Random
    late: list[Path] = field(default_factory=list)
    old: list[Path] = field(default_factory=list)
    answer: bytes = b""
    sent: list[Sent] = field(default_factory=list)

    def carry(self, media_: Sequence[Path], done: Departure, week: int) -> None:
        """Let media travel, and whatever else arrives in the same week."""
        waiting, self.late = self.late, []
        for medium in media_:
            fate = self._fate()
            self.line.counts[fate] += 1
            if fate is Fate.LATE:
                self.late.append(medium)
            elif fate is not Fate.LOST:
                if fate is Fate.DAMAGED:
                    self._damage(medium)
                self._arrive(medium, week, done, willing=fate is not Fate.REFUSED)
        for medium in waiting:
            self._arrive(medium, week)
        if self.old and self.chance.random() < REPLAYED:
            self.line.counts["replayed"] += 1
            self._arrive(self.chance.choice(self.old), week)
        self.old.extend(media_)

    def _fate(self) -> Fate:
        drawn = self.chance.random()
        for fate, share in CHANCES.items():
            if drawn < share:
                return fate
            drawn -= share
        return Fate.ARRIVES

    def _damage(self, medium: Path) -> None:
        volume = self.chance.choice(sorted(medium.glob("*.tar")))
        data = bytearray(volume.read_bytes())
        at = self.chance.randrange(len(data))
        if self.chance.random() < 0.5:
            data[at] ^= 1 << self.chance.randrange(8)
            volume.write_bytes(data)
        else:
            volume.write_bytes(data[:at])

    def _arrive(
        self,
        medium: Path,
        week: int,
        done: Departure | None = None,
        *,
        willing: bool = True,
    ) -> None:
        site = self.line.site
        try:
            site.take(medium, week, willing=willing)
        except AirliftError as error:
            self.line.counts[f"refused: {error.word}"] += 1
            return
        if done is None:
            return
        self.line.taken += 1
        told = said(site.answer(week))
        if state.code(state.root(told.state)) != done.code:
            self.line.unequal.append(done.record.sequence)


def said(answer: bytes) -> records.Receipt:
    """Return what a receipt says, whoever signed it."""
    return records.decode(receipt.record_of(answer))


def believed(standing: Standing) -> SiteState | None:
    """Return what the sender thinks that a site holds."""
    return standing.confirmed.state if standing.confirmed else None


class Year:
    """A year with three sites.

    Args:
        folder: For everything; some 300 MB.
        seed: Decides what changes and what goes wrong.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._upstream = Upstream(folder / "upstream", random.Random(seed))
        self._sender = Sender(folder / "connected")
        self._roads = [
            self._road(way, MODELS[at % 2 :], random.Random(f"{seed} {way}"))
            for at, way in enumerate(Way)
        ]

    def _road(self, way: Way, models: Sequence[str], chance: random.Random) -> Road:
        root = self._sender.add(f"by-{way}")
        site = Site(self._folder / f"by-{way}", f"by-{way}", way, models, root)
        return Road(line=Line(site), chance=chance)

    def run(self, weeks: int) -> list[Line]:
        """Let *weeks* pass, and then some until the last delivery is there."""
        for week in range(1, weeks + CLOSING + 1):
            if week <= weeks:
                self._upstream.change()
            going = [one for one in self._roads if week <= weeks or not one.line.equal]
            for road in going:
                self._week(road, week)
        for road in self._roads:
            if road.line.site.way is Way.NOTHING:
                road.line.ideal = hindsight(road)
        return [road.line for road in self._roads]

    def _week(self, road: Road, week: int) -> None:
        line, site = road.line, road.line.site
        if (
            road.answer
            and road.chance.random() >= SILENT
            and site.way is not Way.NOTHING
        ):
            self._sender.hear(site, road.answer, week, road.chance)
        pinned = self._upstream.pinned(site.models)
        medium = self._folder / "media" / site.name / f"{week}"
        truth = said(site.answer(week))
        belief = believed(self._sender.dock.ledger.standing(site.name))
        done = self._sender.send(site, pinned, week, medium)
        entry = self._sender.dock.ledger.read(site.name, done.record.sequence)
        assert entry
        travelling = [medium]
        for copy in range(1, copies(anchor=entry.anchor)):
            again = medium.with_name(f"{week}-{copy}")
            travelling.append(Path(shutil.copytree(medium, again)))
        size = done.packed.listing.stored_size
        line.counts["deliveries"] += 1
        line.counts["anchors"] += entry.anchor
        line.carried += size * len(travelling)
        if site.way is not Way.NOTHING:
            taken = [n for n in range(1, truth.state.sequence + 1) if truth.took(n)]
            line.ideal += (
                size
                if belief == truth.state
                else self._sender.ideal(done, truth.state, taken)
            )
        versions = self._upstream.versions
        wanted = {one: versions[one] for one in versions if one[0] in site.models}
        road.sent.append(Sent(anchor=entry.anchor, size=size, versions=wanted))
        road.carry(travelling, done, week)
        road.answer = site.answer(week)
        line.equal = site.content() == self._upstream.content(site.models)


def changed(
    before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
) -> int:
    """Return how many tensors differ between two weeks."""
    return sum(before[one] != after[one] for one in after)


def hindsight(road: Road) -> int:
    """Return the bytes of the best plan of anchors, all sizes known.

    What an anchor takes, and what a changed tensor, is what they took on average.
    """
    anchors = [one for one in road.sent if one.anchor]
    whole = sum(one.size for one in anchors) / len(anchors)
    tensors = size = 0
    before = road.sent[0]
    for one in road.sent:
        if one.anchor:
            before = one
        else:
            tensors += changed(before.versions, one.versions)
            size += one.size
    each = size / max(1, tensors)
    best = [0.0]
    for last in range(len(road.sent)):
        plans = []
        for first in range(last + 1):
            base = road.sent[first].versions
            later = road.sent[first + 1 : last + 1]
            grown = sum(changed(base, one.versions) for one in later)
            plans.append(best[first] + copies(anchor=True) * whole + grown * each)
        best.append(min(plans))
    return round(best[-1])


def rows(lines: Sequence[Line]) -> Iterator[Sequence[str]]:
    """Yield the table of a year."""
    yield (
        *("site", "deliveries", "anchors", "lost", "damaged", "late", "refused"),
        *("replayed", "kB", "ideal kB", "ratio", "codes equal", "content equal"),
    )
    for line in lines:
        counts = line.counts
        turned_away = sum(
            n for what, n in counts.items() if what.startswith("refused:")
        )
        yield (
            line.site.name,
            *(str(counts[one]) for one in ("deliveries", "anchors", "lost", "damaged")),
            *(str(one) for one in (counts["late"], turned_away, counts["replayed"])),
            *(f"{one / 1000:,.0f}" for one in (line.carried, line.ideal)),
            f"{line.ratio:.3f}",
            "no" if line.unequal else "yes",
            "yes" if line.equal else "no",
        )


def main() -> None:
    """Run a year and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=52)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="airlift-year-") as folder:
        lines = Year(Path(folder), chosen.seed).run(chosen.weeks)
    table = list(rows(lines))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells))


if __name__ == "__main__":
    main()
