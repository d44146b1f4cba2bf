"""The page of one thing: a release, a project, a delivery, and commands to copy."""

import subprocess

import pytest

from airlift.artifact import Kind
from airlift.format.scan import Result, Scan
from airlift.registry import scans
from page_world import (
    DATA,
    GGUF,
    LLM,
    NOW,
    WHEEL,
    WHEELS,
    World,
    document,
    read,
    small_site,
)

# --- one release ----------------------------------------------------------------------


def test_a_name_leads_to_its_newest_live_release(site: World) -> None:
    """An address people can type."""
    answer = site.get(f"/-/models/model/{LLM}")
    location = f"/-/releases/{site.ids[f'{LLM} 2']}"
    assert (answer.status, dict(answer.headers)["Location"]) == (303, location)


def test_a_release_says_what_it_is_and_who_vouches_for_it(site: World) -> None:
    """What an auditor writes down."""
    page = site.read(site.release(GGUF))
    facts = dict(zip(page.said("dt"), page.said("dd"), strict=True))
    held = site.site.registry.find(f"gguf:{GGUF}")
    keys = page.said("li")[-1]
    assert facts == {
        "Revision": held.release.revision,
        "Refs": "main",
        "Licence": "mit",
        "Size": "1.4 kB in 2 files",
        "Base models": f"{LLM}, far/away (not held here)",
        "Release": f"{held.id} number 1 of this name",
        "Delivery": "1, signed 2026-03-01 12:00 UTC, 19 days ago, made by alice",
        "Imported": "2026-03-02 12:00 UTC by importer",
        "Signatures that counted": keys,
        "Virus scans": "none attached",
    }
    assert keys.startswith(
        "alice as root, targets, site-plant7, snapshot, timestamp; ed25519 key "
    )
    assert f"/-/releases/{site.ids[f'{LLM} 2']}" in page.links


def test_a_release_shows_what_scanners_said_of_it(site: World) -> None:
    """A file that was skipped is not shown as clean, nor a carried word as a signed one."""
    registry = site.site.registry
    held, newest = registry.find(f"gguf:{GGUF}"), registry.deliveries()[-1]
    told = Scan(
        site="plant7",
        dispatch=newest.id,
        releases=(),
        report=newest.id,
        report_size=9,
        by="bob <b>",
        scanner="ClamAV",
        version="1.4.1",
        result=Result.SKIPPED,
        scanned=3,
        found=0,
        skipped=1,
        at=NOW,
    )
    for carried in (False, True):
        registry.log(scans.event(told, carried=carried, actor="root", now=NOW))
    page = site.read(site.release(GGUF))
    facts = dict(zip(page.said("dt"), page.said("dd"), strict=True))
    line = (
        "skipped 1 file(s), nothing found in the rest (ClamAV 1.4.1, 3 opened,"
        f" {NOW}, by bob <b>)"
    )
    assert held.sequence == newest.sequence
    assert facts["Virus scans"] == f"{line}{line}; carried, not signed"


def test_a_release_says_what_was_made_from_it_and_what_replaced_it(site: World) -> None:
    """Lineage is read in both directions when something is withdrawn."""
    page = site.read(site.release(LLM))
    facts = dict(zip(page.said("dt"), page.said("dd"), strict=True))
    assert facts["Made from it"] == GGUF
    assert facts["Refs"] == "main (now another release), v1"
    assert page.said("p")[1] == (
        "Served to clients now, though a newer release is live as well."
    )


def test_a_release_that_waits_offers_nothing(site: World) -> None:
    """No command may be shown that fails, and no link around the quarantine."""
    page = site.read(site.release("org/waits"))
    start = site.ids["org/waits"][:12]
    assert page.said("p")[1:4] == [
        (
            "Held and never served: somebody is to look at it first, then airlift"
            f" activate {start}."
        ),
        (
            "Holds what can run: 1 file with pickles. Whoever loads these files may run"
            " what is in them."
        ),
        "It is not served, so there is nothing to fetch.",
    ]
    assert page.said("pre") == []
    assert [one for one in page.links if "resolve" in one] == []


def test_a_denied_release_says_why(own: World) -> None:
    """The reason was written for whoever asks."""
    own.site.registry.deny([own.ids[GGUF]], why="licence withdrawn", now=NOW, actor="a")
    page = own.read(own.release(GGUF))
    assert page.said("p")[1] == (
        "Denied: never served. Reason given: licence withdrawn."
    )
    assert page.said("pre") == []
    assert own.read("/-/models?state=denied").said("th")[8] == GGUF


def test_files_are_found_by_part_of_their_path(own: World) -> None:
    """A data set may have 100,000 of them."""
    files = {f"part-{n:03}.bin": b"%d" % n for n in range(450)}
    own.site.hold(*files.values())
    many = document(Kind.MODEL, "bulk/files", files)
    own.bring(many)
    target = dict(own.get("/-/models/model/bulk/files").headers)["Location"]
    assert own.read(target).said("th")[5:] == sorted(files)[:200]
    assert own.read(f"{target}?page=3").said("th")[5:] == sorted(files)[400:]
    assert own.read(f"{target}?path=PART-44").said("th")[5:] == sorted(files)[440:]
    assert own.read(f"{target}?path=nope").said("th") == []


# --- commands -------------------------------------------------------------------------


def commands(one: World, name: str, base: str) -> dict[str, str]:
    """Return the commands of a release's page, by client."""
    answer = one.get(one.release(name), base=base)
    page = read(answer)
    sections = page.said("h3")
    return dict(zip(sections, page.by_tag.get("pre", []), strict=True))


def test_commands_name_this_host_and_this_revision(site: World) -> None:
    """They are copied, run and kept in scripts."""
    commit = site.site.registry.find(f"{LLM}@main").release.revision
    tag = f"models:8484/images/org/llm:{commit}"
    assert commands(site, f"{LLM} 2", "http://models:8484") == {
        "hf": "export HF_ENDPOINT=http://models:8484\n"
        f"hf download org/llm --revision {commit}",
        "vLLM": "export HF_ENDPOINT=http://models:8484\n"
        f"vllm serve org/llm --revision {commit}",
        "transformers (Python)": "from transformers import AutoModel\n\n"
        f'model = AutoModel.from_pretrained("org/llm", revision="{commit}")',
        "podman": f"podman pull --tls-verify=false {tag}",
        "oras": f"oras pull --plain-http models:8484/artifacts/org/llm:{commit}",
        "Kubernetes image volume": "volumes:\n  - name: model\n    image:\n"
        f'      reference: "{tag}"\n      pullPolicy: IfNotPresent',
    }


def test_commands_over_tls_do_not_switch_it_off(site: World) -> None:
    """A site that made the effort must not be talked out of it."""
    found = commands(site, GGUF, "https://models.example")
    assert found["llama.cpp"] == (
        "export MODEL_ENDPOINT=https://models.example/\n"
        "llama-server -hf org/llm-gguf:Q4_K_M"
    )
    assert found["Ollama"] == (
        "ollama pull models.example/org/llm-gguf:Q4_K_M\n"
        "ollama run models.example/org/llm-gguf:Q4_K_M"
    )
    assert "insecure" not in str(found)
    assert "verify" not in str(found)
    assert "trusted" not in str(commands(site, WHEELS, "https://models.example"))


def test_below_a_prefix_container_clients_are_not_promised_anything(
    site: World,
) -> None:
    """They ask for /v2/ at the root of a host, whatever they are told."""
    found = commands(site, GGUF, "https://host/air")
    assert list(found) == ["hf", "llama.cpp"]
    assert found["hf"].startswith("export HF_ENDPOINT=https://host/air\n")


def test_a_wheel_set_is_installed_by_what_was_asked_for(site: World) -> None:
    """What leads elsewhere or is an option of the installer is left out."""
    assert commands(site, WHEELS, "http://models:8484") == {
        "pip": "pip install --index-url http://models:8484/simple/"
        " --trusted-host models foo_bar==1.0",
        "uv": "uv pip install --default-index http://models:8484/simple/ foo_bar==1.0",
    }


def test_an_upstream_ollama_model_goes_by_its_tag(site: World) -> None:
    """Its name and tag are all that this client knows."""
    assert commands(site, "ns/chat", "http://models:8484")["Ollama"] == (
        "ollama pull --insecure models:8484/ns/chat:7b\n"
        "ollama run models:8484/ns/chat:7b"
    )


def test_a_data_set_is_fetched_as_one(site: World) -> None:
    """Without its type, clients ask for a model of that name."""
    commit = site.site.registry.find(f"dataset:{DATA}").release.revision
    found = commands(site, DATA, "http://h")
    assert found["hf"].splitlines()[1] == (
        f"hf download --repo-type dataset org/texts --revision {commit}"
    )
    assert found["datasets (Python)"].splitlines()[2] == (
        f'data = load_dataset("org/texts", revision="{commit}")'
    )


NASTY = ["$(touch x)", "a;touch${IFS}x", "`touch", "it's", "a&b", "(x)", "#x", "~"]


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A site with models whose names mean something to a shell."""
    one = small_site(tmp_path_factory.mktemp("nasty"))
    names = [f"org/{part}".replace(" ", "_") for part in NASTY]
    one.bring(*(document(Kind.MODEL, name, {"config.json": b"{}"}) for name in names))
    return one


@pytest.mark.parametrize("part", NASTY)
def test_a_pasted_command_does_what_it_says(nasty: World, part: str) -> None:
    """A name is signed, not harmless: a shell must get it as one word."""
    name = f"org/{part}".replace(" ", "_")
    held = nasty.site.registry.releases(name=name)[0]
    page = nasty.read(f"/-/releases/{held.id}")
    text = dict(zip(page.said("h3"), page.by_tag["pre"], strict=True))["hf"]
    script = f'hf() {{ printf "%s\\n" "$@"; }}\n{text}'
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    wanted = ["download", name, "--revision", held.release.revision]
    assert done.stdout.splitlines() == wanted


# --- wheels, imports, storage -----------------------------------------------------------


def test_projects_are_listed_as_installers_find_them(site: World) -> None:
    """The name to type, and the version they would choose."""
    page = site.read("/-/wheels?q=Foo_B")
    assert page.said("th")[5:] == ["foo-bar"]
    assert page.said("td") == ["1.0", "2", "2", "12 B"]
    assert site.read("/-/wheels?q=zed").said("td") == []


def test_a_project_shows_its_files_newest_first(site: World) -> None:
    """And suggests the newest that is neither withdrawn nor a preview."""
    page = site.read("/-/wheels/Foo.Bar")
    assert page.said("h2") == ["Install 1.0", "Files"]
    assert page.said("h3") == ["pip", "uv", "2.0rc1", "1.0"]
    digest = next(
        f.sha256 for f in site.shelf.files(site.ids[WHEELS]) if f.path == WHEEL
    )
    assert f"/simple/-/files/{digest}/{WHEEL}" in page.links


def test_imports_are_listed_with_who_signed_and_what_came(site: World) -> None:
    """The history an auditor asks for first."""
    page = site.read("/-/imports")
    assert page.said("tr")[1:4] == [
        "Delivery 3 2026-03-01 12:00 UTC 2026-03-04 12:00 UTC alice alice importer 1 6 B",
        "Delivery 2 2026-03-01 12:00 UTC 2026-03-03 12:00 UTC alice alice importer 1 4 kB",
        (
            "Delivery 1 2026-03-01 12:00 UTC 2026-03-02 12:00 UTC alice alice importer"
            " 5 4.44 kB"
        ),
    ]
    assert page.said("tr")[5] == "root 2029-02-28 12:00 UTC in 1,076 days"
    assert page.said("h2") == [
        *("How long what is believed stays valid", "Live sets", "Log")
    ]


def test_a_delivery_shows_what_it_brought(site: World) -> None:
    """From a disc's label to what was on it."""
    page = site.read("/-/imports/1")
    names = sorted([LLM, GGUF, DATA, WHEELS, "ns/chat"])
    assert sorted(page.said("th")[12:]) == names
    assert page.said("p")[1] == "5 releases of it are held, 4.44 kB"


def test_the_storage_chart_is_a_table_as_well(site: World) -> None:
    """Figures for who cannot see the bars; each blob is counted once."""
    page = site.read("/-/storage")
    assert page.said("p")[0] == (
        "8.44 kB of blobs, each counted once. All files of all releases together have"
        " 8.45 kB: releases share 4 B."
    )
    assert page.said("tr")[1:6] == [
        "model repository 7.01 kB 83 % 4",
        "GGUF files 1.4 kB 17 % 2",
        "Python wheels 22 B < 1 % 3",
        "Ollama model 5 B < 1 % 1",
        "data set 4 B < 1 % 1",
    ]
