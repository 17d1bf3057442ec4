// The forward pass of TSFormer in plain JavaScript: chapter 21 sets it beside the Python.
// Tensors are flat arrays; a comment on the line says their shape, and the last axis runs fastest.
"use strict";

const TSFormer = (() => {

  // ---- the file: 4 bytes with the length of a JSON header, the header, then all weights as float32

  function unpack(buffer) {
    const length = new DataView(buffer).getUint32(0, true);
    const { about, config, tensors } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    const weights = {};
    let place = 4 + length;
    for (const [name, size] of tensors) {
      weights[name] = new Float32Array(buffer, place, size);
      place += 4 * size;
    }
    if (place !== buffer.byteLength) throw new Error("The file of the model is incomplete.");
    return { about, config, weights };
  }

  const read = (file) => ({ ...file, waves: file.config.windows.map(fourierTable) });

  // ---- small parts

  function dense(x, rows, kernel, bias) {  // (rows, n_in), (n_in, n_out), (n_out) -> (rows, n_out)
    const nOut = bias.length, nIn = kernel.length / nOut, y = new Float64Array(rows * nOut);
    for (let row = 0; row < rows; row++) {
      for (let out = 0; out < nOut; out++) y[row * nOut + out] = bias[out];
      for (let one = 0; one < nIn; one++) {
        const value = x[row * nIn + one];
        for (let out = 0; out < nOut; out++) y[row * nOut + out] += value * kernel[one * nOut + out];
      }
    }
    return y;
  }

  function windowsOf(x, channels, width, stride, before, count) {  // (steps, channels) -> (count, width * channels)
    const steps = x.length / channels, y = new Float64Array(count * width * channels);
    for (let place = 0; place < count; place++)
      for (let tap = 0; tap < width; tap++) {
        const step = place * stride + tap - before;
        if (step >= 0 && step < steps)
          for (let c = 0; c < channels; c++) y[(place * width + tap) * channels + c] = x[step * channels + c];
      }
    return y;
  }

  function normalize(x, gamma, beta) {  // (rows, size): each row to mean 0 and spread 1, then stretched and moved
    const size = gamma.length, y = new Float64Array(x.length);
    for (let start = 0; start < x.length; start += size) {
      let mean = 0, variance = 0;
      for (let i = 0; i < size; i++) mean += x[start + i] / size;
      for (let i = 0; i < size; i++) variance += (x[start + i] - mean) ** 2 / size;
      for (let i = 0; i < size; i++)
        y[start + i] = (x[start + i] - mean) / Math.sqrt(variance + 1e-6) * gamma[i] + beta[i];
    }
    return y;
  }

  function softmax(scores) {
    const highest = Math.max(...scores), e = scores.map((score) => Math.exp(score - highest));
    const sum = e.reduce((one, other) => one + other, 0);
    return e.map((one) => one / sum);
  }

  function erf(x) {  // Abramowitz and Stegun, 7.1.26: right to 1.5e-7
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return Math.sign(x) * (1 - p * Math.exp(-x * x));
  }

  const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));
  const add = (x, y) => x.map((value, i) => value + y[i]);

  // ---- the spectrum token

  function fourierTable(width) {  // (width, 2 * half): cosines, then sines, faded in and out (Hann)
    const half = Math.floor(width / 2), table = new Float32Array(width * 2 * half);
    for (let step = 0; step < width; step++) {
      const fade = 0.5 - 0.5 * Math.cos(2 * Math.PI * step / (width - width % 2));
      for (let k = 0; k < half; k++) {
        const angle = 2 * Math.PI * step * (k + 1) / width;
        table[step * 2 * half + k] = fade * Math.cos(angle);
        table[step * 2 * half + half + k] = fade * Math.sin(angle);
      }
    }
    return table;
  }

  function logSpectrum(x, channels, width, table) {  // (steps, channels) -> (channels * half)
    const half = Math.floor(width / 2), hop = Math.max(1, Math.floor(width / 4)), steps = x.length / channels;
    const pieces = Math.floor((steps - width) / hop) + 1, found = [];
    for (let c = 0; c < channels; c++) {
      const one = Float64Array.from({ length: steps }, (_, step) => x[step * channels + c]);
      const waves = dense(windowsOf(one, 1, width, hop, 0, pieces), pieces, table, new Float32Array(2 * half));
      for (let k = 0; k < half; k++) {
        let power = 0;  // mean over the pieces (Welch, 1967)
        for (let piece = 0; piece < pieces; piece++) {
          const row = piece * 2 * half;
          power += (waves[row + k] ** 2 + waves[row + half + k] ** 2) / pieces;
        }
        found.push(Math.log(power / width + 3e-4));
      }
    }
    return Float64Array.from(found);
  }

  // ---- attention: every token looks at every other

  function attend(x, tokens, heads, w) {  // (tokens, d_model) -> (tokens, d_model), and (heads, tokens, tokens)
    const q = dense(x, tokens, w("query/kernel"), w("query/bias"));   // (tokens, heads * key_dim)
    const k = dense(x, tokens, w("key/kernel"), w("key/bias"));
    const v = dense(x, tokens, w("value/kernel"), w("value/bias"));
    const wide = q.length / tokens, size = wide / heads, answer = new Float64Array(q.length), maps = [];
    for (let head = 0; head < heads; head++) {
      const at = (token) => token * wide + head * size;
      maps.push(Array.from({ length: tokens }, (_, i) => {
        const scores = Array.from({ length: tokens }, (_, j) => {
          let product = 0;
          for (let d = 0; d < size; d++) product += q[at(i) + d] * k[at(j) + d];
          return product / Math.sqrt(size);
        });
        const weights = softmax(scores);
        for (let j = 0; j < tokens; j++)
          for (let d = 0; d < size; d++) answer[at(i) + d] += weights[j] * v[at(j) + d];
        return weights;
      }));
    }
    return [dense(answer, tokens, w("attention_output/kernel"), w("attention_output/bias")), maps];
  }

  // ---- the model

  function scale(x, { mean, std, limit, scaling, n_channels: channels }) {  // raw (steps, channels) -> in its unit
    const number = (values, c) => Array.isArray(values) ? values[c] : values, steps = x.length / channels;
    const y = Float64Array.from(x, (value, i) => (value - number(mean, i % channels)) / number(std, i % channels));
    for (let c = 0; scaling === "series" && c < channels; c++) {
      let level = 0, variance = 0;
      for (let step = 0; step < steps; step++) level += y[step * channels + c] / steps;
      for (let step = 0; step < steps; step++) variance += (y[step * channels + c] - level) ** 2 / steps;
      for (let step = 0; step < steps; step++)
        y[step * channels + c] = (y[step * channels + c] - level) / Math.sqrt(variance + 1e-6);
    }
    return limit ? y.map((value) => Math.max(-limit, Math.min(limit, value))) : y;
  }

  function tokenize(model, x) {  // (steps, channels) -> (tokens, d_model), a token of the spectrum first
    const { config: c, weights: w, waves } = model;
    const places = Math.ceil(c.n_timesteps / c.stride);
    const before = Math.floor(Math.max(0, (places - 1) * c.stride + c.kernel_size - c.n_timesteps) / 2);
    const seen = windowsOf(x, c.n_channels, c.kernel_size, c.stride, before, places);
    const heard = dense(seen, places, w["listen/kernel"], w["listen/bias"]).map((value) => Math.max(0, value));
    const count = Math.floor(places / c.patch_size), filters = w["listen/bias"].length;
    const patches = windowsOf(heard, filters, c.patch_size, c.patch_size, 0, count);
    const tokens = add(dense(patches, count, w["embed/project/kernel"], w["embed/project/bias"]), w["positions/table"]);
    if (!c.windows.length) return tokens;
    const bands = c.windows.flatMap((width, n) => [...logSpectrum(x, c.n_channels, width, waves[n])]);
    const normed = normalize(Float64Array.from(bands), w["spectrum/norm/gamma"], w["spectrum/norm/beta"]);
    const first = dense(normed, 1, w["spectrum/project/kernel"], w["spectrum/project/bias"]);
    return Float64Array.from([...first, ...tokens]);
  }

  function predict(model, series) {  // raw (steps * channels) -> probabilities, attention of each block and head, tokens
    const { config: c, weights: w } = model, attention = [];
    const made = tokenize(model, scale(series, c)), tokens = made.length / c.d_model;
    let x = made;
    for (let n = 0; n < c.num_blocks; n++) {
      const of = (name) => w[`block_${n}/${name}`];
      const norm = (which) => normalize(x, of(`norm_${which}/gamma`), of(`norm_${which}/beta`));
      const [answer, maps] = attend(norm("attend"), tokens, c.num_heads, (name) => of(`attention/${name}`));
      attention.push(maps);
      x = add(x, answer);
      const widened = dense(norm("feed_forward"), tokens, of("widen/kernel"), of("widen/bias")).map(gelu);
      x = add(x, dense(widened, tokens, of("narrow/kernel"), of("narrow/bias")));
    }
    x = normalize(x, w["norm/gamma"], w["norm/beta"]);
    const first = c.windows.length ? 1 : 0, mean = new Float64Array(c.d_model);
    for (let token = first; token < tokens; token++)
      for (let d = 0; d < c.d_model; d++) mean[d] += x[token * c.d_model + d] / (tokens - first);
    const pooled = first ? Float64Array.from([...x.slice(0, c.d_model), ...mean]) : mean;
    const probabilities = softmax([...dense(pooled, 1, w["classify/kernel"], w["classify/bias"])]);
    return { probabilities, attention, made };
  }

  const pieces = ({ config: c }) => ({ size: c.stride * c.patch_size, first: c.windows.length ? 1 : 0 });  // a token's steps
  return { unpack, read, predict, pieces, parts: { dense, normalize, softmax, add } };
})();
