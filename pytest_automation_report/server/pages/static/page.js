"use strict";

// What each page has: times in local time, buttons that copy, the theme, menus that close. Pages can be read without it.

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
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

function showButtons(root) {
  for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
}

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
  const status = document.getElementById("said");
  if (status) status.textContent = word;
  if (!label || before === word) return;
  label.textContent = word;
  setTimeout(() => { label.textContent = before; }, 2000);
}

function setTheme(name) {
  const chosen = name === "light" || name === "dark" ? name : "";
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.cookie = `automation-report-theme=${chosen}; Path=/; SameSite=Lax; Max-Age=${chosen ? 31536000 : 0}`;
  for (const link of document.querySelectorAll("[data-theme-choice]")) {
    if (link.dataset.themeChoice === (chosen || "system")) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const copy = target && target.closest("button[data-copy]");
  const theme = target && target.closest("[data-theme-choice]");
  if (copy) copyText(document.getElementById(copy.dataset.copy).textContent, copy);
  if (theme) {
    event.preventDefault();
    setTheme(theme.dataset.themeChoice);
  }
  // A click anywhere else closes an open menu.
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!target || !menu.contains(target) || theme) menu.open = false;
  }
});

// Forms of filters submit at once; without the script their button does.
document.addEventListener("change", (event) => {
  if (event.target instanceof Element && event.target.closest("form[data-submit]")) event.target.form.requestSubmit();
});

document.addEventListener("page:changed", (event) => {
  localTimes(event.target);
  showButtons(event.target);
});

localTimes(document);
showButtons(document);
for (const button of document.querySelectorAll("form[data-submit] button")) button.hidden = true;

// The store is busy: the page is loaded again, as its button does.
for (const again of document.querySelectorAll("[data-again]")) {
  again.hidden = false;
  setTimeout(() => location.reload(), 1000 * again.dataset.again);
}
