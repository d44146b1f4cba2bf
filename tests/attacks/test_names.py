"""Names from outside: as long, as odd and as much like commands as can be."""

import contextlib
import json
from pathlib import Path

import pytest

from airlift import naming
from airlift.errors import AirliftError, RequestError
from airlift.registry.registry import Registry
from sites import Site

HOSTILE = (
    *(
        "'; DROP TABLE release; --",
        '" OR 1=1 --',
        "x'--",
        "Robert'); DELETE FROM event;",
    ),
    *(
        "%s%s%s%n",
        "{0.__class__}",
        "{self}",
        "${jndi:ldap://x}",
        "$(id)",
        "`id`",
        "%00",
    ),
    *(
        "a\nb",
        "a\r\nb",
        '"}\n{"action":"import"',
        "a\tb",
        "\x1b[2J",
        "\x1b]52;c;eA==\x07",
    ),
    *("\u202etxt.exe", "\u2066x\u2069", "\x9b31m", "\u2028", "\u2029", "\x7f", "\x00"),
    *("*", "?", "_", "%", "\\", "org/%", "org/_odel", "ORG/MODEL", "org/model\u200b"),
    *("-rf", "--help", "../../etc/passwd", "C:\\x", "file:///etc/passwd", " ", ""),
)


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("names"))
    site.model("org/model", b"one")
    return site


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_is_a_statement(site: Site, name: str) -> None:
    """Whatever is asked for by name, the answer is nothing, and nothing changes."""
    before = _rows(site)
    with pytest.raises(RequestError) as caught:
        site.registry.find(name)
    assert caught.value.problem == naming.show(caught.value.problem)
    assert site.registry.releases(name=name) == ()
    assert _rows(site) == before


def _rows(site: Site) -> dict[str, int]:
    tables = ("release", "document", "file", "event", "deny", "generation", "setting")
    with site.registry._database.read() as connection:
        return {
            one: connection.exec_driver_sql(f"SELECT count(*) FROM {one}").scalar_one()
            for one in tables
        }


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_no_name_makes_a_line_of_its_own_in_the_log(tmp_path: Path, name: str) -> None:
    """A forged line would be believed a year later."""
    site = Site(tmp_path)
    held = site.model("org/model", b"one")
    before = len(_lines(site))
    site.registry.pin([held], why=name, now="2026-04-01T00:00:00Z", actor=name)
    lines = _lines(site)
    assert len(lines) == before + 1
    assert (lines[-1]["action"], lines[-1]["actor"]) == ("pin", name)
    assert lines[-1]["subject"] == name
    site.registry.close()


def _lines(site: Site) -> list[dict[str, object]]:
    data = (site.home / "records" / "events.jsonl").read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def test_a_path_is_refused_from_the_documented_length_on() -> None:
    """240 bytes a part, 1,024 in all, 16 parts: at the limit good, beyond it not."""

    def good(path: str) -> bool:
        return not naming.path_problem(path)

    assert [length for length in range(1, 5_000) if good("a" * length)] == list(
        range(1, 241)
    )
    assert [n for n in range(1, 40) if good("/".join("a" * n))] == list(range(1, 17))
    parts = ["b" * 200] * 5
    wide = [n for n in range(1, 400) if good("/".join([*parts, "c" * n]))]
    assert wide == list(range(1, 1_024 - 5 * 201 + 1))
    assert [n for n in range(1, 200) if good("\u00e9" * n)] == list(range(1, 121))


def test_every_hostile_name_is_shown_on_one_line() -> None:
    """What is printed is one line of characters that do nothing."""
    for name in HOSTILE:
        shown = naming.show(name)
        assert shown.isprintable() or shown == ""
        assert "\n" not in shown


def test_a_registry_opens_after_all_of_that(site: Site) -> None:
    """Nothing that was asked for has left a mark."""
    with contextlib.closing(Registry.open(site.home)) as registry:
        try:
            found = registry.find("org/model")
        except AirliftError as error:  # pragma: no cover - says what went wrong
            pytest.fail(str(error))
        assert found.release.name == "org/model"
