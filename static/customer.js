/* The little that customers' pages gain from a script; every page works without it. What needs it is `hidden` until it runs.

   [data-copy="text"]   copies the text; the button then shows [data-copied], or [data-failed], and #said reads it aloud
   [data-share="text"]  the device's own share sheet, where there is one */
"use strict";

const said = document.getElementById("said");

for (const button of document.querySelectorAll("[data-copy]")) {
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

for (const button of document.querySelectorAll("[data-share]")) {
  if (!navigator.share) continue;
  button.hidden = false;
  button.addEventListener("click", () => {
    navigator.share({ text: button.dataset.share }).catch(() => {});
  });
}
