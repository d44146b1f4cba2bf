"""The door to the network: exact bytes or airlift's errors, and nobody led astray."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airlift.errors import RequestError, SourceBusyError, SourceError
from airlift.fetch import Door, RangeIgnoredError, RefusedError, Settings
from hubs.faults import Answer, Asked, Fault, Loopback

FILE = bytes(range(256)) * 1024
PUBLIC = "http://93.184.216.34"  # an address that is public; never asked directly
QUICK = Settings(connect_timeout_s=2.0, read_timeout_s=0.3)


FIXED = {
    "file": Answer(200, {}, FILE, "file"),
    "empty": Answer(200, {}, b"", "empty"),
    "json": Answer(200, {"X-Thing": "1"}, b'{"a": [1]}', "json"),
    "page": Answer(200, {}, b"<html>log in</html>"),
    "loop": Answer(302, {"Location": "/loop"}),
    "odd-range": Answer(206, {"Content-Range": "bytes 5-9/10"}, b"56789"),
}


def serve(asked: Asked) -> Answer:
    """Answer as the last part of the path says."""
    name = asked.parts[-1]
    if name == "away":
        return Answer(302, {"Location": asked.query["to"]})
    answer = FIXED.get(name, Answer(404, {"X-Error-Message": "no\x1b[31m such thing"}))
    return replace(answer, headers=dict(answer.headers))


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server that answers as its paths say."""
    with Loopback(serve) as server:
        yield server


@pytest.fixture
def door(server: Loopback) -> Iterator[Door]:
    """A door whose only home is that server."""
    with Door(QUICK, homes=(server.url,)) as door:
        yield door


def taken(door: Door, url: str, start: int = 0, stop: int | None = None) -> bytes:
    """Return what a stream gives in all."""
    with door.stream(url, start, stop) as chunks:
        return b"".join(chunks)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, None), (0, 10), (7, 9), (100_000, None), (262_143, 262_144), (5, 5), (9, 3)],
)
def test_a_range_is_exactly_the_bytes_asked_for(
    server: Loopback, door: Door, start: int, stop: int | None
) -> None:
    """Resumed and parallel downloads are put together from ranges."""
    assert taken(door, f"{server.url}/file", start, stop) == FILE[start:stop]


def test_a_range_past_the_end_gives_what_there_is(server: Loopback, door: Door) -> None:
    """A reader of file heads asks for more than a short file has."""
    assert taken(door, f"{server.url}/file", 262_000, 999_999) == FILE[262_000:]


def test_an_empty_file_is_read_as_empty(server: Loopback, door: Door) -> None:
    """`__init__.py` and `.gitkeep` are files too."""
    assert taken(door, f"{server.url}/empty") == b""


@pytest.mark.parametrize("start", [0, 1000])
def test_a_body_that_breaks_off_is_not_taken_for_a_whole_one(
    server: Loopback, door: Door, start: int
) -> None:
    """A short file that passes for a whole one is the worst a downloader can do."""
    server.faults["file"] = Fault(drop_after=50_000)
    with pytest.raises(SourceBusyError) as caught:
        taken(door, f"{server.url}/file", start)
    assert str(caught.value).startswith(f"the connection to {server.url}/file failed")


def test_the_start_of_a_file_needs_no_ranges(server: Loopback, door: Door) -> None:
    """Plain file servers of a site often know none."""
    server.faults["file"] = Fault(ignore_range=True)
    assert taken(door, f"{server.url}/file", 0, 1000) == FILE[:1000]


def test_a_server_that_ignores_ranges_is_told_apart(
    server: Loopback, door: Door
) -> None:
    """Appending a whole file to half of one makes a wrong file."""
    server.faults["file"] = Fault(ignore_range=True)
    with pytest.raises(RangeIgnoredError) as caught:
        taken(door, f"{server.url}/file", 1000)
    assert str(caught.value) == f"{server.url}/file does not send parts of files"


def test_another_range_than_the_one_asked_for_is_refused(
    server: Loopback, door: Door
) -> None:
    """Bytes at a wrong place are wrong bytes."""
    url = f"{server.url}/odd-range"
    with pytest.raises(SourceError) as caught:
        taken(door, url, 4, 9)
    assert str(caught.value) == f"{url} sent the range `bytes 5-9/10`, not one from 4"


def test_a_coded_body_is_refused(server: Loopback, door: Door) -> None:
    """A gzip body would be stored coded, or unpack to more than memory."""
    server.faults["file"] = Fault(coding="gzip")
    with pytest.raises(SourceError) as caught:
        taken(door, f"{server.url}/file")
    assert str(caught.value) == f"{server.url}/file sends its bytes in a coding, `gzip`"
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_silence_ends_in_a_time_out(server: Loopback, door: Door) -> None:
    """A download must not hang for ever on a dead connection."""
    server.faults["file"] = Fault(pause_s=0.6)
    with pytest.raises(SourceBusyError) as caught:
        taken(door, f"{server.url}/file")
    assert str(caught.value) == f"{server.url}/file sent nothing in time"


def test_a_refusal_has_its_status_headers_and_a_hint(
    server: Loopback, door: Door
) -> None:
    """What upstream says is shown, with its terminal escapes defused."""
    with pytest.raises(RefusedError) as caught:
        door.get(f"{server.url}/none?secret=1")
    error = caught.value
    assert str(error) == (
        f"{server.url}/none answered 404 (not found): no\\x1b[31m such thing"
    )
    assert error.hint == "check the name and the revision; a private one needs a token"
    assert (error.status, error.headers["content-length"]) == (404, "0")


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, (("Retry-After", "7"),), 7.0),
        (429, (("RateLimit", '"api";r=0;t=55'),), 55.0),
        (429, (("RateLimit", '"api";r=3;t=55'),), None),
        (503, (), None),
        (500, (("Retry-After", "soon"),), None),
    ],
)
def test_a_busy_answer_says_how_long_to_wait(
    server: Loopback,
    door: Door,
    status: int,
    headers: tuple[tuple[str, str], ...],
    wait: float | None,
) -> None:
    """Who does not wait as told is blocked for longer."""
    server.faults["file"] = Fault(status=status, headers=headers)
    with pytest.raises(SourceBusyError) as caught:
        door.get(f"{server.url}/file")
    assert caught.value.retry_after_s == wait


def test_a_date_to_wait_for_is_taken_from_the_answers_own_clock(
    server: Loopback, door: Door
) -> None:
    """This host's clock may be wrong, and the library must not read it."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    later = now + dt.timedelta(seconds=100)
    stamp = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.faults["file"] = Fault(status=503, headers=(("Retry-After", stamp),))
    with pytest.raises(SourceBusyError) as caught:
        door.get(f"{server.url}/file")
    assert caught.value.retry_after_s is not None
    assert 97 <= caught.value.retry_after_s <= 101


def test_an_answer_held_in_memory_is_bounded(server: Loopback, door: Door) -> None:
    """An endless answer must not eat the host's memory."""
    with pytest.raises(SourceError) as caught:
        door.get(f"{server.url}/file", limit=1000)
    assert str(caught.value) == f"{server.url}/file sends more than 1000 bytes"


def test_json_is_decoded_and_anything_else_is_named(
    server: Loopback, door: Door
) -> None:
    """A login page of a proxy comes with status 200."""
    assert door.get_json(f"{server.url}/json") == {"a": [1]}
    assert door.get(f"{server.url}/json").headers["x-thing"] == "1"
    with pytest.raises(SourceError) as caught:
        door.get_json(f"{server.url}/page")
    assert str(caught.value) == f"{server.url}/page did not answer with JSON"


def test_redirects_end(server: Loopback, door: Door) -> None:
    """A loop must not run for ever."""
    with pytest.raises(SourceError) as caught:
        door.get(f"{server.url}/loop")
    assert str(caught.value) == f"{server.url}/loop redirects more than 5 times"
    assert len(server.seen) == 6


def test_a_token_does_not_follow_a_redirect_to_another_host(
    server: Loopback, door: Door
) -> None:
    """Whoever can make a hub redirect would collect its users' tokens."""
    with Loopback(serve, host="localhost") as other:
        secret = {"authorization": "Bearer secret", "cookie": "session=secret"}
        door.get(f"{server.url}/away?to={other.url}/json", secret)
        door.get(f"{server.url}/away?to=/json", secret)
    assert [seen.headers.get("authorization") for seen in other.seen] == [None]
    assert [seen.headers.get("cookie") for seen in other.seen] == [None]
    assert [seen.headers.get("authorization") for seen in server.seen] == [
        "Bearer secret"
    ] * 3


def test_credentials_reach_configured_endpoints_only(door: Door) -> None:
    """A lock file may name any host; a token is for its own."""
    with Loopback(serve) as other:
        door.get(f"{other.url}/json", {"authorization": "Bearer secret"})
        assert [seen.headers.get("authorization") for seen in other.seen] == [None]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"],
)
def test_an_inside_address_is_not_asked_for_a_public_endpoint(
    server: Loopback, host: str
) -> None:
    """An index on the internet must not make the exporter ask this network's hosts."""
    url = server.url.replace("127.0.0.1", host)
    with Door(QUICK, homes=(PUBLIC,)) as door, pytest.raises(SourceError) as caught:
        door.get(f"{url}/json")
    assert "an address inside this network" in str(caught.value)
    assert server.seen == []


def test_a_redirect_of_a_public_endpoint_to_an_inside_address_is_refused() -> None:
    """Cloud metadata services give credentials to whoever asks from inside."""

    def lead(_: Asked) -> Answer:
        return Answer(302, {"Location": "http://169.254.169.254/latest/meta-data"})

    with Loopback(lead) as proxy:
        settings = Settings(proxies={"http": proxy.url})
        with Door(settings, homes=(PUBLIC,)) as door, pytest.raises(SourceError) as e:
            door.get(f"{PUBLIC}/file")
        assert str(e.value) == (
            "upstream leads to http://169.254.169.254/latest/meta-data, an address"
            " inside this network"
        )
        assert [seen.path for seen in proxy.seen] == [f"{PUBLIC}/file"]


def test_https_is_never_left_for_http(server: Loopback) -> None:
    """A downgrade lets anyone on the way read and change what is fetched."""
    with (
        Door(QUICK, homes=("https://127.0.0.1:9",)) as door,
        pytest.raises(SourceError) as caught,
    ):
        door.get(f"{server.url}/json")
    assert str(caught.value) == (
        f"upstream leads from https to {server.url}/json, which is not encrypted"
    )
    assert server.seen == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://93.184.216.34/x", "/x"])
def test_only_web_addresses_are_asked(door: Door, url: str) -> None:
    """A redirect to `file:` would carry this host's files into a bundle."""
    with pytest.raises(SourceError):
        door.get(url)


def test_a_proxy_is_used_and_passed_by_as_set(server: Loopback) -> None:
    """Many sites reach the internet only through one."""
    proxied = Settings.from_environment(
        {"HTTP_PROXY": server.url.removeprefix("http://")}
    )
    with Door(proxied, homes=(PUBLIC,)) as door:
        assert door.get_json(f"{PUBLIC}/json") == {"a": [1]}
    assert server.seen[-1].path == f"{PUBLIC}/json"
    around = Settings(proxies={"all": "http://127.0.0.1:9"}, no_proxy=("127.0.0.0/8",))
    with Door(around, homes=(server.url,)) as door:
        assert door.get_json(f"{server.url}/json") == {"a": [1]}


@pytest.mark.parametrize(
    ("entry", "url", "direct"),
    [
        ("*", "https://a.example", True),
        ("example", "https://a.example", True),
        (".example", "https://a.example", True),
        ("*.example", "https://a.example", True),
        ("a.example:443", "https://a.example", True),
        ("a.example:80", "https://a.example", False),
        ("ample", "https://a.example", False),
        ("10.0.0.0/8", "https://10.2.3.4", True),
        ("10.2.3.4", "https://10.2.3.4:8443", True),
        ("10.0.0.0/8", "https://11.2.3.4", False),
    ],
)
def test_no_proxy_means_what_it_means_to_curl(
    entry: str, url: str, *, direct: bool
) -> None:
    """One setting serves all tools of a host."""
    settings = Settings(proxies={"https": "http://proxy:1"}, no_proxy=(entry,))
    assert (settings.proxy_for(httpx2.URL(url)) == "") is direct


def test_settings_come_from_the_usual_variables() -> None:
    """Lower case wins, as in curl; nothing is read but what is passed in."""
    settings = Settings.from_environment(
        {
            "https_proxy": "http://one:1",
            "HTTPS_PROXY": "http://two:2",
            "NO_PROXY": "localhost, .corp",
            "SSL_CERT_FILE": "/etc/site.pem",
            "HF_ENDPOINT": "https://mirror.example/hf/",
        }
    )
    assert settings == Settings(
        proxies={"https": "http://one:1"},
        no_proxy=("localhost", ".corp"),
        ca_file=Path("/etc/site.pem"),
        endpoints={"huggingface": "https://mirror.example/hf"},
    )


def test_a_proxy_that_is_no_web_proxy_is_refused() -> None:
    """SOCKS would need another package; silence would bypass the proxy."""
    with pytest.raises(RequestError) as caught:
        Settings.from_environment({"all_proxy": "socks5://proxy:1080"})
    assert str(caught.value) == (
        "proxy `socks5://proxy:1080` is neither http nor https"
    )


def test_a_sites_own_certificates_are_believed_where_set(tmp_path: Path) -> None:
    """Proxies that inspect TLS sign with a certificate of the site."""
    file = tmp_path / "site.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate(file)
    context.load_cert_chain(file)
    with Loopback(serve, tls=context) as server:
        with Door(QUICK, homes=(server.url,)) as door, pytest.raises(SourceError) as e:
            door.get(f"{server.url}/json")
        assert str(e.value) == (
            f"the certificate of {server.url}/json is not one this host trusts"
        )
        with Door(Settings(ca_file=file), homes=(server.url,)) as door:
            assert door.get_json(f"{server.url}/json") == {"a": [1]}


@pytest.mark.parametrize("home", ["hub.example", "ftp://hub.example", "http://", ""])
def test_an_endpoint_that_is_no_address_is_refused(home: str) -> None:
    """A forgotten `https://` must not end in somebody else's traceback."""
    with pytest.raises(RequestError) as caught:
        Door(QUICK, homes=(home,))
    assert str(caught.value) == f"endpoint `{home}` is not an http or https address"


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """Going on without them would fail later with a message about upstream."""
    missing = tmp_path / "none.pem"
    with pytest.raises(RequestError) as caught:
        Door(Settings(ca_file=missing), homes=())
    assert str(caught.value).startswith(f"cannot read certificates from `{missing}`")


def certificate(file: Path) -> None:
    """Write a key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "site")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
