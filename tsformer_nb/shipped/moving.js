// Figures of the chapters that a hand can move. Without JavaScript they stay hidden: the picture before each stands.
"use strict";

(() => {
  const BLUE = "#3d85d9", ORANGE = "#d0701c", GREEN = "#2e9b58", GREY = "#808080";  // as in the still figures

  // ---- pens: one SVG of 640 points in width, drawn anew at each move

  const pens = (svg) => {
    const add = (name, shape, text = "") => {
      const one = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const key in shape) one.setAttribute(key, shape[key]);
      one.textContent = text;
      svg.append(one);
    };
    const size = svg.clientWidth < 480 ? 19 : 13;  // on a phone the picture is half as large
    const write = (text, x, y, anchor = "start", more = {}) => add("text", { x, y, "text-anchor": anchor, fill: GREY,
      "font-size": size, "font-family": "sans-serif", ...more }, text.replace("-", "−"));
    const line = (points, stroke, width = 1.2) =>  // [[x, y], ..]
      add("polyline", { points: points.map((at) => at.map((one) => one.toFixed(1))).join(" "), fill: "none", stroke,
        "stroke-width": width });
    const box = (x, y, width, height, fill, more = {}) =>
      add("rect", { x, y: Math.min(y, y + height), width, height: Math.abs(height), fill, ...more });
    const bars = (values, [x, y, width, unit], fill, more = {}) =>  // from the line at y, a value of 1 is `unit` high
      values.forEach((value, n) => box(x + (n + .1) / values.length * width, y, .8 / values.length * width,
        -value * unit, fill, more));
    return { write, line, box, bars };
  };

  const random = (state) => () => (state = (state * 48271) % 2147483647) / 2147483647;

  // ---- what each figure computes; the tests of the book ask for these

  const normalized = (token, beta = .5) => {
    const mean = token.reduce((a, b) => a + b) / token.length;
    const variance = token.reduce((sum, one) => sum + (one - mean) ** 2, 0) / token.length;
    return token.map((one) => (one - mean) / Math.sqrt(variance + 1e-6) + beta);
  };

  const attended = (tokens) => {  // (tokens, width) -> (width): the mean of what attention says, each token its own query
    const said = tokens.map((query) => {
      const scores = tokens.map((key) => Math.exp(key.reduce((sum, x, i) => sum + x * query[i], 0) / Math.sqrt(query.length)));
      const sum = scores.reduce((a, b) => a + b);
      return query.map((_, i) => scores.reduce((total, score, j) => total + score / sum * tokens[j][i], 0));
    });
    return said[0].map((_, i) => said.reduce((sum, one) => sum + one[i], 0) / said.length);
  };

  const order = (number, n) => {  // the places of n tokens, shuffled; 0: as they are
    const places = Array.from({ length: n }, (_, i) => i), next = random(number * 7919);
    for (let i = n - 1; i > 0 && number; i--) {
      const j = Math.floor(next() * (i + 1));
      [places[i], places[j]] = [places[j], places[i]];
    }
    return places;
  };

  const gaps = (series, sigma) => {  // between neighbouring values of a series with noise, sorted
    const next = random(1);
    const noise = () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
    const sorted = [...new Set(series.map((value) => value + sigma * noise()))].sort((a, b) => a - b);
    return sorted.slice(1).map((value, i) => value - sorted[i]);
  };

  const welch = (series, width) => {  // log power at width / 2 frequencies
    const half = Math.floor(width / 2), hop = Math.max(1, Math.floor(width / 4)), power = new Array(half).fill(0);
    const pieces = Math.floor((series.length - width) / hop) + 1;
    for (let start = 0; start + width <= series.length; start += hop)
      for (let k = 1; k <= half; k++) {
        let real = 0, imaginary = 0;
        for (let step = 0; step < width; step++) {
          const fade = .5 - .5 * Math.cos(2 * Math.PI * step / (width - width % 2));
          real += fade * series[start + step] * Math.cos(2 * Math.PI * step * k / width);
          imaginary += fade * series[start + step] * Math.sin(2 * Math.PI * step * k / width);
        }
        power[k - 1] += (real ** 2 + imaginary ** 2) / width / pieces;
      }
    return power.map((one) => Math.log(one + 3e-4));
  };

  // ---- how each is drawn

  const drawings = {

    norm({ write, line, bars }, { channels, first }, { rest }, word) {
      const token = [first, ...rest].slice(0, channels), out = normalized(token), wide = 210 * Math.max(2, channels) / 8;
      [[token, 60, "in"], [out, 370, "out"]].forEach(([values, x, name]) => {
        write(word(name), x, 20);
        line([[x, 110], [x + 210, 110]], GREY);
        bars(values, [x, 110, wide, 25], BLUE);
        if (channels <= 4) values.forEach((value, n) => write(((Math.round(10 * value) || 0) / 10).toFixed(1),
          x + (n + .5) / channels * wide, 205, "middle", { "font-size": 11 }));
      });
      return token.concat(out);
    },

    shuffle({ write, line, box, bars }, { shuffle, position }, { letters, tokens, places }, word) {
      const said = (where) => attended(where.map((at, n) => tokens[at].map((x, i) => x + position * places[n][i])));
      const n = letters.length, where = order(shuffle, n), now = said(where), before = said(order(0, n));
      write(word("tokens"), 20, 20);
      where.forEach((at, place) => {
        box(20 + 75 * place, 30, 65, 36, { A: BLUE, B: ORANGE, C: GREEN }[letters[at]], { rx: 4 });
        write(letters[at], 52 + 75 * place, 54, "middle", { fill: "#fff", "font-size": 17, "font-weight": "bold" });
      });
      write(word("mean"), 20, 95);
      line([[20, 165], [620, 165]], GREY);
      bars(now, [20, 165, 600, 22], BLUE, { "fill-opacity": .6 });
      bars(before, [20, 165, 600, 22], "none", { stroke: GREY, "stroke-width": 2.5 });
      [..."ABC"].forEach((letter, n) => write(letter, 20 + (n + .5) * 200, 185, "middle"));
      return now.map((value, i) => value - before[i]);
    },

    dither({ write, line, box }, { sigma }, { series, sigmas, readers }, word) {
      const level = sigmas[sigma];
      const counts = series.map((one, n) => {
        const found = new Array(100).fill(0), x = 30 + 315 * n;
        gaps(one, level).forEach((gap) => { if (gap < .02) found[Math.floor(gap * 5000)]++; });
        const most = Math.max(...found);
        write(word(`class_${n}`), x, 20);
        found.forEach((count, i) => box(x + 2.8 * i, 150, 2.8, -115 * count / most, n ? ORANGE : BLUE));
        line([[x, 150], [x + 280, 150]], GREY);
        [0, 100, 200].forEach((tick) => write((tick / 1e4).toString(), x + tick * 1.4, 167, "middle"));
        return found;
      });
      Object.entries(readers).forEach(([name, right], n) =>
        write(`${word(name)}: ${right[sigma].toFixed(3)}`, 30 + 315 * n, 200));
      return [level, ...counts.map((found) => Math.max(...found))];
    },

    window({ write, line }, { width }, values, word) {
      const place = (values) => values.map((value, k) => [40 + (k + 1) / values.length * 580, 100 - 12 * value]);
      const found = welch(values.series, width);
      values.whole ??= welch(values.series, values.series.length);  // the dearest, and always the same
      line(place(values.whole), GREY, .7);
      line(place(found), BLUE, 2.2);
      line([[40, 200], [620, 200]], GREY);
      [0, .1, .2, .3, .4, .5].forEach((tick) => write(String(tick), 40 + tick * 1160, 217, "middle"));
      write(word("power"), 40, 15);
      write(word("frequency"), 620, 192, "end");
      return found;
    },
  };

  // ---- begin

  document.querySelectorAll("figure.moving[hidden]").forEach((figure) => {
    const svg = figure.querySelector("svg"), knobs = [...figure.querySelectorAll("input")];
    const values = JSON.parse(figure.querySelector("script").textContent);
    const word = (name) => figure.querySelector(`[data-word=${name}]`).textContent.trim();
    const move = () => {
      const at = Object.fromEntries(knobs.map((knob) => [knob.name, +knob.value]));
      svg.replaceChildren();
      const found = drawings[figure.dataset.kind](pens(svg), at, values, word);
      knobs.forEach((knob) => { knob.nextElementSibling.value = values[`${knob.name}s`]?.[knob.value] ?? knob.value; });
      figure.dataset.found = JSON.stringify(found);
    };
    knobs.forEach((knob) => knob.addEventListener("input", move));
    figure.hidden = false;
    move();
  });
})();
