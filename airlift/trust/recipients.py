"""The encryption keys of isolated sites, as the connected side knows them.

One file a site, beside its ledger: every key that was ever enrolled, with who did it and
when; the last one counts. As with the keys that sign for a site (``trust.enrolled``), a
key takes the place of another only where that is asked for: who could slip in one of
their own would read everything that is sent.
"""

from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.errors import RequestError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files, recipient
from airlift.trust.recipient import Recipient

FORMAT = "airlift/enrolled-encryption-keys/1"
FILE = "enrolled-encryption-keys"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledRecipient:
    """An encryption key that was enrolled for a site.

    Attributes:
        key: The key.
        time: When, ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who did it.
    """

    key: Recipient
    time: str
    actor: str


class Recipients:
    """The enrolled encryption keys.

    Args:
        folder: The ledger's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self, site: str) -> tuple[EnrolledRecipient, ...]:
        """Return every key that was enrolled for *site*, the newest last.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._folder / site / FILE
        if not path.exists():
            return ()
        data = files.read(path, limit=_LIMIT, what="enrolled encryption keys")
        top = Fields(
            canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path)
        )
        top.exactly("format", "keys")
        top.expect("format", FORMAT)
        return tuple(_enrolled(one) for one in top.tables("keys"))

    def current(self, site: str) -> Recipient | None:
        """Return the key that counts for *site*; None before the first.

        Raises:
            FormatError, StoreError: As ``history``.
        """
        history = self.history(site)
        return history[-1].key if history else None

    def must(self, site: str) -> Recipient:
        """Return the key that counts for *site*.

        Raises:
            RequestError: There is none.
            FormatError, StoreError: As ``history``.
        """
        if found := self.current(site):
            return found
        problem = f"no encryption key of site `{site}` is enrolled"
        hint = (
            "there: `airlift trust encryption-key FILE`; "
            f"here: `airlift site enrol {site} FILE`"
        )
        raise RequestError(problem, hint=hint)

    def enrol(
        self, key: Recipient, *, by: tuple[str, str], replace: bool = False
    ) -> bool:
        """Encrypt to *key*, from now on, what goes to its site; durable.

        Args:
            key: Its fingerprint was compared.
            by: When and who.
            replace: Whether it may take the place of another key.

        Returns:
            Whether anything changed.

        Raises:
            RequestError: Another key counts, or this one was replaced once.
            StoreError: The disk refuses.
        """
        history = self.history(key.site)
        if history and history[-1].key == key:
            return False
        if any(one.key == key for one in history):
            problem = (
                f"site `{key.site}` had this encryption key before, and it was replaced"
            )
            hint = "make a new one there: `airlift trust encryption-key --replace`"
            raise RequestError(problem, hint=hint)
        if history and not replace:
            since = f"{history[-1].time} by {history[-1].actor}"
            problem = f"site `{key.site}` has another encryption key, enrolled {since}"
            hint = "if the site has told you why, add --replace"
            raise RequestError(problem, hint=hint)
        time, actor = by
        made = EnrolledRecipient(key=key, time=time, actor=actor)
        self._write(key.site, (*history, made))
        return True

    def _write(self, site: str, history: tuple[EnrolledRecipient, ...]) -> None:
        listed: list[Json] = [
            {"key": recipient.table(one.key), "time": one.time, "actor": one.actor}
            for one in history
        ]
        path = self._folder / site / FILE
        files.make_folder(path.parent)
        data = canonical.encode({"format": FORMAT, "keys": listed})
        files.write(path, data, mode=files.PRIVATE)


def _enrolled(entry: Fields) -> EnrolledRecipient:
    entry.exactly("key", "time", "actor")
    key = entry.table("key")
    key.exactly("site", "suite", "key_id", "public")
    return EnrolledRecipient(
        key=recipient.from_table(key),
        time=entry.text("time"),
        actor=entry.text("actor"),
    )
