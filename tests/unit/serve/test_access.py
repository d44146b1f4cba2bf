"""Who may have what of a running server."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airlift.artifact import Kind
from airlift.digest import sha256
from airlift.serve.access import credentials
from airlift.serve.access.control import Admitted
from airlift.serve.access.credentials import Proof
from airlift.serve.access.ollama_key import parse_key
from airlift.serve.dialect import Request
from airlift.serve.http.settings import ServeSettings
from guarded import Door, basic, bearer
from served import World, serving
from shelves import MemoryShelf, cargo
from wire import Got, ask

COMMIT = "c" * 40
OPEN = "/open/m/resolve/main/config.json"
ACME = "/acme/m/resolve/main/config.json"
OTHER = "/other/m/resolve/main/config.json"
WHEEL = "foo-1.0-py3-none-any.whl"
SECRET = b'{"acme": "only for those who may"}\n'
CONTENTS = {OPEN: b'{"open": 1}\n', ACME: SECRET, OTHER: b'{"other": 1}\n'}


def shelf(folder: Path) -> MemoryShelf:
    """Return three models of three owners, a data set and wheels."""
    models = [
        cargo(
            Kind.MODEL,
            path.split("/resolve")[0].strip("/"),
            {"config.json": body},
            revision=COMMIT,
        )
        for path, body in CONTENTS.items()
    ]
    data = cargo(Kind.DATASET, "acme/d", {"a.txt": b"a"}, revision=COMMIT)
    wheels = cargo(Kind.WHEELS, "tools", {WHEEL: b"wheel"})
    return MemoryShelf(folder, [*models, data, wheels])


@pytest.fixture(name="door")
def _door() -> Door:
    return Door()


@pytest.fixture(name="site")
def _site(tmp_path: Path, door: Door) -> Iterator[World]:
    """A server whose access control is off until *door* knows somebody."""
    settings = ServeSettings(port=0, access=door.access())
    with serving(shelf(tmp_path), settings) as running:
        yield running


def seen(site: World, *fields: str) -> set[str]:
    """Return which of the three models' files a caller gets."""
    return {path for path in CONTENTS if ask(site.url, path, *fields).status == 200}


# --- off and on ---------------------------------------------------------------------------


def test_without_a_credential_everybody_has_everything(site: World) -> None:
    """Clients send the token of the public hub everywhere; it must not matter then."""
    assert seen(site) == set(CONTENTS)
    assert seen(site, bearer("hf_" + "a" * 34)) == set(CONTENTS)
    assert seen(site, "Authorization: nonsense") == set(CONTENTS)
    assert ask(site.url, "/token").status == 404


def test_the_first_credential_closes_the_server_at_once(
    site: World, door: Door
) -> None:
    """Nobody has to restart a server to lock it."""
    token = door.token("ci", "models:acme/*")
    assert seen(site) == set()
    assert seen(site, bearer(token)) == {ACME}


def test_revoking_the_last_credential_opens_nothing(site: World, door: Door) -> None:
    """To take a right away never gives one."""
    token = door.token("ci", "*")
    assert seen(site, bearer(token)) == set(CONTENTS)
    door.revoke("ci")
    assert seen(site, bearer(token)) == seen(site) == set()


def test_a_token_can_be_required_before_one_is_made(tmp_path: Path, door: Door) -> None:
    """A unit file that says so is right from the first boot on."""
    settings = ServeSettings(port=0, access=door.access(required=True))
    with serving(shelf(tmp_path), settings) as site:
        assert seen(site) == set()
        assert seen(site, bearer(door.token("ci", "models:open/*"))) == {OPEN}


# --- what is shown -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [
        bearer,
        lambda token: f"authorization: bearer {token}",
        lambda token: basic("anybody", token),
        lambda token: basic(token, ""),
        lambda token: basic("", token),
        lambda token: basic(token, "x-oauth-basic"),
    ],
    ids=["bearer", "lower-case", "password", "user", "no-user", "user-and-password"],
)
def test_a_token_counts_wherever_clients_put_it(
    site: World, door: Door, field: Callable[[str], str]
) -> None:
    """Bearer: hub clients. Basic: pip, uv, container tools, browsers."""
    assert seen(site, field(door.token("ci", "models:acme/*"))) == {ACME}


def refused(got: Got) -> str:
    """Return what a client that is not let in is told."""
    assert got.status == 401
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["www-authenticate"] == 'Basic realm="airlift", charset="UTF-8"'
    told = got.headers["x-error-message"]
    assert got.body == f"{told}\n".encode()
    return told


UNKNOWN = "this token is not known here"


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (bearer("hf_" + "a" * 40), UNKNOWN),
        (bearer(""), UNKNOWN),
        (bearer("hf_short"), UNKNOWN),
        (bearer("x" * 4000), UNKNOWN),
        (bearer(f"{'0' * 32}.99999999999.{'0' * 64}"), UNKNOWN),
        (basic("user", "password"), UNKNOWN),
        ("Authorization: Basic !!!", UNKNOWN),
        ("Authorization: Basic /////w==", UNKNOWN),
        (
            "Authorization: Negotiate abc",
            "the authorization field has neither a token nor a password",
        ),
        (
            "Authorization: x",
            "the authorization field has neither a token nor a password",
        ),
    ],
)
def test_what_is_shown_and_not_known_is_refused(
    site: World, door: Door, field: str, problem: str
) -> None:
    """Never taken for nobody: half of a user's models would be missing in silence."""
    door.open("models:open/*")
    assert refused(ask(site.url, OPEN, field)) == problem
    assert ask(site.url, OPEN).status == 200
    assert {one.get("problem") for one in site.entries(2)} == {problem, None}


def test_a_token_ends_when_it_expires_and_says_so(site: World, door: Door) -> None:
    """The user must learn that it is time for another one."""
    token = door.token("ci", "*", expires="2026-06-30T23:59:59Z")
    door.now = "2026-06-30T23:59:58Z"
    assert seen(site, bearer(token)) == set(CONTENTS)
    door.now = "2026-06-30T23:59:59Z"
    told = refused(ask(site.url, OPEN, bearer(token)))
    assert told == "`ci` expired on 2026-06-30"


def test_a_revoked_token_ends_at_once_and_says_so(site: World, door: Door) -> None:
    """A laptop is lost: the next request must fail."""
    token = door.token("ci", "*")
    door.revoke("ci")
    assert refused(ask(site.url, OPEN, bearer(token))) == (
        "`ci` was revoked on 2026-06-01"
    )


def test_two_authorization_fields_are_refused(site: World, door: Door) -> None:
    """A proxy and this server could each believe another one."""
    fields = [bearer(door.token(name, "*")) for name in ("one", "two")]
    got = ask(site.url, OPEN, *fields)
    assert (got.status, got.body) == (400, b"there is more than one Authorization\n")


@pytest.mark.parametrize("path", ["/api/agent-harnesses", "/healthz"])
def test_open_paths_answer_whatever_is_shown(
    site: World, door: Door, path: str
) -> None:
    """Every process of newer hub clients asks; monitors know no token."""
    door.token("ci", "*")
    for fields in ([], [bearer("wrong")]):
        assert ask(site.url, path, *fields).status == 200


# --- what may be had ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "expected"),
    [
        (["*"], {OPEN, ACME, OTHER}),
        (["models:*"], {OPEN, ACME, OTHER}),
        (["models:acme/*"], {ACME}),
        (["models:ACME/M"], {ACME}),
        (["models:?cme/m"], {ACME}),
        (["models:acme"], set()),
        (["models:acme/[m]"], set()),
        (["models:acme/*", "models:other/m"], {ACME, OTHER}),
        (["datasets:*"], set()),
        (["wheels:*"], set()),
        (["metrics"], set()),
    ],
)
def test_a_scope_covers_what_it_names(
    site: World, door: Door, allow: list[str], expected: set[str]
) -> None:
    """By kind and name, ignoring case, and nothing beside."""
    assert seen(site, bearer(door.token("ci", *allow))) == expected


def test_what_is_open_to_anyone_is_open_to_whoever_shows_a_token(
    site: World, door: Door
) -> None:
    """A token may not take away what nobody needs one for."""
    door.open("models:open/*")
    token = door.token("ci", "models:acme/*")
    assert seen(site) == {OPEN}
    assert seen(site, bearer(token)) == {OPEN, ACME}


def test_lists_show_what_may_be_had_and_no_more(site: World, door: Door) -> None:
    """The name of a project can be a secret."""
    acme = bearer(door.token("ci", "models:acme/*", "datasets:*"))
    tools = bearer(door.token("build", "wheels:tools"))
    listed = [one["id"] for one in json.loads(ask(site.url, "/api/models", acme).body)]
    assert listed == ["acme/m"]
    index = "/simple/"
    assert b"foo" not in ask(site.url, index, acme).body
    assert b"foo" in ask(site.url, index, tools).body
    assert json.loads(ask(site.url, "/api/models", tools).body) == []
    path = f"/simple/-/files/{sha256(b'wheel')}/{WHEEL}"
    assert ask(site.url, path, tools).body == b"wheel"
    assert ask(site.url, path, acme).status in (403, 404)


def test_a_shared_cache_is_told_not_to_keep_what_needs_a_token(
    site: World, door: Door
) -> None:
    """It would hand it to the next caller, who has none."""
    path = f"/simple/-/files/{sha256(b'wheel')}/{WHEEL}"
    before = ask(site.url, path).headers["cache-control"]
    assert before == "public, max-age=31536000, immutable"
    field = bearer(door.token("ci", "*"))
    after = ask(site.url, path, field).headers["cache-control"]
    assert after == "private, max-age=31536000, immutable"


def test_one_caller_never_sees_what_was_made_for_another(
    site: World, door: Door
) -> None:
    """Dialects keep what they worked out; it must be of the same shelf."""
    fields = {
        one: bearer(door.token(one, f"wheels:{one}")) for one in ("tools", "other")
    }
    for _ in range(3):
        assert b"foo" in ask(site.url, "/simple/", fields["tools"]).body
        assert b"foo" not in ask(site.url, "/simple/", fields["other"]).body


def test_what_becomes_live_is_seen_through_a_scope_at_once(
    site: World, door: Door
) -> None:
    """And what is withdrawn is gone at once."""
    field = bearer(door.token("ci", "models:late/*"))
    late = "/late/m/resolve/main/x"
    assert ask(site.url, late, field).status == 404
    site.shelf.add(cargo(Kind.MODEL, "late/m", {"x": b"x"}, revision=COMMIT))
    assert ask(site.url, late, field).body == b"x"
    site.shelf.drop("late/m")
    assert ask(site.url, late, field).status == 404


# --- bearers --------------------------------------------------------------------------------


def test_a_credential_buys_a_bearer_for_an_hour(site: World, door: Door) -> None:
    """Container tools send it instead of the password."""
    token = door.token("ci", "models:acme/*")
    got = ask(site.url, "/token?service=x&scope=repository:a:pull", basic("ci", token))
    told = json.loads(got.body)
    assert (got.status, got.headers["cache-control"]) == (200, "no-store")
    assert told["token"] == told["access_token"]
    assert (told["expires_in"], told["issued_at"]) == (3600, door.now)
    assert token not in got.body.decode()
    assert seen(site, bearer(told["token"])) == {ACME}
    door.now = "2026-06-01T12:59:59Z"
    assert seen(site, bearer(told["token"])) == {ACME}
    door.now = "2026-06-01T13:00:00Z"
    expired = "what this server signed has expired; ask for it again"
    assert refused(ask(site.url, ACME, bearer(told["token"]))) == expired


def test_a_bearer_ends_with_its_credential(site: World, door: Door) -> None:
    """An hour is long when something was stolen."""
    token = door.token("ci", "models:acme/*")
    bought = json.loads(ask(site.url, "/token", bearer(token)).body)["token"]
    door.revoke("ci")
    told = refused(ask(site.url, ACME, bearer(bought)))
    assert told == "`ci` was revoked on 2026-06-01"


def test_a_form_buys_a_bearer_too(site: World, door: Door) -> None:
    """Containerd asks by POST first."""
    token = door.token("ci", "models:acme/*")
    form = f"grant_type=password&username=ci&password={token}".encode()
    got = ask(site.url, "/token", method="POST", body=form)
    assert seen(site, bearer(json.loads(got.body)["access_token"])) == {ACME}
    for bad in (b"grant_type=password&password=x", b"\xff", b"a=1&" * 99, b"x=1"):
        assert ask(site.url, "/token", method="POST", body=bad).status == 401


def test_whoever_shows_nothing_gets_a_bearer_for_what_is_open(
    site: World, door: Door
) -> None:
    """Container tools ask for one before they ask for anything."""
    door.token("ci", "*")
    assert refused(ask(site.url, "/token")) == "sign in with a token"
    door.open("models:open/*")
    bought = json.loads(ask(site.url, "/token").body)["token"]
    assert seen(site, bearer(bought)) == {OPEN}


@pytest.mark.parametrize("at", [0, 40, 60, -1])
def test_a_bearer_that_was_changed_is_refused(site: World, door: Door, at: int) -> None:
    """Neither whom it stands for nor its end can be rewritten."""
    field = bearer(door.token("ci", "models:acme/*"))
    bought = list(json.loads(ask(site.url, "/token", field).body)["token"])
    bought[at] = "1" if bought[at] != "1" else "2"
    assert refused(ask(site.url, ACME, bearer("".join(bought)))) == UNKNOWN


def test_v2_paths_are_challenged_in_their_own_words(site: World, door: Door) -> None:
    """Container tools and Ollama look for the realm there, on the host they asked."""
    door.token("ci", "*")
    got = ask(site.url, "/v2/a/b/manifests/latest", bearer("wrong"))
    assert got.status == 401
    host = site.url.removeprefix("http://")
    assert got.headers["www-authenticate"] == (
        f'Bearer realm="http://{host}/token",service="{host}"'
    )
    assert json.loads(got.body) == {
        "errors": [{"code": "UNAUTHORIZED", "message": UNKNOWN, "detail": None}]
    }


# --- signed paths ---------------------------------------------------------------------------


def signed(site: World, door: Door, path: str, token: str) -> str:
    """Return *path* as a dialect would sign it for whoever shows *token*."""
    headers = {"authorization": f"Bearer {token}"}
    request = Request(method="GET", path=path, headers=headers)
    admitted = door.access().admit(request, site.shelf)
    assert isinstance(admitted, Admitted)
    return admitted.request.sign(path)


def test_a_signed_path_is_answered_without_a_credential(
    site: World, door: Door
) -> None:
    """Ollama fetches the parts of a model without one."""
    token = door.token("ci", "models:acme/*")
    path = signed(site, door, ACME, token)
    assert path.startswith(f"{ACME}?sig=")
    assert token not in path
    for method in ("GET", "HEAD"):
        assert ask(site.url, path, method=method).status == 200
    part = ask(site.url, path, "Range: bytes=1-4")
    assert (part.status, part.body) == (206, SECRET[1:5])


def test_a_signed_path_holds_for_a_day_and_while_its_credential_does(
    site: World, door: Door
) -> None:
    """A large model takes hours; a stolen laptop's paths must end with its token."""
    path = signed(site, door, ACME, door.token("ci", "models:acme/*"))
    door.now = "2026-06-02T11:59:59Z"
    assert ask(site.url, path).status == 200
    door.now = "2026-06-02T12:00:00Z"
    assert refused(ask(site.url, path)) == (
        "what this server signed has expired; ask for it again"
    )
    door.now = "2026-06-01T12:00:00Z"
    door.revoke("ci")
    assert refused(ask(site.url, path)) == "`ci` was revoked on 2026-06-01"


def test_a_signature_is_for_one_path_one_server_and_no_bearer(
    site: World, door: Door
) -> None:
    """What was signed for one thing must not fetch another."""
    path = signed(site, door, ACME, door.token("ci", "*"))
    seal = path.partition("?sig=")[2]
    wrong = "the signature of this address is not right"
    for other in (OPEN, ACME.replace("acme", "%61cme"), f"{ACME}/", "/simple/"):
        assert refused(ask(site.url, f"{other}?sig={seal}")) == wrong
    for bad in (seal[:-1], f"{seal}0", seal.upper(), "x", f"0{seal}"):
        assert refused(ask(site.url, f"{ACME}?sig={bad}")) == wrong
    assert refused(ask(site.url, path, method="POST")) == wrong
    assert refused(ask(site.url, ACME, bearer(seal))) == UNKNOWN
    door.rename_key()
    assert refused(ask(site.url, path)) == wrong


def test_a_path_is_signed_for_what_its_caller_may_have(site: World, door: Door) -> None:
    """A signature says who, and never more than they may."""
    path = signed(site, door, OTHER, door.token("ci", "models:acme/*"))
    assert ask(site.url, path).status in (403, 404)


def test_paths_are_not_signed_where_nobody_needs_it(site: World, door: Door) -> None:
    """Without access control, and for what is open, a path is as it was."""
    request = Request(method="GET", path=OPEN)
    admitted = door.access().admit(request, site.shelf)
    assert isinstance(admitted, Admitted)
    assert admitted.request.sign("/x") == "/x"
    door.open("models:open/*")
    admitted = door.access().admit(request, site.shelf)
    assert isinstance(admitted, Admitted)
    assert admitted.request.sign("/x") == "/x"


# --- Ollama hosts ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Host:
    """An Ollama host: it makes a key once and signs requests for tokens with it."""

    secret: Ed25519PrivateKey

    @property
    def line(self) -> str:
        """Its ``id_ed25519.pub``, as ``ssh-keygen`` would write it."""
        public = self.secret.public_key()
        kind = (Encoding.OpenSSH, PublicFormat.OpenSSH)
        return public.public_bytes(*kind).decode() + " ollama@host\n"

    def ask(self, url: str, *, at: int, nonce: str) -> Got:
        """Ask *url* for a token as Ollama does."""
        query = f"nonce={nonce}&scope=repository%3Aa%2Fb%3Apull&service=s&ts={at}"
        nothing = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        data = f"GET,{url}/token?{query},{nothing}"
        made = base64.b64encode(self.secret.sign(data.encode())).decode()
        return ask(
            url, f"/token?{query}", f"Authorization: {self.line.split()[1]}:{made}"
        )


@pytest.fixture(name="host")
def _host() -> Host:
    return Host(secret=Ed25519PrivateKey.generate())


AT = 1780315200
"""The clock of ``guarded.NOW`` in seconds since 1970."""


def test_an_ollama_host_signs_in_with_its_key(
    site: World, door: Door, host: Host
) -> None:
    """Nobody types a password on a GPU host."""
    mark = parse_key(host.line).text
    door.know("gpu-1", Proof.OLLAMA_KEY, mark, "models:acme/*")
    bought = json.loads(host.ask(site.url, at=AT, nonce="a").body)["token"]
    assert seen(site, bearer(bought)) == {ACME}
    assert {entry["caller"] for entry in site.entries(4)} == {"gpu-1"}


def test_an_ollama_signature_counts_once_and_while_it_is_fresh(
    site: World, door: Door, host: Host
) -> None:
    """Whoever saw it on the wire must not be able to use it."""
    mark = parse_key(host.line).text
    door.know("gpu-1", Proof.OLLAMA_KEY, mark, "models:acme/*")
    assert host.ask(site.url, at=AT, nonce="a").status == 200
    replayed = "this signature was used before; sign in again"
    assert refused(host.ask(site.url, at=AT, nonce="a")) == replayed
    assert host.ask(site.url, at=AT + 300, nonce="b").status == 200
    for away in (301, -301):
        told = refused(host.ask(site.url, at=AT + away, nonce=f"c{away}"))
        assert told == f"the clock of this Ollama host is {away} seconds off"
    door.revoke("gpu-1")
    told = refused(host.ask(site.url, at=AT, nonce="d"))
    assert told == "`gpu-1` was revoked on 2026-06-01"


def test_an_unknown_ollama_host_is_told_its_fingerprint(
    site: World, door: Door, host: Host
) -> None:
    """The operator finds it in the log and adds the right key."""
    door.token("ci", "*")
    told = refused(host.ask(site.url, at=AT, nonce="a"))
    shown = parse_key(host.line).fingerprint
    assert told == f"the key {shown} of this Ollama host is not known here"
    bad = ask(site.url, f"/token?ts={AT}&nonce=a", "Authorization: YQ==:YQ==")
    assert refused(bad) == "the signature of this Ollama host is not right"


# --- what may never be seen ---------------------------------------------------------------


PLACES = (ACME, "/token", "/v2/", "/api/whoami-v2", "/nowhere", "/")


def test_no_token_is_ever_logged_answered_or_shown(site: World, door: Door) -> None:
    """Logs are read by many, and kept for years."""
    good, bad = door.token("ci", "models:acme/*"), "hf_" + "CANARY" * 8
    answers = []
    for token in (good, bad):
        for field in (
            bearer(token),
            basic("u", token),
            basic(token, ""),
            f"Authorization: {token}",
            f"X: {token}",
            f"Cookie: {token}",
            f"Range: bytes={token}",
            f"Content-Length: {token}",
            f"Host: {token}",
        ):
            answers += [
                ask(site.url, f"{path}?token={token}", field) for path in PLACES
            ]
        form = f"password={token}".encode()
        answers.append(ask(site.url, "/token", method="POST", body=form))
        request = Request(
            method="GET", path="/", headers={"authorization": token}, body=form
        )
        assert token not in repr(request)
    assert door.register is not None
    secrets = (good, bad, door.register.key.hex(), repr(door.register.key))
    kept = credentials.encode(door.register).decode()
    assert good not in kept
    shown = site.log.getvalue() + repr(door.register)
    for got in answers:
        # A host's name is shown to whoever sent it, so that it can be allowed.
        if got.status != 421:
            shown += repr(got.headers) + got.body.decode("utf-8", "replace")
    assert len(answers) == 110
    found = [one for one in secrets if one in shown]
    assert found == []


def test_the_log_says_who_asked(site: World, door: Door) -> None:
    """By the name the operator gave."""
    door.open("models:open/*")
    ask(site.url, ACME, bearer(door.token("ci", "*")))
    ask(site.url, OPEN)
    first, second = site.entries(2)
    assert first["caller"] == "ci"
    assert "caller" not in second
