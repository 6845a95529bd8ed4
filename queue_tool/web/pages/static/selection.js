/* The check box in the head of a list selects the whole page. The list may be replaced, so events are heard above it. */

const boxes = () => [...document.querySelectorAll("input[name=token]")];

export function followSelection() {
  const form = document.getElementById("list");
  if (!form) return;
  const show = () => form.querySelectorAll("[data-all]").forEach((box) => (box.hidden = false));
  show();
  new MutationObserver(show).observe(form, { childList: true, subtree: true });
  form.addEventListener("change", ({ target }) => {
    if (target.matches("[data-all]")) {
      for (const box of boxes()) box.checked = target.checked;
    } else if (target.name === "token") {
      const all = form.querySelector("[data-all]");
      all.checked = boxes().every((box) => box.checked);
      all.indeterminate = !all.checked && boxes().some((box) => box.checked);
    }
  });
}
