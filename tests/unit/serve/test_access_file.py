"""The file with a site's credentials, and what is read from it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlift.artifact import Kind
from airlift.errors import AirliftError, RegistryError, RequestError
from airlift.registry.lock import BusyError
from airlift.serve.access import credentials, scope
from airlift.serve.access.credentials import Credential, Proof, Register
from airlift.serve.access.file import AccessFile
from guarded import NOW, Door
from served import serving, small_world
from wire import ask


def made(name: str = "ci", allow: str = "models:acme/*") -> Credential:
    """Return a credential for a token nobody knows."""
    return Credential(
        name=name,
        proof=Proof.TOKEN,
        mark=credentials.mark_of(credentials.fresh_token()),
        scopes=scope.parse_all([allow]),
        created=NOW,
    )


def write(home: Path, register: Register) -> Path:
    """Keep *register* below *home*; return the file."""
    with AccessFile(home).changing("test") as keep:
        keep(register)
    return home / "access" / "credentials.json"


REGISTER = credentials.fresh_register().add(made())


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    """Every field, by this process and by a server that runs already."""
    server = AccessFile(tmp_path)
    assert server.read() is None
    ended = REGISTER.add(made("other", "*")).revoke("ci", NOW)
    write(tmp_path, ended)
    assert server.read() == AccessFile(tmp_path).read() == ended
    write(tmp_path, REGISTER)
    assert server.read() == REGISTER


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    """The key that paths are signed with is in it."""
    path = write(tmp_path, REGISTER)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (
        0o600,
        0o700,
    )


def test_a_file_others_can_read_is_refused(tmp_path: Path) -> None:
    """A copy put back by hand often is; the key in it is no secret then."""
    path = write(tmp_path, REGISTER)
    path.chmod(0o640)
    with pytest.raises(RegistryError) as caught:
        AccessFile(tmp_path).read()
    assert str(caught.value) == f"{path} can be read by others"
    assert caught.value.hint == f"run `chmod 600 {path}`"


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _link(path: Path) -> None:
    shutil.move(path, path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


def _scope(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"models:acme", b"modelx:acme"))


@pytest.mark.parametrize("damage", [_cut, _empty, _link, _folder, _scope, Path.unlink])
def test_nobody_is_let_in_while_the_file_is_damaged(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """A list that cannot be read must never be taken for no list."""
    path = write(tmp_path, REGISTER)
    held, shelf = AccessFile(tmp_path), tmp_path / "shelf"
    shelf.mkdir()
    door = Door()
    door.read = held.read  # type: ignore[method-assign] # the file instead of memory
    settings = door.settings()
    with serving(small_world(shelf), settings) as site:
        assert ask(site.url, "/api/models").status == 200
        damage(path)
        for _ in range(2):
            got = ask(site.url, "/api/models")
            assert (got.status, got.headers["retry-after"]) == (503, "5")
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        write(tmp_path, REGISTER)
        assert ask(site.url, "/api/models").status == 200
        refusals = [one for one in site.entries(4) if one["status"] == 503]
        assert all(str(path) in str(one["problem"]) for one in refusals)
        assert len(refusals) == 2


@given(at=st.integers(0), bit=st.integers(0, 7))
def test_any_flipped_bit_is_an_error_or_harmless(at: int, bit: int) -> None:
    """What is read is what was written, or is said to be damaged."""
    data = bytearray(credentials.encode(REGISTER))
    data[at % len(data)] ^= 1 << bit
    try:
        found = credentials.decode(bytes(data), name="it")
    except AirliftError:
        return
    # A changed letter can make another name, mark or pattern; never a wider scope
    # of another kind, and never bytes that would not be written this way.
    assert credentials.encode(found) == bytes(data)


def test_two_writers_do_not_lose_each_others_credential(tmp_path: Path) -> None:
    """Two operators make tokens at once: the second is told to wait."""
    one, other = AccessFile(tmp_path), AccessFile(tmp_path)
    with one.changing("token create") as keep:
        with pytest.raises(BusyError, match="`token create`"), other.changing("x"):
            pass
        keep(REGISTER)
    with other.changing("token revoke") as keep:
        found = other.read()
        assert found == REGISTER
        keep(found.add(made("second")))
    again = one.read()
    assert again is not None
    assert [c.name for c in again.credentials] == ["ci", "second"]


# --- credentials -------------------------------------------------------------------------


def test_tokens_are_random_and_of_the_shape_every_client_takes() -> None:
    """llama.cpp drops others; 238 bits are beyond guessing."""
    tokens = [credentials.fresh_token() for _ in range(200)]
    assert len(set(tokens)) == 200
    for token in tokens:
        assert credentials.looks_like_token(token)
        assert (token[:3], len(token), token[3:].isalnum()) == ("hf_", 43, True)
    assert len(set("".join(tokens)[3:])) == 63  # and the underscore


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a b", "a/b", "\u00fc", "a\n", "x" * 65, "a\x1b", "`a"]
)
def test_a_name_can_be_shown_anywhere(name: str) -> None:
    """It goes into logs, headers and error messages."""
    with pytest.raises(RequestError, match="cannot be a credential's name"):
        REGISTER.add(made(name))


def test_a_name_is_used_once_at_a_time() -> None:
    """To revoke one must end the one that is meant."""
    with pytest.raises(RequestError) as caught:
        REGISTER.add(made())
    assert str(caught.value) == "there is a credential `ci` already"
    again = REGISTER.revoke("ci", NOW).add(made())
    assert [bool(one.revoked) for one in again.credentials] == [True, False]
    with pytest.raises(RequestError) as caught:
        REGISTER.revoke("nobody", NOW)
    assert str(caught.value) == "there is no credential `nobody` to revoke"


def test_a_key_that_was_revoked_can_be_known_again() -> None:
    """The same host, its credential made anew: the new one counts."""
    key = Credential(
        name="gpu", proof=Proof.OLLAMA_KEY, mark="k", scopes=scope.ALL, created=NOW
    )
    register = REGISTER.add(key).revoke("gpu", NOW)
    found = register.find(Proof.OLLAMA_KEY, "k")
    assert found is not None
    assert found.revoked
    later = "2026-07-01T00:00:00Z"
    fresh = Credential(
        name="gpu", proof=Proof.OLLAMA_KEY, mark="k", scopes=scope.ALL, created=later
    )
    assert register.add(fresh).find(Proof.OLLAMA_KEY, "k") == fresh


def test_a_mark_of_one_kind_is_none_of_another() -> None:
    """A certificate's name that reads like a token's hash is no token."""
    mark = REGISTER.credentials[0].mark
    assert REGISTER.find(Proof.TOKEN, mark)
    assert REGISTER.find(Proof.CERTIFICATE, mark) is None


# --- scopes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "models", "models:", "model:x", "*:x", "metrics:x", "MODELS:x"),
        *("models:a b", "models:a\n", "everything", "spaces:x", " models:x"),
        "models:" + "a" * 1024,
    ],
)
def test_what_is_no_scope_is_refused(text: str) -> None:
    """A misspelt one that allowed nothing would be found out by users."""
    with pytest.raises(RequestError, match="is not a scope"):
        scope.parse(text)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_word(kind: Kind) -> None:
    """Nothing that is served can only be had with everything."""
    words = ("models", "datasets", "wheels", "ollama", "oci")
    covering = [w for w in words if scope.parse(f"{w}:a/*").covers(kind, "a/b")]
    assert len(covering) == 1
    assert not scope.parse(f"{covering[0]}:a/*").covers(kind, "b/a")


def test_a_pattern_never_takes_long() -> None:
    """Names come from outside; a pattern must not make them expensive."""
    hard = scope.parse("models:" + "*a" * 200 + "*b")
    assert not hard.covers(Kind.MODEL, "a" * 1000)


@given(st.text(max_size=40), st.text(max_size=40))
def test_without_wildcards_a_pattern_is_one_name(pattern: str, name: str) -> None:
    """Brackets, backslashes and dots are letters like any other."""
    plain = "".join(c for c in pattern if c not in "*?")
    one = scope.Scope(word="models", pattern=plain or "x")
    same = (plain or "x").casefold() == name.casefold()
    assert one.covers(Kind.MODEL, name) is same
