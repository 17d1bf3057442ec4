// Numbers that a reader brings: pasted, dropped, or a file; of any shape that is plainly one or several series.
"use strict";

const Own = (() => {

  // -> { rows: [[numbers]] }, or { wrong: name of a sentence, ... what it says }
  function read(text, steps) {
    const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).map((line) => line.trim()).filter(Boolean);
    const points = lines.some((line) => line.includes(";")) && !text.includes(".");  // 1,5;2,5 as Excel writes it in Europe
    let table = lines.map((line) => (points ? line.replace(/,/g, ".") : line).split(/[,;\t ]+/).filter(Boolean));
    const number = (cell) => Number.isFinite(Number(cell));
    if (table.length > 1 && !table[0].some(number)) table = table.slice(1);  // names of columns
    if (table.length > 1 && table.every((row) => row.length === 1)) table = [table.flat()];
    else if (table.length >= 8 && table.every((row) => row.length === 2)) table = [table.map((row) => row[1])];  // time, value
    else table = table.map((row) => row.length === steps + 1 || (row.length > 8 && !number(row[0])) ? row.slice(1) : row);
    for (const [n, row] of table.entries()) {
      const at = row.findIndex((cell) => !number(cell));
      if (at >= 0) return { wrong: "own_no_number", row: n + 1, place: at + 1, cell: row[at].slice(0, 20) };
      if (row.length < 8) return { wrong: "own_short", row: n + 1, n: row.length };
    }
    return table.length ? { rows: table.map((row) => row.map(Number)) } : { wrong: "own_short", row: 1, n: 0 };
  }

  function stretched(values, steps) {  // straight lines between the numbers
    if (values.length === steps) return Float64Array.from(values);
    return Float64Array.from({ length: steps }, (_, step) => {
      const place = step / (steps - 1) * (values.length - 1), at = Math.min(values.length - 2, Math.floor(place));
      return values[at] + (place - at) * (values[at + 1] - values[at]);
    });
  }

  function standardized(values) {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const spread = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
    return values.map((value) => (value - mean) / spread);
  }

  return { read, stretched, standardized };
})();
