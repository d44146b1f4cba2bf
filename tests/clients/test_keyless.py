"""Signatures through Sigstore between airlift, its tests, and what others sign and check with.

``model_signing`` is the reference of the OpenSSF, ``@sigstore/verify`` what JavaScript
checks bundles with, ``@sigstore/mock`` the authorities that the Sigstore project tests
its own clients with. What the Sigstore of these tests makes, both verifiers take, so that
what airlift refuses of it is wrong in the one way that is meant; and what the reference
signs with those authorities, airlift takes.
"""

import base64
import contextlib
import copy
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import venvs
from airlift.artifact import Signatory
from airlift.format.keyless import Known
from airlift.trust import attestation, keyless
from attestations import entry, model
from clients.test_model_signing import FILES, STOCK
from sigstores import IDENTITY, ISSUER, SIGNED, Sigstore, Who

pytestmark = pytest.mark.clients

VERIFY = ("@sigstore/verify@3.1.1", "@sigstore/bundle@4.0.0")
MOCK = ("@sigstore/mock@0.13.0",)
FLOW = "https://forge.example/acme/m/release.yml@refs/heads/main"
_CONFIG = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
_SIGNING = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
_CHECK = """
import {readFileSync} from "node:fs";
import {bundleFromJSON} from "@sigstore/bundle";
import {TrustedRoot} from "@sigstore/protobuf-specs";
import {Verifier, toSignedEntity, toTrustMaterial} from "@sigstore/verify";
const [file, root, identity, issuer] = process.argv.slice(2);
const read = path => JSON.parse(readFileSync(path, "utf8"));
const trust = toTrustMaterial(TrustedRoot.fromJSON(read(root)));
const wanted = {subjectAlternativeName: identity, extensions: {issuer}};
new Verifier(trust).verify(toSignedEntity(bundleFromJSON(read(file))), wanted);
console.log("verified");
"""
_WORLD = """
import {createServer} from "node:http";
import {createHash, generateKeyPairSync} from "node:crypto";
import mock from "@sigstore/mock";
const pair = () => generateKeyPairSync("ec", {namedCurve: "prime256v1"});
const sha256 = data => createHash("sha256").update(data).digest();
const ct = await mock.initializeCTLog(pair());
const ca = await mock.initializeCA(pair(), ct);
const log = await mock.initializeTLog("https://rekor.mock", pair());
const fulcio = mock.fulcioHandler(ca).fn, rekor = mock.rekorHandler(log).fn;
// What clients send and the handlers do not take: a token in a header and a request in
// base64, as Fulcio's gateway has them; and what Rekor makes of a proposed envelope
// before it logs it.
const certify = async (text, {authorization}) => fulcio(JSON.stringify({
  credentials: {oidcIdentityToken: authorization.replace("Bearer ", "")},
  certificateSigningRequest:
    Buffer.from(JSON.parse(text).certificateSigningRequest, "base64").toString(),
}));
const enter = async text => {
  const {apiVersion, kind, spec} = JSON.parse(text);
  const {envelope, verifiers} = spec.proposedContent;
  const {payload, signatures} = JSON.parse(envelope);
  const hash = data => ({algorithm: "sha256", value: sha256(data).toString("hex")});
  return rekor(JSON.stringify({apiVersion, kind, spec: {
    envelopeHash: hash(envelope),
    payloadHash: hash(Buffer.from(payload, "base64")),
    signatures: signatures.map((one, at) => ({signature: one.sig, verifier: verifiers[at]})),
  }}));
};
// Asked for before a token is looked for; nobody logs in there.
const provider = async () => ({statusCode: 200, contentType: "application/json",
  response: JSON.stringify({authorization_endpoint: "x:", token_endpoint: "x:"})});
const ways = {"/api/v2/signingCert": certify, "/api/v1/log/entries": enter,
              "/.well-known/openid-configuration": provider};
const server = createServer((request, reply) => {
  const parts = [];
  request.on("data", part => parts.push(part));
  request.on("end", async () => {
    const text = Buffer.concat(parts).toString();
    const way = ways[request.url] ?? (() => ({statusCode: 404, response: request.url}));
    const done = await way(text, request.headers);
    if (done.statusCode >= 400) console.error(request.url, done);
    reply.writeHead(done.statusCode, {"content-type": done.contentType ?? "text/plain"});
    reply.end(done.response);
  });
});
const start = new Date(Date.now() - 60000).toISOString();
const coded = data => Buffer.from(data).toString("base64");
const known = (baseUrl, one) => ({
  baseUrl, hashAlgorithm: "SHA2_256", logId: {keyId: coded(sha256(one.publicKey))},
  publicKey: {rawBytes: coded(one.publicKey), keyDetails: "PKIX_ECDSA_P256_SHA_256",
              validFor: {start}},
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({
  port: server.address().port,
  root: {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [known("https://rekor.mock", log)],
    ctlogs: [known("https://ct.mock", ct)],
    certificateAuthorities: [{
      subject: {organization: "sigstore.mock", commonName: "sigstore"},
      uri: "https://fulcio.mock", validFor: {start},
      certChain: {certificates: [{rawBytes: coded(ca.rootCertificate)}]},
    }],
    timestampAuthorities: [],
  },
})));
"""


@dataclass(frozen=True)
class Stock:
    """The reference implementation, JavaScript's verifier, and a model on disk.

    Attributes:
        bins: Where the reference is installed.
        modules: Where the verifier is.
        folder: Where everything goes; the model is ``tiny`` in it.
    """

    bins: Path
    modules: Path
    folder: Path

    def reference(self, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run ``model_signing``, which is given all that it would ask a network for."""
        return venvs.run(self.bins / "model_signing", *arguments, home=self.folder)

    def config(self, root: Mapping[str, Any], port: int = 9) -> Path:
        """Write what the reference is told to trust, and whom to ask."""
        service = {
            "url": f"http://127.0.0.1:{port}",
            "majorApiVersion": 1,
            "validFor": {"start": "2025-01-01T00:00:00Z"},
            "operator": "tests",
        }
        told = {
            "mediaType": _CONFIG,
            "trustedRoot": root,
            "signingConfig": {
                "mediaType": _SIGNING,
                "caUrls": [service],
                "oidcUrls": [service],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [],
                "tsaConfig": {"selector": "ANY"},
            },
        }
        path = self.folder / "config.json"
        path.write_text(json.dumps(told))
        return path

    def verdicts(
        self, data: bytes, root: Mapping[str, Any], identity: str, issuer: str
    ) -> tuple[bool, bool, bool]:
        """Return what the reference, JavaScript and airlift say of a signature."""
        signature, trusted = self.folder / "model.sig", self.folder / "root.json"
        signature.write_bytes(data)
        trusted.write_text(json.dumps(root))
        done = self.reference(
            *("verify", "sigstore", self.folder / "tiny", "--signature", signature),
            *("--identity", identity, "--identity_provider", issuer),
            *("--trust_config", self.config(root)),
        )
        assert ("Verification succeeded" in done.stdout) is (done.returncode == 0)
        program = shutil.which("node")
        assert program
        script = subprocess.run(
            [program, "verify.mjs", signature, trusted, identity, issuer],
            cwd=self.modules,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (script.stdout == "verified\n") is (script.returncode == 0)
        by = keyless.signatory(Known(identity=identity, issuer=issuer, root=root))
        ours = problem(data, by) == ""
        return done.returncode == 0, script.returncode == 0, ours


def problem(data: bytes, by: Signatory) -> str:
    """Return what airlift finds wrong with a signature of the model."""
    return attestation.judge(model(FILES), entry(data, by), data).problem


@pytest.fixture(name="stock")
def _stock(environments: Path, tmp_path: Path) -> Stock:
    modules = tmp_path / "js"
    modules.mkdir()
    made = venvs.node(environments, *VERIFY)
    (modules / "node_modules").symlink_to(made / "node_modules")
    (modules / "verify.mjs").write_text(_CHECK)
    for path, data in FILES.items():
        target = tmp_path / "tiny" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return Stock(venvs.make(environments, *STOCK), modules, tmp_path)


ALL, NONE = (True,) * 3, (False,) * 3


def test_everybody_takes_what_the_sigstore_of_these_tests_makes(stock: Stock) -> None:
    """Of a person and of a workflow: so the rest of the suite is about real bundles."""
    world = Sigstore()
    root = world.root()
    for who in (IDENTITY, FLOW):
        data = world.model(model(FILES), who=Who(identity=who))
        assert stock.verdicts(data, root, who, ISSUER) == ALL


def test_everybody_refuses_what_is_wrong_in_one_way(stock: Stock) -> None:
    """Another identity, issuer or root; nothing of the certificate's log; too late."""
    world, other = Sigstore(), Sigstore()
    root, one = world.root(), model(FILES)
    good = world.model(one)
    assert stock.verdicts(good, root, "mallory@acme.example", ISSUER) == NONE
    assert stock.verdicts(good, root, IDENTITY, "https://other.example") == NONE
    assert stock.verdicts(good, other.root(), IDENTITY, ISSUER) == NONE
    ctlogs = {**root, "ctlogs": other.root()["ctlogs"]}
    assert stock.verdicts(good, ctlogs, IDENTITY, ISSUER) == NONE
    late = world.model(one, logged=SIGNED.replace(hour=13))
    assert stock.verdicts(late, root, IDENTITY, ISSUER) == NONE
    told = json.loads(good)
    (logged,) = told["verificationMaterial"]["tlogEntries"]
    logged["integratedTime"] = str(int(logged["integratedTime"]) + 1)
    moved = json.dumps(told).encode()
    assert stock.verdicts(moved, root, IDENTITY, ISSUER) == NONE
    (stock.folder / "tiny" / "config.json").write_bytes(b"[]\n")
    reference, _, _ = stock.verdicts(good, root, IDENTITY, ISSUER)
    assert not reference


def test_a_log_that_was_given_up_is_believed_by_the_reference_alone(
    stock: Stock,
) -> None:
    """JavaScript's verifier and airlift ask when a key was in force."""
    world = Sigstore()
    root = copy.deepcopy(world.root())
    root["tlogs"][0]["publicKey"]["validFor"]["end"] = "2026-02-28T00:00:00Z"
    data = world.model(model(FILES))
    assert stock.verdicts(data, root, IDENTITY, ISSUER) == (True, False, False)


@contextlib.contextmanager
def _authorities(environments: Path, folder: Path) -> Iterator[tuple[int, Any]]:
    """Run the authorities of the Sigstore project; their port, and the trust root."""
    made = venvs.node(environments, *MOCK)
    home = folder / "world"
    home.mkdir()
    (home / "node_modules").symlink_to(made / "node_modules")
    (home / "world.mjs").write_text(_WORLD)
    program = shutil.which("node")
    assert program
    with subprocess.Popen(
        [program, "world.mjs"], cwd=home, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            told = json.loads(process.stdout.readline())
            yield told["port"], told["root"]
        finally:
            process.terminate()


def _token() -> str:
    """Return what an identity provider would say of a workflow."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": FLOW, "aud": "sigstore"}
    times = {"iat": now - 5, "nbf": now - 5, "exp": now + 600}
    parts = ({"alg": "ES256", "typ": "JWT"}, {**claims, **times})
    coded = [json.dumps(one).encode() for one in parts] + [b"not looked at"]
    return ".".join(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in coded)


def test_airlift_takes_what_the_reference_signs_through_sigstore(
    stock: Stock, environments: Path
) -> None:
    """The whole protocol: a token, a certificate, its promise, the log, the bundle."""
    with _authorities(environments, stock.folder) as (port, root):
        path = stock.folder / "theirs.sig"
        done = stock.reference(
            *("sign", "sigstore", stock.folder / "tiny", "--signature", path),
            *("--identity_token", _token()),
            *("--trust_config", stock.config(root, port)),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    data = path.read_bytes()
    assert stock.verdicts(data, root, FLOW, ISSUER) == ALL
    assert stock.verdicts(data, root, IDENTITY, ISSUER) == NONE
    by = keyless.signatory(Known(identity=FLOW, issuer=ISSUER, root=root))
    found = attestation.judge(model(FILES), entry(data, by), data)
    (who,) = found.by
    assert who.startswith(f"{FLOW} (known to {ISSUER}; logged ")
    assert who.endswith(" by https://rekor.mock)")
