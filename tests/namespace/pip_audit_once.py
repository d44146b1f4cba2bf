"""In an empty network namespace: serve, run stock pip-audit against it, end.

Arguments: the home of a site, the folder with pip-audit's programs, a file of
requirements, and pip-audit's own home.
"""

import os
import subprocess
import sys
from pathlib import Path

from integration.sides import Side
from namespace.sealed import wake_loopback

wake_loopback()
home, bins, requirements, own = map(Path, sys.argv[1:])
with Side(home).serving() as url:
    words = [str(bins / "pip-audit"), "-s", "osv"]
    words += ["--osv-url", f"{url}/osv/v1/query", "--progress-spinner", "off"]
    words += ["--requirement", str(requirements), "--no-deps", "--disable-pip"]
    words += ["--format", "json", "--aliases", "on", "--cache-dir", str(own / "cache")]
    done = subprocess.run(
        words, env={"HOME": str(own), "PATH": f"{bins}:{os.defpath}"}, check=False
    )
sys.exit(done.returncode)
