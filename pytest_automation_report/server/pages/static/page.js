"use strict";

// The pages can be read without this script. It copies commands, shows times in local time, and updates an open run.

const POLL_MILLISECONDS = 2000;

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.title = element.textContent;
    element.textContent = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  }
}

function copyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = "Copied";
      } catch {
        // Without the permission to write to the clipboard.
        button.textContent = "Select it";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}

// Replace the sections of the page by newer ones from the server. Sections that the reader opened or closed, the focus
// and the text of the search field stay as they are.
function refresh(live, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const isCompleted = fresh.getElementById("live-head").dataset.open === "false";
  for (const section of fresh.querySelectorAll("section[id^=live-]")) {
    const shown = document.getElementById(section.id);
    if (!shown) continue;
    for (const details of section.querySelectorAll("details[id]")) {
      const before = document.getElementById(details.id);
      if (before) details.open = before.open;
    }
    const focused = shown.contains(document.activeElement) ? document.activeElement : null;
    localTimes(section);
    if (shown.querySelector("[data-keep]")) {
      // A moved input would lose its cursor, so only the links beside it are replaced.
      shown.querySelector("nav").replaceWith(document.adoptNode(section.querySelector("nav")));
    } else {
      shown.replaceWith(document.adoptNode(section));
    }
    if (focused && !focused.isConnected) {
      const href = focused.getAttribute("href");
      const same = href ? document.querySelector(`#${section.id} a[href="${CSS.escape(href)}"]`) : section.querySelector("summary");
      if (same) same.focus({ preventScroll: true });
    }
  }
  if (isCompleted) live.dataset.live = "";
}

// Ask for the changes of an open run until it is completed; a hidden page waits.
async function follow(live) {
  let tag = "";
  while (live.dataset.live) {
    await new Promise((resolve) => { setTimeout(resolve, POLL_MILLISECONDS); });
    if (document.hidden) continue;
    try {
      const response = await fetch(live.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (response.status === 304) continue;
      // The run was removed, or the browser's pass has expired: reloading the page shows which.
      if (!response.ok) return;
      tag = response.headers.get("ETag") || "";
      refresh(live, await response.text());
    } catch {
      // The server has ended or restarts: the page stays as it is, and asks again.
    }
  }
}

localTimes(document);
copyButtons();
const live = document.getElementById("live");
if (live && live.dataset.live) follow(live);
