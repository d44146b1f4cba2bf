"""What a site should hold, by what was sent to it (docs/format.md, "State")."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from airlift.artifact import Kind, Release
from airlift.digest import Sha256
from airlift.format import state
from airlift.format.dispatch import Dispatch
from airlift.format.state import SiteState
from airlift.outbound.ledger import Entry, Ledger
from airlift.outbound.standing import Standing
from airlift.trust.publisher import Publisher

Name = tuple[Kind, str]
"""Of an artifact: its kind and its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A delivery that left, or is about to: its number and the releases it names."""

    sequence: int
    releases: tuple[Sha256, ...]


def code_after(record: Dispatch, ledger: Ledger, publisher: Publisher) -> str:
    """Return the code that a site should print once it took the delivery *record*.

    Empty where the ledger lacks a delivery to it: what that brought is not known.

    Raises:
        StoreError: The ledger or the records of a release are damaged.
    """
    return Expectation.of(ledger, publisher, record.site).code(record.sequence)


class Expectation:
    """What was sent to one site, and what it should hold by that.

    Args:
        ledger: What was written.
        publisher: Where the documents of releases are.
        standing: What the site said.
        site: Whose.

    Attributes:
        site: Whose.
        entries: The deliveries, oldest first.
        confirmed: What the site said last; None as long as it never did.
        base: What it holds by that; nothing as long as it never said.
        codes: Codes of what it said that it holds, now or once.
    """

    def __init__(
        self, ledger: Ledger, publisher: Publisher, standing: Standing, site: str
    ) -> None:
        self.site = site
        self.entries: tuple[Entry, ...] = ledger.entries(site)
        self.confirmed = standing.confirmed
        nothing = SiteState(site=site, sequence=0)
        self.base = self.confirmed.state if self.confirmed else nothing
        understood = (one for one in standing.readings if one.is_understood)
        self.codes = tuple(one.code for one in understood)
        self._publisher = publisher
        self._documents: dict[Sha256, Release] = {}

    @classmethod
    def of(cls, ledger: Ledger, publisher: Publisher, site: str) -> Self:
        """Return it by what *site* said last."""
        return cls(ledger, publisher, ledger.standing(site), site)

    @property
    def complete(self) -> bool:
        """Whether the ledger knows every delivery there was."""
        known = [one.sequence for one in self.entries]
        return known == list(range(1, len(known) + 1))

    def since(self, base: SiteState) -> tuple[Sent, ...]:
        """Return what was written after the newest delivery of *base*, oldest first."""
        return tuple(
            Sent(sequence=one.sequence, releases=one.record.releases)
            for one in self.entries
            if one.written and one.sequence > base.sequence
        )

    def document(self, release: Sha256) -> Release:
        """Return the document of a release that was sent.

        Raises:
            StoreError: The folder of records is damaged.
        """
        if release not in self._documents:
            self._documents[release] = self._publisher.release(release)
        return self._documents[release]

    def name(self, release: Sha256) -> Name:
        """Return the kind and the name of a release that was sent."""
        found = self.document(release)
        return found.kind, found.name

    def after(self, base: SiteState, sent: Iterable[Sent]) -> SiteState:
        """Return what a site holds that held *base* and took *sent*, in order.

        Each delivery takes the place of what the site held of the artifacts it names.
        """
        held: dict[Name, list[Sha256]] = {}
        for one in base.releases:
            held.setdefault(self.name(one), []).append(one)
        sequence, lacking = base.sequence, set(base.lacking)
        for each in sent:
            brought: dict[Name, list[Sha256]] = {}
            for one in each.releases:
                brought.setdefault(self.name(one), []).append(one)
                if lacking:
                    lacking -= {file.sha256 for file in self.document(one).files}
            held |= brought
            sequence = each.sequence
        releases = tuple(sorted(one for several in held.values() for one in several))
        return SiteState(
            site=self.site,
            sequence=sequence,
            releases=releases,
            lacking=self._named(lacking, releases),
        )

    def expected(self, upto: int | None = None) -> SiteState:
        """Return what the site should hold once it took all up to delivery *upto*.

        Args:
            upto: A delivery, written or about to be; None for the newest written.
        """
        base, last = self.base, len(self.entries) if upto is None else upto
        if last < base.sequence:
            base = SiteState(site=self.site, sequence=0)
        sent = [
            Sent(sequence=one.sequence, releases=one.record.releases)
            for one in self.entries
            if base.sequence < one.sequence <= last
            and (one.written or one.sequence == upto)
            and not (self.confirmed and self.confirmed.never_took(one.sequence))
        ]
        return self.after(base, sent)

    def code(self, upto: int | None = None) -> str:
        """Return the code that the site should print then.

        Empty where the ledger lacks a delivery: what it brought is not known here.
        """
        if not self.complete or (upto or 0) > len(self.entries):
            return ""
        return state.code(state.root(self.expected(upto)))

    def _named(
        self, lacking: set[Sha256], releases: Iterable[Sha256]
    ) -> tuple[Sha256, ...]:
        """Return those of *lacking* that are blobs of *releases*."""
        if not lacking:
            return ()
        files = (file for one in releases for file in self.document(one).files)
        return tuple(sorted(lacking & {file.sha256 for file in files}))
