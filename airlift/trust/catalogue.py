"""Signing a catalogue, and the one place where a site decides to believe one.

The law, in the order it is applied; whatever fails stops everything:

1. The file has the one form there is, within its limits.
2. The role is, to the byte, metadata in the form airlift writes, signed by just as many
   keys as this site's trusted targets call for, all of catalogues and of nothing else.
3. It vouches for the compressed document of its own number, to the byte; only then is
   that unpacked, and read.
4. The document says the number and the end of validity that the role says.
5. It follows the newest one held here: no lower number, no other bytes under the same
   number, no other one before it, no earlier time of issue.

Its time of issue proves nothing but the order of catalogues: it never moves the verified
time by which deliveries expire. A catalogue past its end of validity is believed still:
it is newer than what the site had, and every showing of it says how old it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, TrustError
from airlift.format import catalogue, catalogue_file
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_file import Parts
from airlift.trust import clock, metadata, quorum, strict
from airlift.trust.delivery import SignedBy, TrustState
from airlift.trust.keys import UnlockedKey
from airlift.trust.metadata import Document, SiteTargets, Target
from airlift.trust.quorum import COPY_AGAIN, Quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest catalogue a site holds.

    Attributes:
        sequence: Its number.
        id: SHA-256 of its document.
        issued: When it was made.
    """

    sequence: int
    id: Sha256
    issued: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCatalogue:
    """The proof that this site believes a catalogue.

    Attributes:
        id: SHA-256 of its document.
        catalogue: What it says.
        file: The whole file, as it came.
        signed_by: Whose signatures counted.
        repeat: Whether this very catalogue is the newest held already.
        missed: How many between the newest held and this never came.
    """

    id: Sha256
    catalogue: Catalogue
    file: bytes
    signed_by: tuple[SignedBy, ...]
    repeat: bool = False
    missed: int = 0


def sign(made: Catalogue, authority: Quorum, signers: Sequence[UnlockedKey]) -> bytes:
    """Return the file of the catalogue *made*, signed.

    Args:
        made: What it says.
        authority: Whose signatures count.
        signers: Keys at hand; others than *authority*'s are passed over.

    Raises:
        RequestError: Fewer keys of *authority* are at hand than it calls for.
    """
    compressed = catalogue_file.compress(catalogue.encode(made))
    target = Target(sha256=sha256(compressed), length=len(compressed))
    body = SiteTargets(
        version=made.sequence,
        expires=made.valid_until,
        targets={catalogue_file.target_name(made.sequence): target},
    )
    payload = metadata.payload(body)
    at_hand: dict[str, UnlockedKey] = {key.public.key_id: key for key in signers}
    able = sorted(at_hand.keys() & authority.by_id.keys())
    if authority.missing(able):
        lacking = "; ".join(quorum.unsigned(able, [authority]))
        problem = f"the catalogue needs more signatures: {lacking}"
        raise RequestError(problem, hint="give their keys with --key")
    signatures = {
        one: at_hand[one].sign(payload).hex()
        for one in quorum.fewest(able, [authority])
    }
    role = metadata.encode(Document(body=body, signatures=signatures))
    return catalogue_file.join(Parts(role=role, document=compressed))


def authority_of(state: TrustState) -> Quorum:
    """Return whose signatures make a catalogue that a site believes.

    Raises:
        TrustError: No delivery told the site of any.
    """
    name = f"{metadata.TARGETS}.json"
    found = None
    if held := state.metadata.get(name):
        found = strict.targets(held, name=f"trusted {name}").body.catalogue
    if found is None:
        problem = f"site `{state.site}` knows of no key that signs catalogues"
        hint = "import a delivery exported after `airlift catalogue key` was run"
        raise TrustError(problem, hint=hint)
    return found


def verify(
    data: bytes, state: TrustState, newest: Newest | None, *, name: str
) -> VerifiedCatalogue:
    """Return the proof that this site believes the catalogue in *data*.

    Args:
        data: The whole file.
        state: What the site believes.
        newest: The newest catalogue it holds; None before the first.
        name: What to call the file in an error.

    Raises:
        FormatError: It is not a catalogue's file, or is damaged.
        TrustError: Nothing gives it authority here, or it is older than what is held.
    """
    parts = catalogue_file.split(data, name=name)
    role = strict.catalogue(parts.role, name=f"the role in {name}")
    keys = quorum.check(
        role.signatures,
        metadata.payload(role.body),
        [authority_of(state)],
        name=name,
    )
    actual = Target(sha256=sha256(parts.document), length=len(parts.document))
    if role.body.targets != {catalogue_file.target_name(role.body.version): actual}:
        problem = f"the document in {name} is not the one its signatures vouch for"
        raise TrustError(problem, hint=COPY_AGAIN)
    # The first use of the document, and its bytes are signed for.
    document = catalogue_file.decompress(parts.document, name=name)
    found = catalogue.decode(document, name=name)
    _check_agrees(role, found, name)
    digest = catalogue.identify(document)
    if newest is not None:
        _check_follows(found, digest, newest, name)
    return VerifiedCatalogue(
        id=digest,
        catalogue=found,
        file=data,
        signed_by=tuple(
            SignedBy(
                role=metadata.CATALOGUE,
                key_id=key.key_id,
                name=key.name,
                scheme=key.scheme,
            )
            for key in keys
        ),
        repeat=newest is not None and digest == newest.id,
        missed=max(0, found.sequence - newest.sequence - 1) if newest else 0,
    )


def _check_agrees(role: Document[SiteTargets], found: Catalogue, name: str) -> None:
    said = (found.sequence, found.valid_until)
    if said != (role.body.version, role.body.expires):
        problem = (
            f"the document in {name} is number {said[0]}, valid until {said[1]}; its"
            f" signatures say {role.body.version} and {role.body.expires}"
        )
        raise TrustError(problem, hint=COPY_AGAIN)
    for what, time in (
        ("issue time", found.issued),
        ("time the next is expected", found.next_expected),
    ):
        clock.moment(time, what=f"the {what} in {name}")


def _check_follows(found: Catalogue, digest: Sha256, newest: Newest, name: str) -> None:
    if found.sequence < newest.sequence:
        problem = (
            f"{name} is catalogue {found.sequence}, this site holds {newest.sequence}"
        )
        raise TrustError(problem, hint="this is an old one: ask for the newest")
    twice = found.sequence == newest.sequence and digest != newest.id
    next_one = found.sequence == newest.sequence + 1
    if twice or (next_one and found.previous != newest.id):
        problem = (
            f"{name} is catalogue {found.sequence}, and does not go with the catalogue"
            f" {newest.sequence} held here: a forked history"
        )
        hint = "stop, and ask whoever builds catalogues what was signed twice"
        raise TrustError(problem, hint=hint)
    if found.issued < newest.issued:
        problem = (
            f"{name} is catalogue {found.sequence}, issued at {found.issued}, before"
            f" catalogue {newest.sequence} held here ({newest.issued})"
        )
        hint = "the clock of whoever builds catalogues was turned back: ask them"
        raise TrustError(problem, hint=hint)
