// The published model, whose attention does nothing: chapter 21 tells how little is left of a head.
"use strict";

const Published = (() => {
  const { dense, normalize, softmax, add } = TSFormer.parts;
  const relu = (x) => x.map((value) => Math.max(0, value));

  // Tokens of one number: queries times keys, over 16, are (a * y + b) * y' and what softmax takes away;
  // values times the output's weights are c * y' + d. So four numbers say all that a head of 256 can do.
  function attend(y, heads, bias) {  // (steps), (heads * 4), (1) -> (steps), and (heads, steps, steps)
    const answer = new Float64Array(y.length).fill(bias[0]), maps = [];
    for (let head = 0; head < heads.length; head += 4) {
      const [a, b, c, d] = heads.slice(head, head + 4), known = new Map();  // equal tokens ask equal questions
      const look = (query) => {
        const weights = softmax(Array.from(y, (key) => (a * query + b) * key));
        return [weights, weights.reduce((sum, weight, j) => sum + weight * (c * y[j] + d), 0)];
      };
      maps.push(Array.from(y, (query, i) => {
        if (!known.has(query)) known.set(query, look(query));
        const [weights, said] = known.get(query);
        answer[i] += said;
        return weights;
      }));
    }
    return [answer, maps];
  }

  function predict({ config: c, weights: w }, series) {  // (steps) -> probabilities, attention, and what blocks add
    const attention = [];
    let x = Float64Array.from(series);
    for (let n = 0; n < c.num_blocks; n++) {
      const of = (name) => w[`block_${n}/${name}`];
      const norm = (which) => normalize(x, of(`norm_${which}/gamma`), of(`norm_${which}/beta`));  // one channel each
      const [answer, maps] = attend(norm("attend"), of("heads"), of("bias"));
      attention.push(maps);
      x = add(x, answer);
      const widened = relu(dense(norm("feed_forward"), x.length, of("widen/kernel"), of("widen/bias")));
      x = add(x, dense(widened, x.length, of("narrow/kernel"), of("narrow/bias")));
    }
    const hidden = relu(dense(x, 1, w["hidden/kernel"], w["hidden/bias"]));
    const probabilities = softmax([...dense(hidden, 1, w["classify/kernel"], w["classify/bias"])]);
    return { probabilities, attention, added: x.map((value, step) => value - series[step]) };
  }

  return { read: (file) => file, predict, pieces: () => ({ size: 1, first: 0 }) };
})();
