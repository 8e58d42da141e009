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
    const now = new Date();
    const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    if (time.dataset.seconds !== undefined) shape.second = "2-digit";
    if (at.toDateString() !== now.toDateString()) Object.assign(shape, { month: "short", day: "numeric" });
    if (at.getFullYear() !== now.getFullYear()) shape.year = "numeric";
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
  if ("refresh" in box.dataset) source.addEventListener("requests", refreshSoon);
  if ("liveRows" in box.dataset) source.addEventListener("requests", (event) => addRows(box, JSON.parse(event.data)));
  window.addEventListener("pagehide", () => source.close(), { once: true });
}

// Parts of a page that requests change: taken from the page as it would be now, at most every REFRESH_MS.
const REFRESH_MS = 3000;
const drawn = new Map([...document.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part.innerHTML]));
let refreshed = 0, waiting = 0;

function refreshSoon() {
  if (waiting) return;
  waiting = setTimeout(async () => {
    await refresh().catch(() => {});
    refreshed = Date.now();
    waiting = 0;
  }, Math.max(0, refreshed + REFRESH_MS - Date.now()));
}

async function refresh() {
  if (document.hidden) return;
  const response = await fetch(location.href);
  if (!response.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const name = part.dataset.part, made = page.querySelector(`[data-part="${CSS.escape(name)}"]`);
    const used = part.querySelector("details[open], .values:not([hidden])") || part.contains(document.activeElement);
    if (!made || used || drawn.get(name) === made.innerHTML) continue;
    drawn.set(name, made.innerHTML);
    part.className = made.className;
    part.innerHTML = made.innerHTML;
    localTimes(part);
    charts(part);
  }
}

document.addEventListener("visibilitychange", () => { if (document.querySelector("[data-refresh]")) refreshSoon(); });

const MAX_ROWS = 200;

function addRows(table, rows) {
  const body = table.tBodies[0];
  for (const row of rows) {
    const shown = document.getElementById(`row-${row.id}`);
    if (Boolean(shown) === row.is_new) continue; // a row that is not new was answered by a later model meanwhile
    const piece = document.createElement("template");
    piece.innerHTML = row.html;
    const made = piece.content.firstElementChild;
    made.id = `row-${row.id}`;
    made.classList.add("fresh");
    localTimes(made);
    if (shown) shown.replaceWith(made);
    else body.prepend(made);
  }
  while (body.rows.length > MAX_ROWS) body.rows[body.rows.length - 1].remove();
  for (const empty of document.querySelectorAll("[data-empty]")) empty.remove();
}

document.addEventListener("DOMContentLoaded", () => {
  const box = document.querySelector("[data-live]");
  if (box && "EventSource" in window) watch(box);
});

// Charts: the row of the table for a point, on hover and by the arrow keys. Without scripts, there is the table.
function chart(box) {
  const plot = box.querySelector("svg.plot"), table = box.parentElement.querySelector("table");
  const labels = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const rows = [...table.tBodies[0].rows].reverse();
  const shades = box.dataset.shades.split(" ");
  const values = document.createElement("div"), point = document.createElementNS(plot.namespaceURI, "rect");
  let at = -1;
  values.className = "values";
  values.hidden = true;
  values.setAttribute("role", "status");
  box.append(values);
  point.setAttribute("class", "point");
  point.setAttribute("width", `${100 / rows.length}%`);
  const show = (index) => {
    if (index === at) return;
    at = index;
    values.hidden = at < 0;
    if (at < 0) return point.remove();
    point.setAttribute("x", `${100 * at / rows.length}%`);
    plot.append(point);
    values.replaceChildren(...[...rows[at].cells].map((cell, n) => {
      const line = document.createElement(n ? "span" : "strong");
      line.textContent = n ? `${labels[n]}: ${cell.textContent}` : cell.textContent;
      if (n && shades.length > 1) line.className = shades[n - 1];
      return line;
    }));
    const place = point.getBoundingClientRect(), frame = box.getBoundingClientRect(), gap = 8;
    const right = place.right - frame.left + gap, left = place.left - frame.left - gap - values.offsetWidth;
    values.style.left = `${Math.max(0, right + values.offsetWidth > frame.width ? left : right)}px`;
  };
  const near = (index) => Math.min(Math.max(index, 0), rows.length - 1);
  plot.tabIndex = 0;
  plot.addEventListener("pointermove", (event) => {
    const place = plot.getBoundingClientRect();
    show(near(Math.floor((event.clientX - place.left) / place.width * rows.length)));
  });
  plot.addEventListener("pointerleave", () => show(-1));
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(rows.length - 1); });
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1, Escape: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(event.key === "Escape" ? -1 : near(to));
  });
}

function charts(root) {
  for (const box of root.querySelectorAll("[data-chart]")) chart(box);
}

document.addEventListener("DOMContentLoaded", () => charts(document));

// One menu at a time, and Escape closes it.
const MENUS = "details.switch[open], details.menu[open], .sections .more details[open]";
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(MENUS)) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll(MENUS)) { menu.open = false; menu.querySelector("summary").focus(); }
  } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea")) {
    const search = document.querySelector("[data-search]");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  }
});

// Lists: filters apply when they are changed, and rows are selected together.
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches("[data-submit]") && !field.closest(".filters")) field.form.requestSubmit();
  const form = field.matches("[data-select-all]") ? document.getElementById(field.dataset.selectAll) : field.form;
  if (form && form.matches(".bulk")) select(form, field);
});
document.addEventListener("submit", (event) => { // so that addresses have only the filters that are set
  if (!event.target.matches(".toolbar")) return;
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll(".toolbar :disabled")) field.disabled = false;
  for (const form of document.querySelectorAll(".bulk")) select(form);
});

function select(form, changed) {
  const rows = [...form.elements].filter((field) => field.name === "name" && field.type === "checkbox");
  const every = document.querySelector(`[data-select-all="${CSS.escape(form.id)}"]`);
  if (changed && changed === every) for (const row of rows) row.checked = every.checked;
  const number = rows.filter((row) => row.checked).length;
  if (every) { every.checked = number > 0 && number === rows.length; every.indeterminate = number > 0 && number < rows.length; }
  for (const whole of form.querySelectorAll("[data-whole]")) whole.hidden = true;
  form.querySelector("[data-selected]").textContent = `${number} selected`;
}
