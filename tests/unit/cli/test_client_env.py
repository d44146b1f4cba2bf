"""``airlift client-env``: read by real shells, as people will."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from airlift.cli import client_env, main
from airlift.cli.client_env import Site
from airlift.serve.access.credentials import fresh_token

CA = '/etc/ssl/it\'s "the" $HOME `id` \\n *.pem \u2019\u201c'
TOKEN = fresh_token()
SITE = Site(url="https://models.example:8484/x", authority=CA, token=TOKEN)
EXPECTED = {
    "HF_ENDPOINT": "https://models.example:8484/x",
    "MODEL_ENDPOINT": "https://models.example:8484/x/",
    "PIP_INDEX_URL": f"https://airlift:{TOKEN}@models.example:8484/x/simple/",
    "UV_DEFAULT_INDEX": "airlift=https://models.example:8484/x/simple/",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_TOKEN": TOKEN,
    "UV_INDEX_AIRLIFT_USERNAME": "airlift",
    "UV_INDEX_AIRLIFT_PASSWORD": TOKEN,
    "SSL_CERT_FILE": CA,
    "REQUESTS_CA_BUNDLE": CA,
    "CURL_CA_BUNDLE": CA,
    "PIP_CERT": CA,
    "NODE_EXTRA_CA_CERTS": CA,
}
READERS = [
    ("sh", "sh", 'eval "$(cat)"; env -0'),
    ("sh", "bash", 'eval "$(cat)"; env -0'),
    ("sh", "zsh", 'eval "$(cat)"; env -0'),
    ("dotenv", "sh", 'set -a; f=$(mktemp); cat >"$f"; . "$f"; rm "$f"; env -0'),
    ("fish", "fish", "source; env -0"),
]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what the command prints, which must be one document and no more."""
    assert main.run(["client-env", *arguments]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


@pytest.mark.parametrize(
    ("shell", "program", "script"), READERS, ids=[f"{s}-{p}" for s, p, _ in READERS]
)
def test_a_real_shell_reads_every_variable_exactly(
    tmp_path: Path, shell: str, program: str, script: str
) -> None:
    """Whatever is in a path: nothing is cut, expanded or run."""
    assert shutil.which(program), f"this test needs {program}"
    done = subprocess.run(
        [program, "-c", script],
        input=client_env.SHELLS[shell](SITE),
        env={"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pairs = (line.split("=", 1) for line in done.stdout.split("\0") if line)
    found = {key: value for key, value in pairs if key in EXPECTED}
    assert found == EXPECTED


def test_powershell_doubles_every_sign_it_takes_for_a_quote() -> None:
    """There, typographic quotes end a string as well."""
    line = next(
        one
        for one in client_env.SHELLS["powershell"](SITE).splitlines()
        if one.startswith("$env:PIP_CERT")
    )
    assert line == (
        "$env:PIP_CERT = '/etc/ssl/it''s \"the\" $HOME `id` \\n *.pem \u2019\u2019\u201c'"
    )


def test_container_tools_get_values_without_quotes() -> None:
    """They would take them for part of the value."""
    plain = Site(url="http://10.0.0.5:8484", authority="/etc/ssl/ca.pem", token=TOKEN)
    lines = client_env.SHELLS["dotenv"](plain).splitlines()
    variables = [line for line in lines if not line.startswith("#")]
    assert variables
    assert not [line for line in variables if '"' in line or "'" in line]


def test_json_tells_the_variables_and_what_none_can_say(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """For programs that write settings of others."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    text = told(
        capsys,
        *("--url", SITE.url, "--ca", CA, "--shell", "json"),
        *("--token-file", str(tmp_path / "token")),
    )
    shape = json.loads(text)
    assert shape["env"] == EXPECTED
    assert shape["notes"][0] == (
        "ollama: ollama pull models.example:8484/NAMESPACE/MODEL:TAG"
    )


def test_without_tls_installers_are_told_to_trust_the_host(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They refuse a plain index beyond loopback, container tools everywhere."""
    text = told(capsys, "--url", "http://10.0.0.5:8484/")
    lines = text.splitlines()
    assert "export PIP_TRUSTED_HOST=10.0.0.5" in lines
    assert "# ollama: ollama pull --insecure 10.0.0.5:8484/NAMESPACE/MODEL:TAG" in lines
    assert "CERT" not in text
    assert "TOKEN" not in text


def test_xet_is_left_on_where_the_server_offers_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Old hub clients fetch files above 50 GB by it alone."""
    assert "HF_HUB_DISABLE_XET" not in told(capsys, "--xet")
    assert "HF_HUB_DISABLE_XET" in told(capsys)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--url", "models:8484"], "`models:8484` is not the address of a server"),
        (["--url", "ftp://m"], "`ftp://m` is not the address of a server"),
        (
            ["--url", "http://user@m/"],
            "`http://user@m/` is not the address of a server",
        ),
        (["--url", "http://m/?x"], "`http://m/?x` is not the address of a server"),
        (
            ["--url", "http://m/$(id)"],
            "`http://m/$(id)` is not the address of a server",
        ),
        (["--ca", "ca.pem"], "ca.pem is not an absolute path"),
        (["--ca", "/a\nb"], "/a\\nb is not an absolute path"),
        (
            ["--token-file", "/nowhere/t"],
            "cannot read the token file /nowhere/t: No such file or directory",
        ),
        (["--token-file", "/etc/hostname"], "there is no token in /etc/hostname"),
    ],
)
def test_what_cannot_be_a_setting_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], problem: str
) -> None:
    """What is printed is run by a shell."""
    assert main.run(["client-env", *arguments]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0]) == ("", f"airlift: error: {problem}")
