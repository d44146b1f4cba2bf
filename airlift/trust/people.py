"""Whose a key is: a person has one key, or one of each family.

The name in a key (``x-airlift-name``, signed with everything else in a root) is the
person's label. Two keys of one name and one family would be one person who counts
twice; two names that only differ in case or in the form of letters are one name.
"""

import unicodedata
from collections.abc import Iterable, Mapping

from airlift.trust.public import PublicKey
from airlift.trust.schemes import SCHEMES, Family

FAMILIES = len(Family)
"""Keys of a person who signs with a key of each family."""


def person(name: str) -> str:
    """Return what is the same for all spellings of a person's *name*."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def holders(keys: Iterable[PublicKey]) -> Mapping[str, tuple[PublicKey, ...]]:
    """Return the keys of each person, in the order given, by ``person``."""
    found: dict[str, tuple[PublicKey, ...]] = {}
    for key in keys:
        held = found.get(person(key.name), ())
        found[person(key.name)] = (*held, key)
    return found


def families(keys: Iterable[PublicKey]) -> list[Family]:
    """Return the family of each of *keys*."""
    return [SCHEMES[key.scheme].family for key in keys]


def is_paired(keys: Iterable[PublicKey]) -> bool:
    """Say whether each person among *keys* has exactly one key of each family."""
    return all(
        sorted(families(held)) == sorted(Family) for held in holders(keys).values()
    )


def label(key: PublicKey, among: Iterable[PublicKey]) -> str:
    """Return what to call *key* among others: its scheme too where one has two."""
    held = holders(among).get(person(key.name), ())
    return f"{key.name} ({key.scheme})" if len(held) > 1 else key.name
