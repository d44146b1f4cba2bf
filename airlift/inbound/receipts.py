"""Receipts of this site: what it holds, signed, as a file for the courier.

One is written when anything has changed since the last; its number and its digest stand
in the log before its file does, so that no two receipts ever have one number.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from airlift.artifact import Json
from airlift.digest import Sha256, is_sha256, sha256
from airlift.errors import FormatError
from airlift.format import receipt, state
from airlift.format.receipt import REFUSALS, Reason, Receipt, Refusal
from airlift.inbound import log_check
from airlift.registry.account import Account, account
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.store.durable import Disk, names, read_file
from airlift.store.store import Store
from airlift.trust import receipt as sealed
from airlift.trust import site_key
from airlift.trust.site_key import SiteKey

ACTION = "receipt"
"""Of the event that a receipt was written."""
FOLDER = "receipts"
"""Below the home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A receipt that lies in the home.

    Attributes:
        receipt: What it says.
        path: Its file.
        fresh: Whether it was written now.
    """

    receipt: Receipt
    path: Path
    fresh: bool

    @property
    def code(self) -> str:
        """The code of the state that it is of."""
        return state.code(state.root(self.receipt.state))

    def copy(self, folder: Path) -> Path:
        """Copy the file to *folder*, which is made if it is not there; durable.

        Raises:
            StoreError: The disk refuses.
        """
        disk, target = Disk(), folder / self.path.name
        if not folder.is_dir():
            disk.make_folder(folder)
        data = read_file(self.path, limit=sealed.LIMIT)
        disk.write_file(target, data, mode=0o644)
        return target


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """Writes the receipts of one site.

    Attributes:
        home: Its folder.
        registry: Its registry.
        store: Its blobs.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who asks.
    """

    home: Path
    registry: Registry
    store: Store
    now: str
    actor: str

    def write(self, key: Callable[[], SiteKey]) -> Written:
        """Write a receipt, if anything has changed since the last one.

        Args:
            key: Gives the site's key; asked only where something is to be signed.

        Raises:
            RegistryError: The registry is busy or cannot answer.
            StoreError: The disk refuses.
            AirliftError: As *key*.
        """
        with self.registry.exclusive("receipt"):
            before = next(iter(self.registry.events(newest=1, action=ACTION)), None)
            told = self._receipt(before)
            if before and (last := self._last(before)) and _same(last.receipt, told):
                return last
            signer = key()
            self.registry.seal(signer)
            told = replace(told, log=log_check.told(self.home))
            data = sealed.seal(told, signer)
            detail: dict[str, Json] = {
                "number": told.number,
                "sha256": sha256(sealed.record_of(data)),
                "code": state.code(state.root(told.state)),
                "key_id": signer.public.key_id,
                "log": told.log.checkpoint.size if told.log else 0,
            }
            event = Event(time=self.now, actor=self.actor, action=ACTION, detail=detail)
            self.registry.log(event)
            path = self._path(told.site, told.number)
            disk = Disk()
            disk.make_folder(path.parent, mode=0o700)
            disk.write_file(path, data)
        return Written(receipt=told, path=path, fresh=True)

    def account(self) -> Account:
        """Return what the site holds.

        Raises:
            RegistryError: The database cannot answer.
            StoreError: The store cannot be read.
        """
        return account(self.home, self.store)

    def incomplete(self) -> tuple[Sha256, ...]:
        """Return the records of deliveries of which volumes have yet to come, sorted.

        Raises:
            StoreError: The folder cannot be listed.
        """
        folder = self.home / "incoming"
        found = names(folder) if folder.is_dir() else []
        return tuple(Sha256(name) for name in found if is_sha256(name))

    def refused(self, after: int) -> tuple[Refusal, ...]:
        """Return what was refused after event *after*, oldest first, at most 64.

        Raises:
            RegistryError: The database cannot answer.
        """
        found = []
        for event in self.registry.events(newest=10 * REFUSALS, action="import"):
            sequence, reason = (event.detail.get(one) for one in ("sequence", "reason"))
            if (
                event.number > after
                and event.outcome == "refused"
                and reason in _REASONS
            ):
                claimed = sequence if isinstance(sequence, int) else 0
                found.append(Refusal(sequence=claimed, reason=Reason(reason)))
        return tuple(found[-REFUSALS:])

    def _receipt(self, before: Event | None) -> Receipt:
        found = self.account()
        number, previous = _place(before)
        return Receipt(
            number=number,
            previous=previous,
            time=self.now,
            state=found.state,
            dispatch=found.dispatch,
            missed=receipt.gaps(found.taken),
            generation=found.generation,
            waiting=found.waiting,
            incomplete=self.incomplete(),
            refused=self.refused(before.number if before else 0),
        )

    def _last(self, before: Event) -> Written | None:
        """Return the receipt that the log says is the last; None where it is lost."""
        number, _ = _place(before)
        path = self._path(self.registry.trust_state().site, number - 1)
        if not path.exists():
            return None
        data = read_file(path, limit=sealed.LIMIT)
        try:
            record = sealed.record_of(data, name=path.name)
            told = receipt.decode(record, name=path.name)
        except FormatError:
            return None
        if sha256(record) != before.detail.get("sha256"):
            return None
        key = site_key.read_public(self.home)
        if key is None or key.key_id != before.detail.get("key_id"):
            return None  # what the key of old signed counts no longer
        return Written(receipt=told, path=path, fresh=False)

    def _path(self, site: str, number: int) -> Path:
        return self.home / FOLDER / f"AIRLIFT-{site}-{number:06d}.receipt"


_REASONS = frozenset(one.value for one in Reason)


def _place(before: Event | None) -> tuple[int, Sha256 | None]:
    """Return the number of the next receipt, and the id of the one before."""
    if before is None:
        return 1, None
    number, previous = before.detail.get("number"), before.detail.get("sha256")
    assert isinstance(number, int), before
    assert is_sha256(previous), before
    return number + 1, Sha256(str(previous))


def _same(last: Receipt, told: Receipt) -> bool:
    """Say whether *told* says nothing that *last* does not."""
    if told.refused:
        return False
    as_last = replace(
        told,
        number=last.number,
        previous=last.previous,
        time=last.time,
        refused=last.refused,
        log=last.log,
    )
    return as_last == last
