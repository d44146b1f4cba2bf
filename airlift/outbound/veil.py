"""The veil of a delivery: the secret that its volumes are encrypted with, and for whom.

Made once for a delivery and a key of its site, and kept beside the ledger, so that a
volume is the same bytes whenever it is written: after a stop, on another medium, next
year. This host has the content itself; the secret tells no more.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from airlift.artifact import Json
from airlift.digest import Sha256
from airlift.errors import StoreError
from airlift.format import canonical, cipher, cover
from airlift.format.fields import Fields
from airlift.format.volume import Label
from airlift.store.durable import Disk, read_file
from airlift.trust.recipient import Recipient

FORMAT: Final = "airlift/secrets/1"
_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Veil:
    """How the volumes of one delivery are encrypted.

    Attributes:
        suite: Name of the suite of the key it is encrypted to.
        key_id: That key.
        secret: Decides every byte that is made of the content.
        encapsulated: The secret, encrypted to the key.
    """

    suite: str
    key_id: Sha256
    secret: bytes = field(repr=False)
    encapsulated: bytes

    def room(self, capacity: int) -> int:
        """Return the most bytes of a volume inside a file of *capacity* bytes."""
        longest = len(cover.member(bytes(cover.LIMIT)))
        return cipher.room(longest, capacity)

    def labels(self, plain: Sequence[Label]) -> list[Label]:
        """Return the labels that media show, for those of volumes inside."""
        cutting = cover.cutting_of(self.secret, [one.end for one in plain])
        return [
            replace(
                one,
                dispatch=cover.blinded(self.secret, one.dispatch),
                cutting=cutting,
            )
            for one in plain
        ]


class Veils:
    """The veils of deliveries.

    Args:
        folder: The ledger's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, site: str, sequence: int) -> tuple[Veil, ...]:
        """Return the veils that a delivery has been written under, oldest first.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._path(site, sequence)
        if not path.exists():
            return ()
        data = read_file(path, limit=_LIMIT)
        top = Fields(
            canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path)
        )
        top.exactly("format", "secrets")
        top.expect("format", FORMAT)
        return tuple(_veil(one) for one in top.tables("secrets"))

    def make(self, key: Recipient, sequence: int) -> Veil:
        """Return the veil of a delivery for *key*, made now if there was none; durable.

        Raises:
            FormatError: The file is damaged.
            StoreError: The disk refuses.
        """
        known = self.of(key.site, sequence)
        for one in known:
            if one.key_id == key.key_id:
                return one
        secret = secrets.token_bytes(cover.SECRET)
        made = Veil(
            suite=key.suite,
            key_id=key.key_id,
            secret=secret,
            encapsulated=key.seal(secret, sequence),
        )
        self._write(key.site, sequence, (*known, made))
        return made

    def cut_as(
        self, plain: Sequence[Label], cutting: str
    ) -> tuple[Veil | None, Sequence[Label]]:
        """Return the veil under which *plain* labels have this *cutting*, and the labels.

        No veil and *plain* where they have it themselves.

        Raises:
            StoreError: They have it under no veil that is known.
            FormatError: The file is damaged.
        """
        first = plain[0]
        if first.cutting == cutting:
            return None, plain
        for veil in self.of(first.site, first.sequence):
            labels = veil.labels(plain)
            if labels[0].cutting == cutting:
                return veil, labels
        problem = f"the note of cutting {cutting} is not of this delivery"
        raise StoreError(problem, hint="restore the ledger from a copy")

    def _write(self, site: str, sequence: int, veils: Sequence[Veil]) -> None:
        listed: list[Json] = [
            {
                "suite": one.suite,
                "key_id": one.key_id,
                "secret": one.secret.hex(),
                "encapsulated": one.encapsulated.hex(),
            }
            for one in veils
        ]
        path = self._path(site, sequence)
        disk = Disk()
        disk.make_folder(path.parent, mode=0o700)
        disk.write_file(path, canonical.encode({"format": FORMAT, "secrets": listed}))

    def _path(self, site: str, sequence: int) -> Path:
        return self._folder / site / f"{sequence:06d}.secrets"


def _veil(entry: Fields) -> Veil:
    entry.exactly("suite", "key_id", "secret", "encapsulated")
    try:
        secret = bytes.fromhex(entry.text("secret"))
        encapsulated = bytes.fromhex(entry.text("encapsulated"))
    except ValueError:
        entry.refuse("secret", "or `encapsulated` is not hexadecimal")
    return Veil(
        suite=entry.text("suite"),
        key_id=entry.sha256("key_id"),
        secret=secret,
        encapsulated=encapsulated,
    )
