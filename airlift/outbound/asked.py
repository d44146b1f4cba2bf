"""Requests that came from sites: believed, checked and kept, before anything is built.

A request is news from the least trusted host there is. It is believed as far as the key
of its site, and only where it fits what is known here: a catalogue that was made here,
deliveries that were made here, and a number above those that were read before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256, sha256
from airlift.errors import RequestError, TrustError
from airlift.format import canonical
from airlift.format.catalogue import Catalogue
from airlift.format.catalogue_entries import Item, Package
from airlift.format.fields import Fields
from airlift.format.request import Request, Want
from airlift.format.request_text import entry_label, want_label
from airlift.store.durable import Disk, names, read_file
from airlift.trust import site_request
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher
from airlift.trust.site_request import SignedRequest

FORMAT = "airlift/read-request/1"
FOLDER = "requests"
"""Below a site's folder of the ledger."""
_LIMIT = 1 << 20

Find = Callable[[bytes], Catalogue | None]
"""Gives the catalogue whose id begins with these bytes; None where none was made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was checked.

    Attributes:
        signed: What it says, and who signed it.
        things: What it asks for, in its order: entries as the catalogue has them.
        repeat: Whether it had been read before.
    """

    signed: SignedRequest
    things: tuple[Item | Package | Want, ...]
    repeat: bool

    @property
    def request(self) -> Request:
        """What it says."""
        return self.signed.request

    @property
    def labels(self) -> tuple[str, ...]:
        """What each of its lines asks for, in words."""
        return tuple(
            want_label(one) if isinstance(one, Want) else entry_label(one)
            for one in self.things
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where requests are read.

    Attributes:
        ledger: The ledger's folder.
        keys: The enrolled keys, by site.
        publisher: What was delivered.
        find: Gives catalogues.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who reads.
    """

    ledger: Path
    keys: Mapping[str, PublicKey]
    publisher: Publisher
    find: Find
    now: str
    actor: str

    def read(self, sealed: bytes, *, name: str = "request") -> Asked:
        """Return what the *sealed* request asks for, once it is checked and kept.

        Raises:
            FormatError: It is no request, or means what no catalogue has.
            TrustError: No enrolled key signed it; or it says that the site took what
                was never sent, or has the number of another one.
            RequestError: It is older than one that was read, or means a catalogue
                that was not made here.
            StoreError: The disk refuses.
        """
        signed = site_request.believe(sealed, self.keys, name=name)
        told = signed.request
        self._check_deliveries(told)
        things = (*self._entries(told), *told.wants)
        repeat = self._check_number(signed)
        if not repeat:
            self._keep(signed, sealed)
        return Asked(signed=signed, things=things, repeat=repeat)

    def _check_deliveries(self, told: Request) -> None:
        made = self.publisher.deliveries(told.site)
        newest = made[0].sequence if made else 0
        if told.accepted > newest:
            problem = (
                f"site {told.site} says that it took delivery {told.accepted},"
                f" and the newest made here is {newest}"
            )
            hint = "another host sends to it, or records were lost here: find out first"
            raise TrustError(problem, hint=hint)

    def _entries(self, told: Request) -> tuple[Item | Package, ...]:
        if not told.items:
            return ()
        found = self.find(told.catalogue)
        if found is None:
            prefix = told.catalogue.hex()
            problem = f"no catalogue made here has an id that begins with {prefix}"
            hint = "read it on the host that made the catalogue which the site has"
            raise RequestError(problem, hint=hint)
        return tuple(found.entry(number) for number in told.items)

    def _check_number(self, signed: SignedRequest) -> bool:
        """Say whether the request was read before; refuse an old one, and a forked one."""
        told, known = signed.request, self._read(signed)
        same = known.get(told.number)
        if same == signed.id:
            return True
        if same is not None:
            problem = f"site {told.site} has signed two requests {told.number}"
            hint = "its host was restored from a copy, or its key is used elsewhere"
            raise TrustError(problem, hint=hint)
        if known and told.number < max(known):
            problem = (
                f"request {told.number} of site {told.site} is older than"
                f" request {max(known)}, which was read before"
            )
            raise RequestError(problem, hint="ask the site for its newest request")
        return False

    def _read(self, signed: SignedRequest) -> Mapping[int, Sha256]:
        """Return the requests read that the same key signed: ids by number."""
        folder = self._folder(signed.request.site)
        found = {}
        for name in names(folder) if folder.is_dir() else ():
            if not name.endswith(".json"):
                continue
            top = _fields(folder / name)
            if top.sha256("key_id") == signed.key.key_id:
                found[top.number("number", least=1)] = top.sha256("id")
        return found

    def _keep(self, signed: SignedRequest, sealed: bytes) -> None:
        told = signed.request
        table: dict[str, Json] = {
            "format": FORMAT,
            "number": told.number,
            "id": signed.id,
            "key_id": signed.key.key_id,
            "sealed": sealed.hex(),
            "time": self.now,
            "actor": self.actor,
        }
        disk, folder = Disk(), self._folder(told.site)
        disk.make_folder(folder, mode=0o700)
        path = folder / f"{told.number:06d}-{signed.id[:12]}.json"
        disk.write_file(path, canonical.encode(table))

    def _folder(self, site: str) -> Path:
        return self.ledger / site / FOLDER


def _fields(path: Path) -> Fields:
    data = read_file(path, limit=_LIMIT)
    top = Fields(canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path))
    top.expect("format", FORMAT)
    if sha256(bytes.fromhex(top.text("sealed"))) != top.sha256("id"):
        top.refuse("id", "is not that of the request", hint="restore it from a backup")
    return top
