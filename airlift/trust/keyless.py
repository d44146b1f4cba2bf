"""Whether a model was signed through Sigstore by whom a release names.

Judged offline and for ever: the release carries the trust root, and what tells the time
is in the signature. Whether it is so is a matter for the library ``sigstore``, an
extra; where that is not installed nothing is said to be so.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Final

from airlift import naming
from airlift.artifact import Signatory
from airlift.digest import sha256
from airlift.errors import FormatError, RequestError, TrustError
from airlift.format import canonical, keyless
from airlift.format.keyless import Known
from airlift.format.oms import Bundle

_HINT: Final = "`pip install 'airlift[sigstore]'`"
_LENGTH: Final = 1024
"""Characters of an identity: those of workflows are addresses of a hundred or two."""


class UncheckedError(RequestError):
    """What would tell whether a signature is right is not installed here."""


def trusted(identity: str, issuer: str, root: bytes, *, name: str) -> Signatory:
    """Return whose signatures through Sigstore are to be believed.

    Args:
        identity: An address of mail or a URI, as certificates state it.
        issuer: The URL of who knows them by it.
        root: The trust root, ``trusted_root.json``.
        name: What to call the trust root in an error.

    Raises:
        RequestError: Any of it cannot be, or nothing here can check signatures.
        FormatError: The trust root has another form.
    """
    for what, text in (("identity", identity), ("issuer", issuer)):
        if not text or len(text) > _LENGTH or not text.isprintable():
            problem = f"the {what} `{naming.show(text[:80])}` cannot be one"
            hint = "write it as certificates state it, without spaces around it"
            raise RequestError(problem, hint=hint)
    value = canonical.decode_foreign(root, name=name, limit=keyless.LIMIT)
    if not isinstance(value, Mapping):
        problem = f"{name} is not a trust root of Sigstore"
        raise RequestError(problem, hint="give its `trusted_root.json`")
    if problem := _verifier().root_problem(value):
        text = f"{name} is not a trust root of Sigstore: {problem}"
        raise RequestError(text, hint="give its `trusted_root.json`")
    return signatory(Known(identity=identity, issuer=issuer, root=value))


def signatory(known: Known) -> Signatory:
    """Return *known* as a release names who must have signed something."""
    public = keyless.encode(known)
    return Signatory(
        name=known.identity,
        scheme=keyless.SCHEME,
        key_id=sha256(public.encode()),
        public=public,
    )


def signed(one: Signatory, bundle: Bundle, data: bytes) -> str:
    """Return who has signed a model, if it is whom a release names.

    Args:
        one: Whom the release names.
        bundle: What the signature says.
        data: The signature as it travels.

    Raises:
        TrustError: It is not by them, or not as it has to be.
        FormatError: It is signed in another way, or cannot be read.
        UncheckedError: Nothing here can tell.
    """
    if bundle.logged is None:
        problem = "it is signed in another way than through Sigstore, as is named"
        raise FormatError(problem)
    if one.scheme != keyless.SCHEME:
        problem = "it was signed through Sigstore, and no identity is named for that"
        raise FormatError(problem)
    known = _known(one)
    found: tuple[bytes, str, datetime] = _verifier().verified(
        data, known, bundle.logged
    )
    payload, log, at = found
    if payload != bundle.envelope.payload:
        # No two readers may see two statements in one bundle.
        problem = "it holds two statements"
        raise TrustError(problem)
    return (
        f"{naming.show(known.identity)} (known to {naming.show(known.issuer)};"
        f" logged {_spelt(at)} by {naming.show(log)})"
    )


def _known(one: Signatory) -> Known:
    if sha256(one.public.encode()) != one.key_id:
        problem = "the identity the release names has another digest than it says"
        raise FormatError(problem)
    known = keyless.decode(one.public, name="the identity the release names")
    if known.identity != one.name:
        problem = "the identity the release names has two names"
        raise FormatError(problem)
    return known


def _spelt(at: datetime) -> str:
    whole = at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{whole.isoformat()}Z"


def _verifier() -> ModuleType:
    try:
        from airlift.trust import keyless_verifier  # noqa: PLC0415 - optional, and slow
    except ImportError as error:
        missing = (error.name or "sigstore").partition(".")[0]
        if missing == "airlift":
            raise
        problem = (
            "signatures through Sigstore cannot be checked here without the package"
            f" `{naming.show(missing)}`"
        )
        raise UncheckedError(problem, hint=_HINT) from error
    return keyless_verifier
