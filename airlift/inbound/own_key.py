"""This site's own key: made when it is first needed, and in the log."""

from dataclasses import dataclass
from pathlib import Path

from airlift.artifact import Json
from airlift.errors import TrustError
from airlift.registry import sealing
from airlift.registry.held import Event
from airlift.registry.registry import Registry
from airlift.trust import keys, site_key
from airlift.trust.keys import Cost
from airlift.trust.public import PublicKey
from airlift.trust.site_key import Phrase, SiteKey

ACTION = sealing.KEYS
"""Of the event that a key was made or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes this site's key, and says so in the log.

    Attributes:
        home: Where the key and the registry lie.
        registry: The registry.
        now: ``YYYY-MM-DDThh:mm:ssZ``.
        actor: Who does it.
        cost: What a guess at the passphrase of a new key is to cost.
    """

    home: Path
    registry: Registry
    now: str
    actor: str
    cost: Cost = keys.DEFAULT

    def make(self, phrase: str | None = None, *, replace: bool = False) -> SiteKey:
        """Make the key; see ``trust.site_key.create``.

        Raises:
            RequestError: There is one already, or the passphrase is empty.
            RegistryError: The log cannot record it, or another process writes.
            StoreError: The disk refuses.
        """
        with self.registry.exclusive("site key"):
            before = site_key.read_public(self.home)
            made = site_key.create(
                self.home,
                self.registry.trust_state().site,
                phrase=phrase,
                cost=self.cost,
                replace=replace,
            )
            detail: dict[str, Json] = {
                "key_id": made.public.key_id,
                "encrypted": phrase is not None,
            }
            if before:
                detail["replaced"] = before.key_id
            self.registry.log(
                Event(time=self.now, actor=self.actor, action=ACTION, detail=detail)
            )
        return made

    def public(self) -> PublicKey:
        """Return the public half of this site's key, made now where there is none.

        Raises:
            TrustError: It is another site's.
            FormatError: The file of the key is damaged.
            RegistryError, StoreError: As ``make``.
        """
        with self.registry.exclusive("site key"):
            return self._present() or self.make().public

    def key(self, phrase: Phrase | None = None) -> SiteKey:
        """Return this site's key, made now, unencrypted, where there is none.

        Args:
            phrase: Asked where the key is encrypted; None where nobody can be asked.

        Raises:
            RequestError: It is encrypted and nobody can be asked.
            TrustError: The passphrase is wrong, or it is another site's key.
            FormatError: The file of the key is damaged.
            RegistryError, StoreError: As ``make``.
        """
        with self.registry.exclusive("site key"):
            if self._present() is None:
                return self.make()
        return site_key.load(self.home, phrase)

    def _present(self) -> PublicKey | None:
        found, site = site_key.read_public(self.home), self.registry.trust_state().site
        if found and found.name != site:
            problem = (
                f"the site key here is of site `{found.name}`, and this is `{site}`"
            )
            hint = "put its own back, or make a new one: --replace"
            raise TrustError(problem, hint=hint)
        if found:
            self._name(found)
        return found

    def _name(self, found: PublicKey) -> None:
        """Log that *found* is the key here, where the power went before it was."""
        last = next(iter(self.registry.events(newest=1, action=ACTION)), None)
        if last and last.detail.get("key_id") == found.key_id:
            return
        detail: dict[str, Json] = {"key_id": found.key_id, "found": True}
        self.registry.log(
            Event(time=self.now, actor=self.actor, action=ACTION, detail=detail)
        )
