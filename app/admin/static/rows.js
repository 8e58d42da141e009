// Rows of a form: hides the blank ones but for the first, adds rows one by one, gives each a button that removes it,
// and shows what a limit means.
"use strict";

function isBlank(row) {
  return ![...row.querySelectorAll("input")].some((input) => input.value.trim()) && !row.querySelector(".error");
}

class Rows {
  constructor(box) {
    this.box = box;
    this.template = box.querySelector("template");
    this.add = document.createElement("button");
    this.add.type = "button";
    this.add.className = "quiet";
    this.add.textContent = `Add ${/^[aeiou]/.test(box.dataset.rows) ? "an" : "a"} ${box.dataset.rows}`;
    this.add.addEventListener("click", () => this.addRow());
    this.all.filter(isBlank).slice(1).forEach((row) => { row.hidden = true; });
    this.all.forEach((row) => this.addRemoval(row));
    box.append(this.add);
  }

  get all() { return [...this.box.querySelectorAll("[data-row]")]; }

  addRow() {
    const row = this.all.find((one) => one.hidden) || this.newRow();
    row.hidden = false;
    row.querySelector("input").focus();
    this.add.hidden = this.all.length >= Number(this.box.dataset.most) && !this.all.some((one) => one.hidden);
  }

  newRow() {
    const made = document.createElement("template");
    made.innerHTML = this.template.innerHTML.replaceAll("__row__", this.all.length + 1);
    const row = made.content.firstElementChild;
    this.template.before(row);
    row.querySelectorAll("[data-picker]").forEach((one) => new Picker(one)); // of pickers.js
    row.querySelectorAll("[data-meaning]").forEach(explain);
    this.addRemoval(row);
    return row;
  }

  addRemoval(row) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet remove";
    button.textContent = "Remove";
    button.setAttribute("aria-label", `Remove ${row.getAttribute("aria-label")}`);
    button.addEventListener("click", () => {
      row.querySelectorAll(".picker-chips button").forEach((chip) => chip.click());
      row.querySelectorAll("input").forEach((input) => { input.value = ""; });
      row.querySelectorAll(".error").forEach((error) => error.remove());
      row.dispatchEvent(new Event("change", { bubbles: true }));
      row.hidden = true;
      this.add.hidden = false;
      this.add.focus();
    });
    row.insertBefore(button, row.querySelector("[data-meaning]"));
  }
}

const EFFECTS = {
  strict: "a request is refused unless its maximum fits",
  balanced: "a request is refused unless its estimate fits",
};

const MICRO = 1e6, MAX_AMOUNT = 1e13, MAX_ROLLING = 1e11;
const grouped = (number, decimals = 0) => number.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: 6 });

// Why the typed amount is no limit, '' if it is one: the checks and words of app/limits/limit_syntax.py.
function faultOf(typed, unit, period) {
  const money = unit === "usd", number = Number(typed);
  if (!/^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?$/i.test(typed) || typed.length > 64) return `'${typed.slice(0, 40)}' is not a number`;
  if (number <= 0) return `A limit must be above zero, not ${typed.slice(0, 40)}`;
  const amount = money ? Math.round(number * MICRO * 1000) / 1000 : number;
  const most = /^(second|minute)$/.test(period) ? MAX_ROLLING : MAX_AMOUNT;
  const shown = money ? `$${grouped(most / MICRO, 2)}` : grouped(most);
  if (amount > most) return `A limit per ${period || "none"} of more than ${shown} is not a limit`;
  if (Number.isInteger(amount) && amount >= 1) return "";
  return `${money ? "cost must be dollars with six decimals" : `${unit} must be whole numbers`}: ${typed.slice(0, 40)} is too fine`;
}

// The same words as `meaning` in app/admin/pages/limit_rows.py.
function meaning(row) {
  const part = (name) => row.querySelector(`[name$="_${name}"]`);
  const text = (name) => part(name).selectedOptions[0].text;
  const typed = part("amount").value.trim().replace(/[, _]/g, "").replace(/^\$/, ""), model = part("model").value.trim();
  if (!part("amount").value.trim()) return "";
  const unit = part("unit").value, mode = part("mode").value;
  const period = unit === "parallel_requests" ? "" : part("period").value;
  const fault = faultOf(typed, unit, period);
  if (fault) return fault;
  const amount = String(Number(typed));
  const words = `At most ${grouped(Number(typed))} ${text("unit")}${period ? ` ${text("period")}` : ", whatever the period"}, for ${model || "all models"}: ${EFFECTS[mode]}.`;
  const written = `${amount} ${unit}${period && `/${period}`}${model && ` for ${model}`}${mode === "balanced" ? " balanced" : ""}`;
  return `${words} As text: ${written}`;
}

function explain(hint) {
  const row = hint.parentElement;
  const show = () => { hint.textContent = meaning(row); };
  row.addEventListener("input", show);
  row.addEventListener("change", show);
  if (!row.querySelector(".error")) show();
}

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-rows]")) new Rows(box);
  for (const hint of document.querySelectorAll("[data-meaning]")) explain(hint);
});
