"""What a catalogue's advisories say of one version of one package.

Records of several databases about one fault are one vulnerability here: those that name
each other as aliases. Its CVE names it first, because that is what people compare.

Nothing found means something only where the advisories are complete: ``Advice.unknown``
says why they are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from packaging.version import Version

from airlift.artifact import NOTHING, Json
from airlift.format import advisory, severity
from airlift.format.advisory import Reach
from airlift.format.catalogue import Advisory, Catalogue
from airlift.format.severity import Rating

MALICIOUS: Final = "MAL-"
"""Ids of records about packages that are themselves an attack."""
UNKNOWN: Final = "AIRLIFT-UNKNOWN"
"""What stands in the place of an id where nobody knows whether there is one."""
_FIRST: Final = ("CVE-", MALICIOUS, "GHSA-", "PYSEC-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One fault of one version of a package.

    Attributes:
        id: The one people know it by: its CVE, where it has one.
        aliases: Every other id, in order.
        package: In PyPA's normal form.
        version: The version it was looked up for.
        records: What says so, by id.
        rating: How bad it is.
        malicious: Whether the package itself is the attack: nothing fixes it.
        fixed_in: The lowest later version that none of the records is about; empty
            where none is known.
        kev: ``as_of``, and ``added``, ``due`` and ``ransomware`` where it is known to be
            exploited; empty where nobody looked.
        epss: ``as_of``, and ``score`` and ``percentile`` where it has them; empty where
            nobody looked.
    """

    id: str
    aliases: tuple[str, ...]
    package: str
    version: str
    records: tuple[Advisory, ...]
    rating: Rating
    malicious: bool = False
    fixed_in: str = ""
    kev: Mapping[str, Json] = field(default_factory=lambda: NOTHING)
    epss: Mapping[str, Json] = field(default_factory=lambda: NOTHING)

    @property
    def summary(self) -> str:
        """In the words of the first record that has some."""
        said = (str(one.record.get("summary", "")) for one in self.records)
        return next((text for text in said if text), "")

    @property
    def published(self) -> str:
        """When the first of the records was; empty where none says."""
        times = (str(one.record.get("published", "")) for one in self.records)
        return min((text for text in times if text), default="")

    def is_about(self, version: str) -> bool:
        """Say whether *version* is affected, or may be."""
        return any(
            advisory.reach(one.record, self.package, version) is not Reach.CLEAR
            for one in self.records
        )


class Advice:
    """The advisories of a catalogue, by package.

    Args:
        made: The catalogue.
    """

    def __init__(self, made: Catalogue) -> None:
        self._made = made
        self._packages = {one.name: one for one in made.packages}
        self._records: dict[str, list[Advisory]] = {}
        for one in made.advisories:
            # What its publisher took back says nothing.
            if "withdrawn" not in one.record:
                for name in sorted(_packages(one)):
                    self._records.setdefault(name, []).append(one)

    def record(self, name: str) -> Advisory | None:
        """Return the record with the id *name*; None where there is none."""
        return next((one for one in self._made.advisories if one.id == name), None)

    def as_of(self, package: str) -> str:
        """Return when advisories about *package* were complete; empty for never."""
        known = self._packages.get(package)
        return known.advised if known else ""

    def unknown(self, package: str) -> str:
        """Return why advisories about *package* are not complete; empty where they are."""
        known = self._packages.get(package)
        if known is None:
            return f"catalogue {self._made.sequence} does not watch it"
        if not known.advised:
            why = f": {self._made.feed.problem}" if self._made.feed.problem else ""
            return f"no advisories were looked through for it{why}"
        return ""

    def reaching(self, package: str, version: str) -> tuple[Advisory, ...]:
        """Return the records that are about *version* of *package*, by id."""
        return tuple(self._reached(package, version, Reach.AFFECTED))

    def undecided(self, package: str, version: str) -> tuple[str, ...]:
        """Return ids of records of which nobody can tell whether they are about it."""
        return tuple(one.id for one in self._reached(package, version, Reach.UNDECIDED))

    def _reached(self, package: str, version: str, how: Reach) -> Iterator[Advisory]:
        for one in self._records.get(package, ()):
            if advisory.reach(one.record, package, version) is how:
                yield one

    def of(self, package: str, version: str) -> tuple[Vulnerability, ...]:
        """Return what is known against *version* of *package*, the worst first."""
        found = [
            _merged(group, package, version)
            for group in _groups(self.reaching(package, version))
        ]
        return tuple(sorted(found, key=lambda one: (*one.rating.order, one.id)))


def names(one: Advisory) -> frozenset[str]:
    """Return every id that *one* goes by."""
    listed = one.record.get("aliases")
    several = listed if isinstance(listed, list | tuple) else ()
    return frozenset({one.id, *(each for each in several if isinstance(each, str))})


def best_first(ids: Iterable[str]) -> tuple[str, ...]:
    """Return *ids*, each once: CVEs, then what is malicious, then by database."""

    def order(one: str) -> tuple[int, str]:
        ranks = (n for n, prefix in enumerate(_FIRST) if one.startswith(prefix))
        return next(ranks, len(_FIRST)), one

    return tuple(sorted(set(ids), key=order))


def _packages(one: Advisory) -> frozenset[str]:
    listed = one.record.get("affected")
    several = listed if isinstance(listed, list | tuple) else ()
    return frozenset(
        str(each.get("package")) for each in several if isinstance(each, Mapping)
    )


def _groups(records: Sequence[Advisory]) -> list[tuple[Advisory, ...]]:
    """Return *records* in groups that share an id, also through a third."""
    groups: list[tuple[frozenset[str], tuple[Advisory, ...]]] = []
    for one in records:
        own = names(one)
        members: tuple[Advisory, ...] = (one,)
        apart = []
        for known, several in groups:
            if known & own:
                own, members = own | known, (*several, *members)
            else:
                apart.append((known, several))
        groups = [*apart, (own, members)]
    return [members for _, members in groups]


def _merged(group: Sequence[Advisory], package: str, version: str) -> Vulnerability:
    first, *rest = best_first(each for one in group for each in names(one))
    malicious = any(one.id.startswith(MALICIOUS) for one in group)
    rating = severity.worst(tuple(severity.rate(one.record) for one in group))
    made = Vulnerability(
        id=first,
        aliases=tuple(rest),
        package=package,
        version=version,
        records=tuple(sorted(group, key=lambda one: one.id)),
        rating=Rating(level="critical", by="publisher") if malicious else rating,
        malicious=malicious,
        kev=_stated(group, "kev", "added"),
        epss=_stated(group, "epss", "score"),
    )
    return made if malicious else _fixed(made)


def _fixed(one: Vulnerability) -> Vulnerability:
    named = {
        each
        for record in one.records
        for each in advisory.fixes(record.record, one.package, one.version)
    }
    clear = [each for each in named if not one.is_about(each)]
    if not clear:
        return one
    return replace(one, fixed_in=str(min(map(Version, clear))))


def _stated(group: Sequence[Advisory], key: str, says: str) -> Mapping[str, Json]:
    """Return what was found out about a group: what says something, then the newest."""
    found = [
        told
        for one in group
        if isinstance(own := one.record.get("database_specific"), Mapping)
        and isinstance(told := own.get(key), Mapping)
    ]
    return max(
        found,
        key=lambda told: (bool(told.get(says)), str(told.get("as_of", ""))),
        default=NOTHING,
    )
