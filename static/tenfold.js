/* The little that the dashboard gains from a script; every page works without it. Elements that need it are `hidden` until it runs.

   form[data-guard]        asks before unsaved changes are left behind
   [data-key="d"]          on dashboards: the key activates the element (focuses it, if it is a field)
   [data-list] > [data-item]  `j` and `k` move through the items
   dialog[data-keys]       `?` opens it; its [data-keys-off] checkbox switches single keys off */
"use strict";

for (const form of document.querySelectorAll("form[data-guard]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

const help = document.querySelector("dialog[data-keys]");
const off = document.querySelector("[data-keys-off]");
if (off) {
  off.checked = localStorage.getItem("keys") === "off";
  off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));
}

function step(by) {
  const items = [...document.querySelectorAll("[data-list] > [data-item]")];
  if (!items.length) return;
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[Math.min(items.length - 1, Math.max(0, at + by))];
  (next.querySelector("a, button, summary") || next).focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  if (event.key === "?" && help) { help.showModal(); event.preventDefault(); return; }
  if (off && off.checked) return;
  if (event.key === "j") return step(1);
  if (event.key === "k") return step(-1);
  const key = CSS.escape(event.key.toLowerCase());
  const near = document.activeElement.closest("[data-item]");
  const found = (near && near.querySelector(`[data-key="${key}"]`)) || document.querySelector(`[data-key="${key}"]`);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input, select, textarea")) found.focus(); else found.click();
});
