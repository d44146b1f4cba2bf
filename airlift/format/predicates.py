"""What airlift's own attestations say: whence, by whom approved, under which licence.

Provenance is in the words of SLSA, so that others' tools read it; the rest is
airlift's own (docs/format.md, "Attestations"). A statement is data, not permission.

Source: SLSA 1.0, "Provenance".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from airlift.artifact import Json, Kind, Release
from airlift.format import oms, release, scan
from airlift.format.fields import Fields
from airlift.format.statement import Statement, Subject

PROVENANCE = "https://slsa.dev/provenance/v1"
LICENCES = "urn:airlift:licences:1"
APPROVALS = "urn:airlift:approvals:1"
SCANS = "urn:airlift:scans:1"
EXPORT = "urn:airlift:export:1"
EXPORTER = "urn:airlift:exporter:1"

TITLES: Mapping[str, str] = MappingProxyType(
    {
        oms.PREDICATE: "model signature",
        PROVENANCE: "provenance",
        LICENCES: "licences",
        APPROVALS: "approvals",
        SCANS: "virus scans",
    }
)
"""What people call a kind of statement, by its type."""

_COMMITS = (Kind.MODEL, Kind.DATASET, Kind.GGUF)
_DIGESTS = (Kind.OLLAMA, Kind.OCI)
_LICENCE_FILES = ("licen", "copying", "notice", "use_policy", "usage_policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a release came to be.

    Attributes:
        operator: Who made it, by their own word.
        at: When, ``YYYY-MM-DDThh:mm:ssZ``.
        versions: Of ``airlift``, and of ``uv`` where it is at hand.
    """

    operator: str
    at: str
    versions: Mapping[str, str]


def about(one: Release, predicate_type: str, said: Mapping[str, Json]) -> Statement:
    """Return the statement that *said* is so of the release *one*."""
    name = f"{one.kind.value}:{one.name}@{one.revision}"
    digest = {"sha256": release.content(one)}
    return Statement(
        subjects=(Subject(name=name, digest=digest),),
        predicate_type=predicate_type,
        predicate=said,
    )


def provenance(one: Release, making: Making) -> dict[str, Json]:
    """Return where *one* came from and what made it a release."""
    return {
        "buildDefinition": {
            "buildType": EXPORT,
            "externalParameters": {
                "kind": one.kind.value,
                "name": one.name,
                "refs": one.refs,
                "upstream": one.upstream,
            },
            "internalParameters": {"operator": making.operator},
            "resolvedDependencies": (_source(one),),
        },
        "runDetails": {
            "builder": {"id": EXPORTER, "version": _tools(one, making)},
            "metadata": {"finishedOn": making.at},
        },
    }


def _tools(one: Release, making: Making) -> dict[str, Json]:
    # uv resolves wheels; everything else airlift asks for itself.
    used = {"airlift", "uv"} if one.kind is Kind.WHEELS else {"airlift"}
    return {name: making.versions[name] for name in sorted(used & set(making.versions))}


def _source(one: Release) -> dict[str, Json]:
    """Return what was taken, as SLSA describes a resource."""
    found: dict[str, Json] = {"name": one.name}
    if one.kind in _COMMITS:
        found["digest"] = {"gitCommit": one.revision}
    elif one.kind in _DIGESTS:
        found["digest"] = {"sha256": one.revision}
    where = [one.upstream.get("endpoint"), one.upstream.get("repository")]
    if all(isinstance(part, str) and part for part in where):
        host, repository = map(str, where)
        scheme = "" if "://" in host else "https://"
        found["uri"] = f"{scheme}{host.rstrip('/')}/{repository}"
    return found


def licences(one: Release) -> dict[str, Json]:
    """Return under which licence *one* is, by upstream's word, and its texts."""
    texts: tuple[Json, ...] = tuple(
        {"path": file.path, "sha256": file.sha256}
        for file in one.files
        if file.path.rpartition("/")[2].casefold().startswith(_LICENCE_FILES)
    )
    return {"stated": one.licence, "base_models": one.base_models, "texts": texts}


def approvals(records: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return who approved the lock that a release is of: their records as they are."""
    return {"approvals": tuple(records)}


def scans(records: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return what scanners said of a release's files: records as they are, and counts."""
    return {"scans": tuple(records)}


def timeless(predicate_type: str, said: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return of a predicate what is the same however often a release is exported."""
    if predicate_type != PROVENANCE:
        return said
    definition = Fields(said, record="provenance").mapping("buildDefinition")
    return {key: one for key, one in definition.items() if key != "internalParameters"}


def words(told: Statement) -> tuple[str, ...]:
    """Return what a person should read of a statement of airlift's own.

    Raises:
        FormatError: It is of a known type and does not say what those say.
    """
    said = Fields(told.predicate, record=TITLES.get(told.predicate_type, "statement"))
    if told.predicate_type == PROVENANCE:
        return _provenance_words(said)
    if told.predicate_type == LICENCES:
        texts = ", ".join(one.text("path") for one in said.tables("texts"))
        stated = said.text("stated") or "none stated"
        return (f"{stated}; " + (f"texts: {texts}" if texts else "no text came along"),)
    if told.predicate_type == SCANS:
        return tuple(_scan_words(one) for one in said.tables("scans"))
    return ()


def _scan_words(entry: Fields) -> str:
    told = scan.from_table(entry.raw("record"))
    opened, files = entry.number("opened"), entry.number("files")
    return f"{scan.words(told)}; it could open {opened} of {files} files"


def _provenance_words(said: Fields) -> tuple[str, ...]:
    definition, run = said.table("buildDefinition"), said.table("runDetails")
    builder = run.table("builder")
    if definition.text("buildType") != EXPORT:
        return (f"built by {builder.text('id')}",)
    source = next(definition.tables("resolvedDependencies"))
    taken = source.text("uri", "") or source.text("name", "")
    for algorithm, digest in (
        source.mapping("digest").items() if source.has("digest") else ()
    ):
        taken += f" at {algorithm} {digest}"
    version = builder.table("version")
    tools = ", ".join(f"{name} {version.text(name)}" for name in version.names())
    when = run.table("metadata").text("finishedOn")
    operator = definition.table("internalParameters").text("operator")
    return (f"from {taken}", f"exported {when} by {operator} with {tools}")
