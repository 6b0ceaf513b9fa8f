// @ts-check
// Keys. An element with data-key="n" is clicked by that key, so each key has a visible twin; j and k move the focus along
// the elements with data-row. Keys of a row stand in its data-scope, and count while the focus is in there.

import { copyText, every, setTheme, targetOf } from "./page.js";

const SECOND_KEY_MILLISECONDS = 1200;
const THEMES = ["light", "dark", "system"];
const keymap = /** @type {HTMLDialogElement} */ (document.getElementById("keymap"));
let first = { key: "", at: 0 };

/** @param {HTMLElement} element */
const isShown = (element) => element.checkVisibility ? element.checkVisibility() : element.offsetParent !== null;
const rows = () => every(document, "[data-row]").filter(isShown);

/**
 * One row is a stop of the Tab key, not each of them; cards are, since each has controls of its own.
 * @param {Element | null} current
 */
function rove(current) {
  const all = rows();
  const stop = all.find((row) => row === current) || all.find((row) => row.tabIndex === 0) || all[0];
  for (const row of all) if (!row.matches("summary")) row.tabIndex = row === stop ? 0 : -1;
}

/** @param {1 | -1} step */
function move(step) {
  const all = rows();
  if (!all.length) return false;
  const active = document.activeElement;
  const within = active && (active.matches("[data-row]") ? active : active.closest("[data-scope]"));
  let place = within ? all.findIndex((row) => row === within || within.contains(row)) : -1;
  if (place < 0) place = step > 0 ? -1 : all.length;
  const target = all[Math.min(all.length - 1, Math.max(0, place + step))];
  rove(target);
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "nearest" });
  return true;
}

/** @param {string} key */
function elementForKey(key) {
  const scope = document.activeElement?.closest("[data-scope]");
  const elements = [...(scope ? every(scope, "[data-key]") : []), ...every(document, "[data-key]")];
  return elements.find((element) => element.dataset.key === key && !element.hidden);
}

/** @param {boolean} [shouldOpen] - Without it, an open one is closed. */
function fold(shouldOpen) {
  const details = document.activeElement && document.activeElement.closest("details");
  if (!details || details.matches(".menu")) return false;
  const wanted = shouldOpen === undefined ? !details.open : shouldOpen;
  if (details.open === wanted && !wanted) {
    // The folder is closed: on to its parent.
    const outer = details.parentElement.closest("details");
    outer?.querySelector("summary").focus();
    return Boolean(outer);
  }
  details.open = wanted;
  details.querySelector("summary").focus();
  rove(document.activeElement);
  return true;
}

function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "system") + 1) % THEMES.length]);
}

const searchField = () => /** @type {HTMLInputElement | null} */ (document.getElementById("q"));

/** @param {string} key */
function act(key) {
  const isStep = key === "j" || key === "k" || key === "ArrowDown" || key === "ArrowUp";
  if (isStep && move(key === "j" || key === "ArrowDown" ? 1 : -1)) return true;
  if (key === "o" && fold()) return true;
  if ((key === "h" || key === "l") && fold(key === "l")) return true;
  if (key === "t") nextTheme();
  else if (key === "?") keymap.showModal();
  else if (key === "/") searchField()?.select();
  else if (key === "y") copyText(location.href);
  else {
    const element = elementForKey(key);
    if (!element) return false;
    if (element instanceof HTMLAnchorElement && "copies" in element.dataset) {
      fetch(element.href).then((answer) => answer.text()).then((text) => copyText(text));
      return true;
    }
    element.click();
    if (element.matches("summary")) element.focus();
  }
  return true;
}

document.addEventListener("keydown", (event) => {
  const target = targetOf(event);
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || (keymap && keymap.open)) return;
  if (event.key === "Escape") {
    const menu = /** @type {HTMLDetailsElement} */ (document.querySelector("details.menu[open]"));
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
    // The browser clears a search field at the first Escape; an empty one is left.
    else if (target?.id === "q" && !searchField().value) target.blur();
    return;
  }
  if (target?.closest("input, textarea, select, [contenteditable]")) return;
  const isPair = first.key === "g" && event.timeStamp - first.at < SECOND_KEY_MILLISECONDS;
  const key = isPair ? `g ${event.key}` : event.key;
  first = { key: isPair ? "" : event.key, at: event.timeStamp };
  if (act(key)) event.preventDefault();
});

document.addEventListener("focusin", (event) => {
  if (targetOf(event)?.matches("[data-row]")) rove(targetOf(event));
});
document.addEventListener("page:changed", () => rove(null));
document.addEventListener("toggle", () => rove(null), true);

for (const button of every(document, "[data-keymap]")) {
  button.hidden = false;
  button.addEventListener("click", () => keymap.showModal());
}
if (keymap) keymap.querySelector("[data-close]").addEventListener("click", () => keymap.close());
for (const hints of every(document, ".keys")) hints.hidden = false;
rove(null);

// Back from a test: the focus is at its row again, or at its reason.
const arrived = document.getElementById(location.hash.slice(1));
if (arrived) {
  if (arrived instanceof HTMLDetailsElement) arrived.open = true;
  (arrived.matches("[data-row]") ? arrived : every(arrived, "[data-row]").at(0))?.focus();
}
