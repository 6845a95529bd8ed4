/* Fields with `data-complete` offer values while somebody types: a combobox with a list box, as WAI-ARIA describes it.

The server knows the values. Without scripts, a field is a plain field. */

const PAUSE = 150; // milliseconds without a key, before the server is asked

export function offerValues() {
  for (const input of document.querySelectorAll("input[data-complete]")) completeIn(input);
}

function completeIn(input) {
  const list = document.createElement("ul");
  let timer = 0;
  let asked = 0;
  let active = -1;

  Object.assign(list, { id: `${input.id}-values`, className: "suggestions", role: "listbox", hidden: true });
  list.setAttribute("aria-label", document.body.dataset.offered);
  input.after(list);
  input.removeAttribute("list");
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);

  const ask = () => load().catch(close);

  async function load() {
    const number = ++asked;
    const query = new URLSearchParams({ text: input.value });
    const response = await fetch(`/dashboard/suggestions/${input.dataset.complete}?${query}`, { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    const found = new DOMParser().parseFromString(await response.text(), "text/html").querySelectorAll("option");
    if (number === asked && document.activeElement === input) show([...found]);
  }

  function show(options) {
    list.replaceChildren(...options.map(itemOf));
    list.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(!list.hidden));
    activate(-1);
  }

  function itemOf({ value, label }, index) {
    const item = document.createElement("li");
    Object.assign(item, { id: `${list.id}-${index}`, role: "option", textContent: label || value });
    item.dataset.value = value;
    if (label && label !== value) {
      const more = document.createElement("small");
      more.textContent = value;
      item.append(more);
    }
    return item;
  }

  function activate(index) {
    active = index;
    [...list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === active)));
    list.children[active]?.scrollIntoView({ block: "nearest" });
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[active].id);
  }

  function take(item) {
    input.value = item.dataset.value;
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function close() {
    clearTimeout(timer);
    asked += 1; // an answer that is on its way comes too late
    show([]);
  }

  function move(step) {
    const count = list.children.length;
    if (list.hidden) ask();
    else activate((active + step + count + (active < 0 && step < 0 ? 1 : 0)) % count);
  }

  input.addEventListener("input", (event) => {
    if (!event.isTrusted) return; // it was taken from the list
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    const isOpen = !list.hidden;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp" && isOpen) move(-1);
    else if (event.key === "Enter" && isOpen && active >= 0) take(list.children[active]);
    else if (event.key === "Escape" && isOpen) close();
    else return;
    event.preventDefault();
  });
  input.addEventListener("click", () => list.hidden && ask());
  input.addEventListener("blur", close);
  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the field keeps the focus
    const item = event.target.closest("li");
    if (item) take(item);
  });
}
