/* The little that the dashboard gains from a script; every screen works without it.

   form[data-guard]          asks before unsaved changes are left behind
   a[data-dialog="id"]       opens that <dialog>; [data-close] inside closes it
   form[data-live="a b"]     sends itself with act=preview as it is filled in, and renews the parts #a and #b of the page
   [data-key="d"]            the key activates the element (focuses it, if it is a field)
   [data-list] [data-item]   `j` and `k` move through the items
   dialog[data-keys]         `?` opens it; it lists the page's keys, its checkbox switches them off
   [data-copy]               copies that text; `hidden` until this script runs */
"use strict";

for (const form of document.querySelectorAll("form[data-guard]")) {
  let changed = false;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { changed = false; });
  window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });
}

for (const form of document.querySelectorAll("form[data-live]")) {
  let waiting = 0, turn = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const mine = ++turn;
      const body = new FormData(form);
      body.set("act", "preview");
      const response = await fetch(form.action, { method: "POST", body }).catch(() => null);
      if (!response || mine !== turn || ![200, 422].includes(response.status)) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const id of form.dataset.live.split(" ")) {
        const [part, fresh] = [document.getElementById(id), page.getElementById(id)];
        if (!part || !fresh) continue;
        const [open, top] = [[...part.querySelectorAll("details")].map((each) => each.open), part.scrollTop];
        part.replaceWith(fresh);
        fresh.scrollTop = top;
        fresh.querySelectorAll("details").forEach((each, place) => { if (place in open) each.open = open[place]; });
      }
    }, 400);
  });
}

for (const link of document.querySelectorAll("a[data-dialog]")) {
  const dialog = document.getElementById(link.dataset.dialog);
  if (!dialog) continue;
  link.addEventListener("click", (event) => { event.preventDefault(); dialog.showModal(); });
  for (const close of dialog.querySelectorAll("[data-close]")) {
    close.addEventListener("click", (event) => { event.preventDefault(); dialog.close(); });
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    if (button.dataset.copied) button.textContent = button.dataset.copied;
  });
}

const seen = (element) => element.checkVisibility ? element.checkVisibility() : element.offsetParent !== null;
const help = document.querySelector("dialog[data-keys]");
const off = document.querySelector("[data-keys-off]");
if (off) {
  off.checked = localStorage.getItem("keys") === "off";
  off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));
}

function listKeys() {
  const list = help.querySelector("[data-keys-list]");
  while (list.children.length > 2) list.lastChild.remove();
  const known = new Set();
  for (const element of document.querySelectorAll("[data-key]")) {
    if (known.has(element.dataset.key) || !seen(element)) continue;
    known.add(element.dataset.key);
    const key = document.createElement("dt");
    key.appendChild(document.createElement("kbd")).textContent = element.dataset.key.toUpperCase();
    const does = document.createElement("dd");
    does.textContent = element.getAttribute("aria-label") || element.textContent.trim();
    list.append(key, does);
  }
}

function step(by) {
  const items = [...document.querySelectorAll("[data-list] [data-item]")].filter(seen);
  if (!items.length) return;
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[Math.min(items.length - 1, Math.max(0, at + by))];
  const inside = next.querySelector("a, button, summary");
  if (!inside) next.tabIndex = -1;
  (inside || next).focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.closest("input, select, textarea, [contenteditable], dialog[open]")) return;
  if (event.key === "?" && help) { listKeys(); help.showModal(); event.preventDefault(); return; }
  if (off && off.checked) return;
  if (event.key === "j") return step(1);
  if (event.key === "k") return step(-1);
  const key = CSS.escape(event.key.toLowerCase());
  const near = document.activeElement.closest("[data-item]");
  const all = (near ? [...near.querySelectorAll(`[data-key="${key}"]`)] : []).concat([...document.querySelectorAll(`[data-key="${key}"]`)]);
  const found = all.find(seen);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input, select, textarea")) found.focus(); else found.click();
});
