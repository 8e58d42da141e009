// The playground: sends the form, shows the response while it comes, and then what was recorded.
"use strict";

(() => {
  const MAX_EVENTS = 500, MAX_RAW_CHARS = 200000;
  const RECORD_TRIES = 8, RECORD_WAIT_MS = 250; // until the request is in the ledger
  const form = document.getElementById("playground");
  if (!form || !window.ReadableStream || !window.AbortController) return;
  const part = (id) => document.getElementById(id);
  const conversation = part("conversation"), message = part("message"), failure = part("failure");
  const outcome = part("outcome"), raw = part("raw"), events = part("events"), progress = part("progress");
  const send = part("send"), stop = part("stop"), turnsField = part("turns");
  let turns = JSON.parse(turnsField.value || "[]");
  let controller = null;
  for (const hint of form.querySelectorAll(".scripted")) hint.hidden = false;

  // Texts of a conversation; what is between ``` is shown as code.
  function showText(box, text) {
    box.replaceChildren();
    text.split(/^```.*$/m).forEach((piece, index) => {
      if (index % 2) {
        const block = document.createElement("pre");
        block.tabIndex = 0;
        block.append(piece.replace(/^\n|\n$/g, ""));
        box.append(block);
      } else {
        box.append(index ? piece.replace(/^\n/, "") : piece);
      }
    });
  }

  function addTurn(role, text) {
    const item = document.createElement("div"), name = document.createElement("p"), box = document.createElement("div");
    item.className = `turn ${role}`;
    name.className = "role";
    name.textContent = role === "user" ? "You" : "Model";
    box.className = "text";
    item.append(name, box);
    showText(box, text);
    conversation.append(item);
    conversation.scrollTop = conversation.scrollHeight;
    return item;
  }

  function fail(text) {
    failure.hidden = false;
    failure.firstElementChild.textContent = text;
  }

  // What an event of the stream, or a whole response, adds.
  function textOf(payload) {
    if (payload.type === "response.output_text.delta" || payload.type === "response.refusal.delta") return payload.delta || "";
    const pieces = [];
    for (const choice of payload.choices || []) {
      const added = choice.delta || choice.message || {};
      pieces.push(added.content || "", added.refusal || "");
    }
    for (const item of payload.output || []) {
      if (item.type === "message") for (const one of item.content || []) pieces.push(one.text || "", one.refusal || "");
    }
    return pieces.join("");
  }

  function errorOf(payload) {
    if (payload.type === "error") return payload.error || payload;
    return payload.error || (payload.type === "response.failed" && payload.response && payload.response.error) || null;
  }

  class RawEvents {
    constructor() { this.count = 0; this.left = MAX_RAW_CHARS; events.textContent = ""; raw.hidden = true; }
    add(text) {
      this.count += 1;
      if (this.left <= 0) return;
      raw.hidden = false;
      if (this.count > MAX_EVENTS || text.length > this.left) {
        this.left = 0;
        events.append("… more is not shown\n");
        return;
      }
      this.left -= text.length;
      events.append(`${text}\n`);
    }
  }

  async function readStream(response, log, onText) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "", finished = false;
    for (;;) {
      const { done, value } = await reader.read();
      buffer += done ? "\n\n" : value.replace(/\r\n/g, "\n");
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop();
      for (const block of blocks) {
        const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
        if (!data) continue; // a comment
        log.add(data);
        if (data === "[DONE]") { finished = true; continue; }
        const payload = JSON.parse(data), error = errorOf(payload);
        if (error) throw new Failure(error.message, error.code);
        if (/^response\.(completed|incomplete)$/.test(payload.type || "")) finished = true;
        onText(textOf(payload));
      }
      if (done) break;
    }
    if (!finished) throw new Failure("The response broke off", "");
  }

  class Failure extends Error {
    constructor(text, code) { super(text); this.code = code || ""; }
  }

  async function failureOf(response) {
    const isJson = (response.headers.get("content-type") || "").startsWith("application/json");
    if (response.redirected) return new Failure("Your session has ended: reload this page");
    if (!isJson) return new Failure(`The request failed with status ${response.status}`);
    const error = (await response.json()).error || {};
    return new Failure(error.message || `Status ${response.status}`, error.code);
  }

  async function readResponse(response, log, onText) {
    const type = response.headers.get("content-type") || "";
    if (!response.ok || response.redirected) throw await failureOf(response);
    if (type.startsWith("text/event-stream")) return readStream(response, log, onText);
    const payload = await response.json();
    log.add(JSON.stringify(payload, null, 2));
    onText(textOf(payload));
    return undefined;
  }

  // Figures of the request, the request itself and code for it, as the server renders them.
  async function showOutcome(data, requestId, code) {
    data.set("request_id", requestId);
    data.set("code", code);
    for (let left = RECORD_TRIES; left > 0; left -= 1) {
      const response = await fetch(form.dataset.outcome, { method: "POST", body: data });
      if (!response.ok || response.redirected) return;
      if (response.status === 200 || left === 1) {
        outcome.innerHTML = await response.text();
        if (typeof copyButtons === "function") copyButtons(outcome);
        return;
      }
      await new Promise((resolve) => { setTimeout(resolve, RECORD_WAIT_MS); });
    }
  }

  function running(is) {
    send.disabled = is;
    stop.hidden = !is;
    conversation.setAttribute("aria-busy", String(is));
    if (is) progress.textContent = "Waiting for the model…";
  }

  async function exchange() {
    const text = message.value.trim();
    if (!text || controller) return;
    const data = new FormData(form);
    data.set("turns", JSON.stringify(turns));
    failure.hidden = true;
    outcome.replaceChildren();
    const question = addTurn("user", text), item = addTurn("assistant", ""), box = item.querySelector(".text");
    item.classList.add("waiting");
    message.value = "";
    controller = new AbortController();
    running(true);
    const log = new RawEvents();
    let reply = "", requestId = "", code = "", ended = "Complete.";
    try {
      const response = await fetch(form.dataset.send, { method: "POST", body: data, signal: controller.signal });
      requestId = response.headers.get("x-poolgate-request-id") || "";
      await readResponse(response, log, (piece) => {
        if (!piece) return;
        const atEnd = conversation.scrollHeight - conversation.scrollTop - conversation.clientHeight < 40;
        reply += piece;
        box.append(piece);
        progress.textContent = "The model is answering…";
        if (atEnd) conversation.scrollTop = conversation.scrollHeight;
      });
    } catch (error) {
      ended = "";
      if (error.name === "AbortError") ended = "Stopped.";
      else if (error instanceof Failure) { code = error.code; fail(error.message); }
      else fail("The gateway did not answer, or its response broke off");
    }
    item.classList.remove("waiting");
    if (reply) {
      showText(box, reply);
      turns = [...turns, { role: "user", content: text }, { role: "assistant", content: reply }];
      turnsField.value = JSON.stringify(turns);
    } else {
      item.remove();
      if (ended !== "Complete.") { question.remove(); if (!message.value) message.value = text; }
    }
    controller = null;
    running(false);
    progress.textContent = ended;
    message.focus();
    await showOutcome(data, requestId, code).catch(() => {});
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); exchange(); });
  message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    exchange();
  });
  stop.addEventListener("click", () => { if (controller) controller.abort(); });

  // The models of another key.
  form.elements.key.addEventListener("change", async (event) => {
    const address = `${form.dataset.models}?key=${encodeURIComponent(event.target.value)}`;
    const response = await fetch(address).catch(() => null);
    if (!response || !response.ok || response.redirected) return;
    const models = await response.json(), select = form.elements.model, before = select.value;
    select.replaceChildren(...models.map(([name, label]) => new Option(label, name, false, name === before)));
  });
})();
