"""The paper that goes with a medium: a packing slip, and a label of 62 mm.

One HTML file with nothing outside itself: no script, no font, no picture but the square.
Printed on A4 it is a slip with room to sign; printed 62 mm wide it is a label. What it
says comes from the signed records, the ledger and the medium's own file system, and is
worth what paper is worth: an import needs none of it.

Source: media.md 7 (R8 log of media, R10 slip with labels, R15 label text).
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment
from markupsafe import Markup

from airlift import markup, naming
from airlift.artifact import Release
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError
from airlift.format import cover, dispatch, release, slip_code
from airlift.format.dispatch import Dispatch
from airlift.format.slip_code import SlipCode
from airlift.outbound import sidecars
from airlift.outbound.ledger import Entry, VolumeNote
from airlift.outbound.stowage import Berth, Stowage
from airlift.outbound.veil import Veil
from airlift.trust import fingerprint, metadata, records
from airlift.trust.fingerprint import Fingerprint

SPARE = ".spare"
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What stands on a slip.

    Attributes:
        record: The dispatch record.
        releases: What it brings.
        root: The fingerprint of the root that the site accepted first.
        expires: When the site refuses it unless it has taken it before.
        code: The state code the site should print afterwards; empty where not known.
        made: When the volumes were written.
        berth: The medium; None for a slip of the whole delivery.
        media: How many media the delivery lies on.
        volumes: The volumes and spares on the medium.
        count: How many volumes the delivery has in all.
        veiled: What stands for the dispatch record's digest on media, where they are
            encrypted: then the slip does not tell what they hold.
    """

    record: Dispatch
    releases: tuple[Release, ...]
    root: Fingerprint
    expires: str
    code: str
    made: str
    berth: Berth | None
    media: int
    volumes: tuple[VolumeNote, ...]
    count: int
    veiled: Sha256 | None = None

    @property
    def dispatch(self) -> Sha256:
        """SHA-256 of the dispatch record, or what stands for it on encrypted media."""
        return self.veiled or sha256(dispatch.encode(self.record))

    def under(self, veil: Veil) -> "Slip":
        """Return it without what would tell what the encrypted volumes hold.

        By digests and state codes a guess at the content could be proved right.
        """
        digest = sha256(dispatch.encode(self.record))
        hidden = cover.blinded(veil.secret, digest)
        return replace(self, releases=(), code="", veiled=hidden)

    @property
    def name(self) -> str:
        """What the file is called beside the volumes."""
        return f"{sidecars.front(self.record)}.{sidecars.SLIP}"

    @property
    def text(self) -> str:
        """What the square says."""
        record = self.record
        return slip_code.encode(
            SlipCode(site=record.site, sequence=record.sequence, dispatch=self.dispatch)
        )


def of(
    entry: Entry,
    travelling: Mapping[str, bytes],
    stowages: Sequence[Stowage],
    *,
    medium: str | None,
    code: str,
) -> Slip:
    """Return the slip of a delivery, or of one of its media.

    Args:
        entry: What the ledger says of it.
        travelling: Its signed records, as ``Publisher.delivered`` gives them.
        stowages: Where its volumes lie; none where it went to one folder.
        medium: Number, label, serial or UUID of the medium; None for all of it.
        code: The state code the site should print; empty where not known.

    Raises:
        RequestError: Its volumes were never finished, or there is no such medium.
    """
    record = entry.record
    if not entry.written:
        problem = f"the volumes of delivery {record.sequence} were never finished"
        raise RequestError(problem, hint="export it again: it goes on where it was")
    found = _berth(stowages, medium)
    notes = {note.name: note for one in stowages for note in one.files}
    notes |= {note.name: note for note in entry.volumes}
    names = found.files if found else tuple(note.name for note in entry.volumes)
    volumes = tuple(notes[name] for name in names if name in notes)
    return Slip(
        record=record,
        releases=tuple(
            release.decode(data, name=name)
            for name, data in sorted(travelling.items())
            if name.startswith("records/releases/")
        ),
        root=fingerprint.of_root(travelling[records.metadata_name(metadata.ROOT, 1)]),
        expires=_expires(travelling),
        code=code,
        made=found.written if found else entry.written,
        berth=found,
        media=max((len(one.berths) for one in stowages), default=0),
        volumes=volumes,
        count=sum(not note.name.endswith(SPARE) for note in entry.volumes),
    )


def _berth(stowages: Sequence[Stowage], medium: str | None) -> Berth | None:
    berths = [berth for one in stowages for berth in one.berths]
    if medium is None:
        return berths[0] if len(berths) == 1 else None
    for one in berths:
        drive = one.drive
        if medium in (str(one.number), drive.label, drive.serial, drive.uuid):
            return one
    known = ", ".join(naming.show(_name(one)) for one in berths) or "none"
    problem = f"no medium is called `{naming.show(medium)}`; known are {known}"
    raise RequestError(problem, hint="give its number, label, serial or UUID")


def _name(one: Berth) -> str:
    told = one.drive.label or one.drive.serial or one.drive.uuid
    return f"{one.number} ({told})" if told else str(one.number)


def _expires(travelling: Mapping[str, bytes]) -> str:
    """Return when the first of the documents in force expires."""
    roots = [name for name in travelling if name.endswith(".root.json")]
    newest = max(roots, key=lambda name: int(name.split("/")[1].split(".")[0]))
    documents = [
        name
        for name in travelling
        if name.startswith("metadata/") and (name == newest or name not in roots)
    ]
    return min(
        str(json.loads(travelling[one])["signed"]["expires"]) for one in documents
    )


@cache
def _style() -> str:
    return (
        files("airlift.outbound").joinpath("templates", "slip.css").read_text("utf-8")
    )


@cache
def _template() -> Environment:
    return markup.environment("airlift.outbound", {"show": naming.show, "size": _size})


def render(slip: Slip, *, square: str) -> bytes:
    """Return the HTML file of *slip*.

    Args:
        slip: What stands on it.
        square: The QR code of ``slip.text`` as an SVG element.
    """
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    values = {
        "slip": slip,
        "record": slip.record,
        # Only this style, by its digest: nothing a name could add is ever applied.
        "policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        "style": Markup(style),  # noqa: S704 - a file of this package
        "square": Markup(square),  # noqa: S704 - made of capitals and digits
        "total": sum(note.size for note in slip.volumes),
    }
    return _template().get_template("slip.html.j2").render(values).encode()


def _size(count: int) -> str:
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{value:.3g} {_UNITS[unit]}"
