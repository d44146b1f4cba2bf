"""The world that questions read: one isolated site, open and read-only.

What costs time is read once, when it is first asked for. With a moment in the past
(``--as-of``) everything is what was held and known then: what came later is left out,
the live set is the one of then, and ages are counted to then. Keys, denials and pins
are those of today, and what was collected since is named and cannot be listed.
"""

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from airlift.artifact import Kind, ReleaseFile
from airlift.audit.clock import Bounds, Clock, Knowledge
from airlift.audit.facts.model_facts import ModelFacts
from airlift.audit.finding import Waiver
from airlift.digest import Sha256
from airlift.errors import RequestError
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, Package
from airlift.format.withdrawal import Withdrawal, is_taken_back, stated
from airlift.inbound import ages, news
from airlift.inbound.news import Owned
from airlift.payload import wheel_names
from airlift.registry import hashed, waivers
from airlift.registry.account import Account, account
from airlift.registry.hashed import Known
from airlift.registry.held import Delivered, Event, Generation, Held, State
from airlift.registry.registry import Registry
from airlift.registry.upstream import Taken, Upstream
from airlift.registry.waivers import Given
from airlift.store.blobs import BlobStore
from airlift.trust.delivery import TrustState
from airlift.trust.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWheel:
    """A wheel (or source archive) of a wheel set that is held.

    Attributes:
        name: Of the package, in PyPA's normal form.
        version: Likewise.
        file: The file itself.
        held: The wheel set.
    """

    name: str
    version: str
    file: ReleaseFile
    held: Held


class Site:
    """One isolated site, open and read-only; made by ``open_site``.

    Args:
        home: Its folder.
        registry: Its registry.
        upstream: What it knows of upstream.
        now: This host's clock, or the moment that is asked about.
        bounds: Ages in days up to which knowledge is worth something.
        as_of: The moment that is asked about; empty for now.

    Attributes:
        store: Its blobs; nothing that writes may be called.
        models: What is known of the files of releases, as far as somebody has asked
            (``facts.releases``): two questions rest on it.
    """

    def __init__(  # noqa: PLR0913 - the parts of one world, all by name
        self,
        *,
        home: Path,
        registry: Registry,
        upstream: Upstream,
        now: str,
        bounds: Bounds,
        as_of: str = "",
    ) -> None:
        self.home, self.registry, self.upstream = home, registry, upstream
        self.now, self.bounds, self.as_of = now, bounds, as_of
        self.store = BlobStore(home / "store", readonly=True)
        self.models: dict[Sha256, ModelFacts] = {}
        self._files: dict[Sha256, tuple[ReleaseFile, ...]] = {}
        self._hashed: dict[Sha256, str] = {}

    # --- time -------------------------------------------------------------------

    @cached_property
    def clock(self) -> Clock:
        """The two clocks; in the past, both are the moment that is asked about."""
        if self.as_of:
            return Clock(system=self.as_of, today=ages.Today(at=self.as_of))
        today = ages.today(
            self.now,
            issued=self.catalogues[0].issued if self.catalogues else self.now,
            floor=self.trust.floor,
            seen=self.upstream.last_seen(),
        )
        return Clock(system=self.now, today=today)

    def _until(self, time: str) -> bool:
        return not self.as_of or time <= self.as_of

    # --- what is held -----------------------------------------------------------

    @cached_property
    def trust(self) -> TrustState:
        """What the site believes today."""
        return self.registry.trust_state()

    @cached_property
    def policy(self) -> Policy | None:
        """The policy in force today; None where the site has none."""
        return self.registry.custody().policy()

    @cached_property
    def account(self) -> Account:
        """What the state code of today is of."""
        return account(self.home, self.store)

    @cached_property
    def deliveries(self) -> tuple[Delivered, ...]:
        """The deliveries taken in, newest first."""
        found = self.registry.deliveries()
        return tuple(one for one in found if self._until(one.imported))

    @cached_property
    def generations(self) -> tuple[Generation, ...]:
        """The sets of live releases, newest first."""
        found = self.registry.generations()
        return tuple(one for one in found if self._until(one.created))

    @cached_property
    def releases(self) -> tuple[Held, ...]:
        """The releases held, by kind, name and falling counter."""
        found = self.registry.releases()
        if not self.as_of:
            return found
        newest = self.generations[0].releases if self.generations else ()
        live = frozenset(newest)
        ever = frozenset(one for each in self.generations for one in each.releases)
        return tuple(
            replace(one, state=_state(one.id, live, ever))
            for one in found
            if self._until(one.imported)
        )

    @cached_property
    def collected(self) -> tuple[str, ...]:
        """Ids of releases that were held then and were collected since."""
        later = [
            one
            for one in self.registry.events(action="gc")
            if not self._until(one.time)
        ]
        ids = (one.detail.get("ids") for one in later)
        return tuple(
            str(each)
            for listed in ids
            if isinstance(listed, list | tuple)
            for each in listed
        )

    def files(self, held: Held) -> tuple[ReleaseFile, ...]:
        """Return the files of a release, sorted by path."""
        if held.id not in self._files:
            self._files[held.id] = self.registry.files(held.id)
        return self._files[held.id]

    @cached_property
    def wheels(self) -> tuple[HeldWheel, ...]:
        """Every wheel of every wheel set that is held; of all states."""
        return tuple(
            HeldWheel(name=str(parsed[0]), version=str(parsed[1]), file=file, held=one)
            for one in self.releases
            if one.release.kind is Kind.WHEELS
            for file in self.files(one)
            if (parsed := wheel_names.parse(file.path)) is not None
        )

    @cached_property
    def known(self) -> dict[Sha256, Known]:
        """When each file that is held was hashed last, as it was when first asked."""
        return {one.blob: one for one in hashed.known(self.home)}

    def last_hashed(self, held: Held) -> str:
        """Return when the file of a release that has waited longest was hashed.

        An import hashes what it takes in. Of the past only that is known. Empty where
        the last look found a file other than it should be: that is no hash of it.
        """
        if self.as_of:
            return held.imported
        if held.id not in self._hashed:
            looks = (self.known.get(one.sha256) for one in self.files(held))
            times = {"" if one.is_bad else one.since for one in looks if one}
            self._hashed[held.id] = min(times, default=held.imported)
        return self._hashed[held.id]

    @cached_property
    def oldest_look(self) -> str:
        """When the served file that has waited longest was hashed; empty for none."""
        live = [one for one in self.releases if one.state is State.LIVE]
        return min((self.last_hashed(one) for one in live), default="")

    def events(self, action: str | None = None) -> tuple[Event, ...]:
        """Return the log, oldest first; only what was done under *action*."""
        found = self.registry.events(action=action)
        return tuple(one for one in found if self._until(one.time))

    @cached_property
    def accepted(self) -> tuple[Given, ...]:
        """Every waiver that was given or begun, the earliest first."""
        return waivers.told_by(
            self.events(waivers.ACTION), self.policy, self.trust.site
        )

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers that enough people gave and nobody took back; some are over."""
        return tuple(
            Waiver(
                finding=one.terms.finding,
                by=", ".join(one.by),
                reason=one.terms.reason,
                until=one.terms.until,
                given=one.since,
            )
            for one in self.accepted
            if one.since and not one.revoked
        )

    # --- what is known of upstream ----------------------------------------------

    @cached_property
    def catalogues(self) -> tuple[Taken, ...]:
        """The catalogues taken in, newest first."""
        found = self.upstream.taken()
        return tuple(one for one in found if self._until(one.imported))

    @cached_property
    def made(self) -> Catalogue | None:
        """The newest catalogue; None where none ever came."""
        return self.upstream.read(self.catalogues[0]) if self.catalogues else None

    @cached_property
    def standing(self) -> tuple[Withdrawal, ...]:
        """What upstream withdrew and has not given again."""
        if not self.as_of:
            return tuple(one.withdrawal for one in self.upstream.standing())
        known: dict[tuple[str, str, str, str], Withdrawal] = {}
        for taken in reversed(self.catalogues):
            made = self.upstream.read(taken)
            known = {
                key: one for key, one in known.items() if not is_taken_back(one, made)
            }
            known |= {one.key: one for one in stated(made)}
        return tuple(known[key] for key in sorted(known))

    @cached_property
    def owned(self) -> tuple[Owned, ...]:
        """What is held, with its files, as ``inbound.news`` compares it."""
        issued = {one.sequence: one.issued for one in self.deliveries}
        return tuple(
            Owned(
                id=one.id,
                release=replace(one.release, files=self.files(one)),
                issued=issued[one.sequence],
                live=one.state is State.LIVE,
            )
            for one in self.releases
        )

    @cached_property
    def news(self) -> tuple[news.Finding, ...]:
        """What the newest catalogue means here; empty where none ever came."""
        return news.find(self.made, self.owned, self.standing) if self.made else ()

    @cached_property
    def knowledge(self) -> tuple[Knowledge, ...]:
        """How old each source is: the catalogue, upstreams, then advisories."""
        if self.made is None:
            return ()
        entries = len(self.made.entries)
        whole = replace(self._aged("catalogue", [self.made.issued]), entries=entries)
        advised = [one.advised for one in self.made.packages]
        feed = replace(
            # Packages that were never looked through are named by Q5; they do not make
            # the feed itself older than it is.
            self._aged("advisories", [self.made.feed.as_of]),
            entries=sum(1 for one in advised if one),
            silent=sum(1 for one in advised if not one),
            problem=self.made.feed.problem,
        )
        return (whole, *self._upstreams(self.made), feed)

    def _upstreams(self, made: Catalogue) -> Iterator[Knowledge]:
        grouped: dict[str, list[Item | Package]] = {}
        for one in made.entries:
            grouped.setdefault(one.source or "unknown", []).append(one)
        for source in sorted(grouped):
            entries = grouped[source]
            silent = [one for one in entries if one.problem]
            yield replace(
                self._aged(source, [one.as_of for one in entries]),
                entries=len(entries),
                silent=len(silent),
                problem=silent[0].problem if silent else "",
            )

    def _aged(self, source: str, times: Sequence[str]) -> Knowledge:
        as_of, today = min(times), self.clock.today
        return Knowledge(
            source=source,
            as_of=as_of,
            days=today.days(as_of),
            age=today.age(as_of),
            imported=self.catalogues[0].imported,
        )

    @property
    def ignorance(self) -> str:
        """Why nothing may be concluded from the catalogue; empty where something may.

        The reason of every question about upstream: old knowledge finds what it finds,
        and says nothing about what it does not.
        """
        if self.made is None:
            return "no catalogue was ever imported: nothing is known of upstream"
        whole = self.knowledge[0]
        if whole.is_usable:
            return ""
        return (
            f"catalogue {self.made.sequence} is {whole.days} days old, more than"
            f" {self.bounds.ageing}"
        )

    @property
    def is_blocked(self) -> bool:
        """Whether some knowledge is older than the block age."""
        block = self.bounds.block
        return block is not None and any(
            one.days is not None and one.days > block for one in self.knowledge
        )


def _state(one: Sha256, live: Collection[Sha256], ever: Collection[Sha256]) -> State:
    if one in live:
        return State.LIVE
    return State.RETIRED if one in ever else State.QUARANTINE


@contextlib.contextmanager
def open_site(
    home: Path, *, now: str, bounds: Bounds | None = None, as_of: str = ""
) -> Iterator[Site]:
    """Open the site in *home* for questions, and close it.

    Args:
        home: Its folder.
        now: This host's clock, ``YYYY-MM-DDThh:mm:ssZ``.
        bounds: Ages in days up to which knowledge is worth something.
        as_of: A moment in the past to ask about; empty for now.

    Raises:
        RequestError: *as_of* lies in the future.
        RegistryError: As ``Registry.open``.
        StoreError: The store cannot be read.
    """
    if as_of > now:
        problem = f"`{as_of}` lies in the future: this host's clock says {now}"
        raise RequestError(problem, hint="ask about a moment that has been")
    with contextlib.ExitStack() as opened:
        registry = Registry.open(home, readonly=True)
        opened.enter_context(contextlib.closing(registry))
        upstream = Upstream.open(home, readonly=True)
        opened.enter_context(contextlib.closing(upstream))
        yield Site(
            home=home,
            registry=registry,
            upstream=upstream,
            now=now,
            bounds=bounds or Bounds(),
            as_of=as_of,
        )
