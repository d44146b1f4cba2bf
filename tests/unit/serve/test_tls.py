"""TLS: what the server speaks, its certificates, and those of clients."""

import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from airlift.errors import FormatError, RequestError, TrustError
from airlift.serve.access import authority, tls
from airlift.serve.access.authority import Authority
from airlift.serve.access.credentials import Proof
from airlift.serve.access.tls import TlsFiles
from airlift.serve.http.settings import ServeSettings
from guarded import Door, bearer
from served import SMALL, SMALL_PATH, World, serving, small_world
from wire import clock

PHRASE = "five words make a phrase"


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site's authority, made once: its passphrase costs a second."""
    folder = tmp_path_factory.mktemp("tls")
    authority.create(folder, below=[], passphrase=PHRASE, now=clock())
    return folder


@pytest.fixture(name="site_ca", scope="module")
def _site_ca(folder: Path) -> Authority:
    return authority.unlock(folder, PHRASE)


def issued(
    folder: Path, ca: Authority, *names: str, now: str = "", days: int = 30
) -> TlsFiles:
    """Write a server's certificate and key to *folder*; return them as files."""
    path = folder / "server.pem"
    path.write_bytes(ca.server(names or ["localhost"], now=now or clock(), days=days))
    path.chmod(0o600)
    return TlsFiles(certificate=path)


def get(world: World, trusting: ssl.SSLContext) -> bytes:
    """Return the small file as a client of ``localhost`` gets it."""
    port = int(world.url.rsplit(":", 1)[1])
    link = http.client.HTTPSConnection("localhost", port, context=trusting, timeout=10)
    try:
        link.request("GET", SMALL_PATH)
        return link.getresponse().read()
    finally:
        link.close()


def trust(folder: Path) -> ssl.SSLContext:
    """Return what a client has that was given the site's certificate."""
    return ssl.create_default_context(cafile=str(folder / authority.CERTIFICATE))


# --- certificates ------------------------------------------------------------------------


def test_strict_clients_accept_what_the_authority_signs(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """OpenSSL's strictest check, which Python 3.13 makes too."""
    files = issued(tmp_path, site_ca, "localhost", "10.1.2.3", "*.plant7.example")
    ca = str(folder / authority.CERTIFICATE)
    check = ["openssl", "verify", "-x509_strict", "-CAfile", ca]
    for purpose, pair in (
        ("sslserver", files.certificate.read_bytes()),
        ("sslclient", site_ca.client("gpu-1", now=clock(), days=30)),
    ):
        path = tmp_path / purpose
        path.write_bytes(pair)
        done = subprocess.run(
            [*check, "-purpose", purpose, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, f"{path}: OK\n"), done.stderr
    with serving(
        small_world(tmp_path), ServeSettings(port=0, tls=files.context())
    ) as w:
        strict = trust(folder)
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        assert get(w, strict) == SMALL


def test_an_authority_for_a_domain_is_worth_nothing_beyond_it(tmp_path: Path) -> None:
    """A stolen key must not speak for every name there is."""
    narrow = authority.create(
        tmp_path, below=["Plant7.example"], passphrase=PHRASE, now=clock()
    )
    narrow.server(["models.plant7.example", "plant7.example"], now=clock(), days=1)
    for name in ("localhost", "evilplant7.example", "example"):
        with pytest.raises(RequestError) as caught:
            narrow.server([name], now=clock(), days=1)
        assert str(caught.value) == f"this site's authority signs nothing for `{name}`"
    # Whoever has the key does not ask us: clients themselves must refuse.
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    forged = tmp_path / "forged.pem"
    forged.write_bytes(narrow._issue("x", names, usage, now=clock(), days=1))
    ca = str(tmp_path / authority.CERTIFICATE)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", ca, str(forged)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "permitted subtree violation" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["", "a b", "https://x", "x:8484", "-x", "*", "a..b"])
def test_what_is_no_name_of_a_server_is_refused(site_ca: Authority, name: str) -> None:
    """A certificate for it would be found out by users."""
    with pytest.raises(RequestError, match="cannot be a server's name"):
        site_ca.server([name], now=clock(), days=1)


def test_the_authority_opens_with_its_passphrase_alone(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """And only with the certificate that clients trust."""
    with pytest.raises(TrustError):
        authority.unlock(folder, "another")
    shutil.copytree(folder, tmp_path / "copy")
    other = site_ca.server(["x"], now=clock(), days=1)
    path = tmp_path / "copy" / authority.CERTIFICATE
    for wrong in (other, b"nothing"):
        path.write_bytes(wrong)
        with pytest.raises(FormatError) as caught:
            authority.unlock(tmp_path / "copy", PHRASE)
        assert str(caught.value) == f"{path} is not the certificate of its key"


# --- the server ---------------------------------------------------------------------------


def test_old_versions_of_tls_are_refused(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """TLS 1.2 and 1.3 are spoken, and HTTP/1.1 is agreed on."""
    context = issued(tmp_path, site_ca).context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    with serving(small_world(tmp_path), ServeSettings(port=0, tls=context)) as world:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = trust(folder)
            client.minimum_version = client.maximum_version = version
            client.set_alpn_protocols(["h2", "http/1.1"])
            with _handshake(world, client) as link:
                assert link.selected_alpn_protocol() == "http/1.1"
        old = trust(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            _handshake(world, old)


def _handshake(world: World, client: ssl.SSLContext) -> ssl.SSLSocket:
    port = int(world.url.rsplit(":", 1)[1])
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    return client.wrap_socket(plain, server_hostname="localhost")


def test_renewed_files_count_for_new_connections(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """A certificate is renewed without a restart; a broken one changes nothing."""
    files = issued(tmp_path, site_ca)
    context = files.context()
    with serving(small_world(tmp_path), ServeSettings(port=0, tls=context)) as world:
        seen = []
        for wanted in ("same", "renewed", "broken"):
            if wanted == "renewed":
                issued(tmp_path, site_ca)
                files.load_into(context)
            elif wanted == "broken":
                files.certificate.write_text("nothing")
                with pytest.raises(RequestError):
                    files.load_into(context)
            with _handshake(world, trust(folder)) as link:
                seen.append(link.getpeercert(binary_form=True))
    assert seen[0] != seen[1] == seen[2]


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("missing", "", "certificate {}: no such file or directory"),
        ("empty", "", "certificate {}: there is no certificate in it"),
        ("folder", "", "certificate {}: is a directory"),
        ("certificate", "", "private key {}: there is no private key in it"),
        ("certificate", "other", "private key {}: it is another certificate's"),
        ("certificate", "locked", "private key {}: it is encrypted"),
        ("certificate", "missing", "private key {}: no such file or directory"),
    ],
)
def test_what_is_wrong_with_the_files_is_said(
    site_ca: Authority, tmp_path: Path, certificate: str, key: str, problem: str
) -> None:
    """Not in the words of a library."""
    pair = site_ca.server(["localhost"], now=clock(), days=1)
    other = site_ca.server(["localhost"], now=clock(), days=1)
    at = pair.index(b"-----BEGIN PRIVATE KEY")
    secret = load_pem_private_key(pair[at:], None)
    locked = secret.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"phrase")
    )
    for name, content in (
        ("empty", b""),
        ("certificate", pair[:at]),
        ("other", other[other.index(b"-----BEGIN PRIVATE KEY") :]),
        ("locked", locked),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    files = TlsFiles(
        certificate=tmp_path / certificate, key=tmp_path / key if key else None
    )
    with pytest.raises(RequestError) as caught:
        files.context()
    told = problem.format(tmp_path / (key or certificate))
    assert str(caught.value) == f"cannot use the {told}"


def test_an_operator_is_warned_before_clients_are(
    site_ca: Authority, tmp_path: Path
) -> None:
    """An end that nears, a name that is missing, a key anybody can read."""
    now = "2026-06-01T12:00:00Z"
    names = frozenset({"a.example", "localhost", "b.a.example"})
    files = issued(tmp_path, site_ca, "localhost", "*.a.example", now=now, days=40)
    assert files.warnings(names, now=now) == (
        "the certificate is not for `a.example`; clients refuse it under that name",
    )
    files.certificate.chmod(0o644)
    assert files.warnings(frozenset(), now="2026-06-15T12:00:00Z") == (
        "the certificate expires in 26 days, on 2026-07-11",
        f"the private key {files.certificate} can be read by every user",
    )
    files.certificate.chmod(0o600)
    assert files.warnings(frozenset(), now="2026-05-01T00:00:00Z") == (
        "the certificate is not valid before 2026-05-31T12:00:00Z",
    )
    with pytest.raises(RequestError) as caught:
        files.warnings(frozenset(), now="2026-07-11T12:00:00Z")
    assert str(caught.value) == (
        f"the certificate {files.certificate} expired on 2026-07-11"
    )


# --- certificates of clients ---------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Mutual:
    """A server that asks clients for certificates, and one client's."""

    world: World
    door: Door
    folder: Path
    pair: Path

    def client(self, *, shows: bool = True) -> ssl.SSLContext:
        """Return what a client speaks, with its certificate or without."""
        context = trust(self.folder)
        if shows:
            context.load_cert_chain(self.pair)
        return context

    def status(self, *, shows: bool = True, field: str = "") -> int:
        """Return what a request for the small file is answered."""
        port = int(self.world.url.rsplit(":", 1)[1])
        context = self.client(shows=shows)
        link = http.client.HTTPSConnection("localhost", port, context=context)
        headers = dict([field.split(": ", 1)]) if field else {}
        try:
            link.request("GET", SMALL_PATH, headers=headers)
            return link.getresponse().status
        finally:
            link.close()


@contextlib.contextmanager
def mutual(
    folder: Path, ca: Authority, home: Path, *, required: bool = False
) -> Iterator[Mutual]:
    """Serve to clients of the site's authority."""
    files = replace(
        issued(home, ca),
        client_ca=folder / authority.CERTIFICATE,
        client_required=required,
    )
    pair, door = home / "client.pem", Door()
    pair.write_bytes(ca.client("gpu-1", now=clock(), days=1))
    access = door.access(required=True)
    settings = ServeSettings(port=0, tls=files.context(), access=access)
    with serving(small_world(home), settings) as world:
        yield Mutual(world=world, door=door, folder=folder, pair=pair)


def test_a_client_is_known_by_its_certificate(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """Hosts of a cluster have one already; nobody hands out tokens."""
    with mutual(folder, site_ca, tmp_path) as site:
        assert site.status() == 401
        site.door.know("gpu", Proof.CERTIFICATE, "CN=gpu-1", "models:org/*")
        assert site.status() == 200
        assert site.status(shows=False) == 401
        callers = [one.get("caller") for one in site.world.entries(3)]
        assert sorted(callers, key=str) == [None, None, "gpu"]
        site.door.revoke("gpu")
        assert site.status() == 401


def test_a_token_counts_beside_a_certificate(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """What is shown on purpose comes before what a host shows to everybody."""
    with mutual(folder, site_ca, tmp_path) as site:
        site.door.know("gpu", Proof.CERTIFICATE, "CN=gpu-1", "models:org/*")
        none = bearer(site.door.token("ci", "wheels:*"))
        assert site.status(field=none) in (403, 404)
        assert site.status(field=bearer("wrong")) == 401


def test_a_certificate_can_be_required(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """Then nothing is answered without one, not even with a refusal."""
    with mutual(folder, site_ca, tmp_path, required=True) as site:
        site.door.know("gpu", Proof.CERTIFICATE, "CN=gpu-1", "*")
        assert site.status() == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.status(shows=False)


def test_a_certificate_of_another_authority_is_none(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """Anybody can write `gpu-1` into a certificate of their own."""
    other = tmp_path / "other"
    evil = authority.create(other, below=[], passphrase=PHRASE, now=clock())
    with mutual(folder, site_ca, tmp_path) as site:
        site.door.know("gpu", Proof.CERTIFICATE, "CN=gpu-1", "*")
        site.pair.write_bytes(evil.client("gpu-1", now=clock(), days=1))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.status()


def test_a_servers_certificate_is_no_clients(
    folder: Path, site_ca: Authority, tmp_path: Path
) -> None:
    """Every server of the site has one, with a name somebody may have allowed."""
    with mutual(folder, site_ca, tmp_path) as site:
        site.door.know("gpu", Proof.CERTIFICATE, "CN=localhost", "*")
        site.pair.write_bytes(site_ca.server(["localhost"], now=clock(), days=1))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.status()


def test_every_identity_in_a_certificate_is_told_apart() -> None:
    """`DNS:x` is given by whoever may name hosts, `CN=x` by whoever names people."""
    told = {
        "subject": ((("countryName", "DE"),), (("commonName", "gpu-1"),)),
        "subjectAltName": (("DNS", "gpu-1"), ("URI", "spiffe://a/b"), ("email", "a@b")),
    }
    assert tls.identities(told) == (
        *("DNS:gpu-1", "URI:spiffe://a/b", "email:a@b", "CN=gpu-1"),
    )
    assert tls.identities(None) == tls.identities({}) == ()
