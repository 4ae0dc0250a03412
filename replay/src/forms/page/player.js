"use strict";
// The player of an exported page. What was recorded goes into the page as text (textContent) and never as markup; nothing
// is fetched. A frame shows the screen as it was at its time; the screen at a moment is that of the last frame before it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const screen = byId("screen"), cursor = byId("cursor"), probe = byId("probe"), position = byId("position");
  const play = byId("play"), speedChoice = byId("speed"), status = byId("status"), notice = byId("notice");
  const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];
  // Frames between two copies of the whole screen: going back applies fewer than this many.
  const SPACING = 256;
  // Size of the type of #probe, which is as wide as that many characters of the screen's font.
  const PROBE_SIZE = 10;
  const SMALL_STEP = 5000, LARGE_STEP = 60000;

  const { frames, rows, styles, marks, length } = data;
  const copies = [];
  let at = 0, playing = false, speed = 1, shown = -1, last = null;
  // The number of each row on the screen, and the elements that show them.
  let state = [], lines = [];
  let cols = 0, cell = [0, 0];

  function apply(state, frame) {
    const count = frame[3];
    while (state.length < count) state.push(0);
    state.length = count;
    for (let i = 6; i < frame.length; i += 2) state[frame[i]] = frame[i + 1];
  }

  // All copies are made once, so that the first jump to the end takes no longer than the next.
  (() => {
    const walking = [];
    frames.forEach((frame, index) => {
      apply(walking, frame);
      if (index % SPACING === 0) copies.push(walking.slice());
    });
  })();

  // The last frame at or before a time.
  function frameAt(time) {
    let low = 0, high = frames.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (frames[middle][0] <= time) low = middle; else high = middle - 1;
    }
    return low;
  }

  function paint(number) {
    if (number === -1) return "var(--ink)";
    if (number === -2) return "var(--paper)";
    return "#" + number.toString(16).padStart(6, "0");
  }

  function drawRow(line, id) {
    const runs = rows[id], spans = [];
    for (let i = 0; i < runs.length; i += 3) {
      const span = document.createElement("span"), [ink, paper, looks] = styles[runs[i + 2]];
      span.className = "run";
      span.textContent = runs[i];
      span.style.width = runs[i + 1] + "ch";
      if (ink !== -1) span.style.color = paint(ink);
      if (paper !== -2) span.style.backgroundColor = paint(paper);
      if (looks & 1) span.style.fontWeight = "bold";
      if (looks & 2) span.style.opacity = "0.6";
      if (looks & 4) span.style.fontStyle = "italic";
      const through = [looks & 8 ? "underline" : "", looks & 16 ? "line-through" : ""].join(" ").trim();
      if (through) span.style.textDecoration = through;
      spans.push(span);
    }
    line.replaceChildren(...spans);
  }

  function show(index) {
    if (index === shown) return;
    let from = shown;
    if (index < shown || index - shown > SPACING || shown < 0) {
      const copy = Math.floor(index / SPACING);
      state = copies[copy].slice();
      from = copy * SPACING;
    }
    for (let i = from + 1; i <= index; i++) apply(state, frames[i]);
    shown = index;
    const frame = frames[index];
    while (lines.length < state.length) {
      const line = document.createElement("div");
      line.className = "row";
      screen.insertBefore(line, cursor);
      lines.push({ line, id: 0 });
    }
    while (lines.length > state.length) lines.pop().line.remove();
    state.forEach((id, row) => {
      if (lines[row].id === id) return;
      drawRow(lines[row].line, id);
      lines[row].id = id;
    });
    cursor.hidden = frame[4] < 0;
    cursor.style.left = frame[4] + "ch";
    cursor.style.top = frame[5] * 1.2 + "em";
    if (cols !== frame[2] || cell[1] !== frame[3]) {
      cols = frame[2];
      cell = [frame[2], frame[3]];
      fit();
    }
  }

  // The largest type at which the whole screen is in view.
  function fit() {
    if (!cols) return;
    const room = screen.parentElement, gaps = 12;
    const width = probe.getBoundingClientRect().width / probe.textContent.length / PROBE_SIZE;
    const size = Math.min((room.clientWidth - gaps) / (cell[0] * width), (room.clientHeight - gaps) / (cell[1] * 1.2));
    screen.style.fontSize = Math.max(size, 0.5) + "px";
    screen.style.width = cell[0] + "ch";
    screen.style.height = cell[1] * 1.2 + "em";
  }

  function clock(ms) {
    const tenths = Math.floor(ms / 100), two = (n) => String(n).padStart(2, "0");
    const seconds = Math.floor(tenths / 10), hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60, rest = two(seconds % 60) + "." + (tenths % 10);
    return hours ? hours + ":" + two(minutes) + ":" + rest : minutes + ":" + rest;
  }

  // Event time at a time of playing: inside a pause that was cut, playing goes on as the session did and then jumps.
  function eventTime(time) {
    let [from, event] = frames[shown];
    for (const mark of marks) if (mark[0] <= time && mark[1] >= event) [from, event] = mark;
    return time >= length ? data.end : Math.min(event + (time - from), data.end);
  }

  function wall(ms) {
    if (data.started === null) return "";
    const time = new Date(data.started + ms);
    return isNaN(time) ? "" : time.toISOString().replace("T", " ").slice(0, 21) + " UTC";
  }

  function render() {
    show(frameAt(at));
    position.value = String(Math.round(at));
    const event = eventTime(at), where = clock(at) + " / " + clock(length);
    position.setAttribute("aria-valuetext", where);
    const text = [where, speed + "×", wall(event)].filter(Boolean).join("  ");
    if (status.textContent !== text) status.textContent = text;
    let passed = "";
    for (const mark of marks) if (mark[0] <= at && mark[0] > at - 4000 * Math.max(1, speed)) passed = mark[3];
    if (notice.textContent !== passed) notice.textContent = passed;
    const label = playing ? "Pause" : "Play";
    if (play.textContent !== label) play.textContent = label;
    document.body.dataset.state = playing ? "playing" : at >= length ? "ended" : "paused";
  }

  function tick(now) {
    if (!playing) return;
    if (last !== null) at = Math.min(length, at + (now - last) * speed);
    last = now;
    if (at >= length) playing = false;
    render();
    if (playing) requestAnimationFrame(tick);
  }

  function setPlaying(on) {
    if (on && at >= length) at = 0;
    if (on === playing) return render();
    playing = on;
    last = null;
    render();
    if (playing) requestAnimationFrame(tick);
  }

  function seek(time) {
    at = Math.min(length, Math.max(0, time));
    render();
  }

  function setSpeed(value) {
    speed = value;
    speedChoice.value = String(value);
    render();
  }

  function stepSpeed(by) {
    setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(speed) + by))]);
  }

  function stepFrame(by) {
    const index = Math.min(frames.length - 1, Math.max(0, frameAt(at) + by));
    setPlaying(false);
    seek(frames[index][0]);
  }

  function stepMark(by) {
    const times = marks.map((mark) => mark[0]);
    const next = by > 0 ? times.find((time) => time > at) : times.findLast((time) => time < at);
    if (next !== undefined) seek(next);
  }

  const KEYS = {
    " ": () => setPlaying(!playing),
    k: () => setPlaying(!playing),
    ArrowLeft: () => seek(at - SMALL_STEP),
    ArrowRight: () => seek(at + SMALL_STEP),
    ArrowUp: () => seek(at + LARGE_STEP),
    ArrowDown: () => seek(at - LARGE_STEP),
    Home: () => seek(0),
    End: () => seek(length),
    "+": () => stepSpeed(1),
    "=": () => stepSpeed(1),
    "-": () => stepSpeed(-1),
    ".": () => stepFrame(1),
    ",": () => stepFrame(-1),
    "[": () => stepMark(-1),
    "]": () => stepMark(1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // What has the focus keeps its own keys: a list its arrows, a button its space.
    const own = event.target instanceof HTMLSelectElement
      || (event.target instanceof HTMLButtonElement && (event.key === " " || event.key === "Enter"));
    if (own) return;
    const digit = /^[0-9]$/.test(event.key);
    const act = digit ? () => seek(length * Number(event.key) / 10) : Object.hasOwn(KEYS, event.key) && KEYS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  play.addEventListener("click", () => setPlaying(!playing));
  position.addEventListener("input", () => seek(Number(position.value)));
  speedChoice.addEventListener("change", () => setSpeed(Number(speedChoice.value)));
  window.addEventListener("resize", fit);

  for (const value of SPEEDS) {
    const option = document.createElement("option");
    option.value = String(value);
    option.textContent = value + "×";
    speedChoice.append(option);
  }
  position.max = String(length);
  for (const [time, , kind, text] of marks) {
    const mark = document.createElement("button");
    mark.type = "button";
    mark.className = "mark " + kind;
    mark.title = clock(time) + " " + text;
    mark.setAttribute("aria-label", "Go to " + clock(time) + ": " + text);
    mark.style.left = (length ? 100 * time / length : 0) + "%";
    mark.addEventListener("click", () => seek(time));
    byId("marks").append(mark);
  }
  document.title = data.title;
  byId("title").textContent = data.title;
  const unmarked = data.unmarked ? data.unmarked + " more markers and gaps are not on the scrubber" : "";
  const doubts = [data.doubts, unmarked].filter(Boolean).join("; ");
  if (doubts) {
    byId("doubts").textContent = doubts;
    byId("doubts").hidden = false;
  }
  setSpeed(1);
  render();
  fit();
})();
