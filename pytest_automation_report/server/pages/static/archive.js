"use strict";

// The report in one file. Its archive has the server's pages as compressed fragments; they are inflated when they are
// opened. Addresses stand behind the #, as in #/results/123?attempt=2. Without this script the plain report is shown.

const LIST_ROWS = 150;
const PARTS = "\x1f";
const KIND_RANKS = { failed: 0, skipped: 1, flaky: 2, passed: 2 };
const lines = document.getElementById("archive").textContent.trim().split("\n");
const chunks = new Map();
const files = new Map();
const page = document.getElementById("page");
const search = () => document.getElementById("q");
let index = null;
let facts = null;
let shown = "";
let turn = 0;

function opened(line) {
  const bytes = Uint8Array.from(atob(line), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream);
}

const inflated = (line) => opened(line).text();

function chunk(number) {
  if (!chunks.has(number)) {
    if (lines[number] === undefined) throw new RangeError(`part ${number} is missing`);
    chunks.set(number, inflated(lines[number]).then((text) => text.split("\x1e")));
  }
  return chunks.get(number);
}

// An address with its parameters in one order, and with the usual view of the run, as the index has them.
function canonical(address) {
  const [path, query = ""] = address.split("?");
  const pairs = [...new URLSearchParams(query)].filter(([name]) => name !== "from");
  if (path === index.run) {
    for (const [name, value] of Object.entries(index.usual)) if (!pairs.some((pair) => pair[0] === name)) pairs.push([name, value]);
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const text = new URLSearchParams(pairs).toString();
  return text ? `${path}?${text}` : path;
}

function showDamage(error) {
  const damage = document.getElementById("damage");
  damage.textContent = `The pages of this report cannot be read (${error.message || error}). The plain report stands below.`;
  damage.hidden = false;
}

function show(text) {
  const [title, crumbs, content] = text.split(PARTS);
  document.title = new DOMParser().parseFromString(title, "text/html").body.textContent;
  const nav = document.querySelector("header .crumbs");
  if (nav && crumbs) nav.outerHTML = crumbs;
  page.innerHTML = content;
  showFiles(page).catch(showDamage);
  page.dispatchEvent(new Event("page:changed", { bubbles: true }));
}

// Pictures and other files become addresses of this page's own when they are shown; none is loaded from anywhere.
async function fileAddress(hash) {
  // Of a report with a folder beside it, a file has an address in there.
  if (typeof index.files[hash] === "string") return index.files[hash];
  if (!files.has(hash)) {
    const [number, type] = index.files[hash];
    files.set(hash, opened(lines[number]).arrayBuffer().then((data) => URL.createObjectURL(new Blob([data], { type }))));
  }
  return files.get(hash);
}

async function showFiles(root) {
  for (const element of root.querySelectorAll("[data-file]")) {
    const address = await fileAddress(element.dataset.file);
    if (element.matches("a")) {
      element.href = address;
      element.download = element.dataset.name || "file";
      element.removeAttribute("target");
    } else element.src = address;
  }
}

async function fragment(address) {
  const place = index.pages[address];
  return place ? (await chunk(place[0]))[place[1]] : null;
}

// A search looks at the name as in lists, at the name as in a node id, and at the message.
function searchText(file, folder, name, message) {
  const module = file.replace(/\.py$/, "").replaceAll("/", ".");
  const classes = (folder.startsWith(module) ? folder.slice(module.length) : folder).replace(/^\./, "").replaceAll(".", "::");
  return `${folder}.${name} ${[file, classes, name].filter(Boolean).join("::")} ${message}`.toLowerCase();
}

async function allFacts() {
  if (!facts) {
    const [statuses, flaky, times, files, folders, names, messages, changes, reasons, threads, steps] = (await chunk(index.facts)).map((text) => text.split(PARTS));
    let id = 0;
    facts = index.total ? statuses.map((status, number) => ({
      number, status, isFlaky: flaky[number] === "1", rank: index.ranks[status], elapsed: Number(times[number]),
      thread: threads[number], id: (id += Number(steps[number])), file: files[number], folder: folders[number], reason: reasons[number], changes: changes[number].split(","),
      text: searchText(files[number], folders[number], names[number], messages[number]),
    })) : [];
  }
  return facts;
}

async function row(number) {
  return (await chunk(index.rows[Math.floor(number / index.rowsAChunk)]))[number % index.rowsAChunk];
}

function isBelow(test, node) {
  const [path, ...names] = node.split("::");
  if (!names.length) return test.file === path || (path.endsWith("/") && test.file.startsWith(path)) || test.folder === path;
  const id = node.toLowerCase();
  return test.file === path && [`${id}::`, `${id}[`, `${id} `].some((text) => test.text.includes(text));
}

function selected(tests, parameters) {
  const text = (parameters.get("q") || "").trim().toLowerCase();
  const statuses = new Set((parameters.get("status") || "").split(",").filter(Boolean));
  const changes = (parameters.get("change") || "").split(",").filter(Boolean);
  const folder = parameters.get("folder");
  const reason = parameters.get("reason");
  const node = parameters.get("open");
  // A worker, or one block of its lane: THREAD.FIRST.LAST.KIND.
  const [thread, from, to, kind] = (parameters.get("lane") || "").split(".");
  return tests.filter((test) =>
    (!text || test.text.includes(text))
    && (!statuses.size || statuses.has(test.isFlaky && statuses.has("flaky") ? "flaky" : test.status))
    && (!changes.length || changes.some((change) => test.changes.includes(change)))
    && (!reason || test.reason === reason)
    && (!thread || test.thread === thread)
    && (!kind || (test.id >= from && test.id <= to && KIND_RANKS[kind] === test.rank && test.isFlaky === (kind === "flaky")))
    && (!folder || test.folder === folder)
    && (!node || isBelow(test, node)));
}

function ordered(tests, sort) {
  if (sort === "slowest") tests.sort((a, b) => b.elapsed - a.elapsed || a.number - b.number);
  else if (sort !== "ran") tests.sort((a, b) => a.rank - b.rank || a.number - b.number);
  return tests;
}

function pager(parameters, number, last) {
  const nav = document.createElement("nav");
  nav.className = "pager";
  nav.setAttribute("aria-label", "Pages");
  for (const [word, to] of [["Previous", number - 1], ["Next", number + 1]]) {
    const link = document.createElement("a");
    link.className = "btn";
    link.textContent = word;
    if (to >= 1 && to <= last) {
      const other = new URLSearchParams(parameters);
      other.set("page", to);
      link.href = `#${index.run}?${other}`;
    } else link.className = "btn off";
    nav.append(link);
    if (word === "Previous") nav.append(Object.assign(document.createElement("span"), { textContent: `Page ${number} of ${last}` }));
  }
  return nav;
}

// The list of tests: the frame is the server's page, its rows are those that the parameters select.
async function showList(parameters, myTurn) {
  const tests = ordered(selected(await allFacts(), parameters), parameters.get("sort") || (parameters.get("lane") ? "ran" : "failed"));
  const last = Math.max(1, Math.ceil(tests.length / LIST_ROWS));
  const number = Math.min(last, Math.max(1, Number(parameters.get("page")) || 1));
  const rows = await Promise.all(tests.slice((number - 1) * LIST_ROWS, number * LIST_ROWS).map((test) => row(test.number)));
  const frame = await fragment(index.list);
  if (myTurn !== turn) return;
  show(frame);
  const list = page.querySelector(".tree");
  if (list) {
    for (const old of list.querySelectorAll(".leaf")) old.remove();
    list.insertAdjacentHTML("beforeend", rows.join("\n"));
    page.querySelector(".view .pager")?.remove();
    if (!rows.length) list.append(Object.assign(document.createElement("p"), { className: "pad quiet", textContent: "No test matches." }));
    if (last > 1) list.after(pager(parameters, number, last));
  }
  const count = page.querySelector(".view .tools > .small");
  if (count) count.textContent = `${tests.length.toLocaleString("en")} ${tests.length === 1 ? "test" : "tests"}`;
  for (const link of page.querySelectorAll(".view .seg a, .count-line a")) markCurrent(link, parameters);
  if (search() && search() !== document.activeElement) search().value = parameters.get("q") || "";
  page.dispatchEvent(new Event("page:changed", { bubbles: true }));
}

// Chips turn a filter on, and off if it is on; orders have one that is current.
function markCurrent(link, parameters) {
  if (link.closest("[aria-label=Arrangement]")) return;
  const own = new URLSearchParams((link.getAttribute("href") || "").split("?")[1] || "");
  const isChip = link.matches(".chip");
  const names = isChip ? ["status", "change"] : ["sort"];
  const isCurrent = names.every((name) => (own.get(name) || "") === (parameters.get(name) || ""));
  if (isCurrent) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
  const wanted = new URLSearchParams(parameters);
  wanted.delete("page");
  for (const name of names) {
    if (own.get(name) && !(isChip && isCurrent)) wanted.set(name, own.get(name));
    else wanted.delete(name);
  }
  link.href = `#${index.run}?${wanted}`;
}

async function open() {
  const [, address = "", place = ""] = location.hash.split("#");
  // A place on the page that is shown, and no address of a page.
  if (address && !address.startsWith("/")) return;
  const myTurn = ++turn;
  const wanted = canonical(address || index.start);
  const parameters = new URLSearchParams(wanted.split("?")[1] || "");
  const isList = wanted.startsWith(`${index.run}?`) && parameters.get("view") === "tests";
  if (isList) await showList(parameters, myTurn);
  else {
    const text = await fragment(wanted);
    if (myTurn !== turn) return;
    if (text === null) throw new RangeError(`it has no page ${wanted}`);
    show(text);
  }
  if (place) document.getElementById(place)?.scrollIntoView();
  else if (shown && shown !== wanted && !isList) window.scrollTo(0, 0);
  shown = wanted;
}

const go = () => open().catch(showDamage);

function searchAddress(form) {
  const parameters = new URLSearchParams({ view: "tests", group: "none" });
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
  index = JSON.parse(await inflated(lines[0]));
  await open();
  for (const element of document.querySelectorAll("header.top, .skip-to")) element.hidden = false;
})().catch(showDamage);
