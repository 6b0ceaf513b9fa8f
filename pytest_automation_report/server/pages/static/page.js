"use strict";

// Everything reads without this: it copies commands, writes times in the reader's zone, and follows an open run.

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
        button.textContent = "Select it";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}

// Puts the server's newer sections in place of those shown; what the reader opened, closed, chose or types stays.
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
    const chosen = shown.contains(document.activeElement) ? document.activeElement : null;
    localTimes(section);
    const typed = shown.querySelector("[data-keep]");
    if (typed) {
      // An input that is moved loses its cursor, so that this section changes around it.
      shown.querySelector("nav").replaceWith(document.adoptNode(section.querySelector("nav")));
    } else {
      shown.replaceWith(document.adoptNode(section));
    }
    if (chosen && !chosen.isConnected) {
      const address = chosen.getAttribute("href");
      const same = address ? document.querySelector(`#${section.id} a[href="${CSS.escape(address)}"]`) : section.querySelector("summary");
      if (same) same.focus({ preventScroll: true });
    }
  }
  if (isCompleted) live.dataset.live = "";
}

async function follow(live) {
  let tag = "";
  while (live.dataset.live) {
    await new Promise((resolve) => { setTimeout(resolve, POLL_MILLISECONDS); });
    if (document.hidden) continue;
    try {
      const answer = await fetch(live.dataset.live, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
      if (answer.status === 304) continue;
      if (!answer.ok) return;
      tag = answer.headers.get("ETag") || "";
      refresh(live, await answer.text());
    } catch {
      // The server is gone or restarts: the page stays as it is, and the next turn asks again.
    }
  }
}

localTimes(document);
copyButtons();
const live = document.getElementById("live");
if (live && live.dataset.live) follow(live);
