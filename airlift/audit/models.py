"""Q6: what the files of models can do, as far as looking at them tells.

Nothing of a model is run, loaded or rendered. A row for each thing that was seen, and one
for each model of which nothing is to be said; a finding for each rule and file, however
many releases have that file: the same bytes are the same risk.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from airlift.artifact import Json
from airlift.audit import subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.facts import pickles, releases, rules
from airlift.audit.facts.model_facts import ModelFacts, Placed
from airlift.audit.finding import About, Finding, Subject
from airlift.audit.site import Site
from airlift.payload import file_facts
from airlift.payload.signs import Rule
from airlift.registry.held import Held

KIND: Final = "model-file"
"""The family of the findings of this question."""
_COLUMNS: Final = (
    *("model", "revision", "state", "file", "check", "severity", "evidence"),
    *("digest", "scanner", "upstream"),
)
_CONTROLS: Final = ("SI-3", "SI-7", "SR-11")
_DETAILS: Final = 50
"""Details of one finding that its evidence lists; the table has all."""


def ask(site: Site, options: Options) -> Answer:
    """Return what was seen in the files of models, datasets and folders."""
    every = [one for one in site.releases if releases.has_facts(one)]
    chosen = [one for one in every if options.wants(*_names(one))]
    found = releases.facts_of_all(site, chosen, options.progress)
    models = [found.models[one.id] for one in chosen]
    unread = [
        f"{one.held.release.name}: {path}: {why}"
        for one in models
        for path, why in one.problems.items()
    ]
    return Answer(
        question="Q6",
        as_of=f"{file_facts.EDITION}T00:00:00Z",
        columns=_COLUMNS,
        rows=tuple(row for one in models for row in _rows(one)),
        findings=tuple(_findings(models)),
        unknown=(*unread, *options.absent(map(_names, every))),
        counts=_counts(models, found.looked),
        scanners=tuple(_scanners()),
    )


def _names(held: Held) -> tuple[str, ...]:
    release = held.release
    return release.name, f"{release.name}@{release.revision}", held.id


def _counts(models: Sequence[ModelFacts], looked: int) -> Mapping[str, int]:
    files = [one for each in models for one in each.files.values()]
    return {
        "models": len(models),
        "files": len(files),
        "looked_into_now": looked,
        "pickles": sum(1 for one in files if one.scanned),
    }


def _scanners() -> Iterator[Mapping[str, Json]]:
    yield {"name": "airlift", "version": "", "rules": file_facts.EDITION}
    for name, version in pickles.versions().items():
        if version:
            yield {"name": name, "version": version, "rules": version}


# --- the table --------------------------------------------------------------------


def _rows(model: ModelFacts) -> Iterator[Mapping[str, Json]]:
    common: dict[str, Json] = {
        "kind": About.MODEL.value,
        "model": model.held.release.name,
        "revision": model.held.release.revision,
        "state": "denied" if model.held.denied else model.held.state.value,
    }
    if not model.signs and not model.problems:
        evidence = {"check": "nothing seen", "evidence": _summary(model)}
        yield {**common, **evidence}
    for one in model.signs:
        yield {**common, **_row(model, one)}


def _row(model: ModelFacts, one: Placed) -> Mapping[str, Json]:
    facts = model.files.get(one.file.path)
    scanned = facts.scanned if facts and one.sign.rule in rules.PICKLES else ()
    return {
        "file": one.file.path,
        "check": one.sign.rule.value,
        "severity": rules.severity(one.sign.rule).value,
        "evidence": one.sign.detail,
        "digest": one.file.sha256,
        "scanner": [f"{two.name} {two.version}: {two.verdict}" for two in scanned],
        # Their opinion on the day it was fetched: shown, and never our verdict.
        "upstream": one.file.facts.get("security", ""),
    }


def _summary(model: ModelFacts) -> str:
    """Return what a model's weights are, in a line."""
    parameters: dict[str, int] = {}
    for one in model.files.values():
        for dtype, count in one.parameters.items():
            parameters[dtype] = parameters.get(dtype, 0) + count
    told = [f"{count} {dtype}" for dtype, count in sorted(parameters.items())]
    formats = ", ".join(sorted(model.formats))
    return f"{formats}; parameters: {', '.join(told)}" if told else formats


# --- findings ---------------------------------------------------------------------


@dataclass(slots=True)
class _Case:
    """One rule and one file (or release), in all releases that have it."""

    rule: Rule
    subject: Subject
    arrived: int
    places: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    scanned: tuple[Mapping[str, Json], ...] = ()
    upstream: str = ""

    def add(self, model: ModelFacts, one: Placed) -> None:
        """Add a place where it was seen."""
        release = model.held.release
        place = f"{release.name}@{release.revision[:12]}: {one.file.path}"
        self.arrived = min(self.arrived, model.held.sequence)
        if place not in self.places:
            self.places.append(place)
        if one.sign.detail not in self.details:
            self.details.append(one.sign.detail)
        self.upstream = str(one.file.facts.get("security", "")) or self.upstream
        facts = model.files.get(one.file.path)
        if facts and self.rule in rules.PICKLES:
            self.scanned = tuple(
                {"name": two.name, "version": two.version, "verdict": two.verdict}
                for two in facts.scanned
            )

    def finding(self) -> Finding:
        """Return it as a finding."""
        evidence: dict[str, Json] = {
            "files": tuple(self.places),
            "details": tuple(self.details[:_DETAILS]),
            "rules": file_facts.EDITION,
        }
        if self.scanned:
            evidence["scanned"] = self.scanned
        if self.upstream:
            evidence["upstream_said"] = self.upstream
        more = len(self.places) - 1
        where = self.places[0] + (f" and {more} more" if more else "")
        told = f"{where}: {rules.title(self.rule)} ({self.details[0]})"
        return Finding(
            kind=KIND,
            rule=self.rule.value,
            severity=rules.severity(self.rule),
            subject=self.subject,
            title=told,
            evidence=evidence,
            arrived_in=str(self.arrived),
            controls=_CONTROLS,
        )


def _findings(models: Iterable[ModelFacts]) -> Iterator[Finding]:
    cases: dict[tuple[str, Rule], _Case] = {}
    for model in models:
        if model.held.denied:
            continue  # nobody is served it, and nobody can make it live
        for one in model.signs:
            subject = _subject(model, one)
            case = cases.setdefault(
                (subject.identity, one.sign.rule),
                _Case(one.sign.rule, subject, model.held.sequence),
            )
            case.add(model, one)
    yield from (one.finding() for one in cases.values())


def _subject(model: ModelFacts, one: Placed) -> Subject:
    if one.whole:
        return subjects.release(model.held)
    release = model.held.release
    return Subject(
        kind=About.FILE,
        name=f"{release.name}: {one.file.path}",
        version=release.revision,
        digest=one.file.sha256,
    )
