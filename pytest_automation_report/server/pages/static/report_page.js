// @ts-check
// The page that the report in one file shows, with its pictures and files.

import { inflated, showDamage } from "./loader.js";
import { every, tellChanged } from "./page.js";

export const shownPage = document.getElementById("page");
/** @type {Map<string, Promise<string>>} */
const addressesOfFiles = new Map();

/** @param {string[]} parts - The page's title, its way through the pages (may be empty), and its content. */
export function showPage([title, crumbs, content]) {
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
