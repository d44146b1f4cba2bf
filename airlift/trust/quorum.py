"""Whose signatures a document needs, and whether it has exactly those.

Where each person has a key of each family, a quorum can ask for people beside the
threshold of keys: so many of them must have signed with every key of theirs, so that
one broken family and one robbed person are not enough together.

TUF asks for a threshold of valid signatures and passes over all others. airlift asks
for no others: every signature is by a key of the role, is valid, and could not be
left out. A courier can then neither add, drop nor change a byte of signed metadata
without a refusal, and nothing unsigned travels in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airlift import naming
from airlift.errors import TrustError
from airlift.trust.people import holders, label
from airlift.trust.public import PublicKey

COPY_AGAIN = "copy it again; if it stays so, stop and ask whoever sent it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """The keys of a role, and how many of them must sign.

    Attributes:
        keys: Sorted by id; at least *threshold*.
        threshold: At least 1.
        people: How many people must have signed with every key of theirs; 0 where
            keys alone count.
    """

    keys: tuple[PublicKey, ...]
    threshold: int
    people: int = 0

    @property
    def by_id(self) -> dict[str, PublicKey]:
        """The keys by their ids."""
        return {key.key_id: key for key in self.keys}

    def missing(self, signed: Iterable[str]) -> int:
        """Return how many more of the keys must sign, given the ids that have."""
        done = set(signed)
        short = max(0, self.threshold - len(self.by_id.keys() & done))
        left = sorted(
            sum(key.key_id not in done for key in held) for held in self._held()
        )
        return max(short, sum(left[: self.people]))

    def undone(self, signed: Iterable[str]) -> str:
        """Say how far *signed* is from enough, for an error; empty where it is."""
        done = set(signed)
        if (got := len(self.by_id.keys() & done)) < self.threshold:
            return f"{got} of the {self.threshold} signatures it needs"
        if not self.missing(done):
            return ""
        whole = sum(all(key.key_id in done for key in held) for held in self._held())
        return f"{whole} of the {self.people} people it needs to sign with both keys"

    def _held(self) -> Iterable[tuple[PublicKey, ...]]:
        return holders(self.keys).values() if self.people else ()


def quorum(keys: Iterable[PublicKey], threshold: int, *, people: int = 0) -> Quorum:
    """Return the quorum of *threshold* of *keys*, each once, in order of their ids."""
    unique = {key.key_id: key for key in keys}
    return Quorum(
        keys=tuple(unique[key_id] for key_id in sorted(unique)),
        threshold=threshold,
        people=people,
    )


def check(
    signatures: Mapping[str, str],
    payload: bytes,
    quorums: Sequence[Quorum],
    *,
    name: str,
) -> tuple[PublicKey, ...]:
    """Return the keys that signed *payload*, in the order of their ids.

    Args:
        signatures: Hexadecimal signatures by key id.
        payload: What they sign.
        quorums: All of them must be met: one, or for a root that replaces another
            the old root's and its own.
        name: What to call the document in an error.

    Raises:
        TrustError: A signature is by no key of the role, or is invalid, or there
            are too few, or more than are needed.
    """
    keys = {key_id: key for one in quorums for key_id, key in one.by_id.items()}
    for key_id, signature in signatures.items():
        key = keys.get(key_id)
        if key is None:
            problem = f"{name} is signed by key {key_id[:16]}, which has no say in it"
            raise TrustError(problem, hint=COPY_AGAIN)
        if not key.verifies(bytes.fromhex(signature), payload):
            who = f"key {key_id[:16]} of `{naming.show(key.name)}`"
            problem = f"the signature of {name} by {who} is not valid"
            raise TrustError(problem, hint=COPY_AGAIN)
    for one in quorums:
        if undone := one.undone(signatures):
            problem = f"{name} has {undone} from {_names(one.keys)}"
            raise TrustError(problem, hint=COPY_AGAIN)
    if (spare := surplus(signatures, quorums)) is not None:
        problem = f"{name} has a signature more than it needs, by key {spare[:16]}"
        raise TrustError(problem, hint=COPY_AGAIN)
    return tuple(keys[key_id] for key_id in sorted(signatures))


def surplus(signed: Iterable[str], quorums: Sequence[Quorum]) -> str | None:
    """Return the first key id in *signed* that all of *quorums* can do without."""
    everyone = sorted(signed)
    for key_id in everyone:
        others = [other for other in everyone if other != key_id]
        if not any(one.missing(others) for one in quorums):
            return key_id
    return None


def fewest(signed: Iterable[str], quorums: Sequence[Quorum]) -> tuple[str, ...]:
    """Return *signed* without what *quorums* can do without."""
    kept = sorted(signed)
    while (spare := surplus(kept, quorums)) is not None:
        kept.remove(spare)
    return tuple(kept)


def unsigned(signed: Iterable[str], quorums: Sequence[Quorum]) -> tuple[str, ...]:
    """Say what is missing from each of *quorums*: lines like "1 of `bob`, `eve`"."""
    done = set(signed)
    lines = []
    for one in quorums:
        if count := one.missing(done):
            left = [key for key in one.keys if key.key_id not in done]
            lines.append(f"{count} of {_names(left, one.keys)}")
    return tuple(lines)


def _names(keys: Iterable[PublicKey], among: Sequence[PublicKey] = ()) -> str:
    listed = tuple(keys)
    everyone = among or listed
    return ", ".join(f"`{naming.show(label(key, everyone))}`" for key in listed)


def same(first: Quorum, second: Quorum) -> bool:
    """Say whether two quorums are the same keys and numbers, names aside."""
    return (first.threshold, first.people, list(first.by_id)) == (
        second.threshold,
        second.people,
        list(second.by_id),
    )
