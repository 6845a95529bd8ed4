/* Charts: the pointer or the arrow keys choose a time, and a readout says its numbers. The table of the chart has them.

The parts of a chart are replaced while it is shown; what is made here stays beside them. */

export function readCharts() {
  for (const plot of document.querySelectorAll("[data-chart]")) follow(plot);
}

function follow(plot) {
  const [cursor, readout] = ["cursor", "readout"].map((name) => plot.appendChild(made("div", name)));
  const numbers = document.getElementById(`live-numbers-${plot.dataset.chart}`);
  const rows = () => [...numbers.querySelectorAll("tbody tr")].reverse(); // the oldest first
  let place = -1; // of the chosen step; -1: none

  const show = (chosen) => {
    const all = rows();
    const area = plot.querySelector(".drawn > svg");
    place = area && chosen >= 0 ? Math.min(chosen, all.length - 1) : -1;
    cursor.hidden = readout.hidden = place < 0;
    if (place < 0) return;
    const box = area.getBoundingClientRect();
    const left = box.left - plot.getBoundingClientRect().left + (box.width * (place + 0.5)) / all.length;
    const isRight = place > all.length / 2;
    cursor.style.left = `${left}px`;
    readout.style.left = isRight ? "auto" : `${left + 12}px`;
    readout.style.right = isRight ? `${plot.clientWidth - left + 12}px` : "auto";
    readout.replaceChildren(...lines(numbers.querySelectorAll("thead th"), all[place].cells));
    plot.setAttribute("aria-valuenow", place);
    plot.setAttribute("aria-valuetext", readout.innerText.replaceAll("\n", ", "));
  };
  const renew = () => {
    const last = rows().length - 1;
    const now = place < 0 ? last : place;
    const slider = { tabindex: 0, role: "slider", "aria-labelledby": `chart-${plot.dataset.chart}` };
    const values = { "aria-valuemin": 0, "aria-valuemax": last, "aria-valuenow": now };
    for (const [name, value] of Object.entries({ ...slider, ...values })) {
      if (last < 0) plot.removeAttribute(name); // nothing can be read in an empty chart
      else plot.setAttribute(name, value);
    }
    show(place);
  };

  plot.addEventListener("pointermove", ({ clientX }) => {
    const box = plot.querySelector(".drawn > svg")?.getBoundingClientRect();
    const share = box ? (clientX - box.left) / box.width : -1;
    show(share < 0 ? -1 : Math.floor(share * rows().length));
  });
  plot.addEventListener("pointerleave", () => show(-1));
  plot.addEventListener("focus", () => plot.matches(":focus-visible") && show(rows().length - 1));
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    const last = rows().length - 1;
    const to = { ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1, Home: 0, End: last };
    if (!(event.key in to)) return;
    event.preventDefault();
    show(Math.min(Math.max(to[event.key], 0), last));
  });
  for (const part of [plot.querySelector("[data-live]"), numbers]) new MutationObserver(renew).observe(part, { childList: true });
  renew();
}

function lines(names, cells) {
  return [...cells].map((cell, column) => {
    const line = made(column ? "span" : "strong", names[column].className);
    line.textContent = column ? `${names[column].textContent} ${cell.textContent}` : cell.textContent;
    return line;
  });
}

function made(tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  return element;
}
