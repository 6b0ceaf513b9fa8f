// @ts-check
// What users write to search tests: words, phrases in quotes, node ids, and fields as in owner:web. The server's
// searches.py reads the same.

/** @typedef {{ field: string, value: string }} Term - The field in small letters, empty for a word. */

const FIELD = /^([A-Za-z][A-Za-z0-9_-]*):([^:].*)$/;
// A node id, whose parameters may have spaces; a phrase, maybe of a field; a word.
const TERM = /([^\s"]*::[^\s"[]*\[.*?\](?!\S))|(?:([A-Za-z][A-Za-z0-9_-]*):)?"([^"]*)"?(?!\S)|(\S+)/g;

/**
 * @param {string} text
 * @returns {Term[]}
 */
export function termsOf(text) {
  const terms = [...text.matchAll(TERM)].map(([, node, field = "", phrase, word = ""]) => {
    const match = FIELD.exec(word);
    return match ? { field: match[1].toLowerCase(), value: match[2] } : { field: field.toLowerCase(), value: node || phrase || word };
  });
  return terms.filter(({ value }) => value.replace(/^"+|"+$/g, ""));
}

/** @param {Term} term */
export function termText({ field, value }) {
  const shown = /\s/.test(value) ? `"${value}"` : value;
  return field ? `${field}:${shown}` : shown;
}

/**
 * A search with a term added, or without it if it has it.
 * @param {string} text
 * @param {string} term
 */
export function toggled(text, term) {
  const terms = termsOf(text).map(termText);
  return terms.includes(term) ? terms.filter((one) => one !== term).join(" ") : `${text} ${term}`.trim();
}
