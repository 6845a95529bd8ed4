/* Files: one that is dropped on a form is picked, and a check keeps the picked file and the text where they are. */

import { showLocalTimes } from "./times.js";

export function takeFiles() {
  const form = document.querySelector("form[data-drop]");
  if (!form) return;
  const file = form.querySelector("input[type=file]");
  const mark = (isOver) => form.classList.toggle("dropping", isOver);
  form.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    mark(true);
  });
  form.addEventListener("dragleave", (event) => mark(form.contains(event.relatedTarget)));
  form.addEventListener("drop", (event) => {
    mark(false);
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    file.files = event.dataTransfer.files;
    file.dispatchEvent(new Event("change", { bubbles: true }));
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter?.value !== "check") return;
    event.preventDefault();
    check(form, event.submitter);
  });
}

/* Show what a check has found in the page that is there: a page of its own would forget the file. */
async function check(form, button) {
  const body = new FormData(form, button);
  button.disabled = true;
  try {
    const response = await fetch("/", { method: "POST", body, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const found = page.querySelector("[role=alert]") ?? page.querySelector("#checked");
    showLocalTimes(page);
    const place = document.getElementById("checked");
    place.replaceChildren(...(found?.id === "checked" ? document.adoptNode(found).childNodes : found ? [document.adoptNode(found)] : []));
  } finally {
    button.disabled = false;
  }
}
