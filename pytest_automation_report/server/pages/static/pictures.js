// @ts-check
// The slider between two pictures: how much of the upper one is seen. Without this script its edge can be dragged.

import { every } from "./page.js";

for (const slider of /** @type {HTMLInputElement[]} */ (every(document, "[data-slider]"))) {
  const [over] = every(slider.closest("figure"), ".over");
  const set = () => { over.style.clipPath = `inset(0 ${100 - Number(slider.value)}% 0 0)`; };
  over.classList.add("driven");
  slider.hidden = false;
  slider.addEventListener("input", set);
  set();
}
