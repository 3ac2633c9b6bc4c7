// Makes the pages more pleasant; every page works without it.
"use strict";

// Times in the reader's own zone, with the exact one behind them.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) time.title = at.toLocaleString();
}

// What runs now, without reloading. A job that ended makes the rest of the page old.
const live = document.getElementById("live");
if (live && window.EventSource) {
  const events = new EventSource("/live");
  events.addEventListener("status", (event) => {
    const before = live.firstElementChild?.dataset.finished;
    live.innerHTML = event.data;
    const now = live.firstElementChild?.dataset.finished;
    if (before !== undefined && before !== now) location.reload();
  });
}

// Charts are read from their newest end.
for (const box of document.querySelectorAll(".chart")) box.scrollLeft = box.scrollWidth;

// Rounds of a dot, in place.
document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("svg.history a");
  const place = document.getElementById("rounds");
  if (!link || !place || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const address = link.getAttribute("href").split("#")[0];
  const answer = await fetch(address + "&part=rounds");
  if (!answer.ok) { location.href = address + "#rounds"; return; }
  place.innerHTML = await answer.text();
  history.replaceState(null, "", address + "#rounds");
  place.scrollIntoView({ behavior: "smooth", block: "nearest" });
});

// Rows that match what is typed.
const table = document.querySelector("table[data-filter]");
if (table) {
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = table.dataset.filter;
  input.setAttribute("aria-label", table.dataset.filter);
  input.className = "filter";
  table.parentElement.before(input);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const body of table.tBodies) {
      const group = body.querySelector("tr.group")?.textContent.toLowerCase() ?? "";
      let shown = 0;
      for (const row of body.querySelectorAll("tr:not(.group)")) {
        const text = group + " " + (row.dataset.words ?? "") + " " + row.cells[0].textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      body.hidden = shown === 0;
    }
  });
}
