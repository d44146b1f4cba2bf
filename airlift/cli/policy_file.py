"""A site's policy as people write it: a small TOML file, beside their public keys.

approvers = ["bob.pub", "carol.pub"]   # who may approve; beside this file
threshold = 2                          # how many of them must
departures = 0                         # of these, how many for a lock to leave
kinds = ["model", "wheels"]            # what goes live by itself; left out: all
classes = ["data", "template", "package"]
licences = ["MIT", "Apache-2.0", "llama3"]
release = "200GB"                      # largest release
file = "50GB"                          # largest file
age-days = 30                          # from issue to import
encrypted = true                       # deliveries must be encrypted to the site
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from airlift import naming
from airlift.artifact import ContentClass, Kind
from airlift.cli import capacity, config
from airlift.errors import FormatError, RequestError
from airlift.format.fields import Fields
from airlift.trust import policy, public
from airlift.trust.plan import sound_quorum
from airlift.trust.policy import Policy

T = TypeVar("T", bound=str)

_LIMIT = 1 << 20
_KEYS = (
    *("approvers", "threshold", "departures", "kinds", "classes", "licences"),
    *("release", "file", "age-days", "encrypted"),
)
_HINT = "docs/trust.md shows an example"


def read(path: Path, *, site: str, version: int, now: str) -> Policy:
    """Return the policy that the file *path* states.

    Args:
        path: The file; names of public keys in it are relative to its folder.
        site: Whose policy it is to be.
        version: Which version.
        now: When it is issued.

    Raises:
        RequestError: It is not such a file, or could not be met.
        FormatError: A public key is none.
        StoreError: A public key cannot be read.
    """
    shown = naming.show(str(path))
    try:
        table = tomllib.loads(config.text(path, limit=_LIMIT, hint=_HINT))
    except tomllib.TOMLDecodeError as error:
        problem = f"{shown} is not TOML: {naming.show(str(error))}"
        raise RequestError(problem, hint=_HINT) from error
    top = Fields(table, record=shown, error=RequestError)
    top.only(*_KEYS)
    keys = tuple(public.read(path.parent / one) for one in top.texts("approvers"))
    made = Policy(
        site=site,
        version=version,
        issued=now,
        approvers=sound_quorum(keys, top.number("threshold", 1), "approvers"),
        departures=top.number("departures", 0),
        kinds=_members(top, "kinds", Kind),
        classes=_members(top, "classes", ContentClass),
        licences=_sorted(top, "licences"),
        release_bytes=_size(top, "release"),
        file_bytes=_size(top, "file"),
        age_days=top.number("age-days") if top.has("age-days") else None,
        encrypted=top.flag("encrypted", default=False),
    )
    try:  # what no site would read must not be signed
        return policy.decode(policy.encode(made), name=shown)
    except FormatError as error:
        raise RequestError(error.problem, hint=_HINT) from error


def _sorted(top: Fields, key: str) -> tuple[str, ...] | None:
    return tuple(sorted(set(top.texts(key)))) if top.has(key) else None


def _members(top: Fields, key: str, make: Callable[[str], T]) -> tuple[T, ...] | None:
    found = _sorted(top, key)
    if found is None:
        return None
    try:
        return tuple(make(one) for one in found)
    except ValueError as error:
        top.refuse(key, f"has an unknown value: {naming.show(str(error))}")


def _size(top: Fields, key: str) -> int | None:
    if not top.has(key):
        return None
    size = capacity.parse(top.text(key))
    if size is None:
        top.refuse(key, "is no size; write it like `50GB`")
    return size
