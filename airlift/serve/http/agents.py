"""Which program asks, in one word that is safe to keep. Pure."""

import re

_FAMILIES = (
    # In this order: programs name the libraries they are built on behind themselves.
    "vllm",
    "transformers",
    "datasets",
    "hf_hub",
    "pip",
    "uv",
    "ollama",
    "skopeo",
    "podman",
    "buildah",
    "containers",
    "containerd",
    "docker",
    "oras",
    "llama-cpp",
    "ramalama",
    "node",
    "curl",
    "wget",
    "mozilla",
)
_PRODUCT = re.compile(r"[a-z][a-z0-9._-]*(?=/)")
_READ_CHARS = 512


def family(agent: str) -> str:
    """Return the kind of program that sends *agent* as its ``User-Agent``.

    Returns:
        One of the known ones, ``other``, or ``-`` where the field is missing. Never
        the client's own text: people put tokens everywhere.

    Source: RFC 9110, section 10.1.5.
    """
    if not agent:
        return "-"
    products = set(_PRODUCT.findall(agent[:_READ_CHARS].lower()))
    return next((known for known in _FAMILIES if known in products), "other")
