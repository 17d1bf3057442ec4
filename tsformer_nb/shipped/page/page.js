// The page: what is chosen, changed and shown. The models are in tsformer.js and published.js; nothing leaves this machine.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const say = (name, values = {}) => words[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const ENGINES = { tsformer: [TSFormer, "model"], published: [Published, "published-model"] };  // script, and its file
  const models = {};  // that were read
  let engine, model, chosen, drawn, cursor = 0, waiting = 0, round = 0;

  // ---- what is usual: the unit and the middle of the curves; FordA's have a spread of 1 around 0

  const steps = EXAMPLES[0].values.length, all = EXAMPLES.flatMap((one) => one.values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const spread = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length) || 1;
  const middle = STANDARD ? 0 : mean, unit = STANDARD ? 1 : spread;

  // ---- the series: what was chosen, drawn over, then shifted, cut and made noisy

  const dice = (() => {  // noise that is the same each time, so that a slider moves one thing only
    let state = 1;
    const next = () => (state = (state * 48271) % 2147483647) / 2147483647;
    return Float64Array.from({ length: steps }, () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()));
  })();

  function series() {
    const shift = +$("shift").value, cut = +$("cut").value, noise = +$("noise").value, n = drawn.length;
    return Float64Array.from(drawn, (_, step) => {
      let from = step - shift;  // mirrored at both ends, as in training
      if (from < 0) from = -from;
      if (from >= n) from = 2 * (n - 1) - from;
      return (step >= n - cut ? middle : drawn[from]) + noise * unit * dice[step];
    });
  }

  function take(values, name, hint = "") {
    chosen = Float64Array.from(values);
    drawn = chosen.slice();
    for (const knob of ["noise", "shift", "cut"]) $(knob).value = 0;
    $("curve-said").textContent = name;
    $("hint").textContent = hint;
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

  const REACH = 4;  // the picture shows values up to 4 spreads from the middle
  const up = (value, height) =>
    height / 2 - Math.max(-REACH, Math.min(REACH, (value - middle) / unit)) / REACH * height * 0.46;

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
    const maps = attention[+$("block").value], { size, first } = engine.pieces(model);
    maps.forEach((map, head) => {
      const canvas = $("heads").querySelectorAll("canvas")[head];
      const [pen, width, height] = frame(canvas), tokens = map.length;
      const seen = Array.from({ length: tokens }, (_, j) => map.reduce((sum, row) => sum + row[j], 0) / tokens);
      const most = Math.max(...seen.slice(first)), flat = most - Math.min(...seen) < 1e-9;
      pen.fillStyle = color("mark");
      seen.slice(first).forEach((share, n) => {
        pen.globalAlpha = (flat ? 0.25 : 0.75) * share / most;
        pen.fillRect(n / (tokens - first) * width, 0, width / (tokens - first) + 0.5 * flat, height);
      });
      pen.globalAlpha = 1;
      line(pen, values, width, height, color("ink"));
      const place = seen.slice(first).indexOf(most);
      const text = flat ? say("head_flat", { head, share: (100 * most).toFixed(1) })
        : say(first ? "head_said" : "head_plain", { head, spectrum: Math.round(100 * seen[0]), place: place * size });
      canvas.nextElementSibling.textContent = text;
    });
  }

  function drawTokens(made) {  // a column for each token, a row for each of its numbers
    $("tokens").hidden = !made;
    if (!made) return;
    const rows = model.config.d_model, columns = made.length / rows;
    const most = made.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
    const [pen, width, height] = frame($("made"));
    made.forEach((value, n) => {
      pen.globalAlpha = Math.abs(value) / most;
      pen.fillStyle = color(value > 0 ? "mark" : "ours");
      pen.fillRect(Math.floor(n / rows) / columns * width, n % rows / rows * height, width / columns - 1, height / rows);
    });
    pen.globalAlpha = 1;
  }

  function drawHidden(drops) {
    const [pen, width, height] = frame($("hidden")), most = Math.max(0.1, ...drops.map(Math.abs)), wide = width / parts();
    drops.forEach((drop, n) => {
      pen.fillStyle = color(drop > 0 ? "mark" : "ours");
      const size = Math.abs(drop) / most * height * 0.46;
      pen.fillRect((n + 0.1) * wide, drop > 0 ? height / 2 - size : height / 2, 0.8 * wide, size);
    });
  }

  // ---- what the model says

  const PIECE = 16;  // steps that are hidden at a time, or more where a series is long
  const piece = () => Math.max(PIECE, Math.ceil(drawn.length / 64)), parts = () => Math.floor(drawn.length / piece());

  function change() {  // at most once for each picture on the screen
    for (const knob of ["noise", "shift", "cut"]) document.querySelector(`output[for=${knob}]`).value = $(knob).value;
    waiting ||= requestAnimationFrame(() => { waiting = 0; show(); });
  }

  function show() {
    if (!model || !drawn) return;
    const values = series(), { probabilities, attention, added, made } = engine.predict(model, values);
    const best = probabilities.indexOf(Math.max(...probabilities));
    drawCurve(values);
    drawHeads(values, attention);
    drawTokens(made);
    probabilities.forEach((p, n) => {
      const row = $("says").children[n];
      row.querySelector("progress").value = p;
      row.querySelector("output").value = `${(100 * p).toFixed(1)} %`;
    });
    const [least, most] = added ? [Math.min(...added), Math.max(...added)].map((one) => one.toFixed(6).replace("-", "−")) : [];
    $("added").textContent = added ? say(least === most ? "added" : "added_between", { least, most }) : "";
    document.body.dataset.probabilities = JSON.stringify(probabilities);
    clearTimeout(show.later);
    show.later = setTimeout(() => {
      $("verdict").textContent = say("verdict", { name: name(best), p: (100 * probabilities[best]).toFixed(1) });
      occlude(values, best, probabilities[best], ++round);
    }, 250);
  }

  function borrowed(values, start, stop, other) {  // a piece of another series, moved and tilted until its ends meet
    const changed = values.slice(), low = values[start] - other[start], high = values[stop - 1] - other[stop - 1];
    for (let step = start; step < stop; step++)
      changed[step] = other[step] + low + (high - low) * (step - start) / (stop - 1 - start);
    return changed;
  }

  function occlude(values, best, usual, mine) {  // one piece after the other, and other things in between
    const drops = [], rest = [], odds = (p) => Math.log((p + 1e-9) / (1 - p + 1e-9));  // near 100 % percents do not move
    const own = +$("example").value, others = EXAMPLES.filter((_, n) => n !== own).slice(0, 4).map((one) => one.values);
    if (!others.length) others.push(new Array(steps).fill(middle));
    let worst = 0;
    const next = () => {
      if (mine !== round || waiting) return;
      const start = drops.length * piece(), stop = start + piece();
      const left = others.map((other) => engine.predict(model, borrowed(values, start, stop, other)).probabilities[best]);
      const mean = (found) => found.reduce((sum, one) => sum + one, 0) / found.length;
      drops.push(odds(usual) - mean(left.map(odds)));
      if (mean(left) <= Math.min(...rest)) worst = drops.length - 1;
      rest.push(mean(left));
      const done = drops.length === parts();
      if (done || !calm) drawHidden(drops);
      if (done) document.body.dataset.drops = JSON.stringify(drops);
      $("hide-said").textContent = done ? say(usual - rest[worst] < 0.001 ? "hide_nothing" : "hide_said",
        { from: worst * piece(), to: (worst + 1) * piece() - 1, p: (100 * rest[worst]).toFixed(1) }) : "";
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
    bend(cursor, middle + unit * (0.5 - (event.clientY - box.top) / box.height) / 0.46 * REACH);
  }
  canvas.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -5, ArrowRight: 5, Home: -1e9, End: 1e9 };
    const bends = { ArrowUp: 0.25 * unit, ArrowDown: -0.25 * unit };
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
  $("undo").addEventListener("click", () => take(chosen, say("undone"), $("hint").textContent));
  $("example").addEventListener("change", () =>
    $("example").value === "own" ? ownRow(+$("row").value || 0) : example(+$("example").value));
  addEventListener("resize", change);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", change);

  function example(n) {
    const one = EXAMPLES[n];
    take(one.values, say("example_said", { n: one.n, name: name(one.label) }));
  }

  // ---- one's own series

  let mine, text = "";  // what `Own.read` has found, and in what

  function own(pasted, way = "") {
    const found = Own.read(pasted, steps, way);
    $("own-said").className = found.wrong ? "wrong" : "";
    if (found.wrong) return void ($("own-said").textContent = `${say(found.wrong, found)} ${say("own_kept")}`);
    [mine, text] = [found, pasted];
    $("way").value = found.way;
    $("ways").hidden = !found.both;
    $("row").replaceChildren(...found.names.map((one, n) => new Option(one, n)));
    $("rows").hidden = found.series.length === 1;
    if (!$("example").querySelector("[value=own]")) $("example").append(new Option(say("own_name"), "own"));
    ownRow(0);
    nameAll(found);
  }

  function prepared(values) {
    const stretched = Own.stretched(values, steps);
    return STANDARD ? Own.standardized(stretched) : stretched;
  }

  function ownRow(n) {
    const told = { n: mine.series[n].length, series: mine.series.length, steps };
    $("own-said").textContent = say(STANDARD ? "own_said" : "own_raw", told);
    $("example").value = "own";
    $("row").value = n;
    take(prepared(mine.series[n]), mine.series.length > 1 ? say("own_named", { name: mine.names[n] }) : say("own_name"), say("own_hint"));
  }

  function nameAll(found) {  // the verdict beside the name of each series, one after the other
    const next = (n) => {
      if (found !== mine || n === Math.min(200, found.series.length)) return;
      const { probabilities } = engine.predict(model, prepared(found.series[n])), p = Math.max(...probabilities);
      $("row").options[n].textContent = say("own_verdict", { name: found.names[n], verdict: name(probabilities.indexOf(p)),
        p: (100 * p).toFixed(0) });
      setTimeout(next, 0, n + 1);
    };
    next(0);
  }

  $("row").addEventListener("change", () => ownRow(+$("row").value));
  $("way").addEventListener("change", () => own(text, $("way").value));
  $("take").addEventListener("click", () => own($("own").value));
  $("file").addEventListener("change", async (event) => {
    own(await event.target.files[0].text());
    event.target.value = "";  // so that the same file can be chosen again
  });
  $("file").addEventListener("keydown", (event) => { if (event.key === "Enter") $("file").click(); });
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

  const name = (n) => say("class", { name: String(model.about.classes[n]).replace("-", "−") });

  function showModel() {  // what hangs on the model: classes, blocks and heads
    $("says").replaceChildren(...model.about.classes.map((_, n) => {
      const row = document.createElement("p");
      row.className = "class";
      row.innerHTML = `<label for="p${n}"></label><progress id="p${n}" max="1" value="0"></progress><output for="p${n}"></output>`;
      row.firstChild.textContent = name(n);
      return row;
    }));
    $("block").replaceChildren(...Array.from({ length: model.config.num_blocks }, (_, n) => new Option(String(n), n)));
    $("heads").replaceChildren(...Array.from({ length: model.config.num_heads }, (_, n) => {
      const figure = document.createElement("figure");
      figure.innerHTML = `<canvas width="480" height="110" role="img" aria-label="${say("head", { n })}"></canvas><figcaption></figcaption>`;
      return figure;
    }));
  }

  async function choose(which) {
    const [script, file] = ENGINES[which];
    models[which] ||= script.read(TSFormer.unpack(await bytes(file)));
    [engine, model] = [script, models[which]];
    showModel();
    change();
  }

  function bytes(file) {  // a page on a disk may not read files beside it, but may run them
    if (location.protocol !== "file:") return fetch(`${file}.bin`).then((answer) => answer.arrayBuffer());
    return new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${file}.js`;
      script.onload = () => done(Uint8Array.from(atob(MODELS[file]), (letter) => letter.charCodeAt(0)).buffer);
      document.body.append(script);
    });
  }

  $("which").addEventListener("change", () => choose($("which").value));
  $("cut").max = steps;
  [$("shift").min, $("shift").max] = [-Math.floor(0.3 * steps), Math.floor(0.3 * steps)];
  choose("tsformer").then(() => {
    EXAMPLES.forEach((one, n) => $("example").append(new Option(
      say("example_name", { n: one.n, name: name(one.label), kind: say(one.kind) }), n)));
    const start = Math.max(0, EXAMPLES.findIndex((one) => one.kind === "doubtful"));  // there a little changes much
    $("example").value = start;
    example(start);
  });
})();
