// @ts-check
// Zoom into the lanes of a run's workers: + and - keep the middle, a drag shows the stretch that was drawn over.

for (const lanes of document.querySelectorAll("[data-lanes]")) {
  const svg = lanes.querySelector("svg");
  const [left, top, width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  let from = left;
  let shown = width;
  /** @type {number | null} */
  let drag = null;
  let wasDragged = false;

  /** @param {number} start @param {number} size */
  const show = (start, size) => {
    shown = Math.min(width, Math.max(width / 400, size));
    from = Math.min(left + width - shown, Math.max(left, start));
    svg.setAttribute("viewBox", `${from} ${top} ${shown} ${height}`);
    // Only the time is stretched: letters would be, too.
    svg.setAttribute("preserveAspectRatio", shown < width ? "none" : "xMidYMid");
  };
  /** @param {PointerEvent} event */
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    return from + ((event.clientX - box.left) / box.width) * shown;
  };
  /** @param {number} factor */
  const zoom = (factor) => show(from + (shown - shown * factor) / 2, shown * factor);

  svg.addEventListener("pointerdown", (event) => { if (event.button === 0) { drag = place(event); wasDragged = false; } });
  svg.addEventListener("pointermove", (event) => {
    if (drag !== null && Math.abs(place(event) - drag) > shown / 100) wasDragged = true;
  });
  svg.addEventListener("pointerup", (event) => {
    const end = place(event);
    if (drag !== null && wasDragged) show(Math.min(drag, end), Math.abs(end - drag));
    drag = null;
  });
  // A drag that ends on a block must not open its test.
  svg.addEventListener("click", (event) => { if (wasDragged) event.preventDefault(); wasDragged = false; }, true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());

  const buttons = document.createElement("div");
  buttons.className = "btns zoom";
  /** @type {[string, string, string, () => void][]} */
  const actions = [
    ["+", "+", "Zoom in (+)", () => zoom(0.5)],
    ["-", "−", "Zoom out (-)", () => zoom(2)],
    ["0", "All", "Show the whole run (0)", () => show(left, width)],
  ];
  for (const [key, textContent, title, onclick] of actions) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn low", textContent, title, onclick });
    button.dataset.key = key;
    buttons.append(button);
  }
  lanes.prepend(buttons);
}
