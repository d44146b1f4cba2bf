"""What was last sent to a site, by what it was asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from airlift.artifact import Kind, Pinned, Release, Wish
from airlift.digest import Sha256
from airlift.format import release
from airlift.outbound.ledger import Ledger
from airlift.outbound.standing import Confirmed
from airlift.payload import oci_name
from airlift.trust.publisher import Publisher

_RELEASES: Final = "records/releases/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """A release that travelled to a site.

    Attributes:
        release: What travelled.
        id: SHA-256 of its document.
        sequence: The newest delivery that brought it.
        confirmed: Whether the site said that it holds it.
    """

    release: Release
    id: Sha256
    sequence: int
    confirmed: bool = False


def to(publisher: Publisher, ledger: Ledger, site: str) -> tuple[Shipped, ...]:
    """Return every release that was written for *site*, of the newest delivery first.

    What the site itself says it does not hold is left out: lost on the way or deleted
    there, it has to be sent again, and must not count as unchanged.

    Raises:
        RequestError: There is no such site.
        StoreError: The records of a delivery are damaged.
    """
    publisher.deliveries(site)  # knows the sites, which the ledger does not
    said = ledger.standing(site).confirmed
    found: dict[Sha256, Shipped] = {}
    for sequence in ledger.written(site):
        if said is not None and said.never_took(sequence):
            continue
        for name, document in sorted(publisher.delivered(site, sequence).items()):
            id_ = release.identify(document)
            if name.startswith(_RELEASES) and id_ not in found:
                found[id_] = Shipped(
                    release=release.decode(document, name=name),
                    id=id_,
                    sequence=sequence,
                    confirmed=said is not None and sequence <= said.state.sequence,
                )
    return _there(tuple(found.values()), said)


def _there(sent: tuple[Shipped, ...], said: Confirmed | None) -> tuple[Shipped, ...]:
    """Return what of *sent* may be there, by what the site *said*.

    It names the releases of the newest delivery of each artifact; an artifact of which
    it names none was deleted there.
    """
    if said is None:
        return sent
    held = {_name(one.release) for one in sent if one.id in said.state.releases}
    return tuple(one for one in sent if not one.confirmed or _name(one.release) in held)


def _name(one: Pinned | Release) -> tuple[Kind, str]:
    return one.kind, one.name


def before(
    pinned: Sequence[Pinned], shipped: Iterable[Shipped]
) -> tuple[Shipped | None, ...]:
    """Return for each of *pinned* what went to the site in its place before.

    What was asked for in the same words, the same branch or tag; else the same
    revision; else the newest of its name. What one of them takes no other takes: a
    manifest may follow two branches of one repository.
    """
    free = list(shipped)
    found: dict[int, Shipped] = {}
    for is_it in (_same_request, _same_revision, _same_name):
        for place, one in enumerate(pinned):
            if place in found:
                continue
            match = next((two for two in free if is_it(one, two.release)), None)
            if match is not None:
                found[place] = match
                free = [two for two in free if not _is_earlier(two, match)]
    return tuple(found.get(place) for place in range(len(pinned)))


def named(
    shipped: Iterable[Shipped], kind: Kind, names: Iterable[str]
) -> Shipped | None:
    """Return the newest of *shipped* that has one of *names*; None if there is none."""
    wanted = set(names)
    return next(
        (
            one
            for one in shipped
            if one.release.kind is kind and one.release.name in wanted
        ),
        None,
    )


def _is_earlier(one: Shipped, taken: Shipped) -> bool:
    """Say whether *one* is *taken*, or what *taken* was an update of."""
    return one is taken or (
        _same_name(one.release, taken.release)
        and _requested(one.release) == _requested(taken.release)
    )


def _same_revision(one: Pinned, other: Release) -> bool:
    return _same_name(one, other) and one.revision == other.revision


def _same_request(one: Pinned, other: Release) -> bool:
    return _same_name(one, other) and _requested(one) == _requested(other)


def _same_name(one: Pinned | Release, other: Release) -> bool:
    return _name(one) == _name(other)


def _requested(one: Pinned | Release) -> object:
    stated = one.upstream.get("requested")
    # A record has a list where what was just pinned has a tuple.
    return tuple(stated) if isinstance(stated, list) else stated


def served_names(wish: Wish) -> tuple[str, ...]:
    """Return the names under which what *wish* asks for may have been sent.

    Those of registries are served without the tag and in full; where upstream does not
    answer, that has to be told from the manifest alone.
    """
    if wish.kind is Kind.OCI:
        return (oci_name.parse(wish.name).served,)
    if wish.kind is not Kind.OLLAMA:
        return (wish.name,)
    place, slash, model = wish.name.rpartition("/")
    name = f"{place}{slash}{model.partition(':')[0]}"
    # Whether a host in front is the usual one, and so left out, only its source knows.
    plain = "/".join(name.split("/")[-2:])
    return (f"library/{name}", name.replace(":", "_"), plain)
