/* Buttons that copy a text. Browsers allow that only on secure pages: elsewhere there is no button. */

export function offerToCopy() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = document.body.dataset.copied;
    });
  }
}
