"""In an empty network namespace: serve on its loopback, answer two requests, end."""

import sys
import urllib.request
from pathlib import Path

from integration.sides import Side
from namespace.sealed import traced, wake_loopback

wake_loopback()
side = Side(Path(sys.argv[1]), before=traced(sys.argv[2]))
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
with side.serving() as url:
    for path in sys.argv[3:]:
        with opener.open(url + path) as answer:
            sys.stdout.buffer.write(answer.read() + b"\n")
