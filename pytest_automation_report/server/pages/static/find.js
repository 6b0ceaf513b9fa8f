// @ts-check
// Search while one types, and nodes of the tree that open in their place. Without this script a search is a form and a
// node is a link.

import { every, targetOf, tellChanged } from "./page.js";

const TYPING_MILLISECONDS = 150;

/**
 * @param {string} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Document>}
 */
async function fetched(address, signal) {
  const response = await fetch(address, { signal, cache: "no-store" });
  if (!response.ok) throw new TypeError(response.statusText);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/**
 * Show the view and the numbers of another state of the page; the address follows.
 * @param {string} address
 * @param {AbortSignal} signal
 */
async function showState(address, signal) {
  const fresh = await fetched(address, signal);
  for (const selector of ["main .mistakes", "main .count-line", "main .tabs", "main .view"]) {
    const shown = document.querySelector(selector);
    const next = fresh.querySelector(selector);
    if (!shown || !next) continue;
    const node = document.adoptNode(next);
    shown.replaceWith(node);
    tellChanged(node);
  }
  history.replaceState(null, "", address);
}

/** @param {HTMLFormElement} form */
function findWhileTyping(form) {
  let timer = 0;
  let request = new AbortController();
  const input = /** @type {HTMLInputElement} */ (form.querySelector("input[type=search]"));
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      request.abort();
      request = new AbortController();
      const parameters = new URLSearchParams(/** @type {any} */ (new FormData(form)));
      if (!input.value.trim()) parameters.delete("q");
      showState(`${form.getAttribute("action")}?${parameters}`, request.signal).catch((error) => {
        // A later letter has replaced this search; or the server did not answer it, and the form still works.
        if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      });
    }, TYPING_MILLISECONDS);
  });
}

/**
 * The rows below a node, as an element.
 * @param {HTMLElement} node
 * @returns {Promise<HTMLElement>}
 */
let rowsBelow = async (node) => {
  const fresh = await fetched(node.dataset.branch);
  const rows = document.createElement("div");
  rows.append(...fresh.body.childNodes);
  return document.adoptNode(rows);
};

/** @param {typeof rowsBelow} source - Where the rows below a node come from instead. */
export function takeRowsFrom(source) {
  rowsBelow = source;
}

/** @param {HTMLElement} node */
export async function openNode(node) {
  const branch = node.parentElement;
  let below = /** @type {HTMLElement} */ (branch.querySelector(":scope > .below"));
  if (below) below.hidden = !below.hidden;
  else {
    below = await rowsBelow(node);
    below.className = "below";
    branch.append(below);
    tellChanged(below);
  }
  node.setAttribute("aria-expanded", String(!below.hidden));
}

document.addEventListener("click", (event) => {
  const node = /** @type {HTMLAnchorElement} */ (targetOf(event)?.closest("a[data-branch]"));
  if (!node || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  openNode(node).catch(() => { location.href = node.href; });
});

// The keys of a folder: o turns it, l opens it, h closes it or goes to the node above.
document.addEventListener("keydown", (event) => {
  const active = document.activeElement;
  if (!active || event.ctrlKey || event.metaKey || event.altKey || !["o", "l", "h"].includes(event.key)) return;
  const node = /** @type {HTMLElement} */ (active.closest("a[data-branch]"));
  const isOpen = node && node.getAttribute("aria-expanded") === "true";
  if (node && (event.key === "o" || (event.key === "l") !== isOpen) && (event.key !== "h" || isOpen)) {
    node.click();
  } else if (event.key === "h" && active.closest("[data-tree]")) {
    const below = active.closest(".below");
    /** @type {HTMLElement} */ (below?.parentElement.querySelector(":scope > a[data-branch]"))?.focus();
  }
});

for (const form of /** @type {HTMLFormElement[]} */ (every(document, "form[data-find]"))) findWhileTyping(form);
