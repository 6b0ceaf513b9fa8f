"use strict";

// The pages of the report in one file, out of its archive: they are unpacked when they are needed. The files of tests
// become addresses of this page's own.

const PARTS = "\x1f";
const OWN_ID = "\x1c";
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
const sharedLines = new Map();
const files = new Map();
const page = document.getElementById("page");
const escaped = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);
// The texts of failures in the plain report: pages have their numbers, between two control characters.
const texts = Array.from(page.querySelectorAll("pre"), (text) => escaped(text.textContent));

// Outcomes by their letters, as charts.html and strips.py draw them: tone, word, height in a strip.
const OUTCOMES = { f: ["fail", "failed", 17], r: ["flaky", "flaky", 13], p: ["pass", "passed", 8], s: ["skip", "skipped", 4], ".": ["idle", "not run", 2] };

// The number for which a character stands: see columns.py.
const numberOf = (point) => (point < 0xe000 ? point - 0x20 : point - 0x820);

// The bars of a test's last runs.
function bars([positions, runs, letters, heights, times]) {
  const [places, numbers, lengths] = [positions, runs, heights].map((line) => line.split(" "));
  return times.split("|").map((time, bar) => {
    const [tone, word] = OUTCOMES[letters[bar]];
    const words = `#${numbers[bar]} ${word}${time}`;
    return `<a data-outside tabindex="-1" aria-label="${words}" role="img"><rect class="${tone}" x="${places[bar]}" y="${92 - lengths[bar]}" width="8" height="${lengths[bar]}" rx="1.5"/><title>${words}</title></a>`;
  }).join("\n");
}

// The last outcomes of a test; a ! marks the last one.
function strip(text) {
  const letters = [...text.replace("!", "")];
  if (!letters.length) return "<span></span>";
  const [paths, words] = [new Map(), new Map()];
  letters.forEach((letter, run) => {
    const [tone, word, height] = OUTCOMES[letter];
    paths.set(tone, `${paths.get(tone) || ""}M${run * 6} ${18 - height}h4v${height}h-4z`);
    words.set(word, (words.get(word) || 0) + 1);
  });
  const width = letters.length * 6 - 2;
  if (text.endsWith("!")) paths.set("now", `M${width - 4} 21h4v2h-4z`);
  const label = `last ${letters.length} run${letters.length === 1 ? "" : "s"}: ${[...words].map(([word, count]) => `${count} ${word}`).join(", ")}`;
  const shapes = [...paths].map(([tone, path]) => `<path class="${tone}" d="${path}"/>`).join("");
  return `<svg class="strip" width="${width}" height="23" viewBox="0 0 ${width} 23" role="img" aria-label="${label}">${shapes}</svg>`;
}

// Drawings stand as letters and numbers between two control characters: see drawings.py.
function drawn(text) {
  return text.replace(/\x1d([^\x1d]*)\x1d/g, (_, packed) => (packed.includes("\n") ? bars(packed.split("\n")) : strip(packed)));
}

// A page is a row of characters, each of which stands for one of the lines that the pages of its chunk share.
async function fragment(address) {
  const place = index.pages[address];
  if (!place) return null;
  const parts = await chunk(place[0]);
  if (!sharedLines.has(place[0])) sharedLines.set(place[0], parts[0].split("\n"));
  const shared = sharedLines.get(place[0]);
  const text = Array.from(parts[1 + place[1]], (character) => shared[numberOf(character.codePointAt(0))]).join("\n");
  const own = /^\/results\/(\d+)/.exec(address);
  return drawn(own ? text.replaceAll(OWN_ID, own[1]).replace(/\x1b(\d+)\x1b/g, (_, number) => texts[number]) : text);
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
  if (!files.has(hash)) {
    const [number, type] = index.files[hash];
    files.set(hash, part(number).then((data) => URL.createObjectURL(new Blob([data], { type }))));
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
