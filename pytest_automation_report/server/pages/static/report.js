"use strict";

// The addresses of the report in one file. They stand behind the #, as in #/results/123?attempt=2.

const FILTERS = ["q", "status", "change", "reason", "folder", "lane", "open"];
let shown = "";
let turn = 0;

// An address with its parameters in one order, and with the usual view of the run, as the index has them.
function canonical(address) {
  const [path, query = ""] = address.split("?");
  const pairs = [...new URLSearchParams(query)].filter(([name]) => name !== "from");
  if (path === index.run) {
    // Filters narrow the list of tests, whatever the usual view is.
    if (!pairs.some(([name]) => name === "view") && pairs.some(([name]) => FILTERS.includes(name))) pairs.push(["view", "tests"]);
    for (const [name, value] of Object.entries(index.usual)) if (!pairs.some((pair) => pair[0] === name)) pairs.push([name, value]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const text = new URLSearchParams(pairs).toString();
  return text ? `${path}?${text}` : path;
}

// The tests are a tree unless they are filtered, as on the server.
function isTree(parameters) {
  return parameters.get("group") !== "none" && !FILTERS.some((name) => name !== "open" && parameters.get(name));
}

async function pageText(address) {
  const result = /^\/results\/(\d+)$/.exec(address);
  return (await fragment(address)) ?? (result ? lonePage(Number(result[1])) : null);
}

// Failures as pytest wrote them: their texts are on the page, hidden, to be copied.
function showAsWritten() {
  for (const text of page.querySelectorAll('pre[id^="pytest-"]')) {
    const section = text.closest("section");
    const rows = text.textContent.split("\n").map((line, number) => {
      const kind = /^E( |$)/.test(line) ? "err" : line.startsWith(">") ? "hit" : "";
      return `<span${kind && ` class="${kind}"`} data-n="${number + 1}"><code>${escaped(line)}\n</code></span>`;
    });
    text.innerHTML = rows.join("");
    Object.assign(text, { className: "code wrapped", hidden: false, tabIndex: 0 });
    for (const other of [...section.children]) if (other !== text && !other.matches("header")) other.remove();
    for (const link of section.querySelectorAll("header .seg a")) {
      if (link.getAttribute("href").includes("show=pytest")) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
}

async function open() {
  const [, address = "", place = ""] = location.hash.split("#");
  // A place on the page that is shown, and no address of a page.
  if (address && !address.startsWith("/")) return;
  const myTurn = ++turn;
  const wanted = canonical(address || index.start);
  const parameters = new URLSearchParams(wanted.split("?")[1] || "");
  const isList = wanted.startsWith(`${index.run}?`) && parameters.get("view") === "tests";
  if (isList) await (isTree(parameters) ? showTree : showList)(parameters, () => myTurn === turn);
  else {
    const [path, query = ""] = wanted.split("?");
    const isRaw = new URLSearchParams(query).get("show") === "pytest";
    const text = await pageText(isRaw ? canonical(`${path}?${query.replace(/(^|&)show=pytest/, "")}`) : wanted);
    if (myTurn !== turn) return;
    if (text === null) throw new RangeError(`it has no page ${wanted}`);
    show(text);
    if (isRaw) showAsWritten();
  }
  if (place) document.getElementById(place)?.scrollIntoView();
  else if (shown && shown !== wanted && !isList) window.scrollTo(0, 0);
  shown = wanted;
}

const go = () => open().catch(showDamage);

function searchAddress(form) {
  const parameters = new URLSearchParams({ view: "tests" });
  const text = new FormData(form).get("q").trim();
  if (text) parameters.set("q", text);
  return `#${index.run}?${parameters}`;
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "q") return;
  history.replaceState(null, "", searchAddress(event.target.form));
  go();
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.querySelector("#q")) location.hash = searchAddress(event.target).slice(1);
});
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
  const target = link && link.getAttribute("href");
  if (!target || target.startsWith("#/")) return;
  // A place on this page must not replace the page's address.
  event.preventDefault();
  const element = document.getElementById(target.slice(1));
  if (element) { element.scrollIntoView(); element.focus({ preventScroll: true }); }
});
window.addEventListener("hashchange", go);

(async () => {
  if (adler(new TextEncoder().encode(texts.join("\n"))) !== index.texts) throw new RangeError("the plain report was changed");
  await open();
  for (const element of document.querySelectorAll("header.top, .skip-to")) element.hidden = false;
})().catch(showDamage);
