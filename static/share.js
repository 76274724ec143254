// Copying and the device's own share sheet. All of it is optional: without it the links beside do the same.
for (const box of document.querySelectorAll("[data-share-text]")) {
  const say = (words) => { box.querySelector("[data-share-status]").textContent = words; };
  for (const button of box.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(field.value);
        say("Copied.");
      } catch {
        field.select();
        say("Press Ctrl+C or ⌘C to copy.");
      }
    });
  }
  const native = box.querySelector("[data-native-share]");
  if (native && navigator.share) {
    native.hidden = false;
    native.addEventListener("click", () => navigator.share({ text: box.dataset.shareText }).catch(() => {}));
  }
}
