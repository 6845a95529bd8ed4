/* A form is sent once: of two clicks in a row the browser would show the second answer only, and a key that the first one
shows would be lost. */

const AGAIN_AFTER = 10_000; // milliseconds: an answer that never came, or a file to download, leaves the page as it is

export function sendOnce() {
  const sent = new Map(); // forms, with what lets them be sent again
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented) return;
    if (sent.has(form)) return event.preventDefault();
    sent.set(form, setTimeout(() => sent.delete(form), AGAIN_AFTER));
  });
  addEventListener("pageshow", () => {
    for (const timer of sent.values()) clearTimeout(timer);
    sent.clear();
  });
}
