"""What a JSON file of a model repository names: code, templates, other files.

At any depth and however escaped, because loaders look in more places than documents
say. A key that is there twice is a sign: readers differ in which of the two they take.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from airlift import naming
from airlift.errors import FormatError
from airlift.payload.signs import Rule, Sign, sign

NAMED: Final = 10_000
"""Things of one sort that are kept; the largest models have 200 shards."""
_TWICE: Final = 20
_CONTAINERS: Final = (dict, list)
_KEYS: Final = frozenset(
    {"auto_map", "custom_pipelines", "chat_template", "weight_map"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFacts:
    """What a file names.

    Attributes:
        auto_map: Classes that loaders import from the repository, or from another.
        pipelines: Modules that diffusers imports.
        templates: Chat templates by name; a name may come twice.
        shards: Files that an index says tensors lie in.
        signs: What else was seen.
    """

    auto_map: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    templates: tuple[tuple[str, str], ...] = ()
    shards: tuple[str, ...] = ()
    signs: tuple[Sign, ...] = ()


def read(data: bytes, *, name: str) -> JsonFacts:
    """Return what the JSON file *name* of these bytes names.

    Raises:
        FormatError: It is not JSON.
    """
    twice: set[str] = set()

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found) and len(twice) < _TWICE:
            count = Counter(key for key, _ in found)
            twice.add(count.most_common(1)[0][0])
        return made

    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        problem = f"{naming.show(name)} is not JSON: {naming.show(str(error)[:200])}"
        raise FormatError(problem) from None
    named = _named(value)
    return JsonFacts(
        auto_map=_sorted(_strings(named["auto_map"])),
        pipelines=_sorted(_strings(named["custom_pipelines"] + _diffusers(value))),
        templates=tuple(_templates(named["chat_template"])),
        shards=_sorted(_strings(named["weight_map"])) if _is_index(name) else (),
        signs=tuple(sign(Rule.JSON_TWICE, key) for key in sorted(twice)),
    )


def _is_index(name: str) -> bool:
    return name.casefold().endswith(".index.json")


def _named(value: Any) -> dict[str, list[Any]]:
    """Return what stands under each of ``_KEYS``, anywhere in *value*."""
    found: dict[str, list[Any]] = {key: [] for key in _KEYS}
    left = [value] if type(value) in _CONTAINERS else []
    while left:
        part = left.pop()
        inside = part
        if isinstance(part, dict):
            for key in _KEYS & part.keys():
                # Of a vocabulary, `auto_map` may be a word; its number says nothing.
                if isinstance(part[key], str | list | dict):
                    found[key].append(part[key])
            inside = part.values()
        # Of 150,000 words of a vocabulary, none is looked at again.
        left += [one for one in inside if type(one) in _CONTAINERS]
    return found


def _diffusers(value: Any) -> list[Any]:
    """Return the class of a pipeline whose code lies in the repository.

    Source: diffusers, "Community pipelines": a list of module and class stands where
    the name of a class of its own would.
    """
    named = value.get("_class_name") if isinstance(value, dict) else None
    return [".".join(map(str, named))] if isinstance(named, list) else []


def _strings(values: list[Any]) -> Iterator[str]:
    left = values[:]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, list | dict):
            left += part if isinstance(part, list) else part.values()


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found))[:NAMED])


def _templates(stated: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield each template; one text, or a list of named ones."""
    for one in stated:
        if isinstance(one, str):
            yield "default", one
        for named in one if isinstance(one, list) else [one]:
            if isinstance(named, dict):
                yield str(named.get("name", "default")), str(named.get("template", ""))
