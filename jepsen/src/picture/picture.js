"use strict";
// Draws a history. The operations stand in columns, by lane and then by beginning, so that the part of a
// lane that is on the screen is found by bisection and nothing else is looked at.
(() => {
  const opened = performance.now();
  const data = JSON.parse(document.getElementById("data").textContent);
  const count = data.begin.length;
  const lanesCanvas = document.getElementById("lanes");
  const overview = document.getElementById("overview");
  const tip = document.getElementById("tip");
  const keyInput = document.getElementById("key");
  const GUTTER = 64, AXIS = 22, LANE_MAX = 30, LANE_MIN = 9;
  const RED = "#cf222e";

  // The first operation of each lane, and the end of time.
  const laneStart = new Array(data.lanes + 1).fill(count);
  for (let i = count - 1; i >= 0; i--) laneStart[data.lane[i]] = i;
  for (let lane = data.lanes - 1; lane >= 0; lane--) laneStart[lane] = Math.min(laneStart[lane], laneStart[lane + 1]);
  let last = 1;
  for (let i = 0; i < count; i++) last = Math.max(last, data.begin[i], data.end[i]);
  for (const [, begin, end] of data.bands) last = Math.max(last, begin, end);
  const endOf = (i) => (data.end[i] < 0 ? last : data.end[i]);
  const guilty = new Map();
  data.conflicts.forEach((conflict, number) => {
    for (const i of conflict.operations) if (!guilty.has(i)) guilty.set(i, number);
  });

  // What is looked at.
  let from = 0, to = last, scroll = 0, wantedKey = -1, drawn = 0;

  const span = () => to - from;
  const look = (begin, end) => {
    const width = Math.min(Math.max(end - begin, Math.min(last, 4)), last * 1.02);
    from = Math.min(Math.max(begin, -last * 0.01), last * 1.01 - width);
    to = from + width;
    document.body.dataset.window = Math.round(from) + " " + Math.round(to);
    requestDraw();
  };
  const zoom = (factor, at) => look(at - (at - from) * factor, at + (to - at) * factor);

  const lookAt = (operations) => {
    let begin = Infinity, end = 0;
    for (const i of operations) {
      begin = Math.min(begin, data.begin[i]);
      end = Math.max(end, data.end[i] < 0 || data.ending[i] === 2 ? data.begin[i] : data.end[i]);
    }
    const margin = Math.max((end - begin) * 0.35, last / Math.max(count, 1));
    look(begin - margin, end + margin);
    const lane = data.lane[operations[0]];
    const { height } = layout();
    scroll = Math.max(0, lane * height - lanesCanvas.clientHeight / 2);
  };

  // Times are nanoseconds if there are very many of them, otherwise numbers of events.
  const inNanoseconds = last > 1e7;
  const shown = (time) => {
    if (!inNanoseconds) return String(Math.round(time));
    for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
      if (span() > size * 2 || size === 1e3) {
        return (time / size).toFixed(Math.max(0, Math.ceil(-Math.log10(span() / size)) + 2)) + " " + unit;
      }
    }
  };

  const prepare = (canvas) => {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    return { context, width, height };
  };
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name);

  const layout = () => {
    const room = lanesCanvas.clientHeight - AXIS;
    return { height: Math.max(LANE_MIN, Math.min(LANE_MAX, room / Math.max(data.lanes, 1))) };
  };

  // The first operation of a lane that ends within the window or begins in it.
  const firstVisible = (lane) => {
    let low = laneStart[lane], high = laneStart[lane + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data.begin[middle] < from) low = middle + 1; else high = middle;
    }
    return Math.max(laneStart[lane], low - 1);
  };

  const FILLS = ["#54aeff", "#afb8c1", "#d4a72c"];

  const drawBands = (context, x, top, height, named) => {
    data.bands.forEach(([label, begin, end], number) => {
      const left = x(begin), right = Math.max(x(end < 0 ? last : end), left + 1);
      context.fillStyle = number % 2 ? "rgba(191, 135, 0, 0.16)" : "rgba(188, 76, 0, 0.14)";
      context.fillRect(left, top, right - left, height);
      if (named && right - Math.max(left, GUTTER) > 30) {
        context.save();
        context.beginPath();
        context.rect(left, top, right - left, height);
        context.clip();
        context.fillStyle = "#bc4c00";
        context.fillText(label, Math.max(left, GUTTER) + 4, top + height - 8);
        context.restore();
      }
    });
  };

  const drawOperation = (context, i, left, right, top, height, ink) => {
    const isGuilty = guilty.has(i);
    const isDim = wantedKey >= 0 && !data.key[i].includes(wantedKey);
    context.globalAlpha = isDim ? 0.12 : 1;
    context.fillStyle = isGuilty ? RED : FILLS[data.ending[i]];
    const width = Math.max(right - left, 1.5);
    if (data.ending[i] === 2) {
      // Nobody knows when it took effect: the bar fades, and goes on as a line.
      context.globalAlpha *= 0.55;
      context.fillRect(left, top + height * 0.25, width, height * 0.5);
      context.globalAlpha = isDim ? 0.12 : 1;
    } else {
      context.fillRect(left, top, width, height);
    }
    if (isGuilty) {
      context.strokeStyle = RED;
      context.lineWidth = 2;
      context.strokeRect(left - 1, top - 1, width + 2, height + 2);
    }
    const textLeft = Math.max(left, GUTTER) + 4;
    if (height > 8 && right - textLeft > 14) {
      context.save();
      context.beginPath();
      context.rect(left, top, width - 2, height);
      context.clip();
      context.fillStyle = isGuilty ? "#ffffff" : data.ending[i] === 2 ? ink : "#0a1c2e";
      context.fillText(data.label[i], textLeft, top + height / 2);
      context.restore();
    }
    context.globalAlpha = 1;
  };

  const drawLanes = () => {
    const { context, width, height } = prepare(lanesCanvas);
    const ink = colour("--ink"), soft = colour("--soft"), line = colour("--line");
    const scale = (width - GUTTER) / span();
    const x = (time) => GUTTER + (time - from) * scale;
    const lane = layout().height;
    scroll = Math.max(0, Math.min(scroll, data.lanes * lane - (height - AXIS)));
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, width - GUTTER, height);
    context.clip();
    drawBands(context, x, 0, height - AXIS, true);
    drawn = 0;
    const late = [], points = [];
    for (let number = 0; number < data.lanes; number++) {
      const top = number * lane - scroll;
      if (top + lane < 0 || top > height - AXIS) continue;
      context.fillStyle = line;
      context.fillRect(GUTTER, top + lane / 2, width - GUTTER, 0.5);
      let covered = -1;
      for (let i = firstVisible(number); i < laneStart[number + 1] && data.begin[i] <= to; i++) {
        const left = x(data.begin[i]), right = x(endOf(i));
        if (right < GUTTER) continue;
        // Bars that fall onto one pixel are drawn once.
        if (right <= covered + 0.3 && !guilty.has(i)) continue;
        covered = Math.max(left + 1, right);
        drawn++;
        const bar = [i, left, right, top + 2, lane - 5];
        if (guilty.has(i)) late.push(bar); else drawOperation(context, ...bar, ink);
        if (data.point[i] >= 0 && right - left > 10) points.push([x(data.point[i]), top + lane / 2]);
      }
    }
    for (const bar of late) drawOperation(context, ...bar, ink);
    context.fillStyle = ink;
    for (const [left, middle] of points) {
      context.beginPath();
      context.arc(left, middle, 2.6, 0, 7);
      context.fill();
      context.fillRect(left - 0.5, middle - lane / 2 + 3, 1, lane - 7);
    }
    context.restore();
    drawAxis(context, x, width, height, soft, line);
    context.fillStyle = soft;
    for (let number = 0; number < data.lanes; number++) {
      const middle = number * lane - scroll + lane / 2;
      if (middle > 0 && middle < height - AXIS) {
        const i = Math.min(firstVisible(number), count - 1);
        context.fillText("client " + data.process[i], 6, middle);
      }
    }
  };

  const drawAxis = (context, x, width, height, soft, line) => {
    const rough = span() / Math.max(2, (width - GUTTER) / 120);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = Math.max(inNanoseconds ? 0 : 1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough));
    context.clearRect(0, height - AXIS, width, AXIS);
    context.fillStyle = line;
    context.fillRect(0, height - AXIS, width, 1);
    for (let time = Math.ceil(Math.max(from, 0) / step) * step; time <= to; time += step) {
      context.fillStyle = line;
      context.fillRect(x(time), height - AXIS, 1, 5);
      context.fillStyle = soft;
      context.fillText(shown(time), x(time) + 3, height - AXIS / 2);
    }
  };

  // How many operations begin at each pixel: all of them, and those of the key that is looked for.
  let density = null;
  const densities = (width) => {
    if (density && density.width === width && density.key === wantedKey) return density;
    density = { width, key: wantedKey, bars: new Float64Array(width + 1), most: 1 };
    for (let i = 0; i < count; i++) {
      if (wantedKey >= 0 && !data.key[i].includes(wantedKey)) continue;
      const at = Math.floor((data.begin[i] / last) * (width - 1));
      density.most = Math.max(density.most, ++density.bars[at]);
    }
    return density;
  };

  const drawOverview = () => {
    const { context, width, height } = prepare(overview);
    const x = (time) => (time / last) * (width - 1);
    drawBands(context, x, 0, height, false);
    const { bars, most } = densities(Math.max(1, Math.floor(width)));
    context.fillStyle = FILLS[0];
    for (let at = 0; at < bars.length; at++) {
      const tall = (bars[at] / most) * (height - 8);
      if (bars[at]) context.fillRect(at, height - Math.max(tall, 1), 1, Math.max(tall, 1));
    }
    context.fillStyle = RED;
    for (const i of guilty.keys()) context.fillRect(x(data.begin[i]) - 1, 0, 3, height);
    context.strokeStyle = colour("--ink");
    context.lineWidth = 1.5;
    context.strokeRect(x(from), 1, Math.max(x(to) - x(from), 3), height - 2);
  };

  let isRequested = false;
  const requestDraw = () => {
    if (isRequested) return;
    isRequested = true;
    requestAnimationFrame(draw);
  };
  const draw = () => {
    isRequested = false;
    drawLanes();
    drawOverview();
    document.getElementById("status").textContent =
      count.toLocaleString("en") + " operations, " + shown(Math.max(from, 0)) + " to " + shown(to);
    const state = document.body.dataset;
    state.operations = count;
    state.drawn = drawn;
    state.conflicts = data.conflicts.length;
    state.openedMs = state.openedMs || Math.round(performance.now() - opened);
  };

  // What is under the pointer.
  const hit = (event) => {
    const box = lanesCanvas.getBoundingClientRect();
    const left = event.clientX - box.left, top = event.clientY - box.top;
    const lane = Math.floor((top + scroll) / layout().height);
    if (left < GUTTER || lane < 0 || lane >= data.lanes || top > box.height - AXIS) return -1;
    const time = from + ((left - GUTTER) / (box.width - GUTTER)) * span();
    const slack = (span() / box.width) * 2;
    let best = -1;
    for (let i = firstVisible(lane); i < laneStart[lane + 1] && data.begin[i] <= time + slack; i++) {
      if (endOf(i) >= time - slack && (best < 0 || !guilty.has(best) || guilty.has(i))) best = i;
    }
    return best;
  };
  const describe = (i) => {
    const endings = ["ok", "failed", "outcome unknown"];
    const [first, second] = data.lines[i];
    const parts = [
      data.label[i],
      "client " + data.process[i] + ", " + endings[data.ending[i]],
      "key " + data.key[i].map((key) => data.keys[key]).join(", "),
      shown(data.begin[i]) + " to " + (data.end[i] < 0 ? "the end" : shown(data.end[i])),
    ];
    if (data.point[i] >= 0) parts.push("takes effect at " + shown(data.point[i]));
    if (first) parts.push("line " + first + (second ? " and " + second : ""));
    if (guilty.has(i)) parts.push(data.conflicts[guilty.get(i)].title);
    return parts.join("\n");
  };

  let dragged = null;
  lanesCanvas.addEventListener("pointerdown", (event) => {
    dragged = { x: event.clientX, y: event.clientY, from, to, scroll };
    lanesCanvas.setPointerCapture(event.pointerId);
  });
  lanesCanvas.addEventListener("pointerup", () => { dragged = null; });
  lanesCanvas.addEventListener("pointermove", (event) => {
    if (dragged) {
      const moved = ((event.clientX - dragged.x) / (lanesCanvas.clientWidth - GUTTER)) * (dragged.to - dragged.from);
      scroll = dragged.scroll - (event.clientY - dragged.y);
      look(dragged.from - moved, dragged.to - moved);
    }
    const found = dragged ? -1 : hit(event);
    tip.style.display = found < 0 ? "none" : "block";
    if (found >= 0) {
      tip.textContent = describe(found);
      tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
      tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
    }
  });
  lanesCanvas.addEventListener("pointerleave", () => { tip.style.display = "none"; });
  lanesCanvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = lanesCanvas.getBoundingClientRect();
    const share = Math.max(0, event.clientX - box.left - GUTTER) / (box.width - GUTTER);
    if (event.shiftKey) look(from + (event.deltaY / 500) * span(), to + (event.deltaY / 500) * span());
    else zoom(Math.exp(event.deltaY / 400), from + share * span());
  }, { passive: false });
  const centre = (event) => {
    const time = ((event.clientX - overview.getBoundingClientRect().left) / overview.clientWidth) * last;
    const half = Math.min(span(), last / 20) / 2;
    look(time - half, time + half);
  };
  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    centre(event);
  });
  overview.addEventListener("pointermove", (event) => { if (event.buttons) centre(event); });
  document.getElementById("in").onclick = () => zoom(0.5, (from + to) / 2);
  document.getElementById("out").onclick = () => zoom(2, (from + to) / 2);
  document.getElementById("all").onclick = () => look(0, last);
  window.addEventListener("resize", requestDraw);

  // The search: the key of that name, otherwise the first that begins so.
  const search = () => {
    const text = keyInput.value.trim();
    wantedKey = text === "" ? -1 : data.keys.indexOf(text);
    if (text !== "" && wantedKey < 0) wantedKey = data.keys.findIndex((key) => key.startsWith(text));
    let found = 0, first = -1;
    for (let i = 0; wantedKey >= 0 && i < count; i++) {
      if (!data.key[i].includes(wantedKey)) continue;
      found++;
      if (first < 0 || data.begin[i] < data.begin[first]) first = i;
    }
    document.body.dataset.found = found;
    if (first >= 0 && (data.begin[first] > to || endOf(first) < from)) lookAt([first]);
    requestDraw();
  };
  keyInput.addEventListener("input", search);
  const list = document.getElementById("keys");
  for (const key of data.keys.slice(0, 500)) list.append(new Option(key));

  const conflicts = document.getElementById("conflicts");
  data.conflicts.forEach((conflict, number) => {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const text = document.createElement("pre");
    summary.textContent = conflict.title;
    text.textContent = conflict.explanation;
    details.open = number === 0;
    details.append(summary, text);
    summary.addEventListener("click", () => lookAt(conflict.operations));
    conflicts.append(details);
  });

  // At first: the contradiction, or as many operations as can be told apart.
  const guiltyFirst = data.conflicts.find((conflict) => conflict.operations.length > 0);
  if (guiltyFirst) lookAt(guiltyFirst.operations);
  else look(0, count > 2000 ? (last * 2000) / count : last);
  const wanted = new URLSearchParams(location.hash.slice(1)).get("key");
  if (wanted !== null) {
    keyInput.value = wanted;
    search();
  }
  draw();
})();
