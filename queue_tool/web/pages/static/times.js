/* Times: the server writes them in UTC, and the browser shows them in its own time zone. A chart has only the clock. */

const pad = (number) => String(number).padStart(2, "0");

/* The name of the browser's time zone, with its offset now. */
export function nameZone() {
  const format = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" });
  const offset = format.formatToParts().find(({ type }) => type === "timeZoneName").value.replace("GMT", "UTC");
  const { timeZone } = format.resolvedOptions();
  for (const element of document.querySelectorAll("[data-zone]")) {
    element.textContent = timeZone === offset ? offset : `${timeZone} (${offset})`;
  }
}

export function showLocalTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const day = [at.getFullYear(), pad(at.getMonth() + 1), pad(at.getDate())].join("-");
    element.textContent = `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(pad).join(":")}`;
    element.title = element.dateTime;
  }
  for (const element of root.querySelectorAll("[data-minute]")) {
    const at = new Date(60_000 * element.dataset.minute);
    element.textContent = [at.getHours(), at.getMinutes()].map(pad).join(":");
  }
}
