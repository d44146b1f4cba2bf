"""Cross-finding rules: a model and a runtime that are dangerous together.

Neither half alone is a finding. Rules are data with a closed vocabulary, so that no code
crosses the gap in them; they travel among the advisories of a catalogue, in OSV's form,
with what they ask for under ``when``. A reader that knows no rules sees records about no
package.

Source: docs/catalogue.md, "Rules".
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from airlift import naming
from airlift.artifact import Json
from airlift.digest import sha256
from airlift.errors import AirliftError
from airlift.format import canonical, severity
from airlift.format.catalogue import Advisory, Catalogue
from airlift.format.fields import Fields

FEATURES: Final = ("auto_map", "pickle_weights")
"""What a model can be asked whether it has: settings that name code which loaders import,
files that are pickles."""
FORMATS: Final = (
    *("gguf", "hdf5", "keras", "npy", "onnx", "pickle", "safetensors", "tensorflow"),
    "tflite",
)
"""Formats of files that a model can be asked for, as ``payload.sniff`` calls them."""
TEXT: Final = 400
"""Most characters of a title or an advice."""
_ID: Final = re.compile(r"[A-Z][A-Z0-9]+(-[A-Za-z0-9]+){1,5}", re.ASCII)
_KEYS: Final = ("id", "title", "severity", "advisory", "advice", "model", "runtime")
_OPTIONAL: Final = ("aliases", "fixed_in", "modified")
_COMPARE: Final[Mapping[str, Callable[[Version, Version], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a rule can ask of a model.

    Attributes:
        features: Those of ``FEATURES`` it has.
        formats: Those of ``FORMATS`` its files are in.
        quantisations: As its files state them, in upper case.
        template: The worst level (of ``severity.LEVELS``) that was found in its chat
            templates; empty for nothing.
        unknown: What could not be looked at: any of ``FEATURES``, ``formats``,
            ``quantisations``, ``template``.
    """

    features: frozenset[str] = frozenset()
    formats: frozenset[str] = frozenset()
    quantisations: frozenset[str] = frozenset()
    template: str = ""
    unknown: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a rule asks of a model; everything that is stated must hold.

    Attributes:
        has: Features, all of them.
        template: Least level of what was found in a chat template; empty for any.
        formats: One of these.
        quantisations: One of these.
    """

    has: tuple[str, ...] = ()
    template: str = ""
    formats: tuple[str, ...] = ()
    quantisations: tuple[str, ...] = ()

    def matches(self, traits: Traits) -> bool | None:
        """Say whether a model with *traits* is meant; None where nobody can tell."""
        found = [
            *(_known(one in traits.features, one, traits) for one in self.has),
            *([self._template(traits)] if self.template else ()),
            *([_any(self.formats, traits.formats, "formats", traits)]),
            *(
                [
                    _any(
                        self.quantisations,
                        traits.quantisations,
                        "quantisations",
                        traits,
                    )
                ]
            ),
        ]
        if False in found:
            return False
        return None if None in found else True

    def _template(self, traits: Traits) -> bool | None:
        ranks = severity.LEVELS
        reached = bool(traits.template) and (
            ranks.index(traits.template) <= ranks.index(self.template)
        )
        return _known(reached, "template", traits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a rule asks of a runtime.

    Attributes:
        package: In PyPA's normal form.
        affected: Comparisons joined by commas, all of which must hold; empty for every
            version.
    """

    package: str
    affected: str = ""

    def matches(self, version: str) -> bool | None:
        """Say whether *version* is meant; None where it has no place in the order.

        Versions are compared by their order alone, a preview of 2.0 comes before 2.0:
        specifiers would leave it out of ``<2.0``.
        """
        try:
            number = Version(Version(version).public)
        except InvalidVersion:
            return None
        return all(
            _COMPARE[one.operator](number, Version(one.version))
            for one in SpecifierSet(self.affected)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        id: As findings name it.
        title: What can happen, in a line.
        severity: One of ``severity.LEVELS``.
        advisory: The id people know it by.
        aliases: Other ids of the same, in order.
        advice: What to do.
        model: What it asks of a model.
        runtime: What it asks of a runtime.
        fixed_in: The first version of the runtime that is well; empty where none is.
        modified: When it was last changed, ``YYYY-MM-DD``; may be empty.
        problem: Why this version cannot follow it; empty where it can. It is never
            passed over: a site is told that it is there.
    """

    id: str
    title: str = ""
    severity: str = severity.UNRATED
    advisory: str = ""
    aliases: tuple[str, ...] = ()
    advice: str = ""
    model: Model = field(default_factory=Model)
    runtime: Runtime = field(default_factory=lambda: Runtime(package=""))
    fixed_in: str = ""
    modified: str = ""
    problem: str = ""


def _known(holds: bool, what: str, traits: Traits) -> bool | None:  # noqa: FBT001
    return True if holds else None if what in traits.unknown else False


def _any(
    wanted: tuple[str, ...], found: frozenset[str], what: str, traits: Traits
) -> bool | None:
    return _known(bool(found & set(wanted)), what, traits) if wanted else True


def read(entry: Fields) -> Rule:
    """Return the rule that *entry* states, as people write it.

    Raises:
        AirliftError: Of the kind of *entry*; it is none this version understands.
    """
    entry.only(*_KEYS, *_OPTIONAL)
    found = Rule(
        id=entry.text("id"),
        title=entry.text("title")[:TEXT],
        severity=entry.text("severity"),
        advisory=entry.text("advisory"),
        aliases=tuple(sorted(entry.texts("aliases"))),
        advice=entry.text("advice")[:TEXT],
        model=_model(entry.table("model")),
        runtime=_runtime(entry.table("runtime")),
        fixed_in=entry.text("fixed_in", ""),
        modified=entry.text("modified", ""),
    )
    if not _ID.fullmatch(found.id):
        entry.refuse("id", f"is `{naming.show(found.id)}`, expected one like `SITE-1`")
    if found.severity not in severity.LEVELS:
        said = naming.show(found.severity)
        known = ", ".join(f"`{one}`" for one in severity.LEVELS)
        entry.refuse("severity", f"is `{said}`, expected one of {known}")
    return found


def _model(entry: Fields) -> Model:
    entry.only("has", "template", "formats", "quantisations")
    found = Model(
        has=_chosen(entry, "has", FEATURES),
        template=entry.text("template", ""),
        formats=_chosen(entry, "formats", FORMATS),
        quantisations=tuple(one.upper() for one in entry.texts("quantisations")),
    )
    if found.template and found.template not in severity.LEVELS:
        _chosen(entry, "template", severity.LEVELS, (found.template,))
    if found == Model():
        entry.refuse("has", "is missing, and nothing else is asked of a model")
    return found


def _chosen(
    entry: Fields, key: str, known: tuple[str, ...], given: tuple[str, ...] = ()
) -> tuple[str, ...]:
    found = given or entry.texts(key)
    if odd := [one for one in found if one not in known]:
        listed = ", ".join(f"`{one}`" for one in known)
        entry.refuse(key, f"asks for `{naming.show(odd[0])}`, known are {listed}")
    return found


def _runtime(entry: Fields) -> Runtime:
    entry.only("package", "affected")
    package, affected = entry.text("package"), entry.text("affected", "")
    if (unfit := _unfit(affected)) is not None:
        shown = naming.show(unfit)
        entry.refuse("affected", f"has `{shown}`, expected one like `>=0.10.1,<0.14.0`")
    return Runtime(package=str(canonicalize_name(package)), affected=affected)


def _unfit(affected: str) -> str | None:
    """Return what of *affected* is no comparison of two versions; None for nothing."""
    try:
        asked = list(SpecifierSet(affected))
    except InvalidSpecifier:
        return affected
    for one in asked:
        if one.operator not in _COMPARE or one.version.endswith(".*"):
            return str(one)
    return None


def as_advisory(rule: Rule) -> Advisory:
    """Return *rule* as it travels in a catalogue."""
    model: dict[str, Json] = {
        "has": rule.model.has,
        "template": rule.model.template,
        "formats": rule.model.formats,
        "quantisations": rule.model.quantisations,
    }
    record: dict[str, Json] = {
        "summary": rule.title,
        "aliases": rule.aliases,
        "modified": rule.modified,
        "when": {
            "severity": rule.severity,
            "advisory": rule.advisory,
            "advice": rule.advice,
            "fixed_in": rule.fixed_in,
            "model": {key: value for key, value in model.items() if value},
            "runtime": {
                "package": rule.runtime.package,
                "affected": rule.runtime.affected,
            },
        },
    }
    digest = sha256(canonical.encode(record))
    return Advisory(id=rule.id, record=record, sha256=digest)


def is_rule(one: Advisory) -> bool:
    """Say whether a record of a catalogue is a rule."""
    return "when" in one.record


def stated(made: Catalogue) -> tuple[Rule, ...]:
    """Return the rules of a catalogue, also those that this version cannot follow."""
    return tuple(_stated(one) for one in made.advisories if is_rule(one))


def _stated(one: Advisory) -> Rule:
    try:
        top = Fields(dict(one.record), record=f"rule {naming.show(one.id)}")
        table = dict(top.mapping("when"))
        table |= {"id": one.id, "title": top.text("summary", "")}
        table |= {"aliases": list(top.texts("aliases"))}
        table |= {"modified": top.text("modified", "")}
        return read(Fields(table, record=f"rule {naming.show(one.id)}"))
    except AirliftError as error:
        return Rule(id=one.id, problem=error.problem)
