#!/usr/bin/env python3
"""An exported page in a real browser without network: what it shows at a moment is what the terminal showed."""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import termios
import time
import xml.etree.ElementTree as xml

from chromium import Browser, find

SHOWN = r"""
printf 'first line\r\n'; sleep 0.4
printf '\033[1;31mred\033[0m \033[7minverse\033[0m \033[4;38;5;208munder\033[0m\r\n'; sleep 0.4
printf 'wide: \346\227\245\346\234\254|caf\303\251 \342\224\202 e\314\201\r\n'; sleep 0.4
printf '</script><img src=x onerror=alert(1)><b>&amp;\r\n'; sleep 0.4
printf '\033[?1049h\033[2J\033[5;10Hfull screen'; sleep 0.4
printf '\033[?1049l'; sleep 0.4
for n in 1 2 3 4 5; do printf "count $n\r"; sleep 0.05; done
printf '\r\nlast line'
"""
ROWS = "Array.from(document.querySelectorAll('#screen .row'), (row) => row.textContent.replace(/ +$/, ''))"


def same(what, left, right):
    if left != right:
        raise SystemExit(f"{what}:\n  {left!r}\n  {right!r}")
    print(f"ok: {what}")


def true(what, condition):
    same(what, bool(condition), True)


def still(picture):
    """The rows of an SVG still. Runs stand side by side, so their texts joined are the row."""
    root, rows = xml.fromstring(picture), {}
    space = "{http://www.w3.org/2000/svg}"
    for one in root.iter(f"{space}text"):
        if one.get("class") != "caption":
            rows.setdefault(int(one.get("y")), []).append((int(one.get("x")), one.text or ""))
    top, height, count = 23, 18, 12
    lines = ["".join(text for _, text in sorted(rows.get(top + row * height, []))) for row in range(count)]
    return [line.rstrip(" ") for line in lines]


def seconds(text):
    parts = text.split(":")
    return sum(float(part) * 60**power for power, part in enumerate(reversed(parts)))


class World:
    """A home with one recorded session, and the program that exports it."""

    def __init__(self, home, programs):
        self.home, self.programs = home, programs
        self.env = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        (home / "shown.sh").write_text(SHOWN)
        ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (12, 50))
        call = [f"{programs}/hansard-record", "run", "--quiet", "--", "sh", f"{home}/shown.sh"]
        recorder = subprocess.Popen(call, env=self.env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        try:
            while os.read(ours, 4096):
                pass
        except OSError:
            pass  # Linux says so where a terminal has no other end any more.
        same("the session is recorded", recorder.wait(60), 0)

    def export(self, form, *more):
        call = [f"{self.programs}/hansard-replay", "export", "latest", "--as", form, *more]
        return subprocess.run(call, env=self.env, check=True, capture_output=True, timeout=60).stdout.decode()


def where(browser):
    return seconds(browser.run("document.getElementById('status').textContent").split(" / ")[0])


def state(browser):
    return browser.run("document.body.dataset.state")


def seek(browser, ms):
    """As the scrubber does."""
    browser.run(f"(() => {{ const p = document.getElementById('position'); p.value = '{ms}'; p.dispatchEvent(new Event('input')); }})()")


def moments(world, browser):
    events = [json.loads(line) for line in world.export("json").splitlines()]
    shown = [event["time_ms"] for event in events if event["event"] == "output"]
    length = events[-1]["time_ms"]
    # Between events: in the middle of each longer pause nothing moves, and frames and stills are the same.
    pauses = [(a + b) // 2 for a, b in zip(shown, shown[1:]) if b - a > 150]
    true(f"the session has pauses to look at: {pauses}", len(pauses) >= 6)
    for ms in [*pauses, *reversed(pauses)]:
        seek(browser, ms)
        same(f"the screen at {ms} ms", browser.run(ROWS), still(world.export("svg", "--at", str(ms / 1000))))
    seek(browser, pauses[4])
    same("a full-screen program", [row for row in browser.run(ROWS) if row], [" " * 9 + "full screen"])
    browser.key("End")
    end = browser.run(ROWS)
    true("wide characters and marks", "wide: \u65e5\u672c|caf\u00e9 \u2502 e\u0301" in end)
    same("the screen at the end", end, still(world.export("svg")))
    same("the text at the end", "\n".join(end).rstrip("\n"), world.export("txt").rstrip("\n"))
    true("what was recorded is text", "</script><img src=x onerror=alert(1)><b>&amp;" in end)
    same("no element of it is in the page", browser.run("document.querySelectorAll('#screen img, #screen b').length"), 0)
    browser.key("Home")
    same("at the beginning nothing is shown", [row for row in browser.run(ROWS) if row], [])
    browser.key("5")
    same("5 is the middle", where(browser), int(length // 2 / 100) / 10)
    return length, end, events[0]["time"]


def playing(browser, length, end):
    browser.key("Home")
    same("it begins paused", state(browser), "paused")
    browser.key(" ")
    same("space plays", state(browser), "playing")
    browser.wait("moving", lambda: where(browser) >= 0.5)
    browser.key(" ")
    same("space pauses", state(browser), "paused")
    before = browser.run(ROWS), where(browser)
    time.sleep(0.7)
    same("paused, nothing moves", (browser.run(ROWS), where(browser)), before)
    browser.key("+")
    browser.key("+")
    true("+ is faster", "4×" in browser.run("document.getElementById('status').textContent"))
    began = time.monotonic()
    browser.click("#play")
    browser.wait("ended", lambda: state(browser) == "ended")
    took = time.monotonic() - began
    same("played to the end", browser.run(ROWS), end)
    true(f"four times as fast: {took:.2f} s for {length / 1000 - before[1]:.2f} s", took < (length / 1000 - before[1]) / 2)
    browser.key("-")
    browser.key("-")
    browser.key("ArrowLeft")
    same("back five seconds is the beginning here", where(browser), 0)
    browser.key("ArrowRight")
    same("on five seconds is the end here", where(browser), int(length / 100) / 10)
    browser.key("Home")
    browser.key(".")
    true("one frame on", 0 < where(browser) or any(browser.run(ROWS)))
    browser.click(".mark.exit")
    same("a mark goes to its moment", where(browser), int(length / 100) / 10)
    true("and is named", "exit status 0" in browser.run("document.getElementById('notice').textContent"))


FITS = """(() => {
  const room = document.querySelector('main').getBoundingClientRect(), screen = document.getElementById('screen').getBoundingClientRect();
  const inside = screen.left >= room.left - 1 && screen.right <= room.right + 1 && screen.top >= room.top - 1 && screen.bottom <= room.bottom + 1;
  return [inside, Math.min(room.width - screen.width, room.height - screen.height), screen.width, document.documentElement.scrollWidth <= innerWidth];
})()"""
# How far runs stand from the columns they belong to, in cells.
GRID = """(() => {
  const screen = document.getElementById('screen').getBoundingClientRect(), cell = screen.width / 50;
  let worst = 0;
  for (const row of document.querySelectorAll('#screen .row')) {
    let col = 0;
    for (const run of row.children) {
      worst = Math.max(worst, Math.abs((run.getBoundingClientRect().left - screen.left) / cell - col));
      col += parseInt(run.style.width);
    }
  }
  return worst;
})()"""


def looks(browser):
    for width, height in [(1600, 1000), (900, 500), (400, 700), (320, 300)]:
        browser.window(width, height)
        # The browser tells the page of its new window when it comes to it.
        browser.wait(f"in view and filling at {width}x{height}", lambda: (lambda at: at[0] and at[3] and at[1] < 20)(browser.run(FITS)))
        print("ok: in view and filling at {}x{}: {:.0f} pixels wide".format(width, height, browser.run(FITS)[2]))
        true(f"on the grid at {width}x{height}: {browser.run(GRID):.3f} cells off", browser.run(GRID) < 0.2)
    browser.window(1200, 800)
    colour = "getComputedStyle(document.getElementById('screen')).backgroundColor"
    browser.colours("light")
    light = browser.run(colour)
    browser.colours("dark")
    same("light and dark", (light, browser.run(colour)), ("rgb(255, 255, 255)", "rgb(27, 27, 27)"))
    red = browser.run("[...document.querySelectorAll('.run')].filter((r) => r.textContent === 'red').map((r) => [getComputedStyle(r).color, getComputedStyle(r).fontWeight])")
    same("colours are there", red, [["rgb(205, 0, 0)", "700"]])
    names = browser.names()
    for wanted in [("button", "Play"), ("slider", "Position"), ("combobox", "Speed"), ("document", "Recorded screen")]:
        true(f"{wanted[0]} has the name {wanted[1]}", any(role == wanted[0] and (name or "").startswith(wanted[1]) for role, name in names))


def idle(world, browser, folder):
    page = folder / "idle.html"
    world.export("html", "--idle-limit", "0.1", "-o", str(page))
    browser.open(page.as_uri())
    browser.key("End")
    same("pauses are cut", browser.run("document.getElementById('status').textContent").split(" / ")[1].split()[0] < "0:02.0", True)
    return browser.run(ROWS)


def doubted(world, browser, folder):
    """The end of the session is not witnessed any more: every viewer of the page must see it."""
    store = shutil.copytree(world.home / ".local/share/hansard", folder / "other")
    sorted(store.rglob("*.hchain"))[-1].unlink()
    page = folder / "doubted.html"
    world.export("html", "--from", store.as_uri(), "-o", str(page))
    browser.open(page.as_uri())
    box = browser.run("(({width, height}) => [width, height])(document.getElementById('doubts').getBoundingClientRect())")
    true("what is less than complete is in view", min(box) > 10)
    true("and said", "end not witnessed" in browser.run("document.getElementById('doubts').textContent"))
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, default="target/release", help="folder of hansard-record and hansard-replay")
    parser.add_argument("--browser", help="the browser; by default one that is installed")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "home").mkdir()
        world = World(folder / "home", args.bin.resolve())
        page = folder / "page.html"
        world.export("html", "-o", str(page))
        print(f"a page of {page.stat().st_size} bytes")
        browser = Browser(args.browser or find(), folder / "profile")
        try:
            browser.window(1200, 800)
            browser.open(page.as_uri())
            length, end, started = moments(world, browser)
            playing(browser, length, end)
            browser.key("End")
            wall = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", browser.run("document.getElementById('status').textContent"))
            true(f"wall-clock time: {wall[0]}", started[:15].replace("T", " ")[:13] <= wall[0][:13])
            looks(browser)
            same("without pauses, the same end", idle(world, browser, folder), end)
            true("nothing is doubted without reason", browser.run("document.getElementById('doubts').hidden"))
            pages = [page, folder / "idle.html", doubted(world, browser, folder)]
            same("asked for nothing but the pages", sorted(set(browser.asked)), sorted(one.as_uri() for one in pages))
            same("nothing went wrong in them", browser.wrong, [])
            injected = "(() => { const s = document.createElement('script'); s.textContent = 'document.body.dataset.broken = 1'; document.body.append(s); return document.body.dataset.broken; })()"
            same("no other script runs", browser.run(injected), None)
            browser.run("fetch('http://127.0.0.1:9/').catch(() => {})")
            browser.wait("refused", lambda: browser.run("1") and any("Content Security Policy" in text for text in browser.wrong))
            print("ok: the policy refuses what the page does not need")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
