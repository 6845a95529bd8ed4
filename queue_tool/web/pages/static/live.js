/* Live parts: the same page is fetched again, and its parts with `data-live` take the places of the old ones.

It asks only while somebody sees the page, never twice at once, and more and more seldom while the server is away. */

import { showLocalTimes } from "./times.js";

const LONGEST_PAUSE = 60; // seconds

const sent = new Map(); // the last HTML of each part, as the server sent it
let etag = "";
let timer = 0;
let isAsking = false;
let failures = 0;

const pause = () => Number(document.body.dataset.refresh ?? 0);

export function keepUpToDate() {
  if (!pause()) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
  plan();
}

function plan() {
  clearTimeout(timer);
  if (!pause() || document.hidden) return;
  timer = setTimeout(ask, 1000 * Math.min(pause() * 2 ** failures, LONGEST_PAUSE));
}

async function ask() {
  if (isAsking || !pause()) return;
  isAsking = true;
  try {
    const headers = { Accept: "text/html", ...(etag && { "If-None-Match": etag }) };
    const response = await fetch(location.href, { headers, cache: "no-store", credentials: "same-origin" });
    if (response.status === 401) return location.reload(); // the session has ended: the page asks for a key
    if (response.status !== 304) {
      if (!response.ok) throw new Error(response.statusText);
      const html = await response.text();
      if (swap(new DOMParser().parseFromString(html, "text/html"))) etag = response.headers.get("ETag") ?? "";
    }
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    isAsking = false;
    document.getElementById("stale").hidden = failures < 2;
    plan();
  }
}

/* Return whether every part is new. A part that is in use stays as it is until the next time. */
function swap(page) {
  let isComplete = true;
  for (const fresh of page.querySelectorAll("[data-live]")) {
    const shown = document.getElementById(fresh.id);
    const html = fresh.innerHTML;
    if (!shown || sent.get(fresh.id) === html) continue;
    if (isInUse(shown)) {
      isComplete = false;
      continue;
    }
    const open = [...shown.querySelectorAll("details[open][id]")].map((element) => element.id);
    showLocalTimes(fresh);
    shown.replaceChildren(...document.adoptNode(fresh).childNodes);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    sent.set(shown.id, html);
  }
  document.body.dataset.refresh = page.body.dataset.refresh ?? 0;
  return isComplete;
}

function isInUse(part) {
  const selection = getSelection();
  const isSelected = !selection.isCollapsed && selection.containsNode(part, true);
  return part.contains(document.activeElement) || part.querySelector("input:checked") !== null || isSelected;
}
