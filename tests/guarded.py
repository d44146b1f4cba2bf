"""Access control for tests: credentials in memory, and a clock that can be turned."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from airlift.serve.access import credentials, scope
from airlift.serve.access.control import Access
from airlift.serve.access.credentials import ANYONE, Credential, Proof, Register
from airlift.serve.http.settings import ServeSettings

NOW = "2026-06-01T12:00:00Z"


class Door:
    """Who is known to a server under test; satisfies ``access.Records``.

    Attributes:
        now: What the server takes the time to be.
        register: Who is known; None while access control is off.
    """

    def __init__(self, now: str = NOW) -> None:
        self.now = now
        self.register: Register | None = None

    def read(self) -> Register | None:
        """Return who is known now."""
        return self.register

    def access(self, *, required: bool = False) -> Access:
        """Return access control that asks here."""
        return Access(self, lambda: self.now, required=required)

    def settings(self) -> ServeSettings:
        """Return settings of a server on a free port with this access control."""
        return ServeSettings(port=0, access=self.access())

    def token(self, name: str, *allow: str, expires: str = "") -> str:
        """Let *name* have what *allow* says; return the token."""
        token = credentials.fresh_token()
        self._add(name, Proof.TOKEN, credentials.mark_of(token), allow, expires)
        return token

    def know(self, name: str, proof: Proof, mark: str, *allow: str) -> None:
        """Let whoever shows *mark* have what *allow* says."""
        self._add(name, proof, mark, allow)

    def open(self, *allow: str) -> None:
        """Let callers who show nothing have what *allow* says."""
        self._add(ANYONE, Proof.NONE, "", allow)

    def revoke(self, name: str) -> None:
        """End *name*."""
        assert self.register is not None
        self.register = self.register.revoke(name, self.now)

    def _add(
        self,
        name: str,
        proof: Proof,
        mark: str,
        allow: Sequence[str],
        expires: str = "",
    ) -> None:
        made = Credential(
            name=name,
            proof=proof,
            mark=mark,
            scopes=scope.parse_all(allow),
            created=self.now,
            expires=expires,
        )
        self.register = (self.register or credentials.fresh_register()).add(made)

    def rename_key(self) -> None:
        """Put another key in the place of the one that seals are made with."""
        assert self.register is not None
        self.register = replace(self.register, key=credentials.fresh_register().key)


def bearer(token: str) -> str:
    """Return the field that shows *token*."""
    return f"Authorization: Bearer {token}"


def basic(user: str, password: str) -> str:
    """Return the field that shows *user* and *password*."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Authorization: Basic {pair}"
