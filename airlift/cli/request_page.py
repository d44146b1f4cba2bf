"""A request on paper: what it says, its QR code, and the text to type."""

from collections.abc import Sequence
from typing import Final

import jinja2

from airlift.cli import qr
from airlift.format import typed
from airlift.format.request import LABEL

# `code` is an element that segno made, of nothing but digits and its own words.
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>
body { font: 11pt/1.4 sans-serif; margin: 18mm; color: #000; background: #fff }
pre { font: 11pt/1.5 monospace; white-space: pre-wrap }
.typed { font-size: 12pt; letter-spacing: .06em; counter-reset: line }
.code svg { width: 62mm; height: 62mm }
.sign td { border-bottom: 1px solid #000; height: 11mm; width: 45mm }
@page { size: A4; margin: 12mm }
@media print { body { margin: 0 } section { break-inside: avoid } }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<section><pre>{{ told | join("\\n") }}</pre></section>
<section class="code">{{ code | safe }}</section>
<section>
<p>The same as text; on the connected side: <code>airlift request read --typed TEXT</code></p>
<pre class="typed">{% for line in lines %}{{ "%3d" | format(loop.index) }}  {{ line }}
{% endfor %}</pre>
</section>
<section>
<table class="sign">
<tr><th>read and released by</th><td></td><th>on</th><td></td></tr>
</table>
</section>
</body>
</html>
"""


def page(title: str, told: Sequence[str], sealed: bytes) -> bytes:
    """Return one self-contained page of HTML, to be printed and signed by hand.

    Args:
        title: Its heading.
        told: What the request says, in lines.
        sealed: The request.

    Raises:
        RequestError: No QR code holds so much.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    made = environment.from_string(_PAGE).render(
        title=title,
        told=told,
        code=qr.inline(typed.plain(sealed, LABEL)),
        lines=typed.lines(sealed, LABEL),
    )
    return made.encode()
