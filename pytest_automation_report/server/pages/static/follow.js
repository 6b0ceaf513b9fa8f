// @ts-check
// Follow what changes on the server: the element with data-live asks its address again and again, and sections of the
// answer, by their ids that begin with "live-", replace the page's sections. What is focused, opened or typed stays.

import { every, tellChanged } from "./page.js";

const VISIBLE_MILLISECONDS = 1000;
const HIDDEN_MILLISECONDS = 10000;

/**
 * @param {Element} shown
 * @param {Element} section
 */
function replaceSection(shown, section) {
  for (const details of /** @type {HTMLDetailsElement[]} */ (every(section, "details[id]"))) {
    const before = /** @type {HTMLDetailsElement} */ (document.getElementById(details.id));
    if (before) details.open = before.open;
  }
  const focused = shown.contains(document.activeElement) ? document.activeElement : null;
  const fresh = document.adoptNode(section);
  shown.replaceWith(fresh);
  tellChanged(fresh);
  if (!focused) return;
  const href = focused.getAttribute("href");
  const same = focused.id ? document.getElementById(focused.id) : href && fresh.querySelector(`a[href="${CSS.escape(href)}"]`);
  const details = focused.closest("details[id]");
  const summary = details && document.querySelector(`#${CSS.escape(details.id)} > summary`);
  /** @type {HTMLElement} */ (same || summary)?.focus({ preventScroll: true });
}

/**
 * @param {HTMLElement} live
 * @param {string} text
 * @returns {void}
 */
function refresh(live, text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  // Another page stands at this address now, such as the first run where there was none.
  const page = every(fresh, "[data-page]").at(0);
  if (page && page.dataset.page !== live.dataset.page) return void location.reload();
  // Before its sections move into this page.
  const isOver = Boolean(fresh.querySelector("[data-open=false]"));
  const state = every(fresh, "[data-title]").at(0);
  for (const section of fresh.querySelectorAll("[id^=live-]")) {
    const shown = document.getElementById(section.id);
    // A section with an input is left alone: a moved input would lose its cursor. Its data-keep names the part that changes.
    const kept = shown && shown.querySelector("[data-keep]");
    if (kept) {
      const part = shown.querySelector("nav");
      const freshPart = section.querySelector("nav");
      if (part && freshPart) replaceSection(part, freshPart);
    } else if (shown && shown.outerHTML !== section.outerHTML) {
      replaceSection(shown, section);
    }
  }
  // A view without anything to read follows, too, until there is something: then it stands still, and news wait.
  const view = every(document, "#live-view[data-next]:not([data-next=''])").at(0);
  if (view) {
    live.dataset.live = view.dataset.next;
    view.removeAttribute("id");
  }
  if (state) {
    document.title = state.dataset.title;
    document.querySelector("link[rel=icon]").setAttribute("href", state.dataset.icon);
  }
  // The end of a run: nothing changes any more.
  if (isOver) live.dataset.live = "";
}

/** @param {HTMLElement} live */
async function follow(live) {
  let tag = "";
  while (live.dataset.live) {
    await /** @type {Promise<void>} */ (new Promise((resolve) => {
      const timer = setTimeout(resolve, document.hidden ? HIDDEN_MILLISECONDS : VISIBLE_MILLISECONDS);
      // A tab that is shown again asks at once.
      document.addEventListener("visibilitychange", () => { clearTimeout(timer); resolve(); }, { once: true });
    }));
    try {
      const response = await fetch(live.dataset.live, { headers: new Headers(tag ? { "If-None-Match": tag } : {}), cache: "no-store" });
      if (response.status === 304 || response.status === 429) continue;
      // The run was removed, or the browser's pass has expired: reloading the page shows which.
      if (!response.ok) return;
      tag = response.headers.get("ETag") || "";
      refresh(live, await response.text());
    } catch {
      // The server has ended or restarts: the page stays as it is, and asks again.
    }
  }
}

/**
 * The time to go in words, as `to_go_words` on the server has them.
 * @param {number} seconds
 */
function toGo(seconds) {
  if (seconds < 1) return seconds >= -1 ? "Nearly done" : "Longer than usual";
  if (seconds < 60) return `About ${Math.round(seconds)} s to go`;
  const tens = Math.round(seconds / 10) * 10;
  /** @param {number} number */
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const words = tens < 3600 ? `${Math.floor(tens / 60)} min ${two(tens % 60)} s` : `${Math.floor(tens / 3600)} h ${two((tens % 3600) / 60)} min`;
  return `About ${words} to go`;
}

// Clocks of running tests go on between two answers, and the time to go becomes less: a test that hangs sends no news.
function tick() {
  const now = performance.now();
  for (const sentence of every(document, "[data-to-go]")) {
    sentence.dataset.shown ||= String(now);
    sentence.querySelector("b").textContent = toGo(Number(sentence.dataset.toGo) / 1e6 - (now - Number(sentence.dataset.shown)) / 1000);
  }
  for (const clock of every(document, "[data-lasted]")) {
    clock.dataset.shown ||= String(now);
    const seconds = Math.floor((Number(clock.dataset.lasted) / 1000 + now - Number(clock.dataset.shown)) / 1000);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    if (clock.dataset.limit && seconds * 1e6 >= Number(clock.dataset.limit)) clock.classList.add("up");
  }
}

const live = document.getElementById("live");
if (live && live.dataset.live) {
  follow(live);
  setInterval(() => { if (live.dataset.live) tick(); }, 1000);
}
