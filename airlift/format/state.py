"""What a site holds, as one digest and as twelve characters (docs/format.md, "State").

Both sides compute it: the site from its registry, the sender from what it has sent. It
covers, of each artifact, the releases that the newest delivery naming it brought. What
those replaced is left out, because it may have been collected by now, or never have come
at all where a delivery was lost and the next one healed that: neither makes a difference
to the next delivery. The id of a release is the digest of a document that names each of
its blobs by digest, so the root is that of a tree whose leaves are all blobs; those that
the store has lost are named apart.

The code is no signature: whoever knows what was sent can compute it. It tells whether two
honest people mean the same; only a receipt, signed by the site's key, proves it.
"""

from dataclasses import dataclass
from typing import Final

from airlift import naming
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import canonical

FORMAT = "airlift/held/1"
CHARACTERS = 12
"""Of a code: 60 bits. Of a million states, two have one code in one of two million."""
SLIPS = 2
"""Most characters that a person mishears: two neighbours swapped are two. That another
state has a code so close is as likely as 63,000 in 10^18."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP = 4
_BITS = 5
_ALIKE: Final = str.maketrans("OIL", "011")
_GAPS: Final = str.maketrans("", "", " -._/\t\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """What a site holds.

    Attributes:
        site: Whose it is.
        sequence: Of the newest delivery it took; 0 before the first.
        releases: Ids, sorted: of each artifact, those that the newest delivery naming
            it brought, as far as they are held.
        lacking: Blobs of these releases that the store has lost, sorted.
    """

    site: str
    sequence: int
    releases: tuple[Sha256, ...] = ()
    lacking: tuple[Sha256, ...] = ()


def root(state: SiteState) -> Sha256:
    """Return the digest of *state*: equal only where all of it is equal."""
    return sha256(
        canonical.encode(
            {
                "format": FORMAT,
                "site": state.site,
                "sequence": state.sequence,
                "releases": state.releases,
                "lacking": state.lacking,
            }
        )
    )


def code(state_root: Sha256) -> str:
    """Return the first 60 bits of a root for people: ``7K3M-Q2ZA-9XWD``.

    Source: D. Crockford, "Base 32": no letter that looks or sounds like another.
    """
    number = int(state_root[: CHARACTERS * _BITS // 4], 16)
    places = reversed(range(CHARACTERS))
    text = "".join(_ALPHABET[number >> _BITS * at & 31] for at in places)
    return "-".join(text[at : at + _GROUP] for at in range(0, CHARACTERS, _GROUP))


def parse_code(text: str) -> str:
    """Return the code that a person wrote down, in its one spelling.

    Case, gaps, and O for 0, I or L for 1 make no difference.

    Raises:
        RequestError: It is no code; says why.
    """
    plain = text.upper().translate(_GAPS).translate(_ALIKE)
    hint = "it reads like 7K3M-Q2ZA-9XWD; the site prints it with `airlift state`"
    shown = naming.show(text.strip()[:40])
    for character in plain:
        if character not in _ALPHABET:
            problem = f"`{shown}` is no state code: none has `{naming.show(character)}`"
            raise RequestError(problem, hint=hint)
    if len(plain) != CHARACTERS:
        problem = f"`{shown}` has {len(plain)} characters, a state code {CHARACTERS}"
        raise RequestError(problem, hint=hint)
    return "-".join(plain[at : at + _GROUP] for at in range(0, CHARACTERS, _GROUP))


def misheard(heard: str, meant: str) -> bool:
    """Say whether *heard* is *meant* but for a slip or two; both as ``parse_code`` gives."""
    return 0 < sum(a != b for a, b in zip(heard, meant, strict=True)) <= SLIPS
