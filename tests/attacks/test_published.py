"""Vectors that others publish, through airlift's own functions: they agree."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import shake_256
from pathlib import Path

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

import venvs
from airlift.errors import FormatError
from airlift.format import canonical
from airlift.trust import public
from airlift.trust.public import PublicKey
from airlift.trust.schemes import SCHEMES
from airlift.trust.suites import SUITES
from attacks import published
from attacks.published import Signed

pytestmark = pytest.mark.index
needs_npm = pytest.mark.skipif(not published.NPM, reason="npm is not installed")
FILES = {
    "ed25519": ("ed25519", 210),
    "ecdsa_secp256r1_sha256": ("ecdsa-sha2-nistp256", 484),
    "ecdsa_secp384r1_sha384": ("ecdsa-sha2-nistp384", 504),
}
LATTICE: Mapping[
    str, tuple[type[mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey], int]
] = {
    "mldsa_65_verify": (mldsa.MLDSA65PublicKey, 210),
    "mldsa_87_verify": (mldsa.MLDSA87PublicKey, 241),
}


@pytest.fixture(name="packages", scope="module")
def _packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return venvs.kept() or tmp_path_factory.mktemp("packages")


def known(case: Signed, scheme: str) -> PublicKey:
    """Return the key of *case* as airlift holds one."""
    key = SSlibKey.from_crypto(load_pem_public_key(case.key), scheme=scheme)
    return public.of(key, name="somebody")


@pytest.mark.parametrize("name", FILES)
def test_wycheproof_and_airlift_say_the_same_of_every_signature(
    packages: Path, name: str
) -> None:
    """Odd encodings, edge values and points of small order are how curves are fooled."""
    scheme, count = FILES[name]
    cases = published.signatures(packages, name)
    keys = {case.key: known(case, scheme) for case in cases}
    said = {
        case.note: keys[case.key].verifies_any(case.signature, case.message)
        for case in cases
    }
    wrong = [
        case.note
        for case in cases
        if case.result != "acceptable"
        and said[case.note] is not (case.result == "valid")
    ]
    assert (len(said), wrong) == (count, [])
    print(f"{name}: {count} of {count} agree, {dict(Counter(c.result for c in cases))}")


@pytest.mark.parametrize("name", [one for one in FILES if "ecdsa" in one])
def test_of_valid_signatures_one_of_two_forms_is_metadata(
    packages: Path, name: str
) -> None:
    """The twin of a signature is as valid, and anybody can compute it."""
    scheme, _ = FILES[name]
    order = SCHEMES[scheme].order
    forms: Counter[bool] = Counter()
    for case in published.signatures(packages, name):
        key = known(case, scheme)
        lower = (
            case.result == "valid"
            and decode_dss_signature(case.signature)[1] <= order // 2
        )
        assert key.verifies(case.signature, case.message) is lower, case.note
        forms[lower] += case.result == "valid"
    assert min(forms[True], forms[False]) > 50


@pytest.mark.parametrize("name", LATTICE)
def test_wycheproof_and_the_library_under_ml_dsa_say_the_same(
    packages: Path, name: str
) -> None:
    """TUF wraps the message first, so it is the library's own word that counts here."""
    kind, count = LATTICE[name]
    cases = published.signatures(packages, name)
    wrong = []
    for case in cases:
        try:
            key = kind.from_public_bytes(case.key)
            key.verify(case.signature, case.message, case.context or None)
            found = "valid"
        except (InvalidSignature, ValueError):
            found = "invalid"
        if found != case.result:
            wrong.append(case.note)
    assert (len(cases), wrong) == (count, [])


SEALED = {
    "mlkem768-x25519": ("HPKE-PQ-test-vectors", hpke.AEAD.CHACHA20_POLY1305, 64 + 32),
    "mlkem1024-p384": ("HPKE-PQ-test-vectors", hpke.AEAD.AES_256_GCM, 64 + 48),
    "x25519": ("HPKE-test-vectors", hpke.AEAD.AES_256_GCM, 0),
}
"""Of each suite: which file has it, with which cipher, and how long its key is.

With 0 the key is the stated one; the hybrids' is what SHAKE-256 makes of that."""
NUMBERS = {
    "mlkem768-x25519": (0x647A, 1, 3),
    "mlkem1024-p384": (0x0051, 2, 2),
    "x25519": (0x0020, 1, 2),
}
PARTS = ("skRm", "pkRm", "key", "base_nonce", "enc", "info")
WITH = {
    "mlkem768-x25519": (hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256),
    "mlkem1024-p384": (hpke.KEM.MLKEM1024_P384, hpke.KDF.HKDF_SHA384),
    "x25519": (hpke.KEM.X25519, hpke.KDF.HKDF_SHA256),
}
CIPHERS: Mapping[hpke.AEAD, type[AESGCM | ChaCha20Poly1305]] = {
    hpke.AEAD.CHACHA20_POLY1305: ChaCha20Poly1305,
    hpke.AEAD.AES_256_GCM: AESGCM,
}


@pytest.mark.parametrize("name", SEALED)
def test_what_the_drafts_of_hpke_seal_each_suite_opens(
    packages: Path, name: str
) -> None:
    """A site's key and volume must open in twenty years, by another library too."""
    file, cipher, length = SEALED[name]
    (case,) = (
        one
        for one in published.hpke(packages, file)
        if one["mode"] == 0
        and (one["kem_id"], one["kdf_id"], one["aead_id"]) == NUMBERS[name]
    )
    raw = {key: bytes.fromhex(case[key]) for key in PARTS}
    private = shake_256(raw["skRm"]).digest(length) if length else raw["skRm"]
    suite = replace(SUITES[name], hpke=hpke.Suite(*WITH[name], cipher))
    assert suite.half(private) == raw["pkRm"]
    # Nothing is authenticated beside a secret, as the vectors have it; so it is sealed
    # here with the key that they state.
    sealed = CIPHERS[cipher](raw["key"]).encrypt(raw["base_nonce"], b"secret", b"")
    assert suite.open(raw["enc"] + sealed, private, raw["info"]) == b"secret"
    assert suite.open(raw["enc"] + sealed, private, b"other") is None


@needs_npm
def test_no_file_that_is_no_json_is_read(packages: Path) -> None:
    """Nor any of which readers differ: 188 files nobody may take, and 35 some do."""
    files = published.texts(packages)
    kinds = Counter(name[0] for name in files)
    assert kinds == {"n": 188, "i": 35, "y": 95}
    taken = [name for name, data in files.items() if name[0] != "y" and reads(data)]
    assert taken == []
    stock = [name for name, data in files.items() if name[0] != "y" and lax(data)]
    assert len(stock) > 10  # the suite can tell: Python's own reader takes these
    print(f"188 of 188 and 35 of 35 refused; json.loads takes {len(stock)}")


@needs_npm
def test_of_json_the_one_canonical_form_without_floats_is_read(packages: Path) -> None:
    """What is refused is refused for its form, as RFC 8785's own writer has it."""
    files = published.texts(packages)
    good = {name: data for name, data in files.items() if name[0] == "y"}
    expected = [name for name, data in good.items() if is_canonical(data)]
    assert [name for name, data in good.items() if reads(data)] == expected
    assert len(expected) > 20


def reads(data: bytes) -> bool:
    """Say whether airlift takes *data* for a record."""
    try:
        canonical.decode(data, name="record", limit=1 << 20)
    except FormatError:
        return False
    return True


def lax(data: bytes) -> bool:
    """Say whether Python's reader takes *data*."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def is_canonical(data: bytes) -> bool:
    """Say whether *data* is what the reference writes of its value, without floats."""
    value = json.loads(data)
    try:
        written = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        return False
    return written == data and not any(
        isinstance(one, float)
        for one in (value if isinstance(value, list) else [value])
    )
