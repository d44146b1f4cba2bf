"""Q5: which known vulnerabilities are in what is held or runs here.

Advisories are those of the newest catalogue, matched here (``format.advice``). "Nothing
known" is an answer only for packages that the catalogue looked through, up to when it did;
everything else is unknown, by name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

from airlift.artifact import Json
from airlift.audit import risk, runtimes
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Finding, Fix, Severity
from airlift.audit.runtimes import Installed
from airlift.audit.site import Site
from airlift.format import advice, osv, withdrawal
from airlift.format.advice import Advice, Vulnerability
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import KnownFile
from airlift.inbound.ages import Age

KIND: Final = "vulnerability"
"""The family of its findings."""
MALICIOUS: Final = "malicious-package"
"""The family of findings about packages that are themselves an attack."""
_COLUMNS: Final = (
    *("id", "package", "installed", "severity", "fixed_in", "in_catalogue", "kev"),
    *("epss", "state", "hosts", "score", "published", "aliases", "risk", "summary"),
)
_CONTROLS: Final = ("SI-2", "RA-5")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One vulnerability of one version that is here."""

    installed: Installed
    found: Vulnerability
    severity: Severity
    fix: Fix | None
    parts: Mapping[str, int]

    @property
    def order(self) -> tuple[int, str, str, str]:
        """What weighs most first."""
        one = self.installed
        return -sum(self.parts.values()), one.package, one.version, self.found.id


def ask(site: Site, options: Options) -> Answer:
    """Return what is known against every version of a package that is here."""
    here = runtimes.installed(site)
    chosen = tuple(one for one in here if options.wants(*_names(one)))
    absent = options.absent(map(_names, here))
    made = site.made
    if made is None:
        return Answer(
            question="Q5",
            as_of="",
            columns=_COLUMNS,
            unknown=absent,
            reason=site.ignorance,
            counts={"packages": len(chosen)},
        )
    known = Advice(made)
    fixes = _Fixes(site, made, here)
    found = _cases(site, known, fixes, chosen)
    cases = sorted(found, key=lambda one: one.order)
    unsure = [(one, why) for one in chosen if (why := _unsure(site, known, one))]
    unnamed = () if options.items else tuple(runtimes.unnamed(site))
    return Answer(
        question="Q5",
        as_of=made.feed.as_of,
        columns=_COLUMNS,
        rows=(*map(_row, cases), *(_unknown(one, why) for one, why in unsure)),
        findings=tuple(_finding(one) for one in cases),
        unknown=(
            *(f"{one.package} {one.version}: {why}" for one, why in unsure),
            *unnamed,
            *absent,
        ),
        reason=site.ignorance,
        counts={
            "packages": len(chosen),
            "vulnerabilities": len({one.found.id for one in cases}),
            "unknown": len(unsure),
        },
    )


def _names(one: Installed) -> tuple[str, ...]:
    """Return what a person may call a package that is here."""
    sets = {(each.held.release.name, each.held.id) for each in one.wheels}
    return (
        one.package,
        f"{one.package}=={one.version}",
        f"{one.package}@{one.version}",
        *(name for each in sorted(sets) for name in each),
        *(each.file.sha256 for each in one.wheels),
        *one.hosts,
    )


def _unsure(site: Site, known: Advice, one: Installed) -> str:
    """Return why nobody knows all that is known against a version; empty if they do."""
    if why := known.unknown(one.package):
        return why
    try:
        Version(one.version)
    except InvalidVersion:
        return f"`{one.version}` has no place in the order of versions"
    as_of = known.as_of(one.package)
    if site.clock.today.age(as_of) is Age.STALE:
        days = site.clock.today.days(as_of)
        return f"its advisories are {days} days old, more than {site.bounds.ageing}"
    if undecided := known.undecided(one.package, one.version):
        return f"nobody can tell whether it is meant by {', '.join(undecided)}"
    return ""


def _cases(
    site: Site, known: Advice, fixes: "_Fixes", chosen: tuple[Installed, ...]
) -> Iterator[_Case]:
    withdrawn = {
        (one.name, one.subject)
        for one in site.standing
        if one.kind == withdrawal.PACKAGE
    }
    for one in chosen:
        for found in known.of(one.package, one.version):
            level = Severity(found.rating.level)
            paths = {"", one.version, *(each.file.path for each in one.wheels)}
            gone = any((one.package, path) in withdrawn for path in paths)
            yield _Case(
                installed=one,
                found=found,
                severity=level,
                fix=fixes.of(found),
                parts=_parts(site, found, level, withdrawn=gone),
            )


def _parts(
    site: Site, found: Vulnerability, level: Severity, *, withdrawn: bool
) -> Mapping[str, int]:
    published = osv.moment(found.published)
    return {
        "kev": risk.EXPLOITED if found.kev.get("added") else 0,
        level.value: risk.severity(level),
        "epss": risk.likelihood(str(found.epss.get("score", "0"))),
        "withdrawn": risk.WITHDRAWN if withdrawn else 0,
        "age": risk.age(published, site.clock.trusted),
    }


class _Fixes:
    """Where a version that is well can be had.

    Args:
        site: What is held.
        made: What the catalogue has.
        here: Every version of every package that is here.
    """

    def __init__(
        self, site: Site, made: Catalogue, here: tuple[Installed, ...]
    ) -> None:
        self._files = {one.file.sha256 for one in site.wheels}
        self._held: dict[str, set[str]] = {}
        for one in here:
            if one.wheels:
                self._held.setdefault(one.package, set()).add(one.version)
        self._given = {
            one.name: {each.version: each.files for each in one.versions}
            for one in made.packages
        }

    def of(self, found: Vulnerability) -> Fix | None:
        """Return what to move to: what is held, else what can be had; None for nothing."""
        if found.malicious:
            return None
        if held := _best(self._held.get(found.package, ()), found):
            return Fix(to=held, delta_bytes=0, in_catalogue=self._gives(found, held))
        if given := _best(self._given.get(found.package, {}), found):
            files = self._given[found.package][given]
            return Fix(to=given, delta_bytes=self._to_fetch(files), in_catalogue=True)
        return Fix(to=found.fixed_in) if found.fixed_in else None

    def _gives(self, found: Vulnerability, version: str) -> bool:
        return version in self._given.get(found.package, {})

    def _to_fetch(self, files: tuple[KnownFile, ...]) -> int | None:
        lacking = [one for one in files if one.sha256 not in self._files]
        if not files or any(one.size is None for one in lacking):
            return None
        return sum(one.size or 0 for one in lacking)


def _best(versions: Iterable[str], found: Vulnerability) -> str:
    """Return the lowest of *versions* above the affected one that is well; or nothing."""
    better = [
        one
        for one in _ordered(versions)
        if one > Version(found.version) and not found.is_about(str(one))
    ]
    return str(min(better)) if better else ""


def _ordered(versions: Iterable[str]) -> list[Version]:
    found = []
    for one in versions:
        try:
            found.append(Version(one))
        except InvalidVersion:
            continue
    return found


# --- as it is shown -----------------------------------------------------------------


def _row(one: _Case) -> Mapping[str, Json]:
    found, here = one.found, one.installed
    return {
        "kind": str(here.subject.kind),
        "id": found.id,
        "package": here.package,
        "installed": here.version,
        "severity": one.severity.value,
        "fixed_in": found.fixed_in,
        "in_catalogue": _where(one.fix),
        "kev": _looked(found.kev, "added", "not listed"),
        "epss": _looked(found.epss, "score", "no score"),
        "state": here.state,
        "hosts": here.hosts,
        "score": found.rating.score or ("" if found.rating.by else "unrated"),
        "published": osv.moment(found.published),
        "aliases": found.aliases,
        "risk": risk.shown(one.parts),
        "summary": found.summary,
    }


def _where(fix: Fix | None) -> str:
    if fix is None:
        return "no"
    if fix.delta_bytes == 0:
        return f"{fix.to} is held"
    return fix.to if fix.in_catalogue else "no"


def _looked(told: Mapping[str, Json], key: str, nothing: str) -> Json:
    """Return what was found out, or that nobody looked: never the one for the other."""
    return (told.get(key) or nothing) if told else "unknown"


def _unknown(one: Installed, why: str) -> Mapping[str, Json]:
    return {
        "kind": str(one.subject.kind),
        "id": advice.UNKNOWN,
        "package": one.package,
        "installed": one.version,
        "severity": "unknown",
        "state": one.state,
        "hosts": one.hosts,
        "summary": why,
    }


def _finding(one: _Case) -> Finding:
    found, here = one.found, one.installed
    said = found.summary or "no summary"
    fixed = f"fixed in {found.fixed_in}" if found.fixed_in else "no fix is known"
    if found.malicious:
        fixed = "the package is an attack: remove it, and look at where it ran"
    return Finding(
        kind=MALICIOUS if found.malicious else KIND,
        rule=found.id,
        severity=one.severity,
        subject=here.subject,
        title=f"{here.package} {here.version}: {found.id}: {said} ({fixed})",
        evidence=_evidence(one),
        fix=one.fix,
        arrived_in=here.arrived_in,
        controls=_CONTROLS,
    )


def _evidence(one: _Case) -> Mapping[str, Json]:
    found = one.found
    return {
        "aliases": found.aliases,
        "records": [
            {
                "id": each.id,
                "sha256": each.sha256,
                "modified": osv.moment(each.record.get("modified")),
            }
            for each in found.records
        ],
        "fixed_in": found.fixed_in,
        "score": found.rating.score,
        "vector": found.rating.vector,
        "rated_by": found.rating.by or "nobody: counted as high",
        "kev": found.kev or None,
        "epss": found.epss or None,
        "published": osv.moment(found.published),
        "state": one.installed.state,
        "wheels": tuple(sorted(each.file.sha256 for each in one.installed.wheels)),
        "risk": dict(one.parts),
    }
