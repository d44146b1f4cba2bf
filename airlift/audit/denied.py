"""Q9b: what was denied: keys, releases and files that count for nothing any more.

The signed deny list of the newest delivery, and what this site has denied by itself. It is
enforced wherever something is imported, served or installed; here it is shown, with what
of it lies here still. What hosts hold of it is a finding of ``hosts``.
"""

from collections.abc import Iterator
from typing import Final

from airlift.artifact import Json
from airlift.audit import subjects
from airlift.audit.answer import Answer, Options
from airlift.audit.finding import About
from airlift.audit.site import Site
from airlift.registry.held import Held
from airlift.trust.denials import Denial, What

HERE: Final = "this site"
"""Who denied what is on no signed list."""
_COLUMNS: Final = ("what", "digest", "since", "why", "by", "held", "bytes")
_KINDS: Final = {
    What.KEY: About.KEY,
    What.RELEASE: About.MODEL,
    What.FILE: About.FILE,
}


def ask(site: Site, options: Options) -> Answer:
    """Return what is denied, and which releases that are held it keeps from use."""
    listed = site.registry.custody().denials()
    entries = [
        one for one in listed.entries if not site.as_of or one.since <= site.as_of
    ]
    held = [one for one in site.releases if one.denied]
    rows = [_listed(site, one, held, listed.version) for one in entries]
    struck = {str(name) for row in rows for name in _texts(row["held"])}
    rows += [_own(one) for one in held if _label(one) not in struck]
    known = [(str(row["digest"]), *_texts(row["held"])) for row in rows]
    chosen = [
        row
        for row, names in zip(rows, known, strict=True)
        if options.wants(*names, *(one.partition("@")[0] for one in names))
    ]
    return Answer(
        question="Q9b",
        as_of=listed.issued,
        columns=_COLUMNS,
        rows=tuple(chosen),
        counts={
            what.value: sum(1 for one in entries if one.what is what) for what in What
        },
    )


def _listed(site: Site, one: Denial, held: list[Held], version: int) -> dict[str, Json]:
    struck = [each for each in held if _strikes(site, one, each)]
    return {
        "kind": _KINDS[one.what].value,
        "what": one.what.value,
        "digest": one.digest,
        "since": one.since,
        "why": one.why,
        "by": f"deny list {version}",
        "held": tuple(_label(each) for each in struck),
        "bytes": sum(each.size for each in struck),
    }


def _strikes(site: Site, one: Denial, held: Held) -> bool:
    if one.what is What.RELEASE:
        return one.digest == held.id
    if one.what is What.FILE:
        return any(file.sha256 == one.digest for file in site.files(held))
    return False


def _own(held: Held) -> dict[str, Json]:
    return {
        "kind": str(subjects.release(held).kind),
        "what": What.RELEASE.value,
        "digest": held.id,
        "since": "",
        "why": held.denied,
        "by": HERE,
        "held": (_label(held),),
        "bytes": held.size,
    }


def _label(held: Held) -> str:
    return f"{held.release.name}@{held.release.revision[:12]}"


def _texts(value: Json) -> Iterator[str]:
    yield from (str(one) for one in value) if isinstance(value, tuple) else ()
