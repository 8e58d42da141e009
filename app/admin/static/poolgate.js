// What the pages do beyond plain HTML. Everything works without it but the live parts.
"use strict";

// Times come in UTC; show them in the viewer's zone.
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

// A button that copies what is beside it, where the browser lets us.
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
