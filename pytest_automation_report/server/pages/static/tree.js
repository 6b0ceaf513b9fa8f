"use strict";

// The tree of the tests in the report in one file: what tree.py and tree_rows.py do on the server. The markup of a node
// comes from the server's template.

const LEVEL_ROWS = 150;
const [BAR, GAP, LEAST_PART] = [1000, 2, 5];

const quantity = (number, noun = "") => `${number.toLocaleString("en")}${noun && ` ${noun}${number === 1 ? "" : "s"}`}`;

// A sum of durations, as numbers.py writes it.
function duration(microseconds) {
  const padded = (number) => String(Math.floor(number)).padStart(2, "0");
  if (microseconds > 0 && microseconds < 50) return "<0.1 ms";
  if (microseconds < 999_500) return `${(microseconds / 1e3).toFixed(microseconds >= 10_000 ? 0 : 1)} ms`;
  if (microseconds < 59_950_000) return `${(microseconds / 1e6).toFixed(microseconds >= 1e7 ? 1 : 2)} s`;
  const rounded = microseconds + 500_000;
  if (microseconds < 3_599_500_000) return `${Math.floor(rounded / 6e7)} min ${padded((rounded % 6e7) / 1e6)} s`;
  return `${Math.floor(rounded / 36e8)} h ${padded((rounded % 36e8) / 6e7)} min`;
}

function pathOf(tests, test) {
  return (tests.file.at(test) || tests.folder.at(test) || "(no folder)").replaceAll("\\", "/");
}

// The tests by the path of their file, in the order in which the files began.
function testsByFile(tests) {
  if (!tests.files) {
    tests.files = new Map();
    for (const test of tests.all) {
      const path = pathOf(tests, test);
      if (!tests.files.has(path)) tests.files.set(path, []);
      tests.files.get(path).push(test);
    }
  }
  return tests.files;
}

const newNode = (path, label, kind) => ({ path, label, kind, members: [], files: 0 });

// Numbers of a node for its bar and its place in the order.
function completed(tests, node) {
  const parts = new Map();
  node.elapsed = 0;
  node.failed = 0;
  [node.first] = node.members;
  for (const test of node.members) {
    const kind = tests.kindOf(test);
    const key = `${kind.status} ${kind.tone}`;
    if (!parts.has(key)) parts.set(key, { ...kind, count: 0 });
    parts.get(key).count += 1;
    node.elapsed += Number(tests.durations[tests.elapsed.place(test)][1]);
    node.failed += kind.tone === "fail";
    node.first = Math.min(node.first, test);
  }
  node.parts = [...parts.values()].sort((a, b) => a.rank - b.rank || a.worst - b.worst);
  return node;
}

// The folders and files below a folder. One that has a single folder and nothing else is shown with it, as one node.
function branchesOf(tests, opened) {
  const nodes = new Map();
  for (const [path, members] of testsByFile(tests)) {
    if (!path.startsWith(opened)) continue;
    const [name, ...others] = path.slice(opened.length).split("/");
    const slash = others.length ? "/" : "";
    const place = opened + name + slash;
    if (!nodes.has(place)) nodes.set(place, newNode(place, name + slash, slash ? "folder" : "file"));
    const node = nodes.get(place);
    for (const test of members) node.members.push(test);
    node.files += 1;
  }
  const list = [...nodes.values()];
  if (list.length === 1 && list[0].kind === "folder") {
    return branchesOf(tests, list[0].path).map((child) => Object.assign(child, { label: child.path.slice(opened.length) }));
  }
  for (const node of list) if (node.kind === "folder") join(tests, node);
  return list.map((node) => completed(tests, node));
}

function join(tests, node) {
  const paths = [...testsByFile(tests).keys()].filter((path) => path.startsWith(node.path));
  for (;;) {
    const rest = paths.map((path) => path.slice(node.path.length));
    const [name] = rest[0].split("/");
    if (!rest.every((path) => path.startsWith(`${name}/`))) return;
    node.label += `${name}/`;
    node.path += `${name}/`;
  }
}

// The nodes below a file, class or function, and the tests that stand there themselves.
function testsBelow(tests, members, opened) {
  const [path, ...names] = opened.split("::").filter(Boolean);
  const nodes = new Map();
  const leaves = [];
  for (const test of members) {
    const where = [...tests.classes.at(test).split(".").filter(Boolean), tests.function.at(test)];
    if (names.some((name, place) => where[place] !== name)) continue;
    const rest = where.slice(names.length);
    if (!rest.length) {
      leaves.push(test);
      continue;
    }
    const place = [path, ...names, rest[0]].join("::");
    if (!nodes.has(place)) nodes.set(place, newNode(place, rest[0], rest.length > 1 ? "class" : "function"));
    nodes.get(place).members.push(test);
  }
  const branches = [];
  for (const node of nodes.values()) {
    // A function without parameters is a test.
    if (node.kind === "function" && node.members.length < 2) leaves.push(...node.members);
    else branches.push(completed(tests, node));
  }
  return [branches, leaves];
}

// Nodes and tests in one order: failures first, slowest first, or as they ran.
function orderedRows(tests, branches, leaves, sort) {
  const worst = (node) => Math.min(9, ...node.parts.map((part) => part.worst));
  const rows = [
    ...branches.map((node) => ({ node, first: node.first, elapsed: node.elapsed, worst: worst(node), failed: node.failed })),
    ...leaves.map((test) => ({
      test, first: test, elapsed: Number(tests.durations[tests.elapsed.place(test)][1]), worst: tests.kindOf(test).worst, failed: 1,
    })),
  ];
  if (sort === "ran") return rows.sort((a, b) => a.first - b.first);
  if (sort === "slowest") return rows.sort((a, b) => b.elapsed - a.elapsed || a.first - b.first);
  return rows.sort((a, b) => a.worst - b.worst || b.failed - a.failed || a.first - b.first);
}

// The bar of a node: also the smallest part is wide enough to be seen, as in charts.py.
function bar(tests, parts) {
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  const free = BAR - GAP * (parts.length - 1);
  const widths = parts.map((part) => Math.max(LEAST_PART, (free * part.count) / total));
  const scale = free / widths.reduce((sum, width) => sum + width, 0);
  let start = 0;
  return parts.map(({ tone }, place) => {
    const width = widths[place] * scale;
    const html = filled(tests.nodes.part, { tone, start: start.toFixed(2), width: width.toFixed(2) });
    start += width + GAP;
    return html;
  }).join("");
}

const isAbove = (path, node) => path === node.path || path.startsWith(node.kind === "folder" ? node.path : `${node.path}::`);

function nodeHtml(tests, node, parameters) {
  const opened = parameters.get("open") || "";
  const isOpen = isAbove(opened, node);
  const inside = node.path.includes("::") ? "::" : "/";
  const to = new URLSearchParams(parameters);
  to.delete("page");
  to.set("open", isOpen ? node.path.replace(/\/$/, "").split(inside).slice(0, -1).join(inside) : node.path);
  const values = {
    to: `${index.run.slice(1)}?${to}`,
    label: node.kind === "folder" ? node.label.replace(/\/$/, "").replaceAll("/", " / ") : node.label,
    files: quantity(node.files, "file"),
    parts: node.parts.map((part) => `${quantity(part.count)} ${part.name}`).join(", "),
    total: quantity(node.members.length),
    elapsed: duration(node.elapsed),
  };
  const below = isOpen ? { below: levelHtml(tests, node.path, parameters) } : { below: "" };
  return filled(tests.nodes[isOpen ? "open" : "closed"][node.kind], values, { bar: bar(tests, node.parts), ...below });
}

// The rows below a node; a node on the way to the open one has its rows with it.
function levelHtml(tests, opened, parameters) {
  const members = testsByFile(tests).get(opened.split("::")[0]);
  const [branches, leaves] = members ? testsBelow(tests, members, opened) : [branchesOf(tests, opened), []];
  const rows = orderedRows(tests, branches, leaves, parameters.get("sort"));
  const number = opened === (parameters.get("open") || "") ? Math.max(1, Number(parameters.get("page")) || 1) : 1;
  const shownRows = rows.slice((number - 1) * LEVEL_ROWS, number * LEVEL_ROWS);
  const html = shownRows.map(({ node, test }) => {
    if (node) return nodeHtml(tests, node, parameters);
    return rowHtml(tests, test, opened.endsWith(`::${tests.function.at(test)}`) ? 2 : 1);
  });
  const left = Math.max(0, rows.length - number * LEVEL_ROWS);
  if (left || number > 1) html.push(restHtml(opened, parameters, number, left));
  return html.join("\n");
}

function restHtml(opened, parameters, number, left) {
  const link = (to, words) => {
    const address = new URLSearchParams([...parameters, ["open", opened], ["page", to]].filter(([, value]) => value));
    return `<a href="#${escaped(`${index.run}?${address}`)}">${words}</a> `;
  };
  const before = number > 1 ? link(number - 1, "The ones before these") : "";
  return `<p class="rest">${before}${left ? link(number + 1, quantity(left, "more row")) : ""}</p>`;
}

async function showTree(parameters, isCurrent) {
  const tests = await allTests();
  const frame = await fragment(index.tree);
  if (!isCurrent()) return;
  show(frame);
  page.querySelector("[data-tree]")?.insertAdjacentHTML("beforeend", levelHtml(tests, "", parameters));
  showParameters(parameters);
}

// A node opens and closes in its place.
async function turnNode(link) {
  const branch = link.parentElement;
  let below = branch.querySelector(":scope > .below");
  if (below) below.hidden = !below.hidden;
  else {
    const parameters = new URLSearchParams(link.getAttribute("href").split("?")[1]);
    below = Object.assign(document.createElement("div"), { className: "below" });
    below.innerHTML = levelHtml(await allTests(), parameters.get("open"), parameters);
    branch.append(below);
    below.dispatchEvent(new Event("page:changed", { bubbles: true }));
  }
  link.setAttribute("aria-expanded", String(!below.hidden));
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("[data-tree] a.node") : null;
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  turnNode(link).catch(showDamage);
});

// The keys of a folder: o turns it, l opens it, h closes it or goes to the node above.
document.addEventListener("keydown", (event) => {
  const active = document.activeElement;
  if (!active || event.ctrlKey || event.metaKey || event.altKey || !["o", "l", "h"].includes(event.key)) return;
  const link = active.closest("[data-tree] a.node");
  const isOpen = link && link.getAttribute("aria-expanded") === "true";
  if (link && (event.key === "o" || (event.key === "l") !== isOpen) && (event.key !== "h" || isOpen)) link.click();
  else if (event.key === "h") active.closest(".below")?.parentElement.querySelector(":scope > a.node")?.focus();
});
