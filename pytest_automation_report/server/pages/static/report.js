// @ts-check
// The addresses of the report in one file. They stand behind the #, as in #/results/123?attempt=2.

import { data, showDamage } from "./loader.js";
import { every, markCurrent, targetOf } from "./page.js";
import { shownPage, showPage } from "./report_page.js";
import { escaped, FILTERS, listAddress, rowPage, showTests } from "./rows.js";

let shown = "";

/**
 * An address with its parameters in one order, and with the usual view of the run, as the pages have them.
 * @param {string} address
 */
function canonical(address) {
  const [path, query = ""] = address.split("?");
  const parameters = new URLSearchParams(query);
  parameters.delete("from");
  if (path === data.run) {
    // Filters narrow the list of tests, whatever the usual view is.
    const isList = [...FILTERS, "open"].some((name) => parameters.has(name));
    for (const [name, value] of Object.entries({ ...data.usual, ...(isList && { view: "tests" }) })) {
      if (!parameters.has(name)) parameters.set(name, value);
    }
  }
  parameters.sort();
  return parameters.size ? `${path}?${parameters}` : path;
}

// Failures as pytest wrote them: their texts are on the page, hidden, to be copied.
function showAsWritten() {
  for (const text of every(shownPage, 'pre[id^="pytest-"]')) {
    const section = text.closest("section");
    const rows = text.textContent.split("\n").map((line, number) => {
      const kind = /^E( |$)/.test(line) ? "err" : line.startsWith(">") ? "hit" : "";
      return `<span${kind && ` class="${kind}"`} data-n="${number + 1}"><code>${escaped(line)}\n</code></span>`;
    });
    text.innerHTML = rows.join("");
    Object.assign(text, { className: "code wrapped", hidden: false, tabIndex: 0 });
    for (const other of [...section.children]) if (other !== text && !other.matches("header")) other.remove();
    for (const link of section.querySelectorAll("header .seg a")) markCurrent(link, link.getAttribute("href").includes("show=pytest"));
  }
}

/** @param {string} address */
function showAddress(address) {
  const [path, query = ""] = address.split("?");
  const parameters = new URLSearchParams(query);
  const isRaw = parameters.get("show") === "pytest";
  if (isRaw) parameters.delete("show");
  const wanted = canonical(`${path}?${parameters}`);
  const result = /^\/results\/(\d+)$/.exec(wanted);
  // The stream of output that a page begins with has no page of its own.
  const parts = data.pages[wanted] ?? data.pages[path] ?? (result ? rowPage(Number(result[1])) : null);
  if (!parts) throw new RangeError(`it has no page ${address}`);
  showPage(parts);
  if (isRaw) showAsWritten();
}

function open() {
  const [, address = "", place = ""] = location.hash.split("#");
  // A place on the page that is shown, and no address of a page.
  if (address && !address.startsWith("/")) return;
  const wanted = canonical(address || data.start);
  const parameters = new URLSearchParams(wanted.split("?")[1] || "");
  const isList = wanted.startsWith(`${data.run}?`) && parameters.get("view") === "tests";
  if (isList) showTests(parameters);
  else showAddress(wanted);
  if (place) document.getElementById(place)?.scrollIntoView();
  else if (shown && shown !== wanted && !isList) window.scrollTo(0, 0);
  shown = wanted;
}

function go() {
  try { open(); } catch (error) { showDamage(/** @type {Error} */ (error)); }
}

/** @param {HTMLFormElement} form */
function searchAddress(form) {
  return `#${listAddress(new URLSearchParams(), { q: String(new FormData(form).get("q")).trim() })}`;
}

document.addEventListener("input", (event) => {
  const field = /** @type {HTMLInputElement} */ (event.target);
  if (field.id !== "q") return;
  history.replaceState(null, "", searchAddress(field.form));
  go();
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.querySelector("#q")) location.hash = searchAddress(form).slice(1);
});
document.addEventListener("click", (event) => {
  const target = targetOf(event)?.closest('a[href^="#"]')?.getAttribute("href");
  if (!target || target.startsWith("#/")) return;
  // A place on this page must not replace the page's address.
  event.preventDefault();
  const element = document.getElementById(target.slice(1));
  if (element) { element.scrollIntoView(); element.focus({ preventScroll: true }); }
});
window.addEventListener("hashchange", go);

go();
for (const element of every(document, "header.top, .skip-to")) element.hidden = false;
