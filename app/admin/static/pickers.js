// Makes each text field of `templates/pickers.html` a combobox. Its behaviour is that of the ARIA Authoring Practices:
// arrows move, Enter takes, Escape closes, Backspace in an empty field removes the last chip.
"use strict";

const MAX_SHOWN = 50; // options of an open list; more typing finds the others

class Picker {
  constructor(box) {
    this.box = box;
    this.input = box.querySelector("input");
    this.several = box.dataset.picker === "several";
    this.options = [...box.querySelectorAll("option")].map((one) => ({ value: one.value, note: one.textContent }));
    this.shown = [];
    this.active = -1;
    this.input.removeAttribute("list");
    this.frame = document.createElement("div");
    this.frame.className = this.several ? "picker-box" : "picker-frame";
    this.input.before(this.frame);
    this.frame.append(this.input);
    if (this.several) this.addChips();
    this.addList();
    this.listen();
  }

  // The field that is sent becomes a hidden one; what is typed goes to a field without a name, which has its label.
  addChips() {
    this.sent = document.createElement("input");
    this.sent.type = "hidden";
    this.sent.name = this.input.name;
    this.chosen = parts(this.input.value);
    this.input.removeAttribute("name");
    this.input.required = false;
    this.input.value = "";
    this.chips = document.createElement("ul");
    this.chips.className = "picker-chips";
    this.chips.setAttribute("aria-label", `Chosen: ${this.label}`);
    this.frame.prepend(this.chips);
    this.frame.append(this.sent);
    this.status = document.createElement("span");
    this.status.className = "unseen";
    this.status.setAttribute("role", "status");
    this.box.append(this.status);
    this.showChips();
  }

  addList() {
    this.list = document.createElement("ul");
    this.list.className = "picker-list";
    this.list.id = `${this.input.id}-list`;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", this.label);
    this.list.hidden = true;
    this.frame.append(this.list);
    for (const [name, value] of Object.entries({
      role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id,
    })) this.input.setAttribute(name, value);
  }

  get label() { return this.box.querySelector("label").textContent; }

  listen() {
    this.input.addEventListener("input", () => { if (this.several) this.takeTyped(); this.open(); });
    this.input.addEventListener("click", () => this.open());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.input.addEventListener("blur", () => { this.close(); if (this.several) this.take(this.input.value); });
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the field retains the focus
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-value]");
      if (option) this.take(option.dataset.value);
    });
  }

  press(event) {
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) this.open();
      this.move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && isOpen && this.active >= 0) {
      event.preventDefault();
      this.take(this.shown[this.active].value);
    } else if (event.key === "Enter" && this.several && this.input.value.trim()) {
      event.preventDefault();
      this.take(this.input.value);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Backspace" && this.several && !this.input.value && this.chosen.length) {
      this.remove(this.chosen.at(-1));
    }
  }

  open() {
    const typed = this.input.value.trim().toLowerCase();
    const free = this.several ? this.options.filter((one) => !this.chosen.includes(one.value)) : this.options;
    const found = free.filter((one) => `${one.value} ${one.note}`.toLowerCase().includes(typed));
    this.shown = found.slice(0, MAX_SHOWN);
    this.list.replaceChildren(...this.shown.map((one, index) => this.optionOf(one, index)));
    if (found.length > MAX_SHOWN) this.list.append(moreNote(found.length - MAX_SHOWN));
    this.active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.list.hidden = !this.shown.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
  }

  optionOf(one, index) {
    const option = document.createElement("li");
    option.id = `${this.list.id}-${index}`;
    option.dataset.value = one.value;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", String(!this.several && one.value === this.input.value));
    option.append(one.value);
    if (one.note) {
      const note = document.createElement("span");
      note.className = "note";
      note.textContent = one.note;
      option.append(" ", note);
    }
    return option;
  }

  move(step) {
    if (!this.shown.length) return;
    const from = this.active < 0 && step < 0 ? 0 : this.active;
    this.active = (from + step + this.shown.length) % this.shown.length;
    const options = this.list.querySelectorAll("[data-value]");
    options.forEach((option, index) => option.classList.toggle("active", index === this.active));
    options[this.active].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", options[this.active].id);
  }

  close() {
    this.list.hidden = true;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  take(text) {
    if (!this.several) {
      this.input.value = text;
      this.input.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      const added = parts(text).filter((value) => !this.chosen.includes(value));
      this.input.value = "";
      if (added.length) this.change([...this.chosen, ...added], `${added.join(", ")} added`);
    }
    this.close();
  }

  // A comma ends a value, so that a list can be pasted.
  takeTyped() {
    const end = this.input.value.lastIndexOf(",");
    if (end < 0) return;
    const rest = this.input.value.slice(end + 1);
    this.take(this.input.value.slice(0, end));
    this.input.value = rest.trimStart();
  }

  remove(value) {
    this.change(this.chosen.filter((one) => one !== value), `${value} removed`);
    this.input.focus();
  }

  change(chosen, message) {
    this.chosen = chosen;
    this.showChips();
    this.status.textContent = `${message}, ${chosen.length} chosen`;
    this.sent.dispatchEvent(new Event("change", { bubbles: true }));
  }

  showChips() {
    this.sent.value = this.chosen.join(", ");
    this.chips.hidden = !this.chosen.length;
    this.chips.replaceChildren(...this.chosen.map((value) => {
      const chip = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = value;
      button.setAttribute("aria-label", `Remove ${value}`);
      button.addEventListener("click", () => this.remove(value));
      chip.append(button);
      return chip;
    }));
  }
}

function parts(text) {
  return [...new Set(text.split(/[,\n]/).map((part) => part.trim()).filter(Boolean))];
}

function moreNote(count) {
  const note = document.createElement("li");
  note.className = "more";
  note.setAttribute("role", "option");
  note.setAttribute("aria-disabled", "true");
  note.textContent = `and ${count} more: type to find them`;
  return note;
}

document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("[data-picker]")) new Picker(box);
});
