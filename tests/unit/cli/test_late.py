"""``airlift approve --expired``, as people at a site do it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airlift.errors import RequestError, TrustError
from airlift.trust import keys
from airlift.trust.plan import Lives, RolePlan
from authority import CHEAP, SITE, Authority, key
from commands import Done, Shell
from handmade import written

PHRASE = "correct horse battery staple"
PEOPLE = tuple(key(name) for name in ("ann", "bob", "cat"))


class Counter:
    """A site with a medium that came three days too late, and people's keys.

    Args:
        folder: Where everything goes.
        run: Runs commands on the isolated side.
        people: Who approves.
    """

    def __init__(self, folder: Path, run: Shell, people: int = 3) -> None:
        self.run, self.medium = run, folder / "medium"
        self.folder = folder
        then = datetime.now(UTC) - timedelta(days=5)
        made = then.strftime("%Y-%m-%dT%H:%M:%SZ")
        approvers = PEOPLE[:people]
        plan = RolePlan(
            approvers=tuple(one.public for one in approvers),
            approver_threshold=min(2, people),
            dispatchers=(key("dan").public,),
            lives=Lives(timestamp=2),
        )
        side = Authority(
            folder / "side", plan=plan, signers=(*approvers, key("dan")), now=made
        )
        self.digest = ""
        written(side.deliver(now=made), self.medium)
        self.digest = side.publisher.deliveries(SITE)[0].sha256
        (folder / "root.json").write_bytes(side.publisher.root_bytes())
        (folder / "phrase").write_text(f"{PHRASE}\n")
        for one in (*PEOPLE, key("dan")):
            keys.save(folder / "keys", one, PHRASE, cost=CHEAP)
        run.good(
            "trust", "init", "--site", SITE, "--root", folder / "root.json", "--yes"
        )

    def approve(self, name: str) -> Done:
        """Let *name* say that the medium may be taken late."""
        return self.run(
            *("approve", "--expired", self.medium, "--by", name),
            *("--key", self.folder / "keys" / f"{name}.key"),
            *("--passphrase-file", self.folder / "phrase", "--json"),
        )


@pytest.fixture(name="bare")
def _bare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "isolated", capsys)


def test_two_people_take_a_late_delivery(tmp_path: Path, bare: Shell) -> None:
    """Refused, said by whom it can be lifted, lifted by two, and taken."""
    site = Counter(tmp_path, bare)
    refused = bare("import", site.medium, "--yes")
    assert refused.code == TrustError.exit_code
    assert "or 2 of ann, bob, cat `airlift approve --expired` it" in refused.err
    first = site.approve("ann")
    assert first.json["state"] == "more must say so: 2 of ann, bob, cat"
    assert (first.json["what"], first.json["digest"]) == ("expired", site.digest)
    assert bare("import", site.medium, "--yes").code == TrustError.exit_code
    twice = site.approve("ann")
    assert (twice.code, "`ann` approved it on" in twice.err) == (2, True)
    stranger = site.approve("dan")
    assert stranger.code == TrustError.exit_code
    assert "which is not enrolled to approve" in stranger.err
    assert site.approve("bob").json["state"] == "`airlift import` takes it"
    taken = bare.good("import", site.medium, "--yes", "--json").json
    (line,) = taken["deliveries"][0]["warnings"]
    assert line.endswith("it is taken late by the word of ann, bob")


def test_one_person_is_never_asked(tmp_path: Path, bare: Shell) -> None:
    """Where the site knows one person, that one is told at once."""
    site = Counter(tmp_path, bare, people=1)
    done = site.approve("ann")
    assert done.code == RequestError.exit_code
    assert "2 people must say that a delivery may be taken late, this site knows 1" in (
        done.err
    )


def test_a_medium_without_one_delivery_is_refused(tmp_path: Path, bare: Shell) -> None:
    """It must be clear what is approved."""
    site = Counter(tmp_path, bare)
    site.medium = tmp_path / "keys"
    done = site.approve("ann")
    assert done.code == RequestError.exit_code
    assert "0 deliveries are at" in done.err
