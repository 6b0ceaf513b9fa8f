"use strict";

// The tests of the report in one file, as columns, and the list of them. The markup of a row comes from the server's
// template, with holes for the texts.

const LIST_ROWS = 150;
const COLUMNS = [
  "kind", "elapsed", "strip", "file", "folder", "classes", "function", "parameters", "worker", "message", "changes",
  "reason", "id", "line", "thread", "page",
];
const LANE_KINDS = { fail: "failed", flaky: "flaky", pass: "passed" };
let loaded = null;

// Replace the holes of a template, such as ⟦function⟧, by escaped texts; values of `markup` are HTML already.
function filled(template, values, markup = {}) {
  return template.replace(/⟦(\w+)⟧/g, (_, name) => (name in markup ? markup[name] : escaped(String(values[name]))));
}

// One value for each test: the distinct values, and a character for each test that names one of them.
class Column {
  constructor(values, codes) {
    this.values = values.split(PARTS);
    this.codes = codes;
  }

  place(test) { return this.codes ? numberOf(this.codes.charCodeAt(test)) : test; }

  at(test) { return this.values[this.place(test)]; }

  // Numbers, each of which is stored as its difference to the one before.
  sums(total) {
    const numbers = new Array(total);
    for (let test = 0, sum = 0; test < total; test += 1) numbers[test] = sum += Number(this.at(test));
    return numbers;
  }
}

async function allTests() {
  if (loaded) return loaded;
  const parts = await chunk(index.rows);
  const tests = Object.fromEntries(COLUMNS.map((name, place) => [name, new Column(parts[2 * place], parts[2 * place + 1])]));
  const { total } = index;
  tests.all = Array.from({ length: total }, (_, test) => test);
  tests.kinds = total ? tests.kind.values.map((text) => JSON.parse(text)) : [];
  tests.durations = tests.elapsed.values.map((text) => text.split("\t"));
  tests.ids = tests.id.sums(total);
  tests.numbers = new Map(tests.ids.map((id, test) => [id, test]));
  tests.lines = tests.line.sums(total);
  tests.nodes = total ? JSON.parse(parts[2 * COLUMNS.length]) : {};
  tests.kindOf = (test) => tests.kinds[tests.kind.place(test)];
  tests.nameOf = (test) => tests.function.at(test) + tests.parameters.at(test);
  loaded = tests;
  return tests;
}

// The texts in which a search looks, a line for each test: the name as in lists, as in a node id, and the message.
function searchTexts(tests) {
  if (!tests.texts) {
    const texts = tests.all.map((test) => {
      const name = tests.nameOf(test);
      const file = tests.file.at(test);
      const folder = tests.folder.at(test);
      const classes = (file ? tests.classes.at(test) : folder).replaceAll(".", "::");
      return `${folder}.${name} ${file}${file && classes ? "::" : ""}${classes}${file || classes ? "::" : ""}${name} ${tests.message.at(test)}`.replaceAll("\n", " ");
    });
    const starts = new Uint32Array(texts.length + 1);
    const lowered = texts.map((text) => text.toLowerCase());
    for (let test = 0; test < lowered.length; test += 1) starts[test + 1] = starts[test] + lowered[test].length + 1;
    tests.texts = lowered.join("\n");
    tests.starts = starts;
  }
  return tests.texts;
}

// The tests in whose texts a text stands; one search through one long text is faster than one for each test.
function found(tests, text) {
  const texts = searchTexts(tests);
  const numbers = [];
  let test = 0;
  for (let place = texts.indexOf(text); place >= 0; place = texts.indexOf(text, tests.starts[test])) {
    while (tests.starts[test + 1] <= place) test += 1;
    numbers.push(test);
    test += 1;
    if (test === tests.all.length) break;
  }
  return numbers;
}

function selected(tests, parameters) {
  const text = (parameters.get("q") || "").trim().toLowerCase().replaceAll("\n", " ");
  const statuses = new Set((parameters.get("status") || "").split(",").filter(Boolean));
  const changes = (parameters.get("change") || "").split(",").filter(Boolean);
  const [folder, reason] = [parameters.get("folder"), parameters.get("reason")];
  // A worker, or one block of its lane: THREAD.FIRST.LAST.KIND.
  const [thread, from, to, lot] = (parameters.get("lane") || "").split(".");
  const isOfLot = (test) => (LANE_KINDS[tests.kindOf(test).tone] || "skipped") === lot && tests.ids[test] >= from && tests.ids[test] <= to;
  const ofStatus = tests.kinds.map((kind) => statuses.has(kind.tone === "flaky" && statuses.has("flaky") ? "flaky" : kind.status));
  const ofChange = tests.changes.values.map((value) => value.split(",").some((change) => changes.includes(change)));
  return (text ? found(tests, text) : tests.all).filter((test) =>
    (!statuses.size || ofStatus[tests.kind.place(test)])
    && (!changes.length || ofChange[tests.changes.place(test)])
    && (!thread || tests.thread.at(test) === thread)
    && (!lot || isOfLot(test))
    && (!reason || tests.reason.at(test) === reason)
    && (!folder || tests.folder.at(test) === folder));
}

// Tests by a number, the smallest first, and else as they ran. Numbers are sorted, not tests: that takes a tenth.
function sortedBy(tests, number) {
  const keys = Float64Array.from(tests, (test) => number(test) * 2 ** 32 + test).sort();
  return Array.from(keys, (key) => key % 2 ** 32);
}

function ordered(tests, numbers, sort) {
  if (sort === "ran") return numbers;
  if (sort !== "slowest") return sortedBy(numbers, (test) => tests.kindOf(test).rank);
  return sortedBy(numbers, (test) => tests.durations.length - tests.elapsed.place(test));
}

const quoted = (word) => (/[^\w@%+=:,./-]/.test(word) ? `'${word.replaceAll("'", "'\"'\"'")}'` : word);

function commandFor(tests, test) {
  const names = [tests.file.at(test), ...tests.classes.at(test).split("."), tests.nameOf(test)].filter(Boolean);
  return `pytest ${tests.function.at(test).includes(".") ? "--doctest-modules " : ""}${quoted(names.join("::"))}`;
}

// The page of a test without the server's page: one of its kind, with the texts of the test.
async function lonePage(id) {
  const tests = await allTests();
  const test = tests.numbers.get(id);
  if (test === undefined) return null;
  const [name, folder] = [tests.nameOf(test), tests.folder.at(test)];
  const values = {
    id, name, folder, function: tests.function.at(test), parameters: tests.parameters.at(test).slice(1, -1),
    file: tests.file.at(test), line: tests.lines[test], worker: tests.worker.at(test) || "timeline",
    elapsed: tests.durations[tests.elapsed.place(test)][0], command: commandFor(tests, test),
    folderInUrl: encodeURIComponent(folder),
  };
  return filled(await fragment(`lone ${tests.page.at(test)}`), values, { strip: strip(tests.strip.at(test)) });
}

// A row of a list (0), of the tree (1), or of the tree below a function (2).
function rowHtml(tests, test, place) {
  const folder = tests.folder.at(test);
  const parameters = tests.parameters.at(test);
  const values = {
    id: tests.ids[test], function: tests.function.at(test), parameters: parameters.slice(1, -1), folder,
    worker: tests.worker.at(test), elapsed: tests.durations[tests.elapsed.place(test)][0],
  };
  return filled(tests.kindOf(test).rows[place || folder ? place : 1], values, { strip: strip(tests.strip.at(test)) });
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

// A link to these tests with other parameters; null leaves one out.
function otherLink(parameters, words, changed) {
  const others = { view: "tests", ...Object.fromEntries(parameters), page: null, ...changed };
  const pairs = Object.entries(others).filter(([, value]) => value !== null);
  return `<a href="#${escaped(`${index.run}?${new URLSearchParams(pairs)}`)}">${words}</a>`;
}

// What the filters say, each with a link that leaves it out, as tests.html has it.
function filterHtml(tests, parameters) {
  const link = (words, ...names) => otherLink(parameters, words, Object.fromEntries(names.map((name) => [name, null])));
  const [text, folder, lane] = ["q", "folder", "lane"].map((name) => (parameters.get(name) || "").trim());
  const [thread, , , lot] = lane.split(".");
  const first = tests.all.find((test) => tests.thread.at(test) === thread);
  const worker = escaped((first !== undefined && tests.worker.at(first)) || "");
  const parts = [];
  if (text) parts.push(`<span>with <b class="mono">${escaped(text)}</b> ${link("Clear the search", "q")}</span>`);
  const reason = tests.nodes.reasons?.[parameters.get("reason")];
  if (parameters.get("reason")) parts.push(`<span>that failed for ${reason ? `<span class="mono">${reason}</span>` : "one reason"} ${link("All reasons", "reason")}</span>`);
  if (folder) parts.push(`<span>in folder <b class="mono">${escaped(folder)}</b> ${link("All folders", "folder")}</span>`);
  if (lane) {
    const all = `<a href="#${escaped(`${index.run}?${new URLSearchParams({ view: "tests", lane: thread })}`)}">All tests of ${worker || "this thread"}</a>`;
    const timeline = `<a href="#${index.run}?view=time">Timeline</a>`;
    parts.push(`<span>that ${lot ? escaped(lot) : "ran"} on <b class="mono">${worker || "one thread"}</b>${lot ? ` in one stretch ${all}` : ""} ${link("All workers", "lane")} ${timeline}</span>`);
  }
  if (parameters.get("status") || parameters.get("change")) parts.push(link("Show every status", "status", "change"));
  return parts.length ? `<p class="within">${parts.join("\n")}</p>` : "";
}

// The number of changed, added and removed characters between two words, at most 3: see names.py.
function distance(first, second) {
  if (Math.abs(first.length - second.length) > 2) return 3;
  const row = Array.from({ length: second.length + 1 }, (_, place) => place);
  for (let i = 1; i <= first.length; i += 1) {
    let before = row[0];
    row[0] = i;
    for (let j = 1; j <= second.length; j += 1) {
      const now = Math.min(row[j] + 1, row[j - 1] + 1, before + (first[i - 1] === second[j - 1] ? 0 : 1));
      [before, row[j]] = [row[j], now];
    }
  }
  return Math.min(3, row[second.length]);
}

// The word of the tests that is nearest to one that no test has; null if none is near.
function nearWord(tests, text) {
  if (text.length < 3 || text.includes("::")) return null;
  const words = new Set([tests.function, tests.file, tests.folder].flatMap(({ values }) => values.flatMap((value) => value.match(/[A-Za-z]\w{2,}/g) || [])));
  let [best, least] = [null, Math.min(2, Math.max(1, Math.floor(text.length / 4))) + 1];
  for (const word of [...words].flatMap((name) => [name, ...name.split("_")]).sort()) {
    const far = distance(text, word.toLowerCase());
    if (far < least) [best, least] = [word, far];
  }
  return best;
}

function emptyHtml(tests, parameters) {
  const text = (parameters.get("q") || "").trim();
  if (!text) return `<h2>No matching tests</h2><p><a class="btn" href="#${index.run}?view=tests">Show all tests</a></p>`;
  const word = nearWord(tests, text.toLowerCase());
  const near = word ? `${otherLink(parameters, escaped(word), { q: word })} is in ${found(tests, word.toLowerCase()).length.toLocaleString("en")}. ` : "";
  return `<h2>No test has “${escaped(text)}” in its name, message or file</h2>\n<p>${near}${otherLink(parameters, "Clear the search", { q: null })}</p>`;
}

// The list of tests: the frame is the server's page, its rows are those that the parameters select.
async function showList(parameters, isCurrent) {
  const tests = await allTests();
  const frame = await fragment(index.list);
  if (!isCurrent()) return;
  const numbers = ordered(tests, selected(tests, parameters), parameters.get("sort") || (parameters.get("lane") ? "ran" : ""));
  const last = Math.max(1, Math.ceil(numbers.length / LIST_ROWS));
  const number = Math.min(last, Math.max(1, Number(parameters.get("page")) || 1));
  show(frame);
  const list = page.querySelector(".tree");
  if (list) {
    const rows = numbers.slice((number - 1) * LIST_ROWS, number * LIST_ROWS).map((test) => rowHtml(tests, test, 0));
    list.insertAdjacentHTML("beforeend", rows.join("\n"));
    if (!rows.length) list.outerHTML = `<div class="panel empty">${emptyHtml(tests, parameters)}</div>`;
    if (last > 1) list.after(pager(parameters, number, last));
  }
  page.querySelector(".view .tools")?.insertAdjacentHTML("afterend", filterHtml(tests, parameters));
  const count = page.querySelector(".view .tools > .small");
  if (count) count.textContent = `${numbers.length.toLocaleString("en")} ${numbers.length === 1 ? "test" : "tests"}`;
  showParameters(parameters);
}

// Links of the frame lead on from these parameters, and the field shows the search.
function showParameters(parameters) {
  for (const link of page.querySelectorAll(".view .seg a, .count-line a")) markCurrent(link, parameters);
  const field = document.getElementById("q");
  if (field && field !== document.activeElement) field.value = parameters.get("q") || "";
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
