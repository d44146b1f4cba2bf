"""A request in words: every field of it, so that who releases it has read all of it."""

from collections.abc import Callable, Iterator

from airlift import naming
from airlift.digest import Sha256
from airlift.format import canonical, state
from airlift.format.catalogue_entries import Item, Package
from airlift.format.receipt import Reason
from airlift.format.request import SIGNED, Request, Want

_WHY = {
    Reason.FORMAT: "its volumes were damaged",
    Reason.TRUST: "nothing gave it authority there",
    Reason.BASE: "it builds on what is not there",
}


def entry_key(entry: Item | Package) -> str:
    """Return what names *entry* in every catalogue that has it."""
    told = entry.order if isinstance(entry, Item) else ("package", entry.name)
    texts = tuple(one.decode() if isinstance(one, bytes) else one for one in told)
    return canonical.encode(texts).decode()


def entry_label(entry: Item | Package) -> str:
    """Return *entry* in a few words, with the revision that is asked for."""
    if isinstance(entry, Package):
        return f"package {naming.show(entry.name)} {naming.show(entry.newest)}"
    which = entry.options.get("quant") or entry.options.get("file") or ""
    more = f" {naming.show(str(which))}" if which else ""
    name = f"{entry.kind} {naming.show(entry.asked)}{more}"
    return f"{name} at {entry.revision[:12]}" if entry.revision else name


def want_label(want: Want) -> str:
    """Return *want* in a few words."""
    name = f"{want.kind} {naming.show(want.name)}"
    return f"{name} at {naming.show(want.revision)}" if want.revision else name


def state_code(request: Request) -> str:
    """Return the code of the state that *request* states."""
    return state.code(Sha256(request.root.hex()))


def describe(request: Request, size: int, label: Callable[[int], str]) -> Iterator[str]:
    """Yield *request* in lines.

    Args:
        request: What it says.
        size: Bytes of it, with the signature.
        label: Tells what the entry of a number is.
    """
    yield (
        f"request {request.number} of site {request.site}, made on {request.day}:"
        f" {size} bytes"
    )
    held = f"delivery {request.accepted}" if request.accepted else "no delivery yet"
    yield f"it holds: {held}, state code {state_code(request)}"
    if request.items:
        prefix = request.catalogue.hex()
        yield f"it asks for, of the catalogue whose id begins with {prefix}:"
    for place, number in enumerate(request.items, 1):
        yield f"  {place}. entry {number}: {label(number)}"
    if request.wants:
        yield "it asks for, by name:"
    for place, want in enumerate(request.wants, 1 + len(request.items)):
        yield f"  {place}. {want_label(want)}"
    if not request.lines:
        yield "it asks for nothing by name or number"
    for one in request.refused:
        which = str(one.sequence or "of an unknown number")
        yield f"it refused delivery {which}: {_WHY[one.reason]}"
    if request.anchor:
        yield "it asks for a delivery that builds on nothing (an anchor)"
    yield f"nothing else is in it but {SIGNED} bytes of signature"
