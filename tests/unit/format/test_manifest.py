"""Manifests: every example and every refusal, through parser and schema alike."""

import json
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from airlift.artifact import Kind, Wish
from airlift.errors import RequestError
from airlift.format import manifest
from airlift.format.manifest import Manifest

MANIFESTS = Path(__file__).parents[3] / "manifests"
EXAMPLES = sorted(MANIFESTS.glob("*.toml"))
SCHEMA = Draft202012Validator(
    json.loads((MANIFESTS / "schemas/manifest.schema.json").read_text())
)


def schema_agrees(text: str) -> bool:
    """Say whether the published schema accepts *text*."""
    try:
        return SCHEMA.is_valid(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        return False


def test_the_schema_is_itself_valid() -> None:
    """A schema with a slip in it accepts everything and protects nobody."""
    Draft202012Validator.check_schema(SCHEMA.schema)


def test_there_are_examples() -> None:
    """The parametrised test below must not pass by finding no file."""
    assert [path.name for path in EXAMPLES] == [
        *("gguf-laptop.toml", "oci.toml", "ollama.toml", "starter.toml"),
        *("vllm-server.toml", "weekly.toml", "wheels.toml"),
    ]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_satisfies_schema_and_parser(path: Path) -> None:
    """Users copy the examples: one that is refused is worse than none."""
    text = path.read_text()
    decoded = manifest.decode(text, name=path.name)
    assert schema_agrees(text)
    assert decoded.name == path.stem
    assert decoded.entries


def test_every_key_is_documented() -> None:
    """The reference is all that its users have: they cannot ask anybody."""
    text = (MANIFESTS.parent / "docs/manifests.md").read_text()
    schema = json.loads((MANIFESTS / "schemas/manifest.schema.json").read_text())
    for kind in ("model", "dataset", "gguf", "ollama", "oci", "wheels", "folder"):
        assert f"`[[{kind}]]`" in text
        for key in schema["$defs"][kind]["properties"]:
            assert f"`{key}`" in text


FULL = """\
manifest = 1
name = "all"
[[model]]
repo = "acme/tiny"
[[model]]
repo = "acme/tiny"
revision = "v1"
include = ["*.json"]
exclude = ["onnx/*"]
variant = "fp16"
format = "safetensors"
[[dataset]]
repo = "squad"
[[gguf]]
repo = "acme/tiny-GGUF"
quant = "Q4_K_M"
[[gguf]]
repo = "acme/big-GGUF"
memory = "16GiB"
projector = false
[[gguf]]
repo = "acme/other-GGUF"
file = "sub/other.Q8_0.gguf"
projector = "bf16"
[[gguf]]
repo = "acme/new-GGUF"
version = "~=2.0"
licences = ["mit"]
max-size = "8GiB"
[[ollama]]
model = "llama3.2:1b"
[[ollama]]
model = "qwen3"
tags = ["8b", "4b"]
max-size = "3.5 GB"
[[oci]]
name = "ghcr.io/acme/kit:v1"
[[oci]]
name = "ghcr.io/acme/kit"
version = ">=1,<2"
[[oci]]
name = "alpine@sha256:1111111111111111111111111111111111111111111111111111111111111111"
platform = ["linux/amd64", "linux/arm64/v8"]
[[wheels]]
name = "runtime"
requirements = ["numpy>=2"]
requirements-file = "more.txt"
python = ["3.11", "3.12.4"]
platform = ["x86_64-manylinux_2_28", "linux"]
sdist = true
index = "https://index.example/simple"
[[folder]]
name = "acme/own"
path = "./own"
licence = "apache-2.0"
base-models = ["acme/tiny"]
"""


def test_every_option_has_its_default_filled_in() -> None:
    """Sources must not each invent what an absent key means."""
    assert manifest.decode(FULL, name="all.toml") == Manifest(
        name="all",
        entries=(
            Wish(
                kind=Kind.MODEL,
                name="acme/tiny",
                options={
                    "revision": "main",
                    "include": (),
                    "exclude": (),
                    "variant": "",
                    "format": "all",
                },
            ),
            Wish(
                kind=Kind.MODEL,
                name="acme/tiny",
                options={
                    "revision": "v1",
                    "include": ("*.json",),
                    "exclude": ("onnx/*",),
                    "variant": "fp16",
                    "format": "safetensors",
                },
            ),
            Wish(
                kind=Kind.DATASET,
                name="squad",
                options={"revision": "main", "include": (), "exclude": ()},
            ),
            Wish(
                kind=Kind.GGUF,
                name="acme/tiny-GGUF",
                options={"revision": "main", "quant": "Q4_K_M", "projector": True},
            ),
            Wish(
                kind=Kind.GGUF,
                name="acme/big-GGUF",
                options={
                    "revision": "main",
                    "memory": "16GiB",
                    "context": 8192,
                    "projector": False,
                },
            ),
            Wish(
                kind=Kind.GGUF,
                name="acme/other-GGUF",
                options={
                    "revision": "main",
                    "file": "sub/other.Q8_0.gguf",
                    "projector": "bf16",
                },
            ),
            Wish(
                kind=Kind.GGUF,
                name="acme/new-GGUF",
                options={
                    "version": "~=2.0",
                    "licences": ("mit",),
                    "max-size": "8GiB",
                    "projector": True,
                },
            ),
            Wish(kind=Kind.OLLAMA, name="llama3.2:1b"),
            Wish(
                kind=Kind.OLLAMA,
                name="qwen3",
                options={"tags": ("8b", "4b"), "max-size": "3.5 GB"},
            ),
            Wish(kind=Kind.OCI, name="ghcr.io/acme/kit:v1", options={"platform": ()}),
            Wish(
                kind=Kind.OCI,
                name="ghcr.io/acme/kit",
                options={"platform": (), "version": ">=1,<2"},
            ),
            Wish(
                kind=Kind.OCI,
                name=f"alpine@sha256:{'1' * 64}",
                options={"platform": ("linux/amd64", "linux/arm64/v8")},
            ),
            Wish(
                kind=Kind.WHEELS,
                name="runtime",
                options={
                    "requirements": ("numpy>=2",),
                    "requirements-file": "more.txt",
                    "python": ("3.11", "3.12.4"),
                    "platform": ("x86_64-manylinux_2_28", "linux"),
                    "sdist": True,
                    "index": "https://index.example/simple",
                },
            ),
            Wish(
                kind=Kind.FOLDER,
                name="acme/own",
                options={
                    "path": "./own",
                    "include": (),
                    "exclude": (),
                    "licence": "apache-2.0",
                    "base-models": ("acme/tiny",),
                },
            ),
        ),
    )
    assert schema_agrees(FULL)


def wheels(lines: str) -> str:
    """Return a manifest of one wheel set with *lines* in its table."""
    return (
        'manifest = 1\n[[wheels]]\nname = "w"\npython = ["3.12"]\n'
        f'platform = ["linux"]\n{lines}'
    )


REFUSED = {
    "nothing at all": ("manifest = 1", "m.toml asks for nothing"),
    "an empty array": ("manifest = 1\nmodel = []", "m.toml asks for nothing"),
    "no version": ('[[model]]\nrepo = "a/b"', "m.toml: `manifest` is missing"),
    "another version": (
        'manifest = 2\n[[model]]\nrepo = "a/b"',
        "m.toml: `manifest` is 2, this airlift reads 1",
    ),
    "a version of another type": (
        "manifest = true",
        "m.toml: `manifest` is boolean, expected integer",
    ),
    "an unknown table": (
        'manifest = 1\n[[models]]\nrepo = "a/b"',
        (
            "m.toml: `models` is not known here; known are `manifest`, `name`, `model`, "
            "`dataset`, `gguf`, `ollama`, `oci`, `wheels`, `folder`"
        ),
    ),
    "a table that is no array": (
        'manifest = 1\n[model]\nrepo = "a/b"',
        "m.toml: `model` is object, expected array",
    ),
    "an unknown key": (
        'manifest = 1\n[[dataset]]\nrepo = "a/b"\nexcludes = ["x"]',
        (
            "m.toml: `dataset[0].excludes` is not known here; known are `repo`, "
            "`revision`, `include`, `exclude`, `version`, `max-size`, `licences`"
        ),
    ),
    "a pattern that is no string": (
        (
            'manifest = 1\n[[model]]\nrepo = "a/b"\n[[model]]\nrepo = "c"\n'
            'include = ["*", 7]'
        ),
        "m.toml: `model[1].include[1]` is integer, expected string",
    ),
    "an empty pattern": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nexclude = [" "]',
        "m.toml: `model[0].exclude[0]` is empty",
    ),
    "a date": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nrevision = 2024-01-01',
        "m.toml: `model[0].revision` is date, expected string",
    ),
    "no repository": (
        "manifest = 1\n[[model]]",
        "m.toml: `model[0].repo` is missing",
    ),
    "a repository of three parts": (
        'manifest = 1\n[[model]]\nrepo = "a/b/c"',
        "m.toml: `model[0].repo` is `a/b/c`, expected `owner/name`",
    ),
    "a repository that is a URL": (
        'manifest = 1\n[[model]]\nrepo = "https://hub.example/a/b"',
        "m.toml: `model[0].repo` is `https://hub.example/a/b`, expected `owner/name`",
    ),
    "a revision that is an option": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nrevision = "--upload-pack=x"',
        (
            "m.toml: `model[0].revision` is `--upload-pack=x`, expected a branch, tag or "
            "commit"
        ),
    ),
    "a revision that climbs": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nrevision = "a/../b"',
        "m.toml: `model[0].revision` has `..` in it",
    ),
    "an empty variant": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nvariant = ""',
        "m.toml: `model[0].variant` is ``, expected a precision such as `fp16`",
    ),
    "a GGUF without a choice": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"',
        (
            "m.toml: `gguf[0].quant` needs exactly one of `file`, `quant`, `memory`, "
            "`max-size`; found none"
        ),
    ),
    "a GGUF with two choices": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nquant = "Q8_0"\nmemory = "1GB"',
        (
            "m.toml: `gguf[0].memory` needs exactly one of `file`, `quant`, `memory`, "
            "`max-size`; found `quant` and `memory`"
        ),
    ),
    "memory without a unit": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nmemory = "16"',
        "m.toml: `gguf[0].memory` is `16`, expected such as `16GiB`",
    ),
    "context without memory": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nquant = "Q8_0"\ncontext = 4096',
        "m.toml: `gguf[0].context` says nothing without `memory`",
    ),
    "no context at all": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nmemory = "1GB"\ncontext = 0',
        "m.toml: `gguf[0].context` is 0, expected at least 1",
    ),
    "an unknown projector": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nquant = "Q8_0"\nprojector = "f8"',
        (
            "m.toml: `gguf[0].projector` is not `true`, `false` or one of "
            '`"f16"`, `"bf16"`, `"f32"`, `"q8_0"`'
        ),
    ),
    "a projector that is a number": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nquant = "Q8_0"\nprojector = 1',
        (
            "m.toml: `gguf[0].projector` is not `true`, `false` or one of "
            '`"f16"`, `"bf16"`, `"f32"`, `"q8_0"`'
        ),
    ),
    "a range that is none": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nversion = "2.0"',
        "m.toml: `model[0].version` is `2.0`, expected a range such as `>=2,<3`",
    ),
    "a range of nothing": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nversion = ""',
        "m.toml: `model[0].version` is ``, expected a range such as `>=2,<3`",
    ),
    "a range and a revision": (
        'manifest = 1\n[[dataset]]\nrepo = "a/b"\nversion = ">=2"\nrevision = "v2"',
        "m.toml: `dataset[0].version` is given together with `revision`",
    ),
    "a limit without a unit": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nmax-size = "8"',
        "m.toml: `model[0].max-size` is `8`, expected such as `8GiB`",
    ),
    "a limit of less than one": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nmax-size = "0.5GiB"',
        "m.toml: `model[0].max-size` is `0.5GiB`, expected such as `8GiB`",
    ),
    "no licence at all": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nlicences = []',
        "m.toml: `model[0].licences` is empty, or has a value twice",
    ),
    "a licence of spaces": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nlicences = [" "]',
        "m.toml: `model[0].licences[0]` is ` `",
    ),
    "tags without a limit": (
        'manifest = 1\n[[ollama]]\nmodel = "a"\ntags = ["1b"]',
        "m.toml: `ollama[0].tags` says nothing without `max-size`",
    ),
    "a tag that is a path": (
        'manifest = 1\n[[ollama]]\nmodel = "a"\ntags = ["a/b"]\nmax-size = "1GB"',
        "m.toml: `ollama[0].tags[0]` is `a/b`",
    ),
    "tags and a range": (
        (
            'manifest = 1\n[[ollama]]\nmodel = "a"\ntags = ["1b"]\nmax-size = "1GB"\n'
            'version = ">=1"'
        ),
        "m.toml: `ollama[0].tags` is given together with `version`",
    ),
    "a tag in the name and a range": (
        'manifest = 1\n[[ollama]]\nmodel = "a:1b"\nversion = ">=1"',
        "m.toml: `ollama[0].model` names a tag, and what else to choose it by",
    ),
    "an image's digest and a range": (
        f'manifest = 1\n[[oci]]\nname = "a@sha256:{"1" * 64}"\nversion = ">=1"',
        (
            "m.toml: `oci[0].name` names a tag or digest, and a `version` to choose "
            "one by"
        ),
    ),
    "an Ollama name of four parts": (
        'manifest = 1\n[[ollama]]\nmodel = "h/a/b/c"',
        (
            "m.toml: `ollama[0].model` is `h/a/b/c`, expected "
            "`[registry/][namespace/]model[:tag]`"
        ),
    ),
    "an Ollama registry without a namespace": (
        'manifest = 1\n[[ollama]]\nmodel = "registry.example/m"',
        (
            "m.toml: `ollama[0].model` is `registry.example/m`, expected "
            "`[registry/][namespace/]model[:tag]`"
        ),
    ),
    "an image's name in upper case": (
        'manifest = 1\n[[oci]]\nname = "ghcr.io/Acme/kit"',
        (
            "m.toml: `oci[0].name` is `ghcr.io/Acme/kit`, expected "
            "`[registry/]name[:tag][@sha256:digest]`"
        ),
    ),
    "an image with half a digest": (
        'manifest = 1\n[[oci]]\nname = "acme/kit@sha256:11"',
        (
            "m.toml: `oci[0].name` is `acme/kit@sha256:11`, expected "
            "`[registry/]name[:tag][@sha256:digest]`"
        ),
    ),
    "a platform that is none": (
        'manifest = 1\n[[oci]]\nname = "acme/kit"\nplatform = ["amd64"]',
        ("m.toml: `oci[0].platform[0]` is `amd64`, expected such as `linux/amd64`"),
    ),
    "no platform at all": (
        'manifest = 1\n[[oci]]\nname = "acme/kit"\nplatform = []',
        (
            "m.toml: `oci[0].platform` is missing or empty, expected an array of "
            "strings such as `linux/amd64`"
        ),
    ),
    "wheels without requirements": (
        wheels(""),
        "m.toml: `wheels[0].requirements` is missing, and `requirements-file` too",
    ),
    "an index option among requirements": (
        wheels('requirements = ["--extra-index-url=https://evil.example/"]'),
        (
            "m.toml: `wheels[0].requirements[0]` is not a requirement: "
            "`--extra-index-url=https://evil.example/`"
        ),
    ),
    "an empty requirements file": (
        wheels('requirements = ["a"]\nrequirements-file = ""'),
        "m.toml: `wheels[0].requirements-file` is empty or holds a NUL",
    ),
    "no Python": (
        (
            'manifest = 1\n[[wheels]]\nname = "w"\nplatform = ["linux"]\n'
            'requirements = ["a"]'
        ),
        (
            "m.toml: `wheels[0].python` is missing or empty, expected an array of strings "
            "such as `3.12`"
        ),
    ),
    "a Python of two": (
        (
            'manifest = 1\n[[wheels]]\nname = "w"\nplatform = ["linux"]\n'
            'requirements = ["a"]\npython = ["2.7"]'
        ),
        "m.toml: `wheels[0].python[0]` is `2.7`, expected such as `3.12`",
    ),
    "a Python twice": (
        (
            'manifest = 1\n[[wheels]]\nname = "w"\nplatform = ["linux"]\n'
            'requirements = ["a"]\npython = ["3.11", "3.11"]'
        ),
        "m.toml: `wheels[0].python` has a value twice",
    ),
    "a Python that is a number": (
        (
            'manifest = 1\n[[wheels]]\nname = "w"\nplatform = ["linux"]\n'
            'requirements = ["a"]\npython = [3.12]'
        ),
        "m.toml: `wheels[0].python[0]` is float, expected string",
    ),
    "a platform that is an option": (
        (
            'manifest = 1\n[[wheels]]\nname = "w"\nplatform = ["--index-url"]\n'
            'requirements = ["a"]\npython = ["3.12"]'
        ),
        (
            "m.toml: `wheels[0].platform[0]` is `--index-url`, expected such as "
            "`x86_64-manylinux_2_28`"
        ),
    ),
    "an index that is no URL": (
        wheels('requirements = ["a"]\nindex = "mirror"'),
        "m.toml: `wheels[0].index` is `mirror`, expected a URL",
    ),
    "a folder without a path": (
        'manifest = 1\n[[folder]]\nname = "a"',
        "m.toml: `folder[0].path` is missing",
    ),
    "a name with white space": (
        'manifest = 1\n[[folder]]\nname = "a b"\npath = "."',
        "m.toml: `folder[0].name` has white space in it: `a b`",
    ),
}
"""Wrong manifests that schema and parser both refuse, and what the parser says."""

PARSER_ONLY = {
    "no TOML": (
        "manifest = ",
        "m.toml is not TOML: Invalid value (at end of document)",
    ),
    "a repository name that Windows reserves": (
        'manifest = 1\n[[model]]\nrepo = "a/nul.x"',
        "m.toml: `model[0].repo` has a part whose name Windows reserves: `a/nul.x`",
    ),
    "a repository twice, in other letters": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\n[[model]]\nrepo = "A/b"',
        "m.toml: `model[1].repo` asks a second time for `A/b`",
    ),
    "a name twice": (
        (
            'manifest = 1\n[[folder]]\nname = "a"\npath = "x"\n'
            '[[folder]]\nname = "a"\npath = "y"'
        ),
        "m.toml: `folder[1].name` asks a second time for `a`",
    ),
    "a range with a second half that is none": (
        'manifest = 1\n[[model]]\nrepo = "a/b"\nversion = ">=2,three"',
        "m.toml: `model[0].version` is `>=2,three`, expected a range such as `>=2,<3`",
    ),
    "a file outside": (
        'manifest = 1\n[[gguf]]\nrepo = "a/b"\nfile = "../x.gguf"',
        "m.toml: `gguf[0].file` has an empty, `.` or `..` part: `../x.gguf`",
    ),
    "a requirement that is none": (
        wheels('requirements = ["numpy >>= 2"]'),
        "m.toml: `wheels[0].requirements[0]` is not a requirement: `numpy >>= 2`",
    ),
    "a requirement from a URL": (
        wheels('requirements = ["a @ https://evil.example/a.whl"]'),
        (
            "m.toml: `wheels[0].requirements[0]` names a URL instead of an index: "
            "`a @ https://evil.example/a.whl`"
        ),
    ),
    "a name with a terminal escape": (
        'manifest = 1\n[[folder]]\nname = "a\\u001b[31m"\npath = "x"',
        (
            "m.toml: `folder[0].name` has a control character or one of "
            '<>:"|?*\\: `a\\x1b[31m`'
        ),
    ),
}
"""Wrong manifests that only the parser can refuse: a schema knows no Unicode forms,
no requirement grammar and no two entries at once."""


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_manifest_is_refused_with_its_place(case: str) -> None:
    """The person who wrote it must find the line without asking anyone."""
    text, message = REFUSED[case]
    with pytest.raises(RequestError) as caught:
        manifest.decode(text, name="m.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses_what_the_parser_refuses(case: str) -> None:
    """An editor that shows no error and a command that does must not disagree."""
    assert not schema_agrees(REFUSED[case][0])


@pytest.mark.parametrize("case", PARSER_ONLY)
def test_the_parser_refuses_what_no_schema_can(case: str) -> None:
    """These are the refusals to document: an editor will not show them."""
    text, message = PARSER_ONLY[case]
    with pytest.raises(RequestError) as caught:
        manifest.decode(text, name="m.toml")
    assert str(caught.value) == message


@pytest.mark.parametrize("case", [c for c in PARSER_ONLY if c != "no TOML"])
def test_the_list_of_parser_only_refusals_is_not_padded(case: str) -> None:
    """A refusal the schema learns to make belongs in the table of both."""
    assert schema_agrees(PARSER_ONLY[case][0])


def test_a_manifest_of_absurd_length_is_refused_before_it_is_parsed() -> None:
    """Somebody will pass a weights file by mistake."""
    with pytest.raises(RequestError) as caught:
        manifest.decode("#" * (manifest.LIMIT + 1), name="m.toml")
    assert str(caught.value) == (
        f"m.toml has {manifest.LIMIT + 1} characters, the limit is {manifest.LIMIT}"
    )
