// Additions to the API reference: a filter, links that open what they lead to, and "Try it".
"use strict";

const MAX_SHOWN_CHARS = 200000;
const operations = [...document.querySelectorAll(".operation")];

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches("details.operation")) target.open = true;
  target?.scrollIntoView();
}

function setUpFilter() {
  const form = document.querySelector(".filter");
  const input = form.querySelector("input");
  const status = form.querySelector("[role=status]");
  const texts = operations.map((each) => {
    const names = [...each.querySelectorAll(".name")].map((name) => name.textContent);
    return [(each.querySelector("summary") ?? each).textContent, ...names].join(" ").toLowerCase();
  });
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    operations.forEach((each, place) => {
      each.hidden = !words.every((word) => texts[place].includes(word));
      found += !each.hidden;
    });
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector(".operation:not([hidden])");
    }
    status.textContent = words.length ? `${found} of ${operations.length} operations` : "";
  };
  input.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}

function requestOf(form, credential) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input[data-name]")) {
    if (input.dataset.place === "path") path = path.replace(`{${input.dataset.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(input.dataset.name, input.value);
  }
  const headers = {};
  const secret = credential.value.trim();
  if (secret && form.dataset.auth === "basic") headers.Authorization = "Basic " + btoa("key:" + secret);
  else if (secret) headers.Authorization = "Bearer " + secret;
  else if (credential.dataset.csrf) headers["X-CSRFToken"] = credential.dataset.csrf;
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const address = path + (query.size ? "?" + query : "");
  return [address, { method: form.dataset.method, headers, body }];
}

function show(output, title, headers) {
  const heading = document.createElement("p");
  heading.textContent = title;
  const pre = document.createElement("pre");
  pre.tabIndex = 0;
  const list = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "Headers";
  const lines = document.createElement("pre");
  lines.textContent = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  list.append(summary, lines);
  output.replaceChildren(heading, list, pre);
  return pre;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function readInto(pre, response) {
  const kind = response.headers.get("content-type") ?? "";
  if (!/json|text|event-stream/.test(kind)) {
    const size = (await response.arrayBuffer()).byteLength;
    pre.textContent = `${size} bytes of ${kind || "no type"}`;
    return;
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    text += read.value;
    pre.textContent = text.slice(0, MAX_SHOWN_CHARS);
    if (text.length > MAX_SHOWN_CHARS) {
      await reader.cancel();
      break;
    }
  }
  if (kind.includes("json")) pre.textContent = pretty(text).slice(0, MAX_SHOWN_CHARS);
}

function setUpForm(form, credential) {
  const output = form.querySelector("[role=status]");
  const stop = form.querySelector(".stop");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const abort = new AbortController();
    stop.onclick = () => abort.abort();
    stop.hidden = false;
    const [address, request] = requestOf(form, credential);
    output.textContent = "Waiting for the response…";
    const begun = performance.now();
    try {
      const response = await fetch(address, { ...request, signal: abort.signal });
      const seconds = ((performance.now() - begun) / 1000).toFixed(2);
      await readInto(show(output, `${response.status} ${response.statusText}, ${seconds} s`, response.headers), response);
    } catch (error) {
      output.append(abort.signal.aborted ? "Stopped." : `The request failed: ${error.message}`);
    }
    stop.hidden = true;
  });
  form.hidden = false;
}

setUpFilter();
const credential = document.getElementById("credential");
credential.form.hidden = false;
credential.form.addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll(".try")) setUpForm(form, credential);
addEventListener("hashchange", openTarget);
openTarget();
