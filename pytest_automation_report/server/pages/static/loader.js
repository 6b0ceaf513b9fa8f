// @ts-check
// The one script that stands in the report in one file as it is: it inflates the JSON of the pages, which has their style,
// their frame and all other scripts. Without it the plain report is shown.

/** @type {any} */
export let data = null;

/** @param {Error} error */
export function showDamage(error) {
  const damage = document.getElementById("damage");
  damage.textContent = `The pages of this report cannot be read (${error.message || error}). The plain report stands below.`;
  damage.hidden = false;
}

/**
 * The content of an element with deflated data in Base64. Its checksum shows damage.
 * @param {string} id
 */
export function inflated(id) {
  const element = document.getElementById(id);
  if (!element) throw new RangeError(`${id} is missing`);
  const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")));
}

(async () => {
  data = await inflated("data").json();
  // The plain report's own style must not show through the pages.
  document.querySelector("style").disabled = true;
  document.body.insertAdjacentHTML("afterbegin", data.head);
  document.body.insertAdjacentHTML("beforeend", data.foot);
  for (const name of ["style", "script"]) {
    document.body.append(Object.assign(document.createElement(name), { textContent: data[name] }));
  }
})().catch(showDamage);
