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
