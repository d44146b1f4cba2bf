"""Who may ask this server, and for what: the record behind access control.

A token is kept as its SHA-256 alone. A slow hash protects passwords, which people
choose and which can be guessed; a token here is 238 random bits, which nobody
guesses, and a slow hash would let strangers burn a core with every wrong one.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from airlift import naming
from airlift.artifact import Json
from airlift.errors import RegistryError, RequestError
from airlift.format import canonical
from airlift.format.dispatch import is_time
from airlift.format.fields import Fields
from airlift.serve.access import scope
from airlift.serve.access.scope import Scopes

FORMAT = "airlift/access/1"
LIMIT = 16 << 20
"""Most bytes of the record: some 50,000 credentials."""
ANYONE = "anyone"
"""The name of what is granted to callers who show nothing."""

_PREFIX = "hf_"
_LETTERS = string.ascii_letters + string.digits
_LENGTH = 40
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{34,253}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?", re.ASCII)
_KEY_BYTES = 32


class Proof(StrEnum):
    """How a caller shows who they are."""

    TOKEN = "token"  # noqa: S105 - the name of a kind, no secret
    OLLAMA_KEY = "ollama-key"
    CERTIFICATE = "certificate"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """One caller that is known here.

    Attributes:
        name: What the operator called it.
        proof: How it is shown.
        mark: What it is recognised by: the SHA-256 of a token, the public key of an
            Ollama host, a certificate's identity (``DNS:host``); empty for nothing.
        scopes: What may be had with it.
        created: ``YYYY-MM-DDThh:mm:ssZ``, like the next two.
        expires: It is refused from then on; empty for never.
        revoked: When it was; empty while it is not.
    """

    name: str
    proof: Proof
    mark: str
    scopes: Scopes
    created: str
    expires: str = ""
    revoked: str = ""

    @cached_property
    def id(self) -> str:
        """What signed paths name it by; two credentials never share one."""
        whole = f"{self.proof}\0{self.mark}\0{self.created}"
        return hashlib.sha256(whole.encode()).hexdigest()[:32]

    def refusal(self, now: str) -> str:
        """Say why it does not count at *now*; empty when it does."""
        if self.revoked:
            return f"`{self.name}` was revoked on {self.revoked[:10]}"
        # Times of the one spelling sort as text.
        if self.expires and self.expires <= now:
            return f"`{self.name}` expired on {self.expires[:10]}"
        return ""


@dataclass(frozen=True, kw_only=True)
class Register:
    """Every credential, and the key that signed paths are made with.

    Attributes:
        key: Kept here so that reloads and several servers agree on it.
        credentials: In the order they were made, revoked ones included.
    """

    key: bytes = field(repr=False)
    credentials: tuple[Credential, ...] = ()

    def find(self, proof: Proof, mark: str) -> Credential | None:
        """Return the credential recognised by *mark*, whether it counts or not."""
        found = None
        for one in self.credentials:
            # All of them, each in constant time: how long this takes says nothing.
            same = hmac.compare_digest(one.mark.encode(), mark.encode())
            if same and one.proof is proof and (found is None or found.revoked):
                found = one
        return found

    def by_id(self, credential_id: str) -> Credential | None:
        """Return the credential that a signed path names."""
        return next((c for c in self.credentials if c.id == credential_id), None)

    @cached_property
    def anyone(self) -> Credential | None:
        """What is granted to callers who show nothing; None where nothing is."""
        return self.find(Proof.NONE, "")

    def add(self, fresh: Credential) -> "Register":
        """Return the register with *fresh* in it.

        Raises:
            RequestError: Its name is in use or cannot be one, or its proof is known.
        """
        if not _NAME.fullmatch(fresh.name):
            problem = f"`{naming.show(fresh.name[:80])}` cannot be a credential's name"
            hint = "use 1 to 64 letters, digits, `.`, `_`, `@` and `-`"
            raise RequestError(problem, hint=hint)
        if (fresh.name == ANYONE) is not (fresh.proof is Proof.NONE):
            problem = f"`{ANYONE}` is the name of what is granted without a credential"
            raise RequestError(problem, hint="choose another name")
        for one in self.credentials:
            same = (one.proof, one.mark) == (fresh.proof, fresh.mark)
            if not one.revoked and (same or one.name == fresh.name):
                problem = f"there is a credential `{one.name}` already"
                hint = f"`airlift token revoke {one.name}` ends it"
                raise RequestError(problem, hint=hint)
        return replace(self, credentials=(*self.credentials, fresh))

    def revoke(self, name: str, now: str) -> "Register":
        """Return the register in which *name* counts no more.

        Raises:
            RequestError: Nothing of that name counts.
        """
        for at, one in enumerate(self.credentials):
            if one.name == name and not one.revoked:
                ended = replace(one, revoked=now)
                before, after = self.credentials[:at], self.credentials[at + 1 :]
                return replace(self, credentials=(*before, ended, *after))
        problem = f"there is no credential `{naming.show(name[:80])}` to revoke"
        raise RequestError(problem, hint="`airlift token list` shows them")


def fresh_register() -> Register:
    """Return a register without credentials, with a key of its own."""
    return Register(key=secrets.token_bytes(_KEY_BYTES))


def fresh_token() -> str:
    """Return a new token, of the one shape that every client passes on.

    llama.cpp drops what does not look like a token of the hub.
    """
    return _PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))


def looks_like_token(text: str) -> bool:
    """Say whether *text* has the shape of a token."""
    return _TOKEN.fullmatch(text) is not None


def mark_of(token: str) -> str:
    """Return what a register recognises *token* by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


# --- the record -------------------------------------------------------------------


def encode(register: Register) -> bytes:
    """Return *register* as canonical JSON."""
    shown: list[Json] = [
        {
            "name": one.name,
            "proof": one.proof.value,
            "mark": one.mark,
            "allow": one.scopes.texts(),
            "created": one.created,
            "expires": one.expires,
            "revoked": one.revoked,
        }
        for one in register.credentials
    ]
    return canonical.encode(
        {"format": FORMAT, "key": register.key.hex(), "credentials": shown}
    )


def decode(data: bytes, *, name: str) -> Register:
    """Return the register that *data* holds.

    Raises:
        FormatError: It is not canonical JSON.
        RegistryError: It is no register, or one of another version.
    """
    value = canonical.decode(data, name=name, limit=LIMIT)
    top = Fields(value, record=name, error=RegistryError)
    top.expect("format", FORMAT)
    top.exactly("format", "key", "credentials")
    key = top.sha256("key")
    found = tuple(map(_credential, top.tables("credentials")))
    return Register(key=bytes.fromhex(key), credentials=found)


def _credential(fields: Fields) -> Credential:
    times: Sequence[str] = ("created", "expires", "revoked")
    fields.exactly("name", "proof", "mark", "allow", *times)
    for key in times:
        text = fields.text(key)
        if not is_time(text) and (text or key == "created"):
            fields.refuse(key, "is not a time")
    try:
        scopes = scope.parse_all(fields.texts("allow"))
    except RequestError as error:
        fields.refuse("allow", error.problem)
    return Credential(
        name=fields.text("name"),
        proof=fields.choice("proof", Proof),
        mark=fields.text("mark"),
        scopes=scopes,
        created=fields.text("created"),
        expires=fields.text("expires"),
        revoked=fields.text("revoked"),
    )
