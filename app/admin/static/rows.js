// Rows of a form: hides the blank ones but for the first, which a button shows one by one; and shows what a limit means.
"use strict";

function isBlank(row) {
  return ![...row.querySelectorAll("input")].some((input) => input.value.trim()) && !row.querySelector(".error");
}

function growing(box) {
  const rows = [...box.querySelectorAll("[data-row]")];
  rows.filter(isBlank).slice(1).forEach((row) => { row.hidden = true; });
  const add = document.createElement("button");
  add.type = "button";
  add.className = "quiet";
  add.textContent = `Add a ${box.dataset.rows}`;
  const update = () => { add.hidden = !rows.some((row) => row.hidden); };
  add.addEventListener("click", () => {
    const next = rows.find((row) => row.hidden);
    next.hidden = false;
    next.querySelector("input").focus();
    update();
  });
  box.append(add);
  update();
}

const EFFECTS = {
  strict: "a request is refused unless its maximum fits",
  balanced: "a request is refused unless its estimate fits",
};

// The same words as `meaning` in app/admin/pages/limit_rows.py.
function meaning(row) {
  const part = (name) => row.querySelector(`[name$="_${name}"]`);
  const text = (name) => part(name).selectedOptions[0].text;
  const amount = part("amount").value.trim(), model = part("model").value.trim();
  if (!amount) return "";
  const unit = part("unit").value, mode = part("mode").value;
  const period = unit === "parallel_requests" ? "" : part("period").value;
  const words = `At most ${amount} ${text("unit")}${period && ` ${text("period")}`}, for ${model || "all models"}: ${EFFECTS[mode]}.`;
  const written = `${amount} ${unit}${period && `/${period}`}${model && ` for ${model}`}${mode === "balanced" ? " balanced" : ""}`;
  return `${words} As text: ${written}`;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-rows]")) growing(box);
  for (const hint of document.querySelectorAll("[data-meaning]")) {
    const row = hint.parentElement;
    const show = () => {
      hint.textContent = meaning(row);
      row.querySelector('[name$="_period"]').disabled = row.querySelector('[name$="_unit"]').value === "parallel_requests";
    };
    row.addEventListener("input", show);
    row.addEventListener("change", show);
    show();
  }
});
