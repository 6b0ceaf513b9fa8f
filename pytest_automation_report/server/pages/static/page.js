// @ts-check
// What each page has: times in local time, buttons that copy, the theme, menus that close. Pages can be read without it.

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

/**
 * Mark one of several links, or a link that is not one of them any more.
 * @param {Element} link
 * @param {boolean} isCurrent
 */
export function markCurrent(link, isCurrent) {
  if (isCurrent) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
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

/** @param {ParentNode} root */
function showButtons(root) {
  for (const button of every(root, "button[data-copy]")) button.hidden = !navigator.clipboard;
}

/**
 * @param {string} text
 * @param {HTMLElement} [button] - Its label says for two seconds what became of it.
 */
export async function copyText(text, button) {
  const label = button && (button.querySelector("span") || button);
  const before = label && label.textContent;
  let word = "Copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without the permission to write to the clipboard.
    word = "Select it";
  }
  const status = document.getElementById("said");
  if (status) status.textContent = word;
  if (!label || before === word) return;
  label.textContent = word;
  setTimeout(() => { label.textContent = before; }, 2000);
}

/** @param {string} name - "light", "dark", or "system", which follows the system. */
export function setTheme(name) {
  const chosen = name === "light" || name === "dark" ? name : "";
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.cookie = `automation-report-theme=${chosen}; Path=/; SameSite=Lax; Max-Age=${chosen ? 31536000 : 0}`;
  for (const link of every(document, "[data-theme-choice]")) markCurrent(link, link.dataset.themeChoice === (chosen || "system"));
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
  localTimes(targetOf(event) ?? document);
  showButtons(targetOf(event) ?? document);
  showCurrentTabs(targetOf(event) ?? document);
});

/** @param {ParentNode} root */
function showCurrentTabs(root) {
  for (const tab of every(root, ".tabs > [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24;
}

// On paper nobody can open a card.
window.addEventListener("beforeprint", () => {
  for (const card of /** @type {HTMLDetailsElement[]} */ (every(document, "details.cause"))) card.open = true;
});

localTimes(document);
showButtons(document);
showCurrentTabs(document);
for (const button of every(document, "form[data-submit] button")) button.hidden = true;

// The store is busy: the page is loaded again, as its button does.
for (const again of every(document, "[data-again]")) {
  again.hidden = false;
  setTimeout(() => location.reload(), 1000 * Number(again.dataset.again));
}
