"""Chromium over its debugging pipe, as far as the page's test needs it: without network, without libraries."""

import json
import os
import select
import shutil
import subprocess
import time

DEADLINE = 30
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def find():
    """A browser of this machine; an error when there is none: a page that nobody has seen play is not tested."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise SystemExit(f"no browser: install one of {', '.join(NAMES)}")


class Browser:
    """One page in one browser. Keeps what the page asked for and what went wrong in it."""

    def __init__(self, path, profile):
        ours, theirs = os.pipe(), os.pipe()
        self.read_end, self.write_end = theirs[0], ours[1]
        call = [
            "unshare", "--user", "--map-root-user", "--net", path, "--headless", "--no-sandbox", "--disable-gpu",
            "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip

        def descriptors():
            # Chromium reads commands from 3 and answers on 4; first out of the way of each other.
            command, answer = os.dup(ours[0]), os.dup(theirs[1])
            command, answer = os.dup2(command, 103), os.dup2(answer, 104)
            os.dup2(command, 3)
            os.dup2(answer, 4)

        self.process = subprocess.Popen(
            call, preexec_fn=descriptors, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(ours[0])
        os.close(theirs[1])
        self.buffer, self.number, self.session = b"", 0, None
        self.asked, self.wrong, self.loaded = [], [], False
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(one["targetId"] for one in targets if one["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        self.process.wait(DEADLINE)

    def message(self, until):
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.read_end], [], [], left)[0]:
                return None
            piece = os.read(self.read_end, 1 << 16)
            if not piece:
                raise SystemExit("the browser is gone")
            self.buffer += piece
        one, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(one)

    def event(self, message):
        what, of = message.get("method"), message.get("params", {})
        if what == "Network.requestWillBeSent":
            self.asked.append(of["request"]["url"])
        elif what == "Runtime.exceptionThrown":
            self.wrong.append(of["exceptionDetails"]["text"])
        elif what == "Log.entryAdded":
            self.wrong.append(of["entry"]["text"])
        elif what == "Page.javascriptDialogOpening":
            self.wrong.append(f"a dialog: {of['message']}")
        elif what == "Page.loadEventFired":
            self.loaded = True

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write_end, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + DEADLINE
        while message := self.message(until):
            if message.get("id") == self.number:
                if "error" in message:
                    raise SystemExit(f"{method}: {message['error']}")
                return message["result"]
            self.event(message)
        raise SystemExit(f"{method}: no answer in {DEADLINE} s")

    def open(self, url):
        self.loaded = False
        self.call("Page.navigate", url=url)
        self.wait("loaded", lambda: self.run("1") and self.loaded)

    def run(self, script):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise SystemExit(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, what, condition):
        until = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > until:
                raise SystemExit(f"not {what} in {DEADLINE} s")
            time.sleep(0.02)

    def key(self, key):
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def click(self, selector):
        box = self.run(f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])(document.querySelector({selector!r}).getBoundingClientRect())")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def window(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def colours(self, scheme):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def names(self):
        """Role and name of everything that says what it is to those who do not see it."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        value = lambda node, what: node.get(what, {}).get("value")
        return {(value(node, "role"), value(node, "name")) for node in nodes if not node.get("ignored")}
