// @ts-check
// What each page has: times in local time, buttons that copy, the theme, menus that close, pictures that are compared,
// and keys. Pages can be read without it.

/**
 * All elements of a selector, of the kind that the caller knows to find.
 * @template {HTMLElement} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {E[]}
 */
export function every(root, selector) {
  return [...root.querySelectorAll(selector)].map((element) => /** @type {E} */ (element));
}

/**
 * The element that an event is about.
 * @param {Event} event
 * @returns {HTMLElement | null}
 */
export function targetOf(event) {
  return event.target instanceof Element ? /** @type {HTMLElement} */ (event.target) : null;
}

/** @param {Element} node  Tell all scripts that this part of the page is new. */
export function tellChanged(node) {
  node.dispatchEvent(new Event("page:changed", { bubbles: true }));
}

/** @param {ParentNode} root */
function localTimes(root) {
  for (const element of /** @type {HTMLTimeElement[]} */ (every(root, "time[datetime]"))) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const local = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    if ("ago" in element.dataset) {
      element.title = local;
    } else {
      element.title = element.textContent;
      element.textContent = local;
    }
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} [button] - Its label says for two seconds what became of it.
 */
async function copyText(text, button) {
  const label = button && (button.querySelector("span") || button);
  const before = label && label.textContent;
  let word = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission to write to the clipboard.
    word = "Select it";
  }
  document.getElementById("said").textContent = word;
  if (!label || before === word) return;
  label.textContent = word;
  setTimeout(() => { label.textContent = before; }, 2000);
}

/** @param {string} name - "light", "dark", or "system", which follows the system. */
function setTheme(name) {
  const chosen = name === "light" || name === "dark" ? name : "";
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.cookie = `automation-report-theme=${chosen}; Path=/; SameSite=Lax; Max-Age=${chosen ? 31536000 : 0}`;
  for (const link of every(document, "[data-theme-choice]")) link.ariaCurrent = link.dataset.themeChoice === (chosen || "system") ? "true" : null;
}

document.addEventListener("click", (event) => {
  const target = targetOf(event);
  const copy = /** @type {HTMLElement} */ (target?.closest("button[data-copy]"));
  const theme = /** @type {HTMLElement} */ (target?.closest("[data-theme-choice]"));
  if (copy) copyText(document.getElementById(copy.dataset.copy).textContent, copy);
  if (theme) {
    event.preventDefault();
    setTheme(theme.dataset.themeChoice);
  }
  // A click anywhere else closes an open menu.
  for (const menu of /** @type {HTMLDetailsElement[]} */ (every(document, "details.menu[open]"))) {
    if (!target || !menu.contains(target) || theme) menu.open = false;
  }
});

// Forms of filters submit at once; without the script their button does.
document.addEventListener("change", (event) => {
  /** @type {HTMLFormElement} */ (targetOf(event)?.closest("form[data-submit]"))?.requestSubmit();
});

document.addEventListener("page:changed", (event) => {
  const part = targetOf(event);
  localTimes(part);
  for (const button of every(part, "button[data-copy]")) button.hidden = !navigator.clipboard;
  for (const tab of every(part, ".tabs > [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24;
  rove(null);
});

// On paper nobody can open a card.
window.addEventListener("beforeprint", () => {
  for (const card of /** @type {HTMLDetailsElement[]} */ (every(document, "details.cause"))) card.open = true;
});

for (const button of every(document, "form[data-submit] button")) button.hidden = true;

// The store is busy: the page is loaded again, as its button does.
for (const again of every(document, "[data-again]")) {
  again.hidden = false;
  setTimeout(() => location.reload(), 1000 * Number(again.dataset.again));
}

// The slider between two pictures: how much of the upper one is seen. Without this script its edge can be dragged.
for (const slider of /** @type {HTMLInputElement[]} */ (every(document, "[data-slider]"))) {
  const [over] = every(slider.closest("figure"), ".over");
  const set = () => { over.style.clipPath = `inset(0 ${100 - Number(slider.value)}% 0 0)`; };
  over.classList.add("driven");
  slider.hidden = false;
  slider.addEventListener("input", set);
  set();
}

// Keys. An element with data-key="n" is clicked by that key, so each key has a visible twin; j and k move the focus along
// the elements with data-row. Keys of a row stand in its data-scope, and count while the focus is in there.

const SECOND_KEY_MILLISECONDS = 1200;
const THEMES = ["light", "dark", "system"];
const keymap = /** @type {HTMLDialogElement} */ (document.getElementById("keymap"));
let first = { key: "", at: 0 };

const rows = () => every(document, "[data-row]").filter((row) => row.checkVisibility());

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
  const details = document.activeElement?.closest("details");
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
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || keymap.open) return;
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
document.addEventListener("toggle", () => rove(null), true);

for (const button of every(document, "[data-keymap]")) {
  button.hidden = false;
  button.addEventListener("click", () => keymap.showModal());
}
keymap.querySelector("[data-close]").addEventListener("click", () => keymap.close());
for (const hints of every(document, ".keys")) hints.hidden = false;
tellChanged(document.body);

// Back from a test: the focus is at its row again, or at its reason.
const arrived = document.getElementById(location.hash.slice(1));
if (arrived) {
  if (arrived instanceof HTMLDetailsElement) arrived.open = true;
  (arrived.matches("[data-row]") ? arrived : every(arrived, "[data-row]").at(0))?.focus();
}
