"""Q6b: which models are dangerous with a runtime that is here.

Neither half is a finding alone: settings that name code do nothing until a version of a
runtime runs it though it was told not to. The rules that say so come with the catalogue
(``format.rule``); the facts of models come from looking at their bytes, the versions of
runtimes from what is held and from what hosts were seen to have.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from airlift.artifact import Json, Kind
from airlift.audit import runtimes, subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.facts import releases
from airlift.audit.finding import Finding, Fix, Severity
from airlift.audit.runtimes import Installed
from airlift.audit.site import Site
from airlift.digest import Sha256
from airlift.format import rule as rules
from airlift.format.catalogue import Catalogue
from airlift.format.rule import Rule, Traits
from airlift.registry import observations
from airlift.registry.held import Held, State

KIND: Final = "cross-finding"
"""The family of its findings."""
_COLUMNS: Final = (
    *("model", "revision", "rule", "id", "severity", "runtime", "installed"),
    *("fixed_in", "state", "hosts", "title", "advice"),
)
_CONTROLS: Final = ("SI-2", "SI-3", "RA-5", "SR-11")


class Facts(Protocol):
    """What is known of the files of a release."""

    @property
    def has_auto_map(self) -> bool:
        """Whether its settings name code that loaders import."""
        ...

    @property
    def has_pickle_weights(self) -> bool:
        """Whether a file of it is a pickle."""
        ...

    @property
    def template_rule(self) -> Severity | None:
        """How bad the worst sign in a chat template is; None where there is none."""
        ...

    @property
    def formats(self) -> frozenset[str]:
        """The formats of its files."""
        ...

    @property
    def quantisations(self) -> frozenset[str]:
        """The quantisations of its GGUF files."""
        ...

    @property
    def is_complete(self) -> bool:
        """Whether every file could be looked into."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    """A model and a version of a runtime that a rule is about."""

    rule: Rule
    held: Held
    runtime: Installed


def traits(facts: Facts) -> Traits:
    """Return what rules can ask of a model with *facts*."""
    has = {
        "auto_map": facts.has_auto_map,
        "pickle_weights": facts.has_pickle_weights,
    }
    everything = (*rules.FEATURES, "formats", "quantisations", "template")
    return Traits(
        features=frozenset(name for name, there in has.items() if there),
        formats=facts.formats,
        quantisations=frozenset(one.upper() for one in facts.quantisations),
        template=facts.template_rule.value if facts.template_rule else "",
        # What could not be looked into may have anything.
        unknown=frozenset() if facts.is_complete else frozenset(everything),
    )


def ask(site: Site, options: Options) -> Answer:
    """Return the models that are dangerous with a runtime that is here."""
    models = tuple(
        one
        for one in site.releases
        if one.release.kind is not Kind.WHEELS
        and one.state is not State.RETIRED
        and not one.denied
    )
    chosen = tuple(one for one in models if options.wants(*_names(one)))
    absent = options.absent(map(_names, models))
    if site.made is None:
        return Answer(
            question="Q6b",
            as_of="",
            columns=_COLUMNS,
            unknown=absent,
            reason=site.ignorance,
        )
    return _judge(site, site.made, chosen, options, absent)


def _judge(
    site: Site,
    made: Catalogue,
    chosen: tuple[Held, ...],
    options: Options,
    absent: tuple[str, ...],
) -> Answer:
    stated = rules.stated(made)
    here = runtimes.installed(site)
    facts = _facts(site, chosen, options)
    models = [(one, traits(facts[one.id])) for one in chosen]
    met = {one: _meet(one, models, here) for one in stated if not one.problem}
    hits = [each for one in met.values() for each in one.hits]
    unsure = [f"{one.id}: {one.problem}" for one in stated if one.problem]
    unsure += [each for one in met.values() for each in one.doubts]
    if not site.events(observations.ACTION):
        homeless = {one: each.homeless for one, each in met.items() if each.homeless}
        unsure += [_homeless(one, names) for one, names in homeless.items()]
    nothing = "" if stated else f"catalogue {made.sequence} carries no rules"
    return Answer(
        question="Q6b",
        as_of=made.issued,
        columns=_COLUMNS,
        rows=tuple(_row(one) for one in hits),
        findings=tuple(_findings(hits, made)),
        unknown=(*unsure, *absent),
        reason=site.ignorance or nothing,
        counts={"models": len(chosen), "rules": len(met), "runtimes": len(here)},
    )


def _facts(
    site: Site, models: tuple[Held, ...], options: Options
) -> Mapping[Sha256, Facts]:
    return releases.facts_of_all(site, models, options.progress).models


def _names(held: Held) -> tuple[str, ...]:
    release = held.release
    return release.name, f"{release.name}@{release.revision}", held.id


# --- what a rule means here ---------------------------------------------------------


@dataclass(slots=True)
class _Met:
    """What one rule comes to."""

    hits: list[_Hit]
    doubts: list[str]
    homeless: list[str]
    """Models it is about, where nobody knows whether its runtime is here."""


def _meet(
    rule: Rule, models: Iterable[tuple[Held, Traits]], here: tuple[Installed, ...]
) -> _Met:
    met = _Met([], [], [])
    versions = runtimes.of(here, rule.runtime.package)
    for held, one in models:
        fits = rule.model.matches(one)
        if fits is False:
            continue
        if not versions:
            met.homeless.append(held.release.name)
        for runtime in versions:
            reached = rule.runtime.matches(runtime.version)
            if fits and reached:
                met.hits.append(_Hit(rule=rule, held=held, runtime=runtime))
            elif reached is not False:
                met.doubts.append(_doubt(rule, held, runtime, model=fits is None))
    return met


def _doubt(rule: Rule, held: Held, runtime: Installed, *, model: bool) -> str:
    why = (
        "not all of its files could be looked into"
        if model
        else f"`{runtime.version}` has no place in the order of versions"
    )
    here = f"{runtime.package} {runtime.version}"
    return f"{held.release.name}: {rule.id} ({rule.advisory}) with {here}: {why}"


def _homeless(rule: Rule, names: list[str]) -> str:
    more = len(set(names)) - 1
    whom = names[0] + (f" and {more} more" if more else "")
    return (
        f"{whom}: {rule.id} ({rule.advisory}): nobody knows whether"
        f" {rule.runtime.package} runs here: no host was ever observed"
    )


# --- as it is shown -----------------------------------------------------------------


def _row(one: _Hit) -> Mapping[str, Json]:
    return {
        "kind": str(subjects.release(one.held).kind),
        "model": one.held.release.name,
        "revision": one.held.release.revision,
        "rule": one.rule.id,
        "id": one.rule.advisory,
        "severity": one.rule.severity,
        "runtime": one.runtime.package,
        "installed": one.runtime.version,
        "fixed_in": one.rule.fixed_in,
        "state": one.runtime.state,
        "hosts": one.runtime.hosts,
        "title": one.rule.title,
        "advice": one.rule.advice,
    }


def _findings(hits: Iterable[_Hit], made: Catalogue) -> Iterator[Finding]:
    grouped: dict[tuple[Sha256, str], list[_Hit]] = {}
    for one in hits:
        grouped.setdefault((one.held.id, one.rule.id), []).append(one)
    for several in grouped.values():
        yield _finding(several, made)


def _finding(hits: list[_Hit], made: Catalogue) -> Finding:
    rule, held = hits[0].rule, hits[0].held
    hosts = sorted({host for one in hits for host in one.runtime.hosts})
    here = ", ".join(f"{one.runtime.package} {one.runtime.version}" for one in hits)
    return Finding(
        kind=KIND,
        rule=rule.id,
        severity=Severity(rule.severity),
        subject=subjects.release(held, hosts=tuple(hosts)),
        title=f"{held.release.name} with {here}: {rule.advisory}: {rule.title}",
        evidence={
            "advisory": rule.advisory,
            "aliases": rule.aliases,
            "asks_for": _asks(rule),
            "runtimes": [
                {
                    "package": one.runtime.package,
                    "version": one.runtime.version,
                    "state": one.runtime.state,
                    "hosts": one.runtime.hosts,
                }
                for one in hits
            ],
            "affected": rule.runtime.affected or "every version",
            "advice": rule.advice,
            "rule_of": rule.modified,
        },
        fix=_fix(rule, made),
        arrived_in=str(held.sequence),
        controls=_CONTROLS,
    )


def _asks(rule: Rule) -> Mapping[str, Json]:
    asked = rule.model
    stated: Mapping[str, Json] = {
        "has": asked.has,
        "template": asked.template,
        "formats": asked.formats,
        "quantisations": asked.quantisations,
    }
    return {key: value for key, value in stated.items() if value}


def _fix(rule: Rule, made: Catalogue) -> Fix | None:
    if not rule.fixed_in:
        return None
    given = (
        version.version
        for one in made.packages
        if one.name == rule.runtime.package
        for version in one.versions
    )
    known = any(rule.runtime.matches(one) is False for one in given)
    return Fix(to=f"{rule.runtime.package} {rule.fixed_in}", in_catalogue=known)
