"""Look into one file of a model for its facts; nothing of it is ever run.

Every parser that is used is bounded and refuses what it does not understand; what it
refuses is a fact like others. Pickles are only recognised here: what looks into them
runs in a process of its own (``airlift.audit.facts.pickles``).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Final

from airlift import naming
from airlift.artifact import ContentClass
from airlift.digest import sha256
from airlift.errors import FormatError
from airlift.payload import (
    container_signs,
    face,
    file_facts,
    gguf_facts,
    gguf_signs,
    json_facts,
    safetensors,
    sniff,
    template_signs,
)
from airlift.payload.face import Read, Role
from airlift.payload.file_facts import FileFacts
from airlift.payload.signs import DETAIL, Rule, Sign, sign

_PROGRAMS: Final = (".so", ".dll", ".dylib", ".exe", ".pyc")
"""Endings of what a processor or an interpreter runs without a look at the text."""
_SOBER: Final = (
    *(".safetensors", ".gguf", ".json", ".txt", ".md", ".jinja", ".onnx"),
    *(".png", ".jpg", ".jpeg", ".gif", ".webp", ".model", ".csv"),
)
"""Endings that promise data: what can act has no business under such a name."""
_JINJA_NAMES: Final = (".jinja", ".jinja2", ".j2")


def look(name: str, size: int, read: Read, role: Role) -> FileFacts:
    """Return the facts of a file.

    Args:
        name: The last part of its path, or what its registry calls it.
        size: Bytes of it.
        read: Gives its bytes; may give fewer than asked for.
        role: What it is for (``face.role_of``).
    """
    whole = _whole(read)
    head = whole(0, min(size, sniff.HEAD))
    tail = whole(size - sniff.HEAD, size) if size > sniff.HEAD else b""
    if not tail:
        whole = _whole(lambda start, stop: head[start:stop])  # it is here already
    word, content_class = sniff.sniff(name, head, tail)
    facts = FileFacts(format=word, content_class=content_class)
    signs = list(_by_class(name, facts, head))
    try:
        facts, found = _inside(name, size, whole, (facts, role))
        signs += found
    except FormatError as error:
        signs.append(sign(Rule.MALFORMED, error.problem))
    # What says nothing is not copied: most of 100,000 small files say nothing.
    return replace(facts, signs=tuple(sorted(set(signs)))) if signs else facts


def _whole(read: Read) -> Read:
    """Return a reader that gives all that is asked for, or says that it ends early."""

    def found(start: int, stop: int) -> bytes:
        data = b""
        while len(data) < stop - start:
            piece = read(start + len(data), stop)
            if not piece:
                problem = f"the file ends at byte {start + len(data)}"
                raise FormatError(problem, hint="run `airlift verify`")
            data += piece
        return data

    return found


# --- what it can make a program do ----------------------------------------------


def _by_class(name: str, facts: FileFacts, head: bytes) -> Iterator[Sign]:
    folded = name.casefold()
    acts = facts.content_class in (ContentClass.CODE, ContentClass.PICKLE)
    honest = facts.format in ("json", "jinja")
    if acts and folded.endswith(_SOBER) and not honest:
        ending = name[name.rfind(".") :]
        yield sign(Rule.DISGUISED, f"named {ending}, its bytes are {facts.format}")
    if facts.content_class is ContentClass.CODE:
        yield from _code(folded, facts.format, head)
    if facts.content_class is ContentClass.PACKAGE:
        yield sign(Rule.ARCHIVE, facts.format)


def _code(folded: str, word: str, head: bytes) -> Iterator[Sign]:
    if word == "yaml":
        yield sign(Rule.YAML_OBJECT, "a tag that makes a Python object")
    elif word == "tensorflow":
        yield sign(Rule.TENSORFLOW, "operations of it may read and write files")
    elif word == "keras":
        yield sign(Rule.KERAS, "layers of it may hold code")
    elif folded.endswith(".py"):
        yield sign(Rule.PYTHON, "loaders import it where remote code is trusted")
    elif folded.endswith(_PROGRAMS) or (word == "program" and not _is_text(head)):
        yield sign(Rule.EXECUTABLE, word)
    elif word != "json" or not folded.endswith(".json"):
        yield sign(Rule.SCRIPT, word)


def _is_text(head: bytes) -> bool:
    return b"\0" not in head


# --- what it says ---------------------------------------------------------------


def _inside(
    name: str, size: int, read: Read, known: tuple[FileFacts, Role]
) -> tuple[FileFacts, Iterable[Sign]]:
    facts, role = known
    if facts.format == "gguf":
        return _gguf(name, size, read, facts)
    if facts.format == "safetensors":
        return _safetensors(name, size, read, facts), ()
    if facts.format in container_signs.FORMATS:
        return container_signs.look(facts, name, size, read)
    if role in (Role.SETTINGS, Role.TEMPLATE):
        return _text(name, size, read, known)
    return facts, _unlike(name, facts)


def _unlike(name: str, facts: FileFacts) -> Iterator[Sign]:
    ending = name[name.rfind(".") :].casefold()
    if ending in (".safetensors", ".gguf"):
        yield sign(Rule.MALFORMED, f"it is no {ending[1:]} file: {facts.format}")


def _gguf(
    name: str, size: int, read: Read, facts: FileFacts
) -> tuple[FileFacts, Iterable[Sign]]:
    header = gguf_facts.header(read, name=name, size=size)
    told = gguf_facts.of(header)
    shapes = [
        (face.GGML.get(one.type, str(one.type)), one.shape) for one in header.tensors
    ]
    facts = replace(
        facts,
        architecture=naming.show(told.architecture[:DETAIL]),
        quantisation=told.file_type,
        tensors=len(shapes),
        parameters=_counted(shapes),
    )
    templates = list(gguf_signs.templates(header))
    found = _templates(templates, facts)
    return found[0], (*found[1], *gguf_signs.of(header, size))


def _safetensors(name: str, size: int, read: Read, facts: FileFacts) -> FileFacts:
    length = safetensors.header_size(read(0, min(8, size)), name=name, size=size)
    tensors = safetensors.read(read(0, length), name=name, size=size)
    shapes = [(one.dtype, one.shape) for one in tensors]
    return replace(facts, tensors=len(shapes), parameters=_counted(shapes))


def _counted(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> Mapping[str, int]:
    """Return elements by the name of their type."""
    found = Counter[str]()
    for dtype, shape in shapes:
        found[dtype] += prod(shape)
    return {name: min(count, file_facts.MOST) for name, count in sorted(found.items())}


def _text(
    name: str, size: int, read: Read, known: tuple[FileFacts, Role]
) -> tuple[FileFacts, Iterable[Sign]]:
    facts, role = known
    if facts.content_class is ContentClass.PICKLE:
        return facts, ()
    if not face.is_readable(name, size, role):
        return facts, (sign(Rule.UNREAD, f"{size} bytes are more than is read"),)
    data = read(0, size)
    if role is Role.TEMPLATE:
        # Ollama's templates and prompts are in another language, and have no names.
        jinja = name.casefold().endswith(_JINJA_NAMES)
        text = data.decode("utf-8", "replace")
        return _templates([("default", text)], facts, parse=jinja)
    try:
        told = json_facts.read(data, name=name)
    except FormatError as error:
        return facts, (sign(Rule.UNREAD, error.problem),)
    if told.auto_map or told.pipelines or told.shards:
        facts = replace(
            facts,
            auto_map=_shown(told.auto_map),
            pipelines=_shown(told.pipelines),
            shards=_shown(told.shards),
        )
    found = _templates(told.templates, facts)
    return found[0], (*found[1], *told.signs, *_remote(facts))


def _shown(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(naming.show(one[:DETAIL]) for one in names)


def _remote(facts: FileFacts) -> Iterator[Sign]:
    for one in facts.auto_map:
        # `other/repo--module.Class` is code of another repository.
        rule = Rule.AUTO_MAP_ELSEWHERE if "--" in one else Rule.AUTO_MAP
        yield sign(rule, one)
    for one in facts.pipelines:
        yield sign(Rule.CUSTOM_PIPELINE, one)


def _templates(
    texts: Iterable[tuple[str, str]], facts: FileFacts, *, parse: bool = True
) -> tuple[FileFacts, Iterable[Sign]]:
    digests: dict[str, str] = {}
    signs: list[Sign] = []
    for name, text in texts:
        key = label = naming.show(name[:DETAIL])
        number = 1
        while key in digests:
            key, number = f"{label}-{number + 1}", number + 1
        digests[key] = sha256(text.encode("utf-8", "surrogatepass"))
        signs += template_signs.of(text) if parse else ()
    return (replace(facts, templates=digests) if digests else facts), signs
