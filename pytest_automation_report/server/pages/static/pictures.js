"use strict";

// The slider between two pictures: how much of the upper one is seen. Without this script its edge can be dragged.

for (const slider of document.querySelectorAll("[data-slider]")) {
  const over = slider.closest("figure").querySelector(".over");
  const set = () => { over.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; };
  over.classList.add("driven");
  slider.hidden = false;
  slider.addEventListener("input", set);
  set();
}
