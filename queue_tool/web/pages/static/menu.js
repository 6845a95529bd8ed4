/* The part of the menu behind `More` closes when somebody goes elsewhere. It opens without a script. */

export function closeMenus() {
  for (const menu of document.querySelectorAll("details.more")) {
    document.addEventListener("click", ({ target }) => menu.contains(target) || (menu.open = false));
    menu.addEventListener("focusout", ({ relatedTarget }) => {
      if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
    });
    menu.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
}
