"""Evidence packs: whole, the same twice, and no change to them goes unseen."""

import dataclasses
import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

import check_pack
from airlift.audit.pack import checking, evidence, html
from airlift.audit.pack.made import Made
from airlift.errors import RequestError
from airlift.format import pack
from airlift.trust import site_key
from audited import World
from evidence import HOSTILE, Audited

ALWAYS = [
    *("CHECK.txt", "DIGESTS", "DIGESTS.sig", "bom.cdx.json", "bom.spdx3.json"),
    *("catalogue.manifest", "findings.sarif", "inventory.jsonl", "keys.json"),
    *("log-checkpoint", "log-slice.jsonl", "report.html", "report.json"),
    "waivers.json",
]


@pytest.fixture(name="audited", scope="module")
def _audited(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    audited = Audited(tmp_path_factory.mktemp("audited"))
    audited.hear()
    with audited.world.site() as site:
        audited.made(site)  # from now on nothing has to be looked into any more
    return audited


@pytest.fixture(name="data", scope="module")
def _data(audited: Audited) -> bytes:
    with audited.world.site() as site:
        return evidence.seal(audited.made(site), audited.key)


@pytest.fixture(name="files")
def _files(data: bytes) -> dict[str, bytes]:
    return pack.decode(data)[1]


def wrong(files: Mapping[str, bytes], audited: Audited) -> list[tuple[str, str]]:
    """Return what the check says is not as it was signed."""
    told = checking.check(files, audited.key.public)
    return [(one.name, one.state) for one in told if not one.is_sound]


def alone(data: bytes, audited: Audited, folder: Path) -> int:
    """Return the exit code of the check that knows nothing of airlift."""
    path = folder / "pack.tar"
    path.write_bytes(data)
    return check_pack.main([str(path), "--key", str(audited.public)])


def test_a_pack_has_every_form_and_what_it_rests_on(files: dict[str, bytes]) -> None:
    """What is missing can be asked for only from the site, which may be gone."""
    assert sorted(files) == ALWAYS


def test_the_same_site_and_time_give_the_same_bytes(
    audited: Audited, data: bytes
) -> None:
    """Whoever doubts a pack makes it again."""
    with audited.world.site() as site:
        assert evidence.seal(audited.made(site), audited.key) == data


def test_a_sound_pack_is_sound_to_both_checks(
    audited: Audited,
    data: bytes,
    files: dict[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One of them was written from the documents alone."""
    assert wrong(files, audited) == []
    assert alone(data, audited, tmp_path) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{len(files)} files, each as it was signed"


def test_a_flipped_byte_is_found_and_named(audited: Audited, data: bytes) -> None:
    """In any file, at its beginning, middle and end."""
    top, sound = pack.decode(data)
    for name, content in sound.items():
        for at in {0, len(content) // 2, len(content) - 1}:
            bad = bytearray(content)
            bad[at] ^= 1
            files = pack.decode(pack.encode(top, {**sound, name: bytes(bad)}))[1]
            found = {one for one, _ in wrong(files, audited)}
            blamed = {pack.SIGNATURE} if name in pack.UNLISTED else {name}
            assert blamed <= found, (name, at)


def test_a_flipped_byte_is_found_without_airlift(
    audited: Audited, data: bytes, tmp_path: Path
) -> None:
    """Anywhere in the tar: headers and padding are in no digest."""
    for at in range(0, len(data), 509):  # prime: every place of a record is met
        bad = bytearray(data)
        bad[at] ^= 1
        assert alone(bytes(bad), audited, tmp_path) == 1, at


@pytest.mark.parametrize("name", ALWAYS)
def test_a_file_that_was_dropped_is_named(
    name: str, audited: Audited, data: bytes, tmp_path: Path
) -> None:
    """What speaks against a site would be what goes missing."""
    top, files = pack.decode(data)
    del files[name]
    assert name in {one for one, state in wrong(files, audited) if state == "missing"}
    assert alone(pack.encode(top, files), audited, tmp_path) == 1


def test_a_file_that_was_added_is_named(
    audited: Audited, data: bytes, tmp_path: Path
) -> None:
    """It would seem to be signed, lying among what is."""
    top, files = pack.decode(data)
    files["approval.pdf"] = b"all is well"
    assert wrong(files, audited) == [("approval.pdf", "extra")]
    assert alone(pack.encode(top, files), audited, tmp_path) == 1


def test_a_pack_that_was_signed_anew_is_another_key_s(
    audited: Audited, data: bytes, tmp_path: Path
) -> None:
    """A forger changes what they like, and signs it: only with a key of their own."""
    forger = site_key.create(tmp_path / "forger", "plant7")
    top, files = pack.decode(data)
    files["waivers.json"] = b"{}\n"
    listed = pack.list_digests(files)
    signature = forger.sign(site_key.Purpose.EVIDENCE, listed)
    files |= {pack.DIGESTS: listed, pack.SIGNATURE: signature}
    assert wrong(files, audited) == [(pack.SIGNATURE, "not valid")]
    assert alone(pack.encode(top, files), audited, tmp_path) == 1


def test_a_signature_for_something_else_is_none(
    audited: Audited, files: dict[str, bytes]
) -> None:
    """A site signs receipts and requests too; none of them may pass for evidence."""
    listed = files[pack.DIGESTS]
    files[pack.SIGNATURE] = audited.key.sign(site_key.Purpose.RECEIPT, listed)
    assert wrong(files, audited) == [(pack.SIGNATURE, "not valid")]


def test_an_event_that_is_not_of_the_log_is_found(
    audited: Audited, files: dict[str, bytes]
) -> None:
    """Even where whoever holds the key signed it afterwards."""
    files[evidence.LOG] = files[evidence.LOG].replace(b"import", b"impart")
    files[pack.DIGESTS] = pack.list_digests(files)
    signature = audited.key.sign(site_key.Purpose.EVIDENCE, files[pack.DIGESTS])
    files[pack.SIGNATURE] = signature
    assert wrong(files, audited) == [("log-slice.jsonl, read", "not valid")]


def test_openssl_checks_it_as_the_pack_says(
    audited: Audited, files: dict[str, bytes], tmp_path: Path
) -> None:
    """CHECK.txt is for somebody who has neither airlift nor Python."""
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    text = files["CHECK.txt"].decode()
    key = text[text.index("-----BEGIN") : text.index("-----END PUBLIC KEY-----")]
    (tmp_path / "key.pem").write_text(f"{key}-----END PUBLIC KEY-----\n")
    lines = [one.strip() for one in text.splitlines()]
    steps = [one for one in lines if one.startswith(("sha256sum", "printf", "openssl"))]
    assert len(steps) == 3
    done = subprocess.run(
        ["sh", "-ec", "\n".join(steps)],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done
    assert b"Signature Verified Successfully" in done.stdout
    assert str(audited.key.public.key_id) in text


def test_the_inventory_has_a_line_for_each_release_and_file(
    files: dict[str, bytes],
) -> None:
    """The report names releases; what lies in them is told here alone."""
    lines = [json.loads(one) for one in files["inventory.jsonl"].splitlines()]
    assert [(one["type"], one.get("name") or one["path"]) for one in lines] == [
        ("release", "org/hostile"),
        ("file", "config.json"),
        ("release", "org/model"),
        ("file", "config.json"),
        ("file", "pytorch_model.bin"),
        ("release", "tools"),
        ("file", "demo-1.0-py3-none-any.whl"),
    ]


def test_a_site_without_a_checkpoint_makes_no_pack(tmp_path: Path) -> None:
    """A log that nothing vouches for is no evidence, and must not look like some."""
    world = World(tmp_path)
    key = site_key.create(world.home, "plant7")
    with world.report("inventory") as found, pytest.raises(RequestError) as caught:
        evidence.seal(Made(report=found), key)
    assert caught.value.problem == "no checkpoint of this log was signed yet"


def test_the_key_of_another_site_signs_no_pack(audited: Audited) -> None:
    """It would be evidence of another site than it says."""
    with audited.world.site() as site:
        other = dataclasses.replace(audited.key.public, name="plant8")
        made = audited.made(site)
        with pytest.raises(RequestError) as caught:
            evidence.seal(made, dataclasses.replace(audited.key, public=other))
    assert caught.value.problem == "the key is of site `plant8`, not `plant7`"


# --- the page of it ---------------------------------------------------------------


class Reader(HTMLParser):
    """Notes every element and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.headings: list[str] = []
        self._heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        self._heading = tag == "h2"

    def handle_data(self, data: str) -> None:
        if self._heading:
            self.headings.append(data)
            self._heading = False


def read(page: str) -> Reader:
    """Return what a page is made of."""
    found = Reader()
    found.feed(page)
    return found


def test_nothing_in_the_report_runs_or_is_fetched(files: dict[str, bytes]) -> None:
    """It is opened on an auditor's laptop, from a stick."""
    page = files["report.html"].decode()
    found = read(page)
    assert not {"script", "iframe", "object", "img", "link", "form"} & {*found.tags}
    keys = {key for key, _ in found.attributes}
    assert not {key for key in keys if key.startswith("on")} | (keys & {"src", "style"})
    assert not [one for key, one in found.attributes if key == "href"]


def test_its_policy_allows_its_own_style_and_no_other(files: dict[str, bytes]) -> None:
    """Even markup that got past every escape could do nothing."""
    page = files["report.html"].decode()
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"
    assert policy in {one for _, one in read(page).attributes}


def test_what_comes_from_outside_is_shown_as_text(files: dict[str, bytes]) -> None:
    """Licences, names and reasons are the words of strangers."""
    page = files["report.html"].decode()
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_report_says_first_what_could_not_be_answered(
    files: dict[str, bytes],
) -> None:
    """Who reads only its beginning must not take it for the whole."""
    page = files["report.html"].decode()
    assert read(page).headings == [
        "What could not be answered",
        "Act now",
        "What is known, and how old it is",
        "Inventory",
        "Arrivals and approvals",
        "Integrity and coverage",
        "Vulnerabilities",
        "Model files, and models with runtimes",
        "Licences and lineage",
        "Changes",
        "Withdrawn or denied",
        "Keys",
        "Waivers",
        "Controls this supports evidence for",
        "Method and limits",
        "How to check this report",
    ]
    assert re.findall(r'id="s(\d+)"', page) == [str(n) for n in range(2, 18)]


def test_a_report_tells_what_has_changed_since_the_one_before(
    audited: Audited,
) -> None:
    """A trend is what an auditor comes back for."""
    with audited.world.site("2026-03-04T06:00:00Z") as site:
        before = audited.made(site).told
    with audited.world.site("2026-07-01T06:00:00Z") as site:
        page = html.encode(audited.made(site, earlier=(before,))).decode()
    assert "Open findings, by recorded report: 2026-03-04 to 2026-07-01" in page
    assert "This file alone is not signed." in page
