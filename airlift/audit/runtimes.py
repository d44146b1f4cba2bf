"""Which versions of which packages this site has: held as wheels, or seen on hosts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from packaging.utils import canonicalize_name

from airlift.artifact import Kind
from airlift.audit.finding import About, Subject
from airlift.audit.site import HeldWheel, Site
from airlift.audit.subjects import wheel
from airlift.payload import wheel_names
from airlift.registry import observations
from airlift.registry.held import State
from airlift.registry.observations import ObservedVersion

HELD: Final = "held"
DECLARED: Final = "declared"
OBSERVED: Final = "observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One version of one package.

    Attributes:
        package: In PyPA's normal form.
        version: As it was found, which need not be one that can be ordered.
        wheels: The wheels of it that are held; none where it was only seen.
        hosts: Labels of the hosts that were seen to have it.
        declared: Whether only somebody's word says so.
    """

    package: str
    version: str
    wheels: tuple[HeldWheel, ...] = ()
    hosts: tuple[str, ...] = ()
    declared: bool = False

    @property
    def state(self) -> str:
        """How it is known: ``held``, ``observed`` or ``declared``, and what it is here."""
        if self.wheels:
            states = {one.held.state for one in self.wheels}
            return State.LIVE.value if State.LIVE in states else State.QUARANTINE.value
        return DECLARED if self.declared else OBSERVED

    @property
    def arrived_in(self) -> str:
        """Number of the delivery that brought it first; empty where none did."""
        return str(min((one.held.sequence for one in self.wheels), default=""))

    @property
    def subject(self) -> Subject:
        """It, as findings are about it."""
        found = wheel(self.package, self.version, hosts=self.hosts)
        if self.wheels:
            return found
        return Subject(
            kind=About.RUNTIME,
            name=found.name,
            version=found.version,
            purl=found.purl,
            hosts=found.hosts,
        )


@dataclass(slots=True)
class _Gathered:
    wheels: list[HeldWheel] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    found: bool = False


def installed(site: Site) -> tuple[Installed, ...]:
    """Return every version of every package, by package and version.

    Of what is held, what is live or waits to be: what was retired or denied is served to
    nobody, and where a host still has it, it was seen there.

    Raises:
        RegistryError: The registry cannot answer, or a record of it is damaged.
    """
    known: dict[tuple[str, str], _Gathered] = defaultdict(_Gathered)
    for one in site.wheels:
        if one.held.state is not State.RETIRED and not one.held.denied:
            known[one.name, one.version].wheels.append(one)
    for seen in _observed(site):
        here = known[str(canonicalize_name(seen.name)), seen.version]
        here.hosts.add(seen.host)
        here.found = here.found or not seen.declared
    return tuple(
        Installed(
            package=package,
            version=version,
            wheels=tuple(one.wheels),
            hosts=tuple(sorted(one.hosts)),
            declared=not (one.wheels or one.found),
        )
        for (package, version), one in sorted(known.items())
    )


def _observed(site: Site) -> tuple[ObservedVersion, ...]:
    """Return what every host was seen to have, the last time it was looked at."""
    kept = observations.newest(site.events(observations.ACTION))
    return observations.versions(site.home, kept)


def unnamed(site: Site) -> Iterator[str]:
    """Yield, as ``Answer.unknown`` has it, the held files whose name says no version."""
    for held in site.releases:
        served = held.state is not State.RETIRED and not held.denied
        if held.release.kind is not Kind.WHEELS or not served:
            continue
        for file in site.files(held):
            if not file.path.endswith(".metadata") and not wheel_names.parse(file.path):
                yield f"{held.release.name}: {file.path}: its name says no version"


def of(found: Iterable[Installed], package: str) -> tuple[Installed, ...]:
    """Return those of *found* that are of *package*, however that is spelt."""
    name = str(canonicalize_name(package))
    return tuple(one for one in found if str(canonicalize_name(one.package)) == name)
