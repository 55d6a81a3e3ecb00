"""One page of the browser, with storage of its own: looks, clicks, types, and stands in for the server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rejoinder.serving.page.browser import PATIENCE, DevTools

_KEYS = {"Enter": 13, "Escape": 27, "Tab": 9}
_SHIFT = 8
_CENTRE = """(() => {
  const found = document.querySelector(%s);
  if (!found) return null;
  found.scrollIntoView({block: "center", behavior: "instant"});
  const {x, y, width, height} = found.getBoundingClientRect();
  return [x + width / 2, y + height / 2];
})()"""


@dataclass(frozen=True)
class Request:
    """What the page asked of the server."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Canned:
    """An answer in the server's stead; status 0 is a server that cannot be reached."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


class Page:
    """A page in a browser context of its own."""

    def __init__(self, tools: DevTools) -> None:
        self._tools = tools
        self.context = tools.call("Target.createBrowserContext")["browserContextId"]
        target = tools.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self._session = tools.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.rule: Callable[[Request], Canned | None] = lambda request: None
        tools.listen(self._session, self._hear)
        for domain in ("Page", "Runtime", "Log", "Fetch", "Accessibility"):
            self.call(f"{domain}.enable")
        self.resize(1280, 800)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        return self._tools.call(method, self._session, **params)

    def close(self) -> None:
        """Close the page and forget its storage."""
        self._tools.call("Target.disposeBrowserContext", browserContextId=self.context)

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page's script has run."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(str(result["exceptionDetails"].get("exception", {}).get("description")))
        return result["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait for an expression to hold."""
        end = time.monotonic() + PATIENCE
        while not self._holds(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.02)

    def _holds(self, expression: str) -> bool:
        try:
            return bool(self.js(expression))
        except RuntimeError:
            return False  # the page is between two documents

    def texts(self, selector: str) -> list[str]:
        """The text of each element that a selector finds."""
        found: list[str] = self.js(
            f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)"
        )
        return found

    def attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the first element that a selector finds."""
        value: str | None = self.js(
            f"document.querySelector({json.dumps(selector)})?.getAttribute({json.dumps(name)})"
        )
        return value

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element: what covers it gets the click."""
        self.until(f"document.querySelector({json.dumps(selector)}) !== null")
        x, y = self.js(_CENTRE % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, shift: bool = False) -> None:
        """Press a key."""
        code: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": _KEYS[key]}
        code["modifiers"] = _SHIFT if shift else 0
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def resize(self, width: int, height: int) -> None:
        """Change the window's size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, **features: str) -> None:
        """Emulate what a user prefers, as in `prefers_color_scheme="dark"`."""
        given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=given)

    def screenshot(self, file: Path) -> None:
        """Write what is seen as a PNG file."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def nodes(self, role: str) -> list[dict[str, Any]]:
        """The nodes of a role in the accessibility tree: what a screen reader is told."""
        tree = self.call("Accessibility.getFullAXTree")["nodes"]
        return [node for node in tree if not node["ignored"] and node["role"]["value"] == role]

    def _hear(self, method: str, params: dict[str, Any]) -> None:
        if method == "Fetch.requestPaused":
            self._pass_on(params)
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(params["entry"]["text"])

    def _pass_on(self, params: dict[str, Any]) -> None:
        asked = params["request"]
        request = Request(asked["method"], asked["url"], asked["headers"], asked.get("postData", ""))
        self.requests.append(request)
        canned, about = self.rule(request), {"requestId": params["requestId"]}
        if canned is None:
            self._tools.send("Fetch.continueRequest", self._session, **about)
        elif canned.status == 0:
            self._tools.send("Fetch.failRequest", self._session, errorReason="ConnectionRefused", **about)
        else:
            headers = [{"name": name, "value": value} for name, value in canned.headers.items()]
            body = base64.b64encode(canned.body.encode()).decode()
            answer = {"responseCode": canned.status, "responseHeaders": headers, "body": body}
            self._tools.send("Fetch.fulfillRequest", self._session, **answer, **about)
