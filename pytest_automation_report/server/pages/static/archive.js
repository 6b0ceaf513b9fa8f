"use strict";

// The pages of the report in one file, out of its archive: they are unpacked when they are needed. The files of tests
// become addresses of this page's own.

const PARTS = "\x1f";
const sharedLines = new Map();
const files = new Map();
const page = document.getElementById("page");

// The number for which a character stands: see columns.py.
const numberOf = (point) => (point < 0xe000 ? point - 0x20 : point - 0x820);

// A page is a row of characters, each of which stands for one of the lines that the pages of its chunk share.
async function fragment(address) {
  const place = index.pages[address];
  if (!place) return null;
  const parts = await chunk(place[0]);
  if (!sharedLines.has(place[0])) sharedLines.set(place[0], parts[0].split("\n"));
  const shared = sharedLines.get(place[0]);
  return Array.from(parts[1 + place[1]], (character) => shared[numberOf(character.codePointAt(0))]).join("\n");
}

function show(text) {
  const [title, crumbs, content] = text.split(`\n${PARTS}\n`);
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
    files.set(hash, opened(lines[number]).then((data) => URL.createObjectURL(new Blob([data], { type }))));
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
