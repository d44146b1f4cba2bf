"""Model signatures between airlift and the verifiers that others use.

``model_signing`` is the reference of the OpenSSF, ``@sigstore/verify`` what JavaScript
checks bundles with. Each way round: what airlift signs, they accept; what they sign, it
accepts; and what is not so, nobody does.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import venvs
from airlift.artifact import Release, Signatory
from airlift.digest import sha256
from airlift.format import oms
from airlift.trust import attestation, attesting
from attestations import (
    Certified,
    certified_model,
    certify,
    entry,
    keyed,
    model,
    pem,
    public_pem,
)
from authority import key

pytestmark = pytest.mark.clients

STOCK = ("model-signing==1.1.1", "pyOpenSSL==26.4.0", "certifi==2026.10.18")
"""The last two are what it imports and does not ask for."""
PACKAGES = ("@sigstore/verify@3.1.1", "@sigstore/bundle@4.0.0")
MODELS = key("models", "ecdsa-sha2-nistp256")
FILES: Mapping[str, bytes] = {
    ".gitattributes": b"*.bin filter=lfs\n",
    ".github/workflows/x.yml": b"on: push\n",
    "config.json": b"{}\n",
    "empty.txt": b"",
    "sub/dir/\u00fc weights.bin": bytes(range(256)) * 5000,
    "sub/.gitattributes": b"inner\n",
}
_VERIFY = """
import {readFileSync} from "node:fs";
import {createPublicKey} from "node:crypto";
import {bundleFromJSON} from "@sigstore/bundle";
import {Verifier, toSignedEntity} from "@sigstore/verify";
const [file, pem] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(readFileSync(file, "utf8")));
const publicKey = createPublicKey(readFileSync(pem));
const hints = [];
const trust = {
  certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
  publicKey: hint => (hints.push(hint), {publicKey, validFor: () => true}),
};
const none = {tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0};
new Verifier(trust, none).verify(toSignedEntity(bundle));
console.log(JSON.stringify(hints));
"""


@dataclass(frozen=True)
class Stock:
    """The reference implementation, and a model on disk.

    Attributes:
        bins: Where it is installed.
        folder: Where everything goes; the model is ``tiny`` in it.
    """

    bins: Path
    folder: Path

    @property
    def model(self) -> Path:
        """The folder of the model."""
        return self.folder / "tiny"

    def write(self, name: str, data: bytes) -> Path:
        """Write a file beside the model."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def run(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run ``model_signing``, which asks no network."""
        return venvs.run(self.bins / "model_signing", *arguments, home=self.folder)

    def verifies(self, how: str, signature: bytes, *more: str | Path) -> bool:
        """Say whether it takes *signature* of the model."""
        path = self.write("model.sig", signature)
        done = self.run("verify", how, self.model, "--signature", path, *more)
        assert ("Verification succeeded" in done.stdout) is (done.returncode == 0)
        return done.returncode == 0

    def signs(self, how: str, *more: str | Path) -> bytes:
        """Have it sign the model."""
        path = self.folder / "theirs.sig"
        done = self.run("sign", how, self.model, "--signature", path, *more)
        assert done.returncode == 0, done.stderr
        return path.read_bytes()


@pytest.fixture(name="stock")
def _stock(environments: Path, tmp_path: Path) -> Stock:
    stock = Stock(venvs.make(environments, *STOCK), tmp_path)
    for path, data in FILES.items():
        target = stock.model / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return stock


def private_pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as stock signers read it."""
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def problem(one: Release, data: bytes, by: Signatory) -> str:
    """Return what airlift finds wrong with a signature."""
    return attestation.judge(one, entry(data, by), data).problem


def test_the_reference_takes_what_airlift_signs(stock: Stock) -> None:
    """With its defaults, `.git*` at the top and all; a folder of files as served."""
    public = stock.write("models.pem", pem(MODELS))
    signature = attesting.sign_model(model(FILES), MODELS)
    assert stock.verifies("key", signature, "--public_key", public)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("config.json", b"[]\n"),
        ("more.bin", b"x"),
        ("sub/.gitattributes", b"other\n"),
        ("empty.txt", None),
    ],
    ids=["changed", "added", "changed below", "removed"],
)
def test_both_refuse_files_that_are_not_as_they_were_signed(
    stock: Stock, path: str, data: bytes | None
) -> None:
    """But for what did not travel, which airlift says and does not hold against it."""
    signature = attesting.sign_model(model(FILES), MODELS)
    public = stock.write("models.pem", pem(MODELS))
    files = {name: content for name, content in FILES.items() if name != path}
    if data is None:
        (stock.model / path).unlink()
    else:
        (stock.model / path).write_bytes(data)
        files[path] = data
    assert not stock.verifies("key", signature, "--public_key", public)
    found = problem(model(files), signature, attesting.signatory(MODELS.public))
    assert bool(found) is (data is not None)


def test_both_refuse_another_key(stock: Stock) -> None:
    """The files are right, and it is not who it should be."""
    signature = attesting.sign_model(model(FILES), MODELS)
    other = key("other", "ecdsa-sha2-nistp256")
    public = stock.write("other.pem", pem(other))
    assert not stock.verifies("key", signature, "--public_key", public)
    assert problem(model(FILES), signature, attesting.signatory(other.public))


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1()], ids=["P-256", "P-384"]
)
def test_airlift_takes_what_the_reference_signs(
    stock: Stock, curve: ec.EllipticCurve
) -> None:
    """Models of others come signed so; either form of a signature will do."""
    private = ec.generate_private_key(curve)
    path = stock.write("private.pem", private_pem(private))
    by = attesting.trusted(public_pem(private), name="acme")
    # Of four, one has the higher s of two, fifteen times of sixteen.
    signed = [stock.signs("key", "--private_key", path) for _ in range(4)]
    assert [problem(model(FILES), one, by) for one in signed] == [""] * 4
    changed = {**FILES, "config.json": b"[]\n"}
    assert (
        problem(model(changed), signed[0], by) == "it is of other bytes of config.json"
    )


def _chain() -> tuple[Certified, Certified, Certified]:
    root = certify("Acme Root", authority=True, days=3650)
    between = certify("Acme Issuing", root, authority=True)
    return root, between, certify("Acme Models", between)


def test_certificates_are_taken_both_ways(stock: Stock) -> None:
    """What airlift would list, the reference takes; what that signs, airlift takes."""
    root, between, leaf = _chain()
    trusted = stock.write("root.pem", root.pem)
    ours = certified_model(model(FILES), leaf, between)
    assert stock.verifies("certificate", ours, "--certificate_chain", trusted)
    theirs = stock.signs(
        "certificate",
        *("--private_key", stock.write("leaf.key", private_pem(leaf.key))),
        *("--signing_certificate", stock.write("leaf.pem", leaf.pem)),
        *("--certificate_chain", stock.write("between.pem", between.pem)),
    )
    found = attestation.judge(
        model(FILES), entry(theirs, root.signatory, at="2026-06-01T00:00:00Z"), theirs
    )
    assert (found.problem, found.by) == ("", ("CN=Acme Models (certified by acme CA)",))


def test_airlift_refuses_a_certificate_that_the_reference_still_takes(
    stock: Stock,
) -> None:
    """It asks whether the certificate was valid when it began, which all are."""
    root = certify("Root", authority=True, days=40)
    leaf = certify("Leaf", root, days=30)
    data = certified_model(model(FILES), leaf)
    trusted = stock.write("root.pem", root.pem)
    assert stock.verifies("certificate", data, "--certificate_chain", trusted)
    late = entry(data, root.signatory, at="2026-11-01T00:00:00Z")
    found = attestation.judge(model(FILES), late, data)
    assert "cert is not valid at validation time" in found.problem


def test_javascript_takes_what_airlift_signs(
    environments: Path, tmp_path: Path
) -> None:
    """And asks for the key by the hint that everybody computes alike."""
    modules = venvs.node(environments, *PACKAGES)
    script = tmp_path / "verify.mjs"
    script.write_text(_VERIFY)
    (tmp_path / "node_modules").symlink_to(modules / "node_modules")
    (tmp_path / "models.pem").write_bytes(pem(MODELS))
    good = attesting.sign_model(model(FILES), MODELS)
    other = keyed(oms.statement(model(FILES)), key("other", "ecdsa-sha2-nistp256"))
    (tmp_path / "good.sig").write_bytes(good)
    (tmp_path / "other.sig").write_bytes(other)
    program = shutil.which("node")
    assert program

    def verify(name: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [program, script, name, "models.pem"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    done = verify("good.sig")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [sha256(pem(MODELS))]
    assert "VerificationError" in verify("other.sig").stderr
