// Numbers that a reader brings: pasted, dropped, or a file; of any shape that is plainly one or several series.
"use strict";

const Own = (() => {
  const LEAST = 8, LARGEST = 1e30;
  const number = (cell) => cell !== "" && Number.isFinite(Number(cell)) && Math.abs(Number(cell)) < LARGEST;

  function tableOf(text) {  // cells, with what is only a way of writing taken away
    const lines = text.normalize("NFKC").replace(/\u2212/g, "-").split(/\r?\n/)  // also １２ and −5
      .map((line, n) => [line.trim().replace(/^[[({]+|[\])}]+,?$|"/g, ""), n + 1]).filter(([line]) => line);
    const some = lines.map(([line]) => line).join("\n");
    const by = some.includes(";") ? /;/ : some.includes("\t") ? /\t/ : some.includes(",") ? /,/ : /\s+/;
    const decimal = by.source === ";" && !some.includes(".");  // 1,5;2,5 as Excel writes it in much of Europe
    return lines.map(([line, at]) => {
      const cells = (decimal ? line.replace(/,/g, ".") : line).split(by).map((cell) => cell.trim());
      if (cells.length > 1 && cells.at(-1) === "") cells.pop();  // a separator at the end
      return { cells: cells.length === 1 ? cells[0].split(/\s+/) : cells, at };
    });
  }

  // text, steps of the model, "rows" | "columns" | "" (as it looks) -> { series, names, way } or { wrong, .. }
  function read(text, steps, asked = "") {
    if (/[\u0000\ufffd]/.test(text)) return { wrong: "own_binary" };
    let table = tableOf(text), heads = null;
    if (!table.length) return { wrong: "own_empty" };
    const counting = (row) => row.cells.length > 2 && row.cells.every((cell, n) => Number(cell) === n + +(row.cells[0] === "1"));
    if (table.length > 1 && (!table[0].cells.some(number) || counting(table[0]))) heads = table.shift().cells;
    const wide = Math.max(...table.map((row) => row.cells.length)), high = table.length;
    if (wide === 1 && asked !== "rows") table = [{ cells: table.flatMap((row) => row.cells), at: table[0].at, lines: true }];
    const tall = high >= LEAST && (wide < LEAST || (heads && high > wide));
    const way = asked || (tall ? "columns" : "rows");
    let names = table.map((_, n) => String(n + 1));
    if (way === "columns" && wide > 1) {
      const rows = table;
      names = Array.from({ length: wide }, (_, n) => heads?.[n] || String(n + 1));
      table = names.map((_, n) => ({ cells: rows.map((row) => row.cells[n] ?? ""), column: n + 1, lines: rows }));
      const time = (row) => !row.cells.some(number) || row.cells.every((cell, n) => !n || Number(cell) > Number(row.cells[n - 1]));
      const kept = table.map((row) => !time(row));  // a clock, or words
      if (kept.some(Boolean)) [table, names] = [table, names].map((all) => all.filter((_, n) => kept[n]));
    } else {
      table = table.map((row) => row.cells.length === steps + 1 || (row.cells.length > LEAST && !number(row.cells[0])
        && /^[^\d.+-]/.test(row.cells[0]) && row.cells.slice(1).every(number)) ? { ...row, cells: row.cells.slice(1), cut: 1 } : row);
    }
    for (const row of table) {
      const bad = row.cells.findIndex((cell) => !number(cell));
      const at = row.column ? { row: row.lines[bad]?.at, place: row.column }
        : row.lines ? { row: row.at + bad, place: 1 } : { row: row.at, place: bad + 1 + (row.cut || 0) };
      if (bad >= 0) return { wrong: row.cells[bad] ? "own_no_number" : "own_gap", ...at, cell: row.cells[bad].slice(0, 20) };
      if (row.cells.length < LEAST) return { wrong: "own_short", row: row.at ?? row.column, n: row.cells.length };
      if (table.length === 1 && row.cells.every((cell) => Number(cell) === Number(row.cells[0]))) return { wrong: "own_flat" };
    }
    return { series: table.map((row) => row.cells.map(Number)), names, way, both: high >= LEAST && wide >= LEAST };
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
