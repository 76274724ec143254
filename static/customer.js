/* The little that customers' pages gain from a script; every page works without it. What needs it is `hidden` until it runs.

   [data-copy="text"]   copies the text; the button then shows [data-copied], or [data-failed], and #said reads it aloud
   [data-share="text"]  the device's own share sheet, where there is one
   [data-wait="text"]   the page is asked for again until this is gone; then its parts [data-now="name"] are exchanged, and
                        #said reads the text aloud with the code; [data-later] is hidden until we stop asking */
"use strict";

const said = document.getElementById("said");
const PAUSES = [1, 1, 1, 2, 2, 2, 3, 3, 5, 5, 10, 10, 15];

function bind(part) {
  for (const button of part.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    const name = button.textContent;
    button.addEventListener("click", async () => {
      let result = button.dataset.copied;
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        result = button.dataset.failed;
      }
      button.textContent = result;
      if (said) said.textContent = result;
      setTimeout(() => { button.textContent = name; if (said) said.textContent = ""; }, 2500);
    });
  }
}

/* Links and buttons stay, since one may have the focus; they get the new text to share. */
function exchange(page) {
  for (const fresh of page.querySelectorAll("[data-now]")) {
    const part = document.querySelector(`[data-now="${fresh.dataset.now}"]`);
    if (!part) continue;
    if (part.matches("a")) part.href = fresh.getAttribute("href");
    else if (part.matches("button")) part.dataset.share = fresh.dataset.share;
    else {
      part.replaceChildren(...fresh.childNodes);
      bind(part);
    }
  }
}

async function wait(waiting) {
  const later = document.querySelector("[data-later]");
  later.hidden = true;
  for (const seconds of PAUSES) {
    await new Promise((done) => setTimeout(done, seconds * 1000));
    if (document.hidden) continue;
    try {
      const response = await fetch(later.href);
      if (!response.ok) break;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (page.querySelector("[data-wait]")) continue;
      exchange(page);
      const code = document.querySelector(".code");
      if (said && code) said.textContent = `${waiting.dataset.wait} ${code.textContent}`;
      return;
    } catch {
      // The network may be away for a moment.
    }
  }
  later.hidden = false;
}

bind(document);
for (const button of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    navigator.share({ text: button.dataset.share }).catch(() => {});
  });
}
const waiting = document.querySelector("[data-wait]");
if (waiting) wait(waiting);
