// Enhancements of the pages. Everything but live updates works without scripts.
"use strict";

// Names the time zone of the viewer to the server, which shows and reads times in it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `poolgate_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

// Shortens times, and converts those of live updates and of the first page to the time zone of the viewer.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const today = at.toDateString() === new Date().toDateString();
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (time.dataset.seconds !== undefined) shape.second = "2-digit";
    if (!today || time.dataset.day !== undefined) Object.assign(shape, { year: "numeric", month: "short", day: "numeric" });
    time.textContent = at.toLocaleString(undefined, shape);
    time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  }
}

// Adds copy buttons, if the browser supports the clipboard.
function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const box of root.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy quiet";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${box.dataset.copy}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(box.querySelector("code, .secret").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  localTimes(document);
  copyButtons(document);
});

// Live updates: the server sends the same HTML fragments that the page was rendered from.
function watch(box) {
  const mark = document.getElementById("live-state");
  const show = (word, shape) => { if (mark) { mark.textContent = word; mark.className = `state ${shape}`; } };
  const source = new EventSource(box.dataset.live);
  source.addEventListener("open", () => show("live", "ok"));
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) { show("not live", "off"); setTimeout(() => watch(box), 15000); }
  });
  source.addEventListener("accounts", (event) => {
    for (const [id, html] of Object.entries(JSON.parse(event.data))) {
      const place = document.querySelector(`[data-live-id="${CSS.escape(id)}"]`);
      if (!place || place.dataset.drawn === html) continue;
      place.dataset.drawn = html;
      place.innerHTML = html;
      localTimes(place);
    }
  });
  if ("liveRows" in box.dataset) source.addEventListener("requests", (event) => addRows(box, JSON.parse(event.data)));
  window.addEventListener("pagehide", () => source.close(), { once: true });
}

const MAX_ROWS = 200;

function addRows(table, rows) {
  const body = table.tBodies[0];
  for (const row of rows) {
    if (document.getElementById(`row-${row.id}`)) continue;
    const piece = document.createElement("template");
    piece.innerHTML = row.html;
    const made = piece.content.firstElementChild;
    made.id = `row-${row.id}`;
    made.classList.add("fresh");
    localTimes(made);
    body.prepend(made);
  }
  while (body.rows.length > MAX_ROWS) body.rows[body.rows.length - 1].remove();
  for (const empty of document.querySelectorAll("[data-empty]")) empty.remove();
}

document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector("[data-live]");
  if (box && "EventSource" in window) watch(box);
});

// One menu at a time, and Escape closes it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.switch[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.switch[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});
