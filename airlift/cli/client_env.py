"""What clients must be told to use a site's server: variables, quoted for a shell.

Which variable makes which client trust an authority was tried with each of them;
none of these programs reads all of them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import urlsplit

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+", re.ASCII)
_CA_VARIABLES = (
    "SSL_CERT_FILE",  # huggingface_hub 1 and 2, uv, Go programs, Rust's hf-hub
    "REQUESTS_CA_BUNDLE",  # huggingface_hub 0 and all else on requests
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A server as clients reach it.

    Attributes:
        url: Scheme, host, port and prefix; no slash at the end.
        authority: Path on the clients of the certificate of the site's authority;
            empty where they trust the server already.
        token: What clients show; empty for nothing.
        xet: Whether the server offers transfers by xet.
    """

    url: str
    authority: str = ""
    token: str = field(default="", repr=False)
    xet: bool = False

    @property
    def host(self) -> str:
        """Host and port, as container tools and Ollama spell them."""
        return urlsplit(self.url).netloc

    @property
    def encrypted(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https://")


def variables(site: Site) -> Mapping[str, str]:
    """Return every variable that some client needs, in the order to show."""
    told = {
        "HF_ENDPOINT": site.url,
        # llama.cpp looks here first; its address ends in a slash.
        "MODEL_ENDPOINT": f"{site.url}/",
        "PIP_INDEX_URL": _index(site),
        "UV_DEFAULT_INDEX": f"airlift={site.url}/simple/",
        # Clients that would otherwise ask the world for news of themselves.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    if not site.xet:
        told["HF_HUB_DISABLE_XET"] = "1"
    if site.token:
        told["HF_TOKEN"] = site.token
        told["UV_INDEX_AIRLIFT_USERNAME"] = "airlift"
        told["UV_INDEX_AIRLIFT_PASSWORD"] = site.token
    if not site.encrypted:
        told["PIP_TRUSTED_HOST"] = urlsplit(site.url).hostname or ""
    if site.authority:
        told |= dict.fromkeys(_CA_VARIABLES, site.authority)
    return MappingProxyType(told)


def _index(site: Site) -> str:
    # pip reads a password from its index's address or from a netrc, nowhere else;
    # it sends it as a field and keeps it out of what it prints.
    scheme, _, rest = site.url.partition("://")
    login = f"airlift:{site.token}@" if site.token else ""
    return f"{scheme}://{login}{rest}/simple/"


def notes(site: Site) -> tuple[str, ...]:
    """Return what no variable can say: how the other clients are told."""
    plain = " --insecure" if not site.encrypted else ""
    tls = " --tls-verify=false" if not site.encrypted else ""
    told = [
        f"ollama: ollama pull{plain} {site.host}/NAMESPACE/MODEL:TAG",
        f"podman, skopeo: podman pull{tls} {site.host}/NAME:TAG",
    ]
    if site.authority:
        ca, certs = _quoted_sh(site.authority), f"certs.d/{site.host}"
        told += [
            "ollama: set SSL_CERT_FILE for `ollama serve`, the service, not the command",
            f"podman, skopeo: cp {ca} /etc/containers/{certs}/ca.crt, alone in there",
            f"containerd: name {ca} as `ca` in /etc/containerd/{certs}/hosts.toml",
        ]
    if site.token:
        told += [
            f"podman: podman login --username airlift --password-stdin {site.host}",
            "ollama: `airlift token add-key HOST ~/.ollama/id_ed25519.pub --allow SCOPE`",
        ]
    return tuple(told)


# --- shells -------------------------------------------------------------------------


def _sh(site: Site) -> str:
    lines = [f"export {k}={_quoted_sh(v)}" for k, v in variables(site).items()]
    return _commented(lines, site)


def _quoted_sh(text: str) -> str:
    return text if _SAFE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"


def _fish(site: Site) -> str:
    lines = [f"set -gx {k} {_quoted_fish(v)}" for k, v in variables(site).items()]
    return _commented(lines, site)


def _quoted_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _powershell(site: Site) -> str:
    lines = [f"$env:{k} = {_quoted_ps(v)}" for k, v in variables(site).items()]
    return _commented(lines, site)


def _quoted_ps(text: str) -> str:
    # There, four other signs are quotes as well, and each is doubled to be itself.
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


def _dotenv(site: Site) -> str:
    lines = [f"{k}={_quoted_dotenv(v)}" for k, v in variables(site).items()]
    return _commented(lines, site)


def _quoted_dotenv(text: str) -> str:
    # Container tools take quotes for part of the value, so there are none where
    # none are needed.
    if _SAFE.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\$`])', r"\\\1", text) + '"'


def _json(site: Site) -> str:
    return json.dumps({"env": dict(variables(site)), "notes": notes(site)}, indent=1)


def _commented(lines: list[str], site: Site) -> str:
    return "\n".join([*lines, *(f"# {note}" for note in notes(site))])


SHELLS: Mapping[str, Callable[[Site], str]] = MappingProxyType(
    {
        "sh": _sh,
        "fish": _fish,
        "powershell": _powershell,
        "dotenv": _dotenv,
        "json": _json,
    }
)
"""How to write the variables, by what is to read them."""
