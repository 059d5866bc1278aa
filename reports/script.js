// Tables sort by the head that is pressed, texts are copied, folded tables open for printing.
"use strict";
const number = (text) => {
  const found = text.replace(/\u2212/g, "-").replace(/(^|[^0-9])\./g, "$10.").match(/-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/);
  return found ? Number(found[0]) : NaN;
};
const compare = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
  return Number.isNaN(x) || x === y ? a.localeCompare(b) : x - y;
};
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, k) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const numeric = head.classList.contains("n");
      const text = (row) => row.cells[k].textContent.trim();
      const order = numeric ? compare : (a, b) => a.localeCompare(b);
      const rows = [...body.rows].sort((a, b) => (down ? -1 : 1) * order(text(a), text(b)));
      table.classList.add("sorted");
      body.append(...rows);
    });
  });
}
for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => {
    // Selected and copied by the browser itself: a page opened as a file has no clipboard of its own.
    getSelection().selectAllChildren(document.getElementById(button.dataset.copies));
    document.execCommand("copy");
    getSelection().removeAllRanges();
    button.textContent = "Copied";
  });
}
let folded = [];
window.addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
window.addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
