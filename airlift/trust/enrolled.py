"""The keys of isolated sites, as the connected side knows them.

One file a site, beside its ledger: every key that was ever enrolled, with who did it and
when; the last one counts. A key is put in the place of another only where that is asked
for, and then receipts and requests signed with the old one are worth nothing any more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.errors import RequestError, TrustError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files, public, strict
from airlift.trust.public import PublicKey
from airlift.trust.publisher import Publisher

FORMAT = "airlift/enrolled-keys/1"
FILE = "enrolled-keys"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A key that was enrolled for a site.

    Attributes:
        key: The key.
        time: When, ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who did it.
    """

    key: PublicKey
    time: str
    actor: str


class SiteKeys:
    """The enrolled keys.

    Args:
        folder: The ledger's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self, site: str) -> tuple[Enrolled, ...]:
        """Return every key that was enrolled for *site*, the newest last.

        Raises:
            FormatError: The file is damaged.
            StoreError: It cannot be read.
        """
        path = self._path(site)
        if not path.exists():
            return ()
        data = files.read(path, limit=_LIMIT, what="enrolled keys")
        top = Fields(
            canonical.decode(data, name=str(path), limit=_LIMIT), record=str(path)
        )
        top.exactly("format", "keys")
        top.expect("format", FORMAT)
        return tuple(_enrolled(one) for one in top.tables("keys"))

    def current(self, site: str) -> PublicKey | None:
        """Return the key that counts for *site*; None before the first.

        Raises:
            FormatError, StoreError: As ``history``.
        """
        history = self.history(site)
        return history[-1].key if history else None

    def everyone(self) -> Mapping[str, PublicKey]:
        """Return the key that counts for each site that has one, by site.

        Raises:
            FormatError, StoreError: As ``history``.
        """
        names = sorted(path.parent.name for path in self._folder.glob(f"*/{FILE}"))
        found = ((name, self.current(name)) for name in names)
        return {name: key for name, key in found if key}

    def enrol(
        self,
        site: str,
        key: PublicKey,
        publisher: Publisher,
        *,
        by: tuple[str, str],
        replace: bool = False,
    ) -> bool:
        """Let *key* sign receipts and requests of *site*; durable.

        Args:
            site: A site of the publisher.
            key: Its fingerprint was compared.
            publisher: Whose keys are refused.
            by: When and who.
            replace: Whether it may take the place of another key.

        Returns:
            Whether anything changed.

        Raises:
            RequestError: It is of another site, another key counts, or this one was
                replaced once.
            TrustError: The key has a role among those that sign deliveries.
            StoreError: The disk refuses.
        """
        if key.name != site:
            problem = f"the key is of site `{key.name}`, not `{site}`"
            raise RequestError(problem, hint=f"`airlift site enrol {key.name} FILE`")
        history = self.history(site)
        if history and history[-1].key == key:
            return False
        _refuse_role(key, publisher)
        if any(one.key.key_id == key.key_id for one in history):
            problem = f"site `{site}` had this key before, and it was replaced"
            hint = "make a new one there: `airlift trust site-key --replace`"
            raise RequestError(problem, hint=hint)
        if history and not replace:
            since = f"{history[-1].time} by {history[-1].actor}"
            problem = f"site `{site}` has another key, enrolled {since}"
            hint = "if the site has told you why, add --replace"
            raise RequestError(problem, hint=hint)
        time, actor = by
        self._write(site, (*history, Enrolled(key=key, time=time, actor=actor)))
        return True

    def refuse_people(self, people: Iterable[PublicKey]) -> None:
        """Refuse keys of *people* that are, or were, a site's.

        Raises:
            TrustError: One is: a host that serves must not be able to sign deliveries.
        """
        sites = {
            one.key.key_id: path.parent.name
            for path in sorted(self._folder.glob(f"*/{FILE}"))
            for one in self.history(path.parent.name)
        }
        for key in people:
            if site := sites.get(key.key_id):
                problem = f"the key of `{key.name}` is the site key of `{site}`"
                hint = "a site key signs receipts and requests only: make another"
                raise TrustError(problem, hint=hint)

    def _write(self, site: str, history: tuple[Enrolled, ...]) -> None:
        listed: list[Json] = [
            {"key": public.table(one.key), "time": one.time, "actor": one.actor}
            for one in history
        ]
        files.make_folder(self._path(site).parent)
        data = canonical.encode({"format": FORMAT, "keys": listed})
        files.write(self._path(site), data, mode=files.PRIVATE)

    def _path(self, site: str) -> Path:
        return self._folder / site / FILE


def _enrolled(entry: Fields) -> Enrolled:
    entry.exactly("key", "time", "actor")
    return Enrolled(
        key=public.from_table(entry.table("key")),
        time=entry.text("time"),
        actor=entry.text("actor"),
    )


def _refuse_role(key: PublicKey, publisher: Publisher) -> None:
    """Refuse a key that already decides what sites take."""
    root = strict.root(publisher.root_bytes(), name="the root")
    people = [one for role in root.body.roles.values() for one in role.keys]
    people += [one for site in publisher.sites() for one in site.keys]
    for one in people:
        if one.key_id == key.key_id:
            problem = f"the key of site `{key.name}` is the one `{one.name}` signs with"
            hint = "a site key is made on the site: `airlift trust site-key`"
            raise TrustError(problem, hint=hint)
