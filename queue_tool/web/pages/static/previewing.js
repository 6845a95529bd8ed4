/* A form with `data-preview` shows what its fields mean while somebody types: the server makes that part of the page. */

import { showLocalTimes } from "./times.js";

const PAUSE = 250; // milliseconds without a change, before the server is asked

export function showPreviews() {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const names = form.dataset.fields.split(" ");
  const shown = document.getElementById("preview");
  let timer = 0;
  let asked = 0;

  async function ask() {
    const number = ++asked;
    const fields = [...new FormData(form)].filter(([name]) => names.includes(name));
    const response = await fetch(`${form.dataset.preview}?${new URLSearchParams(fields)}`, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById("preview");
    if (!fresh || number !== asked) return;
    showLocalTimes(fresh);
    shown.replaceChildren(...document.adoptNode(fresh).childNodes);
  }

  for (const button of form.querySelectorAll("[data-unless-script]")) button.hidden = true;
  form.addEventListener("input", ({ target }) => {
    if (!names.includes(target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(() => ask().catch(() => {}), PAUSE); // the next change asks again
  });
}
