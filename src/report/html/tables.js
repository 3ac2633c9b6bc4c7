// Makes tables more pleasant: rows that match what is typed, columns that sort. Every page works without it.
"use strict";
(() => {
  // A row and the one below it that explains it belong together.
  const rowsOf = (body) => {
    const rows = [];
    for (const row of body.rows) {
      if (row.classList.contains("why") && rows.length) rows.at(-1).push(row);
      else if (!row.classList.contains("group")) rows.push([row]);
    }
    return rows;
  };
  for (const table of document.querySelectorAll("table[data-filter]")) {
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = table.dataset.filter;
    input.setAttribute("aria-label", table.dataset.filter);
    input.className = "filter";
    (table.closest(".scroll") ?? table).before(input);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const body of table.tBodies) {
        const group = body.querySelector("tr.group")?.textContent.toLowerCase() ?? "";
        let shown = 0;
        for (const rows of rowsOf(body)) {
          const text = [group, rows[0].dataset.words ?? "", ...rows.map((row) => row.textContent.toLowerCase())].join(" ");
          const hidden = !words.every((word) => text.includes(word));
          for (const row of rows) row.hidden = hidden;
          if (!hidden) shown += 1;
        }
        body.hidden = shown === 0;
      }
    });
  }
  const order = new Intl.Collator("en", { numeric: true });
  const value = (rows, at) => {
    const cell = rows[0].cells[at];
    if (!cell) return "";
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    return cell.classList.contains("n") && text === "" ? NaN : text;
  };
  // Up or down: numbers stand before words, and what is empty last.
  const compare = (a, b, sign) => {
    const [x, y] = [typeof a === "number", typeof b === "number"];
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
    if (x !== y) return x ? -1 : 1;
    return sign * (x ? a - b : order.compare(a, b));
  };
  for (const table of document.querySelectorAll("table[data-sort]")) {
    const heads = table.tHead?.rows[0]?.cells ?? [];
    for (const head of heads) {
      const name = head.textContent.trim();
      if (!name || head.querySelector("svg")) continue;
      const button = document.createElement("button");
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const first = (a, b) => compare(a[0], b[0], sign);
        // Rows within their group, and groups by their first row.
        const bodies = [...table.tBodies].map((body) => {
          const sorted = rowsOf(body).map((rows) => [value(rows, head.cellIndex), rows]);
          sorted.sort(first);
          body.append(...sorted.flatMap(([, rows]) => rows));
          return [sorted[0]?.[0] ?? NaN, body];
        });
        bodies.sort(first);
        table.append(...bodies.map(([, body]) => body));
      });
    }
  }
})();
