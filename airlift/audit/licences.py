"""Q7: under which licences things are held, what they were made from, what changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Json, Kind, ReleaseFile
from airlift.audit import lineage, subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import Finding, Severity
from airlift.audit.lineage import Family
from airlift.audit.site import HeldWheel, Site
from airlift.digest import Sha256
from airlift.errors import AirliftError
from airlift.payload import licence, licence_facts, wheel
from airlift.payload.face import Role, role_of
from airlift.payload.licence_facts import Rank
from airlift.registry.held import Held, State

KIND: Final = "licence"
"""The family of its findings."""
_COLUMNS: Final = (
    *("kind", "name", "licence", "policy", "strictest", "version", "spdx", "gated"),
    *("ancestors", "name_of_licence", "link", "texts", "changed_in", "state"),
)
_CARD: Final = "README.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What is stated of a release: all that a change of terms would show in."""

    licence: str
    texts: tuple[str, ...]
    gated: str
    base_models: tuple[str, ...]


def ask(site: Site, options: Options) -> Answer:
    """Return a row for each release and each wheel, with what policy says of it."""
    family = Family(site)
    unread: list[str] = []
    rows: list[Mapping[str, Json]] = []
    findings: list[Finding] = []
    known = []
    for one in site.releases:
        if one.release.kind is Kind.WHEELS:
            continue
        known.append(_names(one.release.name, one.release.revision, one.id))
        if options.wants(*known[-1]):
            row = _row(site, one, family)
            rows.append(row)
            findings += _findings(site, one, row, family)
    for each in _wheels(site):
        known.append(_names(each.name, each.version, each.file.sha256))
        if not options.wants(*known[-1]):
            continue
        try:
            stated = licence_facts.of_wheel(_metadata(site, each.file))
        except AirliftError as error:
            unread.append(f"{each.name} {each.version}: {error.problem}")
            continue
        rows.append(_wheel_row(site, each, stated))
    return Answer(
        question="Q7",
        as_of=site.deliveries[0].issued if site.deliveries else "",
        columns=_COLUMNS,
        rows=tuple(rows),
        findings=tuple(findings),
        unknown=(*options.absent(known), *unread),
        counts={"looked at": len(rows)},
    )


def _names(name: str, version: str, digest: Sha256) -> tuple[str, ...]:
    return name, f"{name}@{version}", f"{name}=={version}", digest


# --- what is stated ---------------------------------------------------------------


def _terms(site: Site, one: Held) -> _Terms:
    texts = (
        f"{file.path}={file.sha256}"
        for file in site.files(one)
        if role_of(file.path, file.facts) is Role.LICENCE
    )
    return _Terms(
        licence=one.release.licence,
        texts=tuple(sorted(texts)),
        gated=str(one.release.upstream.get("gated", "")),
        base_models=one.release.base_models,
    )


def _row(site: Site, one: Held, family: Family) -> Mapping[str, Json]:
    terms, card = _terms(site, one), _card(site, one)
    above = family.above(one.release.name, one.release.base_models)
    strictest = max((each.rank for each in above), default=None)
    changed = _changed(site, one)
    return {
        "kind": str(subjects.release(one).kind),
        "name": one.release.name,
        "version": one.release.revision,
        "licence": terms.licence,
        "spdx": licence_facts.spdx(terms.licence),
        "policy": _policy(site, one.release.licence, one.denied),
        "strictest": _strictest(above, strictest),
        "gated": terms.gated,
        "ancestors": [lineage.label(each) for each in above],
        "name_of_licence": card.get("license_name", ""),
        "link": card.get("license_link", ""),
        "texts": terms.texts,
        "changed_in": str(one.sequence) if changed else "",
        "state": one.state.value,
    }


def _strictest(above: tuple[lineage.Ancestor, ...], strictest: Rank | None) -> str:
    if strictest is None:
        return ""
    named = next(each for each in above if each.rank == strictest)
    return f"{lineage.label(named)}: {strictest.words}"


def _card(site: Site, one: Held) -> Mapping[str, str]:
    """Return what the model card states of its licence; nothing where it has none."""
    for file in site.files(one):
        if file.path == _CARD:
            stop = min(file.size, licence_facts.CARD_LIMIT)
            return licence_facts.card(b"".join(site.store.read(file.sha256, stop=stop)))
    return {}


def _policy(site: Site, stated: str, denied: str) -> str:
    """Return what the policy in force says: it allows licences, or leaves it open."""
    if denied:
        return "denied"
    if site.policy is None or site.policy.licences is None:
        return "-"
    return "allow" if licence.is_allowed(stated, site.policy.licences) else "review"


# --- wheels -----------------------------------------------------------------------


def _wheels(site: Site) -> Iterator[HeldWheel]:
    """Yield each version of each package once, by a wheel of it."""
    found: dict[tuple[str, str], HeldWheel] = {}
    for one in site.wheels:
        key = (one.name, one.version)
        if key not in found or one.file.path.endswith(".whl"):
            found[key] = one
    yield from found.values()


def _metadata(site: Site, file: ReleaseFile) -> bytes:
    def read(start: int, size: int) -> bytes:
        return b"".join(site.store.read(file.sha256, start=start, stop=start + size))

    return wheel.read_metadata(read, file.size, filename=file.path)


def _wheel_row(site: Site, one: HeldWheel, stated: str) -> Mapping[str, Json]:
    return {
        "kind": "wheel",
        "name": one.name,
        "version": one.version,
        "licence": stated,
        "spdx": licence_facts.spdx(stated),
        # A policy judges a wheel set as a whole; this is what it would say of this one.
        "policy": _policy(site, stated, one.held.denied),
        "state": one.held.state.value,
    }


# --- what is found ----------------------------------------------------------------


def _findings(
    site: Site, one: Held, row: Mapping[str, Json], family: Family
) -> Iterator[Finding]:
    label = f"{one.release.name}@{one.release.revision[:12]}"
    if one.release.kind is not Kind.FOLDER and not one.release.licence:
        title = f"{label} states no licence"
        yield _finding(one, "none-stated", Severity.MEDIUM, title, row)
    if (
        row["policy"] == "review"
        and one.state is State.LIVE
        and not _cleared(site, one)
    ):
        title = f"{label} is live, and the policy does not allow its licence"
        yield _finding(one, "not-allowed", Severity.HIGH, title, row)
    own = licence_facts.rank(one.release.licence)
    for each in family.above(one.release.name, one.release.base_models):
        if not each.known:
            title = (
                f"{label} was made from {each.name}, whose licence is not known here"
            )
            rule = f"ancestor-unknown/{each.name}"
            yield _finding(one, rule, Severity.LOW, title, row)
        elif each.rank > own:
            title = (
                f"{label} ({one.release.licence or 'no licence'}) was made from"
                f" {lineage.label(each)}, which asks for more"
            )
            rule = f"ancestor-stricter/{each.name}"
            yield _finding(one, rule, Severity.MEDIUM, title, row)
    for what, before, after in _changed(site, one):
        severity = Severity.MEDIUM if what in ("licence", "texts") else Severity.LOW
        title = f"{label}: {what} changed from {before or 'none'} to {after or 'none'}"
        yield _finding(one, f"changed/{what}", severity, title, row)


def _finding(
    one: Held, rule: str, severity: Severity, title: str, row: Mapping[str, Json]
) -> Finding:
    evidence = ("licence", "spdx", "policy", "ancestors", "texts", "gated")
    return Finding(
        kind=KIND,
        rule=rule,
        severity=severity,
        subject=subjects.release(one),
        title=title,
        evidence={key: row[key] for key in evidence},
        arrived_in=str(one.sequence),
    )


def _cleared(site: Site, one: Held) -> bool:
    standing = site.registry.custody().standings([one.id]).get(one.id)
    return standing is not None and standing.cleared


def _changed(site: Site, one: Held) -> list[tuple[str, str, str]]:
    """Return what of the terms is not as in the release before: what, before, after."""
    earlier = [
        each
        for each in site.releases
        if (each.release.kind, each.release.name)
        == (one.release.kind, one.release.name)
        and each.release.counter < one.release.counter
    ]
    if not earlier:
        return []
    old = _terms(site, max(earlier, key=lambda each: each.release.counter))
    new = _terms(site, one)
    pairs = (
        ("licence", old.licence, new.licence),
        ("texts", _short(old.texts), _short(new.texts)),
        ("gated", old.gated, new.gated),
        ("base_models", " ".join(old.base_models), " ".join(new.base_models)),
    )
    return [(what, before, after) for what, before, after in pairs if before != after]


def _short(texts: tuple[str, ...]) -> str:
    cut = (one.rpartition("=") for one in texts)
    return " ".join(f"{path} {digest[:12]}" for path, _, digest in cut)
