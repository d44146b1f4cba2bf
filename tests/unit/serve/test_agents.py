"""Which program asks."""

import pytest

from airlift.serve.http.agents import family


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("unknown/None; hf_hub/2.4.0; python/3.11.7; torch/2.9", "hf_hub"),
        ("transformers/5.23; python/3.11; hf_hub/2.4.0", "transformers"),
        ('pip/26.3 {"ci":null,"distro":{"name":"Debian"}}', "pip"),
        ("uv/0.13.9", "uv"),
        ("ollama/0.32.15 (amd64 linux) Go/go1.24.1", "ollama"),
        ("containers/5.29 (github.com/containers/image)", "containers"),
        ("containerd/1.6.20", "containerd"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "mozilla"),
        ("hf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/1", "other"),
        ("\x1b]0;x/1", "other"),
        ("x" * 100_000, "other"),
        ("", "-"),
    ],
)
def test_a_program_is_one_known_word(agent: str, shown: str) -> None:
    """Real clients' fields; and nothing of what a client makes up reaches the log."""
    assert family(agent) == shown
