"""Requests for a token, signed as Ollama signs them."""

import base64
import hashlib
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_public_key,
)

from airlift.errors import RequestError
from airlift.serve.access import ollama_key
from airlift.serve.access.ollama_key import Proof

URL = "http://models:8484/token"
QUERY = [
    ("service", "models:8484"),
    ("scope", "repository:acme/Tiny GGUF~x:pull"),
    ("ts", "1700000000"),
    ("nonce", "AbC-_123"),
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def header(url: str = URL, query: list[tuple[str, str]] = QUERY) -> str:
    """Return the field as Ollama makes it, its query sorted as Go sorts it."""
    nothing = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
    written = urlencode(sorted(query, key=lambda pair: pair[0]))
    made = KEY.sign(f"GET,{url}?{written},{nothing}".encode())
    return f"{PUBLIC.split()[1]}:{base64.b64encode(made).decode()}"


def test_a_signed_request_says_who_asks_and_when() -> None:
    """The host is authorised by its key; time and nonce stop a second use."""
    proof = ollama_key.verify(header(), url=URL, query=QUERY)
    key = ollama_key.parse_key(PUBLIC)
    assert proof == Proof(key=key, signed_at=1_700_000_000, nonce="AbC-_123")


def test_the_order_of_the_query_does_not_matter() -> None:
    """A proxy may send it on in another order; the signature is over the sorted one."""
    assert ollama_key.verify(header(), url=URL, query=QUERY[::-1]) is not None


@pytest.mark.parametrize(
    ("url", "query"),
    [
        ("http://models:8484/other", QUERY),
        ("https://models:8484/token", QUERY),
        (URL, [*QUERY[:1], ("scope", "repository:acme/other:pull"), *QUERY[2:]]),
        (URL, [*QUERY[:2], ("ts", "1700000001"), QUERY[3]]),
        (URL, QUERY[:3]),
        (URL, [*QUERY, ("scope", "repository:more:pull")]),
    ],
)
def test_a_signature_holds_for_one_request_only(
    url: str, query: list[tuple[str, str]]
) -> None:
    """Another server, scope or time is another request."""
    assert ollama_key.verify(header(), url=url, query=query) is None


def test_a_request_without_time_or_nonce_proves_nothing() -> None:
    """Its signature would hold for ever."""
    for left_out in ("ts", "nonce"):
        query = [pair for pair in QUERY if pair[0] != left_out]
        assert ollama_key.verify(header(URL, query), url=URL, query=query) is None


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        ":",
        "Bearer abc",
        header().replace(":", ""),
        header().replace(":", ":A"),
        header()[:-8] + "AAAAAA==",
        PUBLIC.split()[1] + ":",
        "AAAA" + header(),
        header() + "A" * 400,
        header().replace("AAAAC3", "AAAAC4", 1),
    ],
)
def test_a_damaged_header_proves_nothing(damaged: str) -> None:
    """It comes from anyone: no error but the plain refusal."""
    assert ollama_key.verify(damaged, url=URL, query=QUERY) is None


def test_another_keys_signature_proves_nothing() -> None:
    """The key in the header must be the one that signed."""
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    text = other.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    forged = header().replace(PUBLIC.split()[1], text.split()[1])
    assert ollama_key.verify(forged, url=URL, query=QUERY) is None


@pytest.mark.parametrize("text", [PUBLIC, f"{PUBLIC} host 7\n", PUBLIC.split()[1]])
def test_a_public_key_file_is_read_with_or_without_its_comment(text: str) -> None:
    """The operator pastes what the host has."""
    key = ollama_key.parse_key(text)
    assert key.text == PUBLIC.split()[1]
    read = load_ssh_public_key(f"ssh-ed25519 {key.text}".encode())
    assert read.public_bytes(Encoding.Raw, PublicFormat.Raw) == key.raw


def test_a_key_has_the_fingerprint_that_ssh_keygen_shows() -> None:
    """So that operators can compare it by voice."""
    blob = base64.b64decode(PUBLIC.split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    assert ollama_key.parse_key(PUBLIC).fingerprint == f"SHA256:{digest}"


@pytest.mark.parametrize("text", ["", "ssh-rsa AAAA", "ssh-ed25519 AAAA", "-----BEGIN"])
def test_what_is_no_such_key_is_refused(text: str) -> None:
    """Most likely the wrong file was given, perhaps the private one."""
    with pytest.raises(RequestError) as caught:
        ollama_key.parse_key(text)
    assert str(caught.value) == f"`{text}` is not an Ed25519 public key"
