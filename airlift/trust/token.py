"""Keys that lie in a token (PKCS#11) and never leave it: named, opened, signed with.

The file of such a key says which module, token and object it is, and its public half;
no secret is in it. The token signs, and its PIN takes the place of the passphrase. What
a token answers is believed only as far as its signatures verify under the public half:
when it is opened it signs once for that, so that a wrong token, another key under the
same id and a wrong PIN end there. No key file ever stands in for a token.

Only ECDSA: the signer of ``securesystemslib`` knows no other mechanism.

Source: PKCS #11 v2.40; the object is named by ``CKA_ID``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (  # type: ignore[attr-defined]
    HSMSigner,
    Signature,
    SSlibKey,
)

from airlift import naming
from airlift.errors import RequestError, StoreError, TrustError
from airlift.format import canonical
from airlift.format.fields import Fields
from airlift.trust import files, public, schemes
from airlift.trust.keys import SUFFIX, UnlockedKey, stem
from airlift.trust.public import PublicKey

FORMAT = "airlift/token-key/1"
_LIMIT = 64 << 10
_MODULE = "PYKCS11LIB"  # where securesystemslib looks for the module
_TRIAL = b"airlift/token-trial/1\0"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a key lies.

    Attributes:
        module: Path of the PKCS#11 library.
        token: Label of the token.
        item: The key's ``CKA_ID`` as a number.
    """

    module: str
    token: str
    item: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenKey:
    """A key in a token, as its file states it."""

    public: PublicKey
    place: Place

    def unlock(self, pin: str) -> UnlockedKey:
        """Return the key, having signed with it once.

        Raises:
            RequestError: The module or token is not there, or there is no such key.
            TrustError: The PIN is wrong, or the token holds another key.
        """
        _need_one(self.place, pin)
        signer = _Signer(self.public, self.place, pin)
        opened = UnlockedKey(public=self.public, signer=signer)
        if not self.public.verifies(opened.sign(_TRIAL), _TRIAL):
            problem = (
                f"the token `{naming.show(self.place.token)}` holds another key than"
                f" that of `{naming.show(self.public.name)}`"
            )
            raise TrustError(problem, hint="put in the right token")
        return opened


class _Signer(HSMSigner):
    """The signer of ``securesystemslib``, with its errors told as airlift's."""

    def __init__(self, key: PublicKey, place: Place, pin: str) -> None:
        key_type = schemes.SCHEMES[key.scheme].key_type
        tuf = SSlibKey(key.key_id, key_type, key.scheme, {"public": key.public})
        super().__init__(place.item, tuf, lambda _: pin, place.token)
        self._place = place

    def sign(self, payload: bytes) -> Signature:
        """Return the token's signature of *payload*."""
        return _asked(self._place, lambda: super(_Signer, self).sign(payload))

    @classmethod
    def count(cls, place: Place, pin: str) -> int:
        """Return how many keys the token has at *place*: of the kind with the most.

        Searched to the end: where it finds several, the library under this class leaves
        its search open, and complains of it on standard error when it is collected.
        """
        from pkcs11 import Attribute, KeyType, ObjectClass  # noqa: PLC0415 - optional
        from pkcs11.util import biginteger  # noqa: PLC0415 - optional

        wanted = {Attribute.KEY_TYPE: KeyType.EC, Attribute.ID: biginteger(place.item)}
        with cls._find_token(place.token).open(user_pin=pin) as session:
            return max(
                len(list(session.get_objects({**wanted, Attribute.CLASS: kind})))
                for kind in (ObjectClass.PUBLIC_KEY, ObjectClass.PRIVATE_KEY)
            )


def enrol(name: str, place: Place, pin: str) -> TokenKey:
    """Return the key at *place* as that of the person *name*.

    Raises:
        RequestError: The module, token or key is not there, or *name* cannot be shown.
        TrustError: The PIN is wrong.
    """
    _need_one(place, pin)
    _, key = _asked(
        place, lambda: HSMSigner.import_(place.item, place.token, lambda _: pin)
    )
    found = TokenKey(public=public.of(key, name=name), place=place)
    found.unlock(pin)
    return found


def save(folder: Path, key: TokenKey) -> Path:
    """Write the files of *key* to *folder*, as ``keys.save`` does; return the first.

    Raises:
        RequestError: One is there already.
        StoreError: The disk refuses.
    """
    name = stem(key.public)
    if problem := naming.path_problem(f"{name}{SUFFIX}"):
        text = f"key name `{naming.show(name)}` {problem}"
        raise RequestError(text, hint="choose a name that can be a file's")
    path = folder / f"{name}{SUFFIX}"
    files.make_folder(folder)
    files.write_new(path, encode(key), mode=files.PRIVATE)
    files.write_new(folder / f"{name}{public.SUFFIX}", public.encode(key.public))
    return path


def encode(key: TokenKey) -> bytes:
    """Return the bytes of the file of *key*."""
    return canonical.encode(
        {
            "format": FORMAT,
            **public.table(key.public),
            "module": key.place.module,
            "token": key.place.token,
            "object": key.place.item,
        }
    )


def decode(data: bytes, *, name: str) -> TokenKey:
    """Return the key that the file *data* states.

    Raises:
        FormatError: It is not such a file.
    """
    top = Fields(canonical.decode(data, name=name, limit=_LIMIT), record=name)
    top.exactly(
        *("format", "name", "scheme", "key_id", "public"),
        *("module", "token", "object"),
    )
    top.expect("format", FORMAT)
    found = public.from_table(top)
    if not schemes.SCHEMES[found.scheme].order:
        top.refuse("scheme", "is none that a token can sign with: expected ECDSA")
    place = Place(
        module=top.text("module"), token=top.text("token"), item=top.number("object")
    )
    return TokenKey(public=found, place=place)


def _need_one(place: Place, pin: str) -> None:
    """Refuse a token with several keys at *place*: which of them signs is chance."""
    if (count := _asked(place, lambda: _Signer.count(place, pin))) > 1:
        problem = (
            f"the token `{naming.show(place.token)}` has {count} keys under the id"
            f" {place.item}"
        )
        raise RequestError(problem, hint="give each key in it an id of its own")


def _asked(place: Place, ask: Callable[[], T]) -> T:
    """Return what the token answers; its many ways to refuse become three errors."""
    token = naming.show(place.token)
    if not Path(place.module).is_file():
        problem = f"there is no PKCS#11 module {naming.show(place.module)}"
        raise RequestError(problem, hint="install it, or name another with --module")
    try:
        from pkcs11 import exceptions  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        problem = "python-pkcs11 is not installed, which asks tokens"
        raise RequestError(problem, hint="`pip install 'airlift[hsm]'`") from error
    # Told to securesystemslib, which takes it from nowhere else; nothing is read here.
    os.environ[_MODULE] = place.module  # noqa: TID251
    try:
        return ask()
    except (exceptions.PinIncorrect, exceptions.PinLenRange) as error:
        problem = f"the PIN does not open the token `{token}`"
        hint = "after a few wrong ones a token locks itself: be sure before the next"
        raise TrustError(problem, hint=hint) from error
    except exceptions.PinLocked as error:
        problem = f"the token `{token}` is locked after too many wrong PINs"
        raise TrustError(problem, hint="unlock it with its SO PIN") from error
    except (ValueError, UnsupportedLibraryError) as error:
        problem = f"the token `{token}` has no such key: {naming.show(str(error))}"
        hint = "see that the right token is in, and what `--object` names"
        raise RequestError(problem, hint=hint) from error
    except (exceptions.PKCS11Error, RuntimeError, OSError) as error:
        problem = (
            f"the token `{token}` does not answer: {type(error).__name__}"
            f" {naming.show(str(error))}".rstrip()
        )
        raise StoreError(problem, hint="take it out and put it in again") from error
