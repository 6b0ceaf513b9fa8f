// @ts-check
// The report in one file: its pages, the tests that it lists and searches, and its addresses. The columns of the tests are
// those of `report_tests.py`; the markup of a row is the server's template, with holes for the texts.

import { openNode, takeRowsFrom } from "./find.js";
import { data, inflated, showDamage } from "./loader.js";
import { every, targetOf, tellChanged } from "./page.js";

const shownPage = document.getElementById("page");
/** @type {Map<string, Promise<string>>} */
const addressesOfFiles = new Map();

/** @param {string[]} parts - The page's title, its way through the pages (may be empty), and its content. */
function showPage([title, crumbs, content]) {
  document.title = new DOMParser().parseFromString(title, "text/html").body.textContent;
  const nav = document.querySelector("header .crumbs");
  if (nav && crumbs) nav.outerHTML = crumbs;
  shownPage.innerHTML = content;
  document.getElementById("damage").hidden = true;
  for (const element of shownPage.querySelectorAll('[data-value=""]')) element.remove();
  showArtifacts().catch(showDamage);
  tellChanged(shownPage);
}

/**
 * Pictures and other files become addresses of this page's own when they are shown; none is loaded from anywhere.
 * @param {string} hash
 */
async function fileAddress(hash) {
  if (!addressesOfFiles.has(hash)) {
    const { type } = document.getElementById(`file-${hash}`)?.dataset || {};
    addressesOfFiles.set(hash, inflated(`file-${hash}`).arrayBuffer().then((bytes) => URL.createObjectURL(new Blob([bytes], { type }))));
  }
  return addressesOfFiles.get(hash);
}

async function showArtifacts() {
  for (const element of every(shownPage, "[data-file]")) {
    const address = await fileAddress(element.dataset.file);
    if (element instanceof HTMLAnchorElement) {
      element.href = address;
      element.download = element.dataset.name || "file";
      element.removeAttribute("target");
    } else element.setAttribute("src", address);
  }
}

// What users write to search tests: words, phrases in quotes, node ids, and fields as in owner:web. The server's
// urls.py reads the same.

/** @typedef {{ field: string, value: string }} Term - The field in small letters, empty for a word. */

const FIELD = /^([A-Za-z][A-Za-z0-9_-]*):([^:].*)$/;
// A node id, whose parameters may have spaces; a phrase, maybe of a field; a word.
const TERM = /([^\s"]*::[^\s"[]*\[.*?\](?!\S))|(?:([A-Za-z][A-Za-z0-9_-]*):)?"([^"]*)"?(?!\S)|(\S+)/g;

/**
 * @param {string} text
 * @returns {Term[]}
 */
function termsOf(text) {
  const terms = [...text.matchAll(TERM)].map(([, node, field = "", phrase, word = ""]) => {
    const match = FIELD.exec(word);
    return match ? { field: match[1].toLowerCase(), value: match[2] } : { field: field.toLowerCase(), value: node || phrase || word };
  });
  return terms.filter(({ value }) => value.replace(/^"+|"+$/g, ""));
}

/** @param {Term} term */
function termText({ field, value }) {
  const shown = /\s/.test(value) ? `"${value}"` : value;
  return field ? `${field}:${shown}` : shown;
}

/**
 * A search with a term added, or without it if it has it.
 * @param {string} text
 * @param {string} term
 */
function toggled(text, term) {
  const terms = termsOf(text).map(termText);
  return terms.includes(term) ? terms.filter((one) => one !== term).join(" ") : `${text} ${term}`.trim();
}

// The tests: columns of values, and the lists that are filled with them.

const LIST_ROWS = 150;
const FILTERS = ["q", "status", "change", "reason", "folder", "lane"];
/** @type {Record<string, string>} */
const LANE_KINDS = { fail: "failed", flaky: "flaky", pass: "passed" };
/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
/** @param {unknown} text */
const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => ESCAPES[character]);

/**
 * A test is its number in the columns; a value may be any.
 * @typedef {number} Test
 * @typedef {Record<string, any>} Values
 */

const { kinds, groups, columns, files, reasons } = data.tests;
/** @type {number[]} */
const ids = data.tests.steps.map(((sum) => (/** @type {number} */ step) => (sum += step))(0));
const numbers = new Map(ids.map((id, test) => [id, test]));
const leftOut = new Set(data.tests.left_out);
const all = ids.map((_, test) => test);

/**
 * @param {string} name
 * @param {Test} test
 */
const at = (name, test) => columns[name].values[columns[name].at ? columns[name].at[test] : test];

/**
 * The values of a test, by the names of the holes.
 * @param {Test} test
 * @returns {Values}
 */
function valuesOf(test) {
  const [name, place, group] = at("function", test);
  const [, folder, node, command] = groups[group];
  const parameters = at("parameters", test);
  const [worker, thread] = at("worker", test);
  const whole = name + parameters;
  return {
    id: ids[test], function: name, parameters, name: whole, folder, place, worker, thread,
    node: node.replace("⟦name⟧", () => whole), command: command.replace("⟦name⟧", () => whole),
    time: at("time", test), message: at("message", test), kind: kinds[at("kind", test)],
  };
}

/**
 * Replace the holes of a template, such as ⟦function⟧, by escaped texts; a strip is HTML already.
 * @param {string} template
 * @param {Test} test
 * @param {Values} values
 */
function filled(template, test, values) {
  return template.replace(/⟦(\w+)⟧/g, (_, name) => (name === "strip" ? at("strip", test) : escaped(values[name])));
}

/** @param {Test} test */
const rowHtml = (test) => {
  const values = valuesOf(test);
  return filled(values.kind.row, test, values);
};

/**
 * The page of a test without a page of its own: its row shows it, and what has no value is left out.
 * @param {number} id
 * @returns {string[] | null}
 */
function rowPage(id) {
  const test = numbers.get(id);
  if (test === undefined) return null;
  const values = valuesOf(test);
  const skip = at("skip", test);
  Object.assign(values, {
    skip,
    folderAlone: values.place ? "" : values.folder,
    folderInUrl: encodeURIComponent(values.folder),
    workerOrTimeline: values.worker || "timeline",
    note: leftOut.has(test)
      ? "Fields and output of this test are not in this file, which has them for 1,000 tests."
      : skip ? "" : "This test has no message and no output.",
  });
  return values.kind.page.map((/** @type {string} */ part) => filled(part, test, values));
}

/**
 * The texts in which a search looks: the name as in lists, as in a node id, and the message.
 * @type {string[] | null}
 */
let texts = null;

const BROWSERS = ["chromium", "firefox", "webkit"];

/**
 * Whether a test has the value of a field; of an unknown field it may have the text itself.
 * @param {Test} test
 * @param {string} field
 * @param {string} value - In small letters.
 */
function hasValue(test, field, value) {
  if (field === "is") {
    if (value === "xpass") return at("facts", test).split("\n").includes("is:xpass");
    const changes = at("changes", test).split(",");
    return changes.includes(value.replaceAll("-", "_")) || (value === "flaky" && kinds[at("kind", test)].tone === "flaky");
  }
  if (field === "status") return kinds[at("kind", test)].status === String(data.tests.statuses[value]);
  if (field === "file") return [valuesOf(test).place, valuesOf(test).folder].some((text) => text.toLowerCase().includes(value));
  const facts = at("facts", test).split("\n");
  if (field === "mark") return facts.some((/** @type {string} */ fact) => fact.startsWith(`${value}:`));
  const isParameter = field === "param" || (field === "browser" && BROWSERS.includes(value));
  return facts.includes(`${field}:${value}`) || texts[test].includes(`${field}:${value}`)
    || (isParameter && at("parameters", test).slice(1, -1).toLowerCase().split("-").includes(value));
}

/** @param {Term} term */
const isKnown = ({ field, value }) =>
  (field !== "is" || data.tests.words.includes(value.toLowerCase())) && (field !== "status" || value.toLowerCase() in data.tests.statuses);

/** @param {string} text */
function searched(text) {
  texts ??= all.map((test) => {
    const { folder, name, node, message } = valuesOf(test);
    return `${folder}.${name}\n${node}\n${message}`.toLowerCase();
  });
  /** @type {Record<string, string[]>} */
  const fields = {};
  /** @type {string[]} */
  const words = [];
  for (const { field, value } of termsOf(text).filter(isKnown)) {
    if (field) (fields[field] ??= []).push(value.toLowerCase());
    else words.push(value.toLowerCase());
  }
  return all.filter((test) => words.every((word) => texts[test].includes(word))
    && Object.entries(fields).every(([field, values]) => values.some((value) => hasValue(test, field, value))));
}

/**
 * @param {URLSearchParams} parameters
 * @param {Test[]} found - The tests that its search finds.
 */
function selected(parameters, found) {
  const get = (/** @type {string} */ name) => (parameters.get(name) || "").trim();
  const statuses = new Set(get("status").split(",").filter(Boolean));
  const changes = get("change").split(",").filter(Boolean);
  // A worker, or one block of its lane: THREAD.FIRST.LAST.KIND.
  const [thread, from, to, kind] = get("lane").split(".");
  const kindOf = (/** @type {Test} */ test) => kinds[at("kind", test)];
  const hasStatus = (/** @type {Values} */ { tone, status }) => statuses.has(tone === "flaky" && statuses.has("flaky") ? "flaky" : status);
  const isInBlock = (/** @type {Test} */ test) =>
    ids[test] >= Number(from) && ids[test] <= Number(to) && (LANE_KINDS[kindOf(test).tone] || "skipped") === kind;
  return found.filter((test) =>
    (!statuses.size || hasStatus(kindOf(test)))
    && (!changes.length || at("changes", test).split(",").some((/** @type {string} */ change) => changes.includes(change)))
    && (!thread || at("worker", test)[1] === thread)
    && (!kind || isInBlock(test))
    && (!get("reason") || at("reason", test) === get("reason"))
    && (!get("folder") || valuesOf(test).folder === get("folder")));
}

/**
 * Failures first, slowest first, or as they ran: the order of the columns.
 * @param {Test[]} tests
 * @param {string} sort
 */
function ordered(tests, sort) {
  if (sort === "ran") return tests;
  const place = (/** @type {Test} */ test) =>
    sort === "slowest" ? -columns.time.at[test] : kinds[at("kind", test)].rank;
  return [...tests].sort((a, b) => place(a) - place(b) || a - b);
}

/**
 * Add the next rows of a list, and a button for the rest.
 * @param {HTMLElement} parent
 * @param {Test[]} tests
 */
function addRows(parent, tests, start = 0) {
  const end = Math.min(tests.length, start + LIST_ROWS);
  parent.insertAdjacentHTML("beforeend", tests.slice(start, end).map(rowHtml).join("\n"));
  if (end < tests.length) {
    const more = Object.assign(document.createElement("button"), { type: "button", className: "btn rest" });
    more.textContent = `${Math.min(LIST_ROWS, tests.length - end)} more of ${counted(tests.length)}`;
    more.addEventListener("click", () => {
      more.remove();
      addRows(parent, tests, end);
    });
    parent.append(more);
  }
  tellChanged(parent);
}

/** @param {number} count */
const counted = (count) => `${count.toLocaleString("en")} ${count === 1 ? "test" : "tests"}`;

/**
 * @param {URLSearchParams} parameters
 * @param {Record<string, string>} changed
 */
function listAddress(parameters, changed = {}) {
  /** @type {Record<string, string>} */
  const values = { ...Object.fromEntries(parameters), view: "tests", ...changed };
  return `${data.run}?${new URLSearchParams(Object.entries(values).filter(([, value]) => value))}`;
}

/**
 * The filters of a list, each with a link that leaves it out.
 * @param {URLSearchParams} parameters
 * @param {number} count - How many tests the list has.
 */
function filterHtml(parameters, count) {
  const [lane, reason] = [parameters.get("lane") || "", parameters.get("reason") || ""];
  const [thread, , , kind] = lane.split(".");
  const test = all.find((one) => at("worker", one)[1] === thread);
  const worker = (test !== undefined && at("worker", test)[0]) || "one worker";
  const shown = [
    ["q", `${counted(count)} with “`, escaped(parameters.get("q") || ""), "Clear the search", "”"],
    ["reason", "that failed for", reasons[reason] || "one reason", "All reasons"],
    ["folder", "in folder", escaped(parameters.get("folder") || ""), "All folders"],
    ["lane", `that ${kind ? escaped(kind) : "ran"} on`, escaped(worker), "All workers"],
  ].filter(([name]) => parameters.get(name));
  const spans = shown.map(([name, words, value, clear, end = ""]) =>
    `<span>${words}${end ? "" : " "}<b class="mono">${value}</b>${end} <a href="#${escaped(listAddress(parameters, { [name]: "" }))}">${clear}</a></span>`);
  const wrong = termsOf(parameters.get("q") || "").filter((term) => !isKnown(term)).map((term) =>
    `<p class="mistake">${escaped(termText(term))} is left out: write ${term.field}: with ${(term.field === "is" ? data.tests.words : Object.keys(data.tests.statuses)).join(", ")}.</p>`);
  return wrong.join("\n") + (spans.length ? `<p class="within">${spans.join("\n")}</p>` : "");
}

/**
 * Chips and orders lead on from these filters: a chip turns its filter on, and off if it is on.
 * @param {HTMLElement} root
 * @param {URLSearchParams} parameters
 */
function markLinks(root, parameters) {
  for (const link of root.querySelectorAll(".view [aria-label=Order] a, .count-line a")) {
    const { term, status, change } = /** @type {HTMLElement} */ (link).dataset;
    if (status || change) {
      const name = status ? "status" : "change";
      const chosen = new Set((parameters.get(name) || "").split(",").filter(Boolean));
      link.ariaCurrent = chosen.has(status || change) ? "true" : null;
      if (!chosen.delete(status || change)) chosen.add(status || change);
      link.setAttribute("href", `#${listAddress(parameters, { [name]: [...chosen].join(","), open: "", group: "" })}`);
      continue;
    }
    if (term) {
      const text = parameters.get("q") || "";
      link.ariaCurrent = termsOf(text).map(termText).includes(term) ? "true" : null;
      link.setAttribute("href", `#${listAddress(parameters, { q: toggled(text, term) })}`);
      continue;
    }
    if (link.matches(".chip")) continue; // of the names of tests that did not run, in another view
    const sort = new URLSearchParams(link.getAttribute("href")?.split("?")[1] || "").get("sort") || "";
    link.ariaCurrent = sort === (parameters.get("sort") || "") ? "true" : null;
    link.setAttribute("href", `#${listAddress(parameters, { sort })}`);
  }
}

/**
 * During a search all chips count the tests that it finds; chips of fields have no number.
 * @param {HTMLElement} root
 * @param {Test[]} found
 */
function countFound(root, found) {
  for (const chip of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".count-line .chip"))) {
    const { term, status, change } = chip.dataset;
    const isOf = (/** @type {Test} */ test) => {
      const kind = kinds[at("kind", test)];
      return status ? (kind.tone === "flaky" ? "flaky" : kind.status) === status : at("changes", test).split(",").includes(change);
    };
    const count = status || change ? found.filter(isOf).length : 0;
    if (term) chip.querySelector("b").remove();
    else if (status || count) chip.querySelector("b").textContent = count.toLocaleString("en");
    else chip.remove();
  }
}

/**
 * The list of tests, or their files: the frame is the server's page, the parameters select its rows.
 * @param {URLSearchParams} parameters
 */
function showTests(parameters) {
  const isFlat = parameters.get("group") === "none" || FILTERS.some((name) => parameters.get(name));
  showPage(data.pages[isFlat ? data.list : data.tree]);
  const list = /** @type {HTMLElement} */ (shownPage.querySelector(".tree"));
  if (!list) return;
  list.replaceChildren(list.firstElementChild);
  const found = parameters.get("q") ? searched(parameters.get("q")) : all;
  const tests = isFlat ? selected(parameters, found) : [];
  shownPage.querySelector(".view .tools").insertAdjacentHTML("afterend", filterHtml(parameters, tests.length));
  markLinks(shownPage, parameters);
  if (parameters.get("q")) countFound(shownPage, found);
  const sort = parameters.get("sort") || (parameters.get("lane") ? "ran" : "failed");
  if (isFlat) showList(list, ordered(tests, sort), parameters);
  else showFiles(list, sort, parameters.get("open") || "");
  const field = /** @type {HTMLInputElement} */ (document.getElementById("q"));
  if (field && field !== document.activeElement) field.value = parameters.get("q") || "";
  tellChanged(shownPage);
}

/**
 * @param {HTMLElement} list
 * @param {Test[]} tests
 * @param {URLSearchParams} parameters
 */
function showList(list, tests, parameters) {
  shownPage.querySelector(".view .tools > .small").textContent = counted(tests.length);
  if (tests.length) addRows(list, tests);
  else {
    const text = (parameters.get("q") || "").trim();
    const title = text ? `No test matches “${escaped(text)}”` : "No matching tests";
    list.outerHTML = `<div class="panel empty"><h2>${title}</h2>\n<p><a class="btn" href="#${data.run}?view=tests">Show all tests</a></p></div>`;
  }
}

/** @param {Element} node */
const pathOf = (node) => new URLSearchParams(node.getAttribute("href").split("?")[1]).get("open");

/**
 * @param {HTMLElement} list
 * @param {string} sort
 * @param {string} opened - The path of a file that is open, or "".
 */
function showFiles(list, sort, opened) {
  const template = document.createElement("template");
  template.innerHTML = files.html;
  const branches = /** @type {HTMLElement[]} */ ([...template.content.children]);
  branches.forEach((branch, number) => { branch.dataset.number = String(number); });
  list.append(...files.orders[sort].map((/** @type {number} */ number) => branches[number]));
  const path = opened.split("::")[0];
  const node = path && /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a.node")]).find((one) => pathOf(one).startsWith(path));
  if (node) openNode(node).then(() => node.scrollIntoView());
}

// A file opens as a node of the server's pages does; its rows are here.
takeRowsFrom(async (node) => {
  const rows = document.createElement("div");
  const file = Number(node.parentElement.dataset.number);
  addRows(rows, all.filter((test) => groups[at("function", test)[2]][0] === file));
  return rows;
});

// Addresses stand behind the #, as in #/results/123?attempt=2.

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
    for (const link of section.querySelectorAll("header .seg a")) link.ariaCurrent = link.getAttribute("href").includes("show=pytest") ? "true" : null;
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
