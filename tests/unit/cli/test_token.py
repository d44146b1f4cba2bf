"""``airlift token``."""

import hashlib
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from airlift.cli import config, main
from airlift.registry.registry import Registry
from airlift.serve.access.credentials import Proof, mark_of
from airlift.serve.access.file import AccessFile
from commands import Shell

ON = "airlift: access control is on now: others need a token, a key or a grant\n"
TODAY = config.now()[:10]


def known(run: Shell) -> list[Any]:
    """Return what ``airlift token list --json`` tells."""
    found: list[Any] = run.good("token", "list", "--json").json["credentials"]
    return found


def test_a_token_is_printed_once_and_kept_as_its_hash(run: Shell) -> None:
    """Standard output is the token alone, so that a script can catch it."""
    done = run.good("token", "create", "ci", "--allow", "models:acme/*")
    token = done.out.strip()
    assert re.fullmatch(r"hf_[A-Za-z0-9]{40}", token)
    assert done.err == (
        f"{ON}airlift: this is the token of `ci`; it is shown this once\n"
    )
    kept = (run.home / "access" / "credentials.json").read_text()
    assert token not in kept
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    assert token not in run.good("token", "list").out
    assert token not in run.good("token", "list", "--json").out
    again = run.good("token", "create", "cd", "--allow", "*")
    assert again.out.strip() != token
    assert ON not in again.err


def test_who_may_read_is_on_record(run: Shell) -> None:
    """An auditor asks a year later since when a token could read a model."""
    made = run.good("token", "create", "ci", "--allow", "models:acme/*")
    run.good("token", "revoke", "ci")
    with closing(Registry.open(run.home, readonly=True)) as registry:
        told = [one for one in registry.events() if one.action.startswith("token")]
    assert [
        (one.action, one.subject, one.outcome, dict(one.detail)) for one in told
    ] == [
        (
            "token create",
            "ci",
            "done",
            {"shown_as": "token", "allows": "models:acme/*"},
        ),
        ("token revoke", "ci", "done", {}),
    ]
    assert made.out.strip() not in str(told)


def test_the_list_tells_all_but_secrets(run: Shell) -> None:
    """Who may have what, since when, and whether it still counts."""
    off = run.good("token", "list")
    assert (off.out, off.err) == (
        "",
        "airlift: access control is off: whoever reaches the server has everything\n",
    )
    assert run.good("token", "list", "--json").json == {"on": False, "credentials": []}
    run.good("token", "create", "ci", "--allow", "wheels:*", "--allow", "models:a/*")
    run.good("token", "create", "old", "--allow", "*", "--expires", "90d")
    run.good("token", "revoke", "old")
    run.good("token", "add-certificate", "n1", "DNS:n1.example", "--allow", "metrics")
    run.good("token", "anyone", "--allow", "models:open/*", "--expires", "2099-01-31")
    assert run.good("token", "list").lines == [
        "NAME    SHOWN AS     ALLOWS               CREATED     STATE",
        f"ci      token        models:a/* wheels:*  {TODAY}  counts",
        f"old     token        *                    {TODAY}  revoked {TODAY}",
        f"n1      certificate  metrics              {TODAY}  counts",
        f"anyone  none         models:open/*        {TODAY}  until 2099-01-31",
    ]
    shown = known(run)
    assert [one["counts"] for one in shown] == [True, False, True, True]
    assert (shown[2]["identity"], shown[3]["expires"]) == (
        "DNS:n1.example",
        "2099-01-31T23:59:59Z",
    )


def test_the_token_can_be_had_as_json(run: Shell) -> None:
    """With all that is known of it, for programs that hand tokens out."""
    done = run.good("token", "create", "ci", "--allow", "*", "--json")
    token = done.json["token"]
    register = AccessFile(run.home).read()
    assert register is not None
    assert register.find(Proof.TOKEN, mark_of(token)) is not None
    assert done.json["allow"] == ["*"]


def test_an_ollama_host_is_known_by_its_public_key(run: Shell, tmp_path: Path) -> None:
    """The file as Ollama leaves it."""
    public = Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    file = tmp_path / "id_ed25519.pub"
    file.write_bytes(line + b" root@gpu\n")
    run.good("token", "add-key", "gpu", file, "--allow", "ollama:*")
    register = AccessFile(run.home).read()
    assert register is not None
    (found,) = register.credentials
    assert (found.proof, found.mark) == (
        Proof.OLLAMA_KEY,
        line.split()[1].decode(),
    )
    again = run("token", "add-key", "other", file, "--allow", "*")
    assert (again.code, again.err.splitlines()[0]) == (
        2,
        "airlift: error: there is a credential `gpu` already",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create", "ci"], "missing option '--allow'"),
        (["create", "a b", "--allow", "*"], "`a b` cannot be a credential's name"),
        (["create", "ci", "--allow", "all"], "`all` is not a scope"),
        (
            ["create", "anyone", "--allow", "*"],
            "`anyone` is the name of what is granted without a credential",
        ),
        (
            ["create", "ci", "--allow", "*", "--expires", "tomorrow"],
            "`tomorrow` is no day a credential can end on",
        ),
        (
            ["create", "ci", "--allow", "*", "--expires", "2020-01-01"],
            "2020-01-01 is over already",
        ),
        (
            ["create", "ci", "--allow", "*", "--expires", "2099-02-30"],
            "`2099-02-30` is no day a credential can end on",
        ),
        (["revoke", "ci"], "there is no credential `ci` to revoke"),
        (
            ["add-certificate", "n1", "n1", "--allow", "*"],
            "`n1` is not an identity of a certificate",
        ),
        (
            ["add-key", "gpu", "/nowhere/k", "--allow", "*"],
            "there is no public key at `/nowhere/k`",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    run: Shell, arguments: list[str], problem: str
) -> None:
    """Exit code 2, and access control is not switched on by a mistake."""
    done = run("token", *arguments)
    assert (done.code, done.err.splitlines()[0]) == (2, f"airlift: error: {problem}")
    assert AccessFile(run.home).read() is None


def test_no_folder_is_made_for_a_mistyped_home(tmp_path: Path) -> None:
    """A token that a server never hears of would be looked for elsewhere."""
    home = tmp_path / "typo"
    code = main.run(["token", "create", "ci", "--allow", "*", "--home", str(home)])
    assert (code, home.exists()) == (2, False)
