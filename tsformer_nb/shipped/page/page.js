// The page: what is chosen, changed and shown. The model is in tsformer.js; nothing leaves this machine.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let model, chosen, drawn, cursor = 0, waiting = 0, round = 0;

  // ---- the series: what was chosen, drawn over, then shifted, cut and made noisy

  const dice = (() => {  // noise that is the same each time, so that a slider moves one thing only
    let state = 1;
    const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
    return Float64Array.from({ length: 500 }, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
  })();

  function series() {
    const shift = +$("shift").value, cut = +$("cut").value, noise = +$("noise").value, n = drawn.length;
    return Float64Array.from(drawn, (_, step) => {
      let from = step - shift;  // mirrored at both ends, as in training
      if (from < 0) from = -from;
      if (from >= n) from = 2 * (n - 1) - from;
      return (step >= n - cut ? 0 : drawn[from]) + noise * dice[step];
    });
  }

  function take(values, name) {
    chosen = Float64Array.from(values);
    drawn = chosen.slice();
    for (const knob of ["noise", "shift", "cut"]) $(knob).value = 0;
    $("curve-said").textContent = name;
    change();
  }

  // ---- pictures

  function frame(canvas) {  // as many dots as the screen has
    const ratio = Math.min(2, devicePixelRatio || 1), width = canvas.clientWidth || 600;
    const height = width * canvas.getAttribute("height") / canvas.getAttribute("width");
    if (canvas.width !== Math.round(width * ratio)) {
      canvas.dataset.shape ||= `${canvas.getAttribute("width")} ${canvas.getAttribute("height")}`;
      const [wide, high] = canvas.dataset.shape.split(" ");
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(width * ratio * high / wide);
    }
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    return [pen, canvas.width, canvas.height, height];
  }

  const REACH = 4;  // the picture shows values from -4 to 4
  const up = (value, height) => height / 2 - Math.max(-REACH, Math.min(REACH, value)) / REACH * height * 0.46;

  function line(pen, values, width, height, ink) {
    pen.strokeStyle = ink;
    pen.lineWidth = Math.max(1, width / 700);
    pen.beginPath();
    values.forEach((value, step) => pen.lineTo(step / (values.length - 1) * width, up(value, height)));
    pen.stroke();
  }

  function drawCurve(values) {
    const [pen, width, height] = frame($("curve"));
    line(pen, values, width, height, color("ours"));
    if (document.activeElement === $("curve")) {
      pen.strokeStyle = color("mark");
      pen.strokeRect(cursor / (values.length - 1) * width - 3, up(values[cursor], height) - 3, 6, 6);
    }
  }

  function drawHeads(values, attention) {
    const maps = attention[+$("block").value];
    maps.forEach((map, head) => {
      const canvas = $("heads").querySelectorAll("canvas")[head];
      const [pen, width, height] = frame(canvas), tokens = map.length, first = model.config.windows.length ? 1 : 0;
      const seen = Array.from({ length: tokens }, (_, j) => map.reduce((sum, row) => sum + row[j], 0) / tokens);
      const most = Math.max(...seen.slice(first));
      pen.fillStyle = color("mark");
      seen.slice(first).forEach((share, n) => {
        pen.globalAlpha = 0.75 * share / most;
        pen.fillRect(n / (tokens - first) * width, 0, width / (tokens - first), height);
      });
      pen.globalAlpha = 1;
      line(pen, values, width, height, color("ink"));
      const place = seen.slice(first).indexOf(most);
      const text = say("head_said", { head, spectrum: Math.round(100 * (first ? seen[0] : 0)), place: place * 16 });
      canvas.nextElementSibling.textContent = text;
    });
  }

  function drawHidden(drops) {
    const [pen, width, height] = frame($("hidden")), most = Math.max(0.1, ...drops.map(Math.abs)), wide = width / 31;
    drops.forEach((drop, n) => {
      pen.fillStyle = color(drop > 0 ? "mark" : "ours");
      const size = Math.abs(drop) / most * height * 0.46;
      pen.fillRect((n + 0.1) * wide, drop > 0 ? height / 2 - size : height / 2, 0.8 * wide, size);
    });
  }

  // ---- what the model says

  function change() {  // at most once for each picture on the screen
    for (const knob of ["noise", "shift", "cut"]) document.querySelector(`output[for=${knob}]`).value = $(knob).value;
    waiting ||= requestAnimationFrame(() => { waiting = 0; show(); });
  }

  function show() {
    if (!model || !drawn) return;
    const values = series(), { probabilities, attention } = TSFormer.predict(model, values);
    const best = probabilities.indexOf(Math.max(...probabilities));
    drawCurve(values);
    drawHeads(values, attention);
    probabilities.forEach((p, n) => {
      const row = $("says").children[n];
      row.querySelector("progress").value = p;
      row.querySelector("output").value = `${(100 * p).toFixed(1)} %`;
    });
    document.body.dataset.probabilities = JSON.stringify(probabilities);
    clearTimeout(show.later);
    show.later = setTimeout(() => {
      $("verdict").textContent = say("verdict", { name: say(`class_${best}`), p: (100 * probabilities[best]).toFixed(1) });
      occlude(values, best, probabilities[best], ++round);
    }, 250);
  }

  function occlude(values, best, usual, mine) {  // one piece after the other, and other things in between
    const drops = [], rest = [], odds = (p) => Math.log((p + 1e-9) / (1 - p + 1e-9));  // near 100 % percents do not move
    let worst = 0;
    const next = () => {
      if (mine !== round || waiting) return;
      const without = values.slice();
      without.fill(0, drops.length * 16, drops.length * 16 + 16);
      const left = TSFormer.predict(model, without).probabilities[best];
      drops.push(odds(usual) - odds(left));
      if (left <= Math.min(...rest)) worst = drops.length - 1;
      rest.push(left);
      const done = drops.length === 31;
      if (done || !calm) drawHidden(drops);
      $("hide-said").textContent = done ? say("hide_said", { from: worst * 16, to: worst * 16 + 15,
        p: (100 * rest[worst]).toFixed(1) }) : "";
      if (!done) setTimeout(next);
    };
    next();
  }

  // ---- hands: mouse, finger, keys

  function bend(step, value) {  // pull the curve to a value, its neighbours with it
    const n = drawn.length, shift = +$("shift").value, at = Math.max(0, Math.min(n - 1, step - shift));
    const by = value - drawn[at];
    for (let near = -6; near <= 6; near++)
      if (drawn[at + near] !== undefined) drawn[at + near] += by * Math.exp(-near * near / 8);
    change();
  }

  const canvas = $("curve");
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drag(event); });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) drag(event); });
  function drag(event) {
    const box = canvas.getBoundingClientRect();
    cursor = Math.round((event.clientX - box.left) / box.width * (drawn.length - 1));
    cursor = Math.max(0, Math.min(drawn.length - 1, cursor));
    bend(cursor, (0.5 - (event.clientY - box.top) / box.height) / 0.46 * REACH);
  }
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -5, ArrowRight: 5, Home: -500, End: 500 }, bends = { ArrowUp: 0.25, ArrowDown: -0.25 };
    if (event.key in moves) cursor = Math.max(0, Math.min(drawn.length - 1, cursor + moves[event.key]));
    else if (event.key in bends) bend(cursor, series()[cursor] + bends[event.key]);
    else return;
    event.preventDefault();
    $("curve-said").textContent = say("cursor", { step: cursor, value: series()[cursor].toFixed(2) });
    change();
  });
  canvas.addEventListener("focus", change);
  canvas.addEventListener("blur", change);
  for (const knob of ["noise", "shift", "cut", "block"]) $(knob).addEventListener("input", change);
  $("undo").addEventListener("click", () => take(chosen, say("undone")));
  $("example").addEventListener("change", () => example(+$("example").value));
  addEventListener("resize", change);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", change);

  function example(n) {
    const one = EXAMPLES[n];
    take(one.values, say("example_said", { n: one.n, name: say(`class_${one.label}`) }));
  }

  // ---- one's own series

  function own(text) {
    const rows = text.trim().split(/\r?\n/).map((row) => row.split(/[,;\t ]+/).filter(Boolean).map(Number));
    let values = rows.length > 1 && rows.every((row) => row.length === 1) ? rows.flat() : rows[0];
    if (!values || values.length < 8 || values.some((value) => !Number.isFinite(value)))
      return void ($("own-said").textContent = say("own_wrong"));
    if (values.length === 501) values = values.slice(1);  // the label in front, as in the archive
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const spread = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) || 1;
    const steps = Array.from({ length: 500 }, (_, step) => {
      const place = step / 499 * (values.length - 1), at = Math.min(values.length - 2, Math.floor(place));
      return (values[at] + (place - at) * (values[at + 1] - values[at]) - mean) / spread;
    });
    $("own-said").textContent = say("own_said", { n: values.length, rows: rows.length });
    take(steps, say("own_name"));
  }

  $("take").addEventListener("click", () => own($("own").value));
  $("file").addEventListener("change", async (event) => own(await event.target.files[0].text()));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", async (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) own(await event.dataTransfer.files[0].text());
  });

  // ---- sound: the 500 numbers again and again

  let audio, source, gain;
  $("play").addEventListener("click", () => {
    if (source) { source.stop(); source = undefined; } else {
      audio ||= new AudioContext();
      gain = new GainNode(audio, { gain: +$("volume").value });
      const values = series(), buffer = audio.createBuffer(1, values.length, 8000), loudest = Math.max(...values.map(Math.abs));
      buffer.copyToChannel(Float32Array.from(values, (value) => value / (loudest || 1)), 0);
      source = new AudioBufferSourceNode(audio, { buffer, loop: true });
      source.connect(gain).connect(audio.destination);
      source.start();
    }
    $("play").setAttribute("aria-pressed", String(Boolean(source)));
    $("play").textContent = say(source ? "stop" : "play");
  });
  $("volume").addEventListener("input", () => { if (gain) gain.gain.value = +$("volume").value; });

  // ---- begin

  function start(buffer) {
    model = TSFormer.read(buffer);
    model.about.classes.forEach((_, n) => {
      const row = document.createElement("p");
      row.className = "class";
      row.innerHTML = `<label for="p${n}"></label><progress id="p${n}" max="1" value="0"></progress><output for="p${n}"></output>`;
      row.firstChild.textContent = say(`class_${n}`);
      $("says").append(row);
    });
    for (let n = 0; n < model.config.num_blocks; n++) $("block").append(new Option(String(n), n));
    for (let n = 0; n < model.config.num_heads; n++) {
      const figure = document.createElement("figure");
      figure.innerHTML = `<canvas width="480" height="110" role="img" aria-label="${say("head", { n })}"></canvas><figcaption></figcaption>`;
      $("heads").append(figure);
    }
    EXAMPLES.forEach((one, n) => $("example").append(new Option(
      say("example_name", { n: one.n, name: say(`class_${one.label}`), kind: say(one.kind) }), n)));
    example(0);
    document.body.dataset.ready = "yes";
  }

  function fromScript() {  // a page on a disk may not read files beside it, but may run them
    const script = document.createElement("script");
    script.src = "model.js";
    script.onload = () => start(Uint8Array.from(atob(MODEL), (letter) => letter.charCodeAt(0)).buffer);
    document.body.append(script);
  }

  if (location.protocol === "file:") fromScript();
  else fetch("model.bin").then((answer) => answer.arrayBuffer()).then(start);
})();
