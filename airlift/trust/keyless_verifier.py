"""The one place that asks the library ``sigstore`` anything.

Imported only where there is a signature through Sigstore to check. It takes half a second
to import, and brings an HTTP client along, ``requests``, of which nothing here makes any
use: the trust root is given, and nobody is asked (tests/namespace shows it, call by call).
Whatever it says of hostile bytes becomes one of airlift's errors here.

Source: Sigstore client specification, "Verification".
"""

import logging
import struct
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.errors import Error
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity
from sigstore_models.trustroot.v1 import TrustedRoot as RootTable

from airlift import naming
from airlift.artifact import Json
from airlift.errors import AirliftError, TrustError
from airlift.format import canonical, dsse, trust_root
from airlift.format.keyless import Known, Logged

_REFUSALS: Final = (
    Error,
    # What it lets through of hostile bundles, of its own and from the libraries below.
    *(ValueError, TypeError, AttributeError, LookupError, OverflowError, struct.error),
    *(x509.ExtensionNotFound, x509.DuplicateExtension, x509.InvalidVersion),
    *(x509.UnsupportedGeneralNameType, UnsupportedAlgorithm, InvalidSignature),
)
_SHOWN: Final = 200

# What it warns of in hostile certificates and keys would be on standard error, where
# commands speak; all that matters of it is refused.
logging.getLogger("sigstore").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", module=r"sigstore\.")


def root_problem(root: Mapping[str, Json]) -> str:
    """Say why *root* is no trust root that can be used; empty where it is one."""
    try:
        Verifier(trusted_root=_root(trust_root.in_force(root)))
    except AirliftError as error:
        return error.problem
    except _REFUSALS as error:
        return _said(error)
    return ""


def verified(data: bytes, known: Known, logged: Logged) -> tuple[bytes, str, datetime]:
    """Return what somebody signed through Sigstore.

    Args:
        data: The bundle.
        known: Who has to have signed it, and on whose word.
        logged: When it was signed, as the bundle says.

    Returns:
        The statement, the address of the log, and when it was signed: what the log
        promised, or else the clock.

    Raises:
        TrustError: They have not, or not in a way that can be believed.
        FormatError: The trust root has another form.
    """
    try:
        bundle = _bundle(data)
        times = _times(bundle, logged)
        root, log = trust_root.with_log(
            trust_root.in_force(known.root, *times), logged.log
        )
        if not log:
            problem = "the log it names was not in force then, by the trust root"
            raise TrustError(problem)
        wanted = Identity(identity=known.identity, issuer=known.issuer)
        kind, payload = Verifier(trusted_root=_root(root)).verify_dsse(bundle, wanted)
    except _REFUSALS as error:
        problem = f"its signature through Sigstore is not right: {_said(error)}"
        raise TrustError(problem) from error
    if kind != dsse.IN_TOTO:
        problem = f"it is of type `{naming.show(kind)}`, expected `{dsse.IN_TOTO}`"
        raise TrustError(problem)
    return payload, log, times[0]


def _bundle(data: bytes) -> Bundle:
    found = Bundle.from_json(data)
    key = found.signing_certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        # The library would give it what only such keys take.
        problem = "its certificate is for another kind of key than OMS knows"
        raise TrustError(problem)
    return found


def _times(bundle: Bundle, logged: Logged) -> list[datetime]:
    """Return when a bundle says it was signed; that of the log first, if there is one."""
    times = [datetime.fromtimestamp(logged.at, tz=UTC)] if logged.at else []
    if logged.stamp:
        # One at most, as it was read: if there is no other, it is the one that counts.
        stamps = bundle.verification_material.timestamp_verification_data
        assert stamps
        times += [one.tst_info.gen_time for one in stamps.rfc3161_timestamps]
    return times


def _root(root: Mapping[str, Json]) -> TrustedRoot:
    return TrustedRoot(RootTable.from_json(canonical.encode(root)))


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return naming.show(text[:_SHOWN])
