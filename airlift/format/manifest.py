"""The manifest: what someone wants carried, in TOML (docs/manifests.md).

Strict in the same way as airlift's records: an unknown key, a wrong type or a name
that could not be carried is refused with its place, because a misspelt ``exclude``
that is ignored carries the wrong bytes across an air gap and nobody notices.
``manifests/schemas/manifest.schema.json`` says the same to editors and other tools;
a test runs every example and every refusal through both.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from airlift import naming
from airlift.artifact import Json, Kind, Wish
from airlift.errors import RequestError
from airlift.format import ranges, toml_lines
from airlift.format.fields import Fields
from airlift.format.ranges import LICENCES, RANGE, SIZE, TAGS

VERSION: Final = 1
LIMIT: Final = 1 << 20
"""Most characters of a manifest; ten thousand entries are far below it."""
CONTEXT: Final = 8192
"""Tokens of context that ``memory`` makes room for when none are stated."""

_REPOSITORY = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?", re.ASCII
)
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,199}", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MEMORY = re.compile(r"[1-9][0-9]{0,5}(\.[0-9]{1,3})? ?[KMGT]i?B", re.ASCII)
_OLLAMA = re.compile(
    r"(([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?"  # registry
    r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}/)?"  # namespace
    r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}"  # model
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,79})?",  # tag
    re.ASCII,
)
_OCI = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?/)?"  # registry
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"  # repository
    r"(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"  # tag
    r"(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
_OCI_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?", re.ASCII)
_PYTHON = re.compile(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?", re.ASCII)
_URL = re.compile(r"(https?|file)://[^\s]+")
_PLATFORM = re.compile(r"[a-z0-9][a-z0-9_-]{1,63}", re.ASCII)
_PRECISIONS: Final = ("f16", "bf16", "f32", "q8_0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What someone wants carried.

    Attributes:
        entries: By kind in the order of ``Kind``, then as written. Each option a
            kind knows is there with its default, except those that have none.
        name: What its author calls it; empty where it has no name.
    """

    entries: tuple[Wish, ...]
    name: str = ""


def decode(text: str, *, name: str) -> Manifest:
    """Return the manifest that TOML *text* states.

    Paths in it (``path``, ``requirements-file``) stay as written; the caller
    resolves them against the manifest's folder.

    Args:
        text: The whole file.
        name: What to call it in an error: its file name.

    Raises:
        RequestError: It is not TOML, has an unknown key, a value of a wrong type or
            shape, or the same artifact twice; the message names the place.
    """
    if len(text) > LIMIT:
        problem = f"{name} has {len(text)} characters, the limit is {LIMIT}"
        raise RequestError(problem, hint="split it into several manifests")
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problem = f"{name} is not TOML: {naming.show(str(error))}"
        raise RequestError(problem, hint="see docs/manifests.md for examples") from None
    try:
        return _read(table, name)
    except RequestError as error:
        raise toml_lines.with_line(error, text, name) from None


def _read(table: Mapping[str, Json], name: str) -> Manifest:
    top = Fields(table, record=name, error=RequestError)
    top.only("manifest", "name", *(kind.value for kind in _READERS))
    if (version := top.number("manifest")) != VERSION:
        problem = f"is {version}, this airlift reads {VERSION}"
        top.refuse("manifest", problem, hint="a newer airlift may be needed")
    entries = [
        (entry, reader(entry))
        for kind, reader in _READERS.items()
        for entry in top.tables(kind.value)
    ]
    if not entries:
        problem = f"{name} asks for nothing"
        raise RequestError(problem, hint="add a `[[model]]` table with a `repo`")
    _refuse_twice(entries)
    title = top.text("name", "")
    return Manifest(entries=tuple(wish for _, wish in entries), name=title)


def _refuse_twice(entries: list[tuple[Fields, Wish]]) -> None:
    # Two entries of one kind, name and revision would make two releases that
    # clients cannot tell apart.
    seen = set()
    for entry, wish in entries:
        opened = (wish.options.get("revision"), wish.options.get(RANGE))
        key = (wish.kind, wish.name.casefold(), *opened)
        if key in seen:
            hint = "keep one of them, with the patterns of both"
            entry.refuse(
                _NAME_KEY[wish.kind],
                f"asks a second time for `{naming.show(wish.name)}`",
                hint=hint,
            )
        seen.add(key)


def _repository(entry: Fields) -> str:
    repo = _shaped(entry, "repo", _REPOSITORY, "`owner/name`")
    if problem := naming.name_problem(repo):
        entry.refuse("repo", f"{problem}: `{naming.show(repo)}`")
    return repo


def _model(entry: Fields) -> Mapping[str, Json]:
    known = ("repo", "revision", "include", "exclude", "variant", "format")
    entry.only(*known, RANGE, SIZE, LICENCES)
    return {
        **_tracked(entry, SIZE, LICENCES),
        "include": _patterns(entry, "include"),
        "exclude": _patterns(entry, "exclude"),
        "variant": _shaped(entry, "variant", _WORD, "a precision such as `fp16`", ""),
        "format": _shaped(entry, "format", _WORD, "such as `safetensors`", "all"),
    }


def _dataset(entry: Fields) -> Mapping[str, Json]:
    entry.only("repo", "revision", "include", "exclude", RANGE, SIZE, LICENCES)
    return {
        **_tracked(entry, SIZE, LICENCES),
        "include": _patterns(entry, "include"),
        "exclude": _patterns(entry, "exclude"),
    }


def _gguf(entry: Fields) -> Mapping[str, Json]:
    choices = ("file", "quant", "memory", SIZE)
    known = ("repo", "revision", *choices, "context", "projector")
    entry.only(*known, RANGE, LICENCES)
    given = [key for key in choices if entry.has(key)]
    if len(given) != 1:
        found = " and ".join(f"`{key}`" for key in given) or "none"
        entry.refuse(
            given[-1] if given else "quant",
            f"needs exactly one of `file`, `quant`, `memory`, `{SIZE}`; found {found}",
        )
    options = _tracked(entry, SIZE, LICENCES)
    if given == ["file"]:
        options["file"] = _path(entry, "file")
    elif given == ["quant"]:
        options["quant"] = _shaped(entry, "quant", _WORD, "such as `Q4_K_M`")
    elif given == ["memory"]:
        options["memory"] = _shaped(entry, "memory", _MEMORY, "such as `16GiB`")
        options["context"] = entry.number("context", CONTEXT, least=1)
    if entry.has("context") and given != ["memory"]:
        entry.refuse("context", "says nothing without `memory`")
    options["projector"] = _projector(entry)
    return options


def _projector(entry: Fields) -> Json:
    value = entry.raw("projector") if entry.has("projector") else True
    if not isinstance(value, bool) and value not in _PRECISIONS:
        known = ", ".join(f'`"{precision}"`' for precision in _PRECISIONS)
        entry.refuse("projector", f"is not `true`, `false` or one of {known}")
    return value


def _ollama(entry: Fields) -> Mapping[str, Json]:
    entry.only("model", RANGE, SIZE, TAGS)
    options = ranges.read(entry, RANGE, SIZE, TAGS)
    if TAGS in options and SIZE not in options:
        hint = "say how large it may be: the largest of the tags that fits is taken"
        entry.refuse(TAGS, f"says nothing without `{SIZE}`", hint=hint)
    if TAGS in options and RANGE in options:
        entry.refuse(TAGS, f"is given together with `{RANGE}`")
    if (
        options.keys() & {TAGS, RANGE}
        and ":" in entry.text("model", "").rpartition("/")[2]
    ):
        problem = "names a tag, and what else to choose it by"
        entry.refuse("model", problem, hint="leave the tag out of the name")
    return options


def _oci(entry: Fields) -> Mapping[str, Json]:
    entry.only("name", "platform", RANGE, SIZE)
    options = ranges.read(entry, RANGE, SIZE)
    last = entry.text("name", "").rpartition("/")[2]
    if RANGE in options and (":" in last or "@" in last):
        problem = f"names a tag or digest, and a `{RANGE}` to choose one by"
        entry.refuse("name", problem, hint="leave the tag out of the name")
    platforms: tuple[str, ...] = ()
    if entry.has("platform"):
        expected = "such as `linux/amd64`"
        platforms = _each(entry, "platform", _OCI_PLATFORM, expected)
    return {"platform": platforms, **options}


def _oci_name(entry: Fields) -> str:
    expected = "`[registry/]name[:tag][@sha256:digest]`"
    return _shaped(entry, "name", _OCI, expected)


def _wheels(entry: Fields) -> Mapping[str, Json]:
    entry.only(
        *("name", "requirements", "requirements-file", "python", "platform"),
        *("sdist", "index", "own"),
    )
    requirements = entry.texts("requirements")
    for place, line in enumerate(requirements):
        _check_requirement(entry, f"requirements[{place}]", line)
    file = _filled(entry, "requirements-file", "")
    own = entry.flag("own", default=False)
    if not (requirements or file or own):
        entry.refuse("requirements", "is missing, and `requirements-file` too")
    return {
        "requirements": requirements,
        "requirements-file": file,
        "python": _each(entry, "python", _PYTHON, "such as `3.12`"),
        "platform": _each(
            entry, "platform", _PLATFORM, "such as `x86_64-manylinux_2_28`"
        ),
        "sdist": entry.flag("sdist", default=False),
        "index": _shaped(entry, "index", _URL, "a URL", ""),
        **({"own": True} if own else {}),
    }


def _check_requirement(entry: Fields, place: str, line: str) -> None:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        # Also an option (`--extra-index-url ...`): it would let another index answer.
        hint = 'write a name with versions, such as `"numpy>=2"`'
        problem = f"is not a requirement: `{naming.show(line)}`"
        entry.refuse(place, problem, hint=hint)
    if requirement.url is not None:
        hint = "name the version, and the index that has it as `index`"
        problem = f"names a URL instead of an index: `{naming.show(line)}`"
        entry.refuse(place, problem, hint=hint)


def _folder(entry: Fields) -> Mapping[str, Json]:
    entry.only("name", "path", "include", "exclude", "licence", "base-models")
    return {
        "path": _filled(entry, "path"),
        "include": _patterns(entry, "include"),
        "exclude": _patterns(entry, "exclude"),
        "licence": entry.text("licence", ""),
        "base-models": _patterns(entry, "base-models"),
    }


def _given_name(entry: Fields) -> str:
    name = entry.text("name")
    if problem := naming.name_problem(name):
        entry.refuse("name", f"{problem}: `{naming.show(name)}`")
    return name


def _ollama_name(entry: Fields) -> str:
    expected = "`[registry/][namespace/]model[:tag]`"
    return _shaped(entry, "model", _OLLAMA, expected)


def _tracked(entry: Fields, *keys: str) -> dict[str, Json]:
    """Return which revision is meant, and what it has to be like."""
    options = ranges.read(entry, RANGE, *keys)
    if RANGE not in options:
        options["revision"] = _revision(entry)
    return options


def _revision(entry: Fields) -> str:
    revision = _shaped(entry, "revision", _REVISION, "a branch, tag or commit", "main")
    if ".." in revision:
        entry.refuse("revision", "has `..` in it")
    return revision


def _shaped(
    entry: Fields,
    key: str,
    shape: re.Pattern[str],
    expected: str,
    default: str | None = None,
) -> str:
    value = entry.text(key, default)
    if entry.has(key) and shape.fullmatch(value) is None:
        entry.refuse(key, f"is `{naming.show(value)}`, expected {expected}")
    return value


def _each(
    entry: Fields, key: str, shape: re.Pattern[str], expected: str
) -> tuple[str, ...]:
    values = entry.texts(key)
    if not values:
        entry.refuse(
            key, f"is missing or empty, expected an array of strings {expected}"
        )
    for place, value in enumerate(values):
        if shape.fullmatch(value) is None:
            problem = f"is `{naming.show(value)}`, expected {expected}"
            entry.refuse(f"{key}[{place}]", problem)
    if len(set(values)) != len(values):
        entry.refuse(key, "has a value twice")
    return values


def _filled(entry: Fields, key: str, default: str | None = None) -> str:
    value = entry.text(key, default)
    if entry.has(key) and (not value.strip() or "\0" in value):
        entry.refuse(key, "is empty or holds a NUL")
    return value


def _path(entry: Fields, key: str) -> str:
    path = entry.text(key)
    if problem := naming.path_problem(path):
        entry.refuse(key, f"{problem}: `{naming.show(path)}`")
    return path


def _patterns(entry: Fields, key: str) -> tuple[str, ...]:
    patterns = entry.texts(key)
    for place, pattern in enumerate(patterns):
        if not pattern.strip():
            entry.refuse(f"{key}[{place}]", "is empty")
    return patterns


def _reader(
    kind: Kind,
    name: Callable[[Fields], str],
    options: Callable[[Fields], Mapping[str, Json]],
) -> Callable[[Fields], Wish]:
    def read(entry: Fields) -> Wish:
        # Options first: they refuse unknown keys, which a missing name often is.
        chosen = options(entry)
        return Wish(kind=kind, name=name(entry), options=chosen)

    return read


_NAME_KEY: Final = {
    Kind.MODEL: "repo",
    Kind.DATASET: "repo",
    Kind.GGUF: "repo",
    Kind.OLLAMA: "model",
    Kind.OCI: "name",
    Kind.WHEELS: "name",
    Kind.FOLDER: "name",
}
_READERS: Final = {
    Kind.MODEL: _reader(Kind.MODEL, _repository, _model),
    Kind.DATASET: _reader(Kind.DATASET, _repository, _dataset),
    Kind.GGUF: _reader(Kind.GGUF, _repository, _gguf),
    Kind.OLLAMA: _reader(Kind.OLLAMA, _ollama_name, _ollama),
    Kind.OCI: _reader(Kind.OCI, _oci_name, _oci),
    Kind.WHEELS: _reader(Kind.WHEELS, _given_name, _wheels),
    Kind.FOLDER: _reader(Kind.FOLDER, _given_name, _folder),
}
