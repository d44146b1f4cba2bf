"""What a host holds, held against what was approved: thing by thing.

A host's own word for what a file is counts for nothing; its digest does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

from airlift.artifact import Kind, ReleaseFile
from airlift.audit import subjects, wheel_records
from airlift.audit.finding import About, Severity, Subject
from airlift.audit.site import HeldWheel, Site
from airlift.digest import Sha256, sha256
from airlift.errors import AirliftError
from airlift.format.observation import Place, SeenFile, SeenModel, SeenPackage
from airlift.install import TARGETS, parcels
from airlift.install.layout import Text, View
from airlift.registry.held import Held, State

_HUB: Final = frozenset({Kind.MODEL, Kind.GGUF, Kind.FOLDER})
_DATASETS: Final = "datasets/"
_MANIFESTS: Final = "manifests/"


class Drift(StrEnum):
    """What a thing on a host is to this site."""

    APPROVED = "approved"
    """As a live release has it."""
    OLD = "old"
    """As a release has it that is no longer live, or was never."""
    INCOMPLETE = "incomplete"
    """Some of the release's files are not there."""
    FOREIGN = "foreign"
    """No release that is held has it."""
    OTHER = "other"
    """A package of a version that is held, from other bytes than its wheels."""
    CHANGED = "changed"
    """Its bytes are not what its own name or record says, or a release's of that name."""
    DENIED = "denied"
    """Nobody may use it."""
    UNREAD = "unread"
    """The host could not read it."""


SEVERITY: Final = {
    Drift.CHANGED: Severity.CRITICAL,
    Drift.DENIED: Severity.CRITICAL,
    Drift.OTHER: Severity.HIGH,
    Drift.FOREIGN: Severity.HIGH,
    Drift.OLD: Severity.MEDIUM,
    Drift.INCOMPLETE: Severity.MEDIUM,
}
"""How bad each is; what is not here is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was made of one thing.

    Attributes:
        subject: What it is.
        drift: What it is to this site.
        problem: Why, in a line; empty where it is approved.
        files: How many files it has.
    """

    subject: Subject
    drift: Drift
    problem: str = ""
    files: int = 0

    @property
    def severity(self) -> Severity | None:
        """How bad it is; None where it is as it should be, or nobody knows."""
        foreign = self.drift is Drift.FOREIGN
        if foreign and self.subject.kind == About.WHEEL:
            # Every environment has an installer that nobody carried.
            return Severity.MEDIUM
        return SEVERITY.get(self.drift)


class Approved:
    """What a site has approved, as things that are seen are looked up in it.

    Args:
        site: Open.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    # --- models -----------------------------------------------------------------

    def model(self, seen: SeenModel) -> Judged:
        """Return what a model is to this site."""
        if seen.place is Place.OLLAMA:
            return self._ollama(seen)
        return self._hub(seen)

    def _hub(self, seen: SeenModel) -> Judged:
        name = seen.name.removeprefix(_DATASETS)
        kinds = {Kind.DATASET} if seen.name.startswith(_DATASETS) else _HUB
        named = [
            one
            for one in self._site.releases
            if one.release.name == name and one.release.kind in kinds
        ]
        held = [one for one in named if one.release.revision == seen.revision]
        if not held:
            why = "this revision is in no release here" if named else "no release here"
            return _unheld(seen, why)
        # Of one commit, several releases may have been carried and one installed.
        present = [one for one in held if self._has_any(one, seen)] or held
        wanted = {file.path: file for one in present for file in self._site.files(one)}
        return _judged(seen, present, _problems(seen, wanted))

    def _has_any(self, held: Held, seen: SeenModel) -> bool:
        paths = {file.path for file in seen.files}
        return any(file.path in paths for file in self._site.files(held))

    def _ollama(self, seen: SeenModel) -> Judged:
        held = self._manifests.get(Sha256(seen.revision))
        if held is None:
            digests = {file.sha256 for file in seen.files}
            named = any(one in digests for one in self._weights)
            why = "its manifest is in no release here"
            if named:
                why += ", though some of its layers are: another template or parameters"
            return _unheld(seen, why)
        # A blob is named by its digest, which the manifest states.
        return _judged(seen, [held], list(_misnamed(seen.files)))

    @cached_property
    def _manifests(self) -> dict[Sha256, Held]:
        """The manifests of Ollama that releases are, or that are made of them."""
        found: dict[Sha256, Held] = {}
        target = TARGETS["ollama"]
        # Live ones last: what is both counts as live.
        for held in sorted(self._site.releases, key=_is_live):
            if held.release.kind is Kind.OLLAMA:
                found[Sha256(held.release.revision)] = held
            elif held.release.kind in target.kinds:
                found |= dict.fromkeys(self._composed(held), held)
        return found

    def _composed(self, held: Held) -> Iterator[Sha256]:
        """Yield the manifests that are made of the GGUF files of a release."""
        if not any(file.format == "gguf" for file in self._site.files(held)):
            return
        target = TARGETS["ollama"]
        try:
            parcel = parcels.parcel(self._site.registry, self._site.store, held, target)
            layout = target.layout(parcel, _Nothing(), self._site.now)
        except AirliftError:
            return  # nothing in it that Ollama runs, or not in the store: Q3 says so
        for name in layout.names:
            if isinstance(name, Text) and name.path.startswith(_MANIFESTS):
                yield sha256(name.content)

    @cached_property
    def _weights(self) -> frozenset[Sha256]:
        kinds = TARGETS["ollama"].kinds
        return frozenset(
            file.sha256
            for one in self._site.releases
            if one.release.kind in kinds
            for file in self._site.files(one)
        )

    # --- packages ---------------------------------------------------------------

    def package(self, seen: SeenPackage) -> Judged:
        """Return what an installed package is to this site."""
        wheels = self._wheels.get((seen.name, seen.version), [])
        if seen.altered_count:
            listed = ", ".join(seen.altered[:3])
            more = seen.altered_count - len(seen.altered[:3])
            rest = f" and {more} more" if more else ""
            why = f"files are not as its RECORD says: {listed}{rest}"
            return self._packaged(seen, wheels, Drift.CHANGED, why)
        if seen.content is None:
            why = "it has no RECORD: nothing tells what its files should be"
            return self._packaged(seen, wheels, Drift.UNREAD, why)
        if not wheels:
            others = sorted({v for n, v in self._wheels if n == seen.name})
            why = "no wheel of this version is held"
            why += f"; held are {', '.join(others)}" if others else ""
            return self._packaged(seen, wheels, Drift.FOREIGN, why)
        same = [one for one in wheels if self._content(one) == seen.content]
        if not same:
            why = "it was installed from other bytes than the wheels that are held"
            return self._packaged(seen, wheels, Drift.OTHER, why)
        drift, why = _standing([one.held for one in same])
        return self._packaged(seen, same, drift, why)

    def _packaged(
        self, seen: SeenPackage, wheels: Sequence[HeldWheel], drift: Drift, why: str
    ) -> Judged:
        digest = wheels[0].file.sha256 if len(wheels) == 1 else ""
        subject = subjects.wheel(seen.name, seen.version, digest=digest)
        return Judged(subject=subject, drift=drift, problem=why, files=seen.files)

    @cached_property
    def _wheels(self) -> dict[tuple[str, str], list[HeldWheel]]:
        return wheel_records.by_package(self._site)

    def _content(self, one: HeldWheel) -> Sha256 | None:
        if one.file.sha256 not in self._contents:
            self._contents[one.file.sha256] = wheel_records.content(
                self._site, one.file
            )
        return self._contents[one.file.sha256]

    @cached_property
    def _contents(self) -> dict[Sha256, Sha256 | None]:
        return {}


class _Nothing(View):
    """A folder with nothing in it."""

    def read(self, path: str) -> bytes | None:
        return None

    def there(self, path: str) -> bool:
        return False


def _is_live(held: Held) -> bool:
    return held.state is State.LIVE and not held.denied


def _unheld(seen: SeenModel, why: str) -> Judged:
    subject = Subject(kind=About.MODEL, name=seen.name, version=seen.revision)
    return Judged(
        subject=subject, drift=Drift.FOREIGN, problem=why, files=len(seen.files)
    )


_Problem = tuple[Drift, str]


def _judged(
    seen: SeenModel, held: Sequence[Held], problems: Sequence[_Problem]
) -> Judged:
    """Return the worst that is known of a model."""
    order = (Drift.CHANGED, Drift.FOREIGN, Drift.UNREAD, Drift.INCOMPLETE)
    best = next((one for one in held if _is_live(one)), held[0])
    drift, why = _standing(held)
    for worse in order if drift is not Drift.DENIED else ():
        if listed := [path for what, path in problems if what is worse]:
            shown = ", ".join(listed[:3])
            more = len(listed) - 3
            drift = worse
            why = f"{worse.value}: {shown}" + (f" and {more} more" if more > 0 else "")
            break
    subject = subjects.release(best)
    return Judged(subject=subject, drift=drift, problem=why, files=len(seen.files))


def _standing(held: Sequence[Held]) -> _Problem:
    """Return what releases are to this site, the best of them."""
    if any(_is_live(one) for one in held):
        return Drift.APPROVED, ""
    if denied := next((one.denied for one in held if one.denied), ""):
        return Drift.DENIED, f"denied: {denied}"
    states = ", ".join(sorted({one.state.value for one in held}))
    return Drift.OLD, f"{states} on this site"


def _problems(seen: SeenModel, wanted: dict[str, ReleaseFile]) -> list[_Problem]:
    found: list[_Problem] = []
    for file in seen.files:
        signed = wanted.get(file.path)
        if signed is None:
            found.append((Drift.FOREIGN, file.path))
        elif file.sha256 is None:
            found.append((Drift.UNREAD, file.path))
        elif file.sha256 != signed.sha256:
            found.append((Drift.CHANGED, file.path))
    there = {file.path for file in seen.files}
    found += [(Drift.INCOMPLETE, path) for path in wanted if path not in there]
    return found


def _misnamed(files: Sequence[SeenFile]) -> Iterator[_Problem]:
    for file in files:
        if file.sha256 is None:
            yield Drift.UNREAD, file.path
        elif file.sha256 != file.path:
            yield Drift.CHANGED, file.path
