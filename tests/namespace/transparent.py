"""In a namespace where public names lead here: serve under them, and pull from them.

Arguments: the home, a folder with ``ca.pem``, ``server.pem`` and ``hosts``, the ``bin``
folder of a hub client, and a folder for what is pulled.
"""

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path

from airlift.digest import sha256
from clients.ollama_client import Ollama
from integration.sides import Side
from namespace.sealed import wake_loopback
from namespace.transparent_names import NAMES

home, folder, bins, target = map(Path, sys.argv[1:5])
subprocess.run(["mount", "--bind", str(folder / "hosts"), "/etc/hosts"], check=True)
wake_loopback()
ca = str(folder / "ca.pem")
names = [word for name in NAMES for word in ("--host-name", name)]
# As a service on a site's own address would listen; here it is loopback.
where = ("--port", "443", "--tls-cert", str(folder / "server.pem"))
with Side(home).serving(*where, *names):
    told = {
        "PATH": os.defpath,
        "HOME": str(target),
        "SSL_CERT_FILE": ca,
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    own = [str(bins / "hf"), "download", "acme/Tiny-GGUF", "--local-dir"]
    done = subprocess.run(
        [*own, str(target / "hub")],
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    context = ssl.create_default_context(cafile=ca)
    host = Ollama(models=target / "ollama", insecure=False, context=context)
    held = {}
    for name in ("hf.co/acme/Tiny-GGUF:Q8_0", "registry.ollama.ai/acme/Tiny-GGUF"):
        layers = host.held(host.pull(name))
        held[name] = [
            sha256(body) for kind, body in layers.items() if kind.endswith(".model")
        ]
    print(json.dumps(held))
