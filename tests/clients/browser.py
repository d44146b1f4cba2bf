"""A real Chromium without a screen, driven by its DevTools protocol over a pipe."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Message = dict[str, Any]
PHONE, DESK = (360, 740), (1280, 900)


@dataclass(kw_only=True)
class Browser:
    """A running browser.

    Attributes:
        reading: What it says, one JSON message after the other, each ended by NUL.
        writing: Likewise, to it.
        events: What it said unasked.
    """

    reading: int
    writing: int
    events: list[Message] = field(default_factory=list)
    number: int = 0
    rest: bytes = b""

    def call(self, method: str, session: str = "", **parameters: Any) -> Message:
        """Call *method* and return its result."""
        self.number += 1
        asked: Message = {"id": self.number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        os.write(self.writing, json.dumps(asked).encode() + b"\0")
        while True:
            told = self.next()
            if told.get("id") == asked["id"]:
                assert "error" not in told, (method, told["error"])
                result: Message = told["result"]
                return result
            self.events.append(told)

    def next(self) -> Message:
        """Return the next message."""
        while b"\0" not in self.rest:
            piece = os.read(self.reading, 1 << 16)
            assert piece, "the browser went away"
            self.rest += piece
        first, _, self.rest = self.rest.partition(b"\0")
        told: Message = json.loads(first)
        return told

    def tab(
        self, size: tuple[int, int] = DESK, *, dark: bool = False, script: bool = True
    ) -> "Tab":
        """Open an empty tab.

        Args:
            size: Width and height in CSS pixels.
            dark: Whether its reader prefers dark pages.
            script: Whether pages may run script at all.
        """
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(browser=self, session=attached["sessionId"], target=target)
        for domain in ("Page", "Network", "Runtime", "Log", "DOM"):
            tab.call(f"{domain}.enable")
        width, height = size
        tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if dark else "light",
        }
        tab.call("Emulation.setEmulatedMedia", features=[scheme])
        tab.call("Emulation.setScriptExecutionDisabled", value=not script)
        return tab


@dataclass(kw_only=True)
class Tab:
    """One tab of a browser."""

    browser: Browser
    session: str
    target: str

    def close(self) -> None:
        """Close it and forget what it said."""
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.events = [
            one for one in self.browser.events if one.get("sessionId") != self.session
        ]

    def address(self) -> str:
        """Return the address of what it shows, which needs no script."""
        return str(self._entry()["url"])

    def title(self) -> str:
        """Return the title of what it shows."""
        return str(self._entry()["title"])

    def _entry(self) -> Message:
        history = self.call("Page.getNavigationHistory")
        entry: Message = history["entries"][history["currentIndex"]]
        return entry

    def call(self, method: str, **parameters: Any) -> Message:
        """Call *method* of this tab."""
        return self.browser.call(method, self.session, **parameters)

    def open(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """Go to *url* and wait until it is loaded."""
        self.call("Network.setExtraHTTPHeaders", headers=dict(headers or {}))
        gone = self.call("Page.navigate", url=url)
        assert "errorText" not in gone, gone
        self.loaded()

    def loaded(self) -> None:
        """Wait until a page is loaded, then forget that one was."""
        events = self.browser.events
        while True:
            for number, told in enumerate(events):
                if (told.get("method"), told.get("sessionId")) == (
                    "Page.loadEventFired",
                    self.session,
                ):
                    del events[number]
                    return
            events.append(self.browser.next())

    def run(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; promises are awaited.

        The protocol runs it beside the page: the page's own policy does not hold it.
        """
        told = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """Press and let go of a key: ``Tab``, ``Enter``."""
        code = {"Tab": 9, "Enter": 13}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        shared = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **shared, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **shared)

    def click(self, selector: str) -> None:
        """Click into the middle of the first element that *selector* finds."""
        root = self.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=root, selector=selector)
        node = found["nodeId"]
        assert node, f"there is no {selector}"
        self.call("DOM.scrollIntoViewIfNeeded", nodeId=node)
        corners = self.call("DOM.getContentQuads", nodeId=node)["quads"][0]
        x, y = sum(corners[::2]) / 4, sum(corners[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                clickCount=1,
            )

    def told(self, method: str) -> list[Message]:
        """Return the parameters of the events of this tab called *method*, so far."""
        return [
            one["params"]
            for one in self.browser.events
            if (one.get("method"), one.get("sessionId")) == (method, self.session)
        ]

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(told["data"])


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Run Chromium with its profile in *folder* while the context is open."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "the tests of the page need Chromium (Debian: `chromium`)"
    to_it, write = os.pipe()
    read, from_it = os.pipe()
    options = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update"),
        *("--disable-dev-shm-usage", f"--user-data-dir={folder}"),
        *("--remote-debugging-pipe", "about:blank"),
    )
    # The protocol is spoken on descriptors 3 and 4; this shell takes any for them.
    line = f'exec "$0" "$@" 3<&{to_it} 4>&{from_it}'
    process = subprocess.Popen(
        ["bash", "-c", line, program, *options],
        pass_fds=(to_it, from_it),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_it)
    os.close(from_it)
    browser = Browser(reading=read, writing=write)
    try:
        yield browser
        browser.call("Browser.close")
    finally:
        os.close(write)
        os.close(read)
        process.terminate()
        process.wait(timeout=20)
