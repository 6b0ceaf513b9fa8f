"use strict";

// The one script that stands in the report in one file as it is: it unpacks the archive, whose first part has style,
// frame and all other scripts. Without it the plain report is shown.

const FRAGMENTS = "\x1e";
// The digits of Base85 as archive.py writes them: none of them is special in HTML.
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%/()*+-;,=.?@^_`{|}~";
// Where the odds of the LZMA decoder stand.
const [REPEATS, FIRST, SECOND, THIRD, LONG, SLOTS, SPECIAL, ALIGN, LENGTHS, REPEATED, LITERALS] = [
  12, 24, 36, 48, 60, 72, 328, 443, 459, 733, 1007,
];
const chunks = new Map();
let index = null;

function showDamage(error) {
  const damage = document.getElementById("damage");
  damage.textContent = `The pages of this report cannot be read (${error.message || error}). The plain report stands below.`;
  damage.hidden = false;
}

function bytesOf(text) {
  const values = new Uint8Array(128);
  for (let digit = 0; digit < 85; digit += 1) values[DIGITS.charCodeAt(digit)] = digit;
  const bytes = new Uint8Array(Math.ceil(text.length / 5) * 4);
  for (let place = 0, to = 0; place < text.length; place += 5, to += 4) {
    let word = 0;
    for (let next = place; next < place + 5; next += 1) word = word * 85 + (next < text.length ? values[text.charCodeAt(next)] : 84);
    bytes[to] = word >>> 24;
    bytes[to + 1] = word >>> 16;
    bytes[to + 2] = word >>> 8;
    bytes[to + 3] = word;
  }
  return bytes;
}

// The bits of LZMA: each is decoded by the odds that it is 0, which follow what was read.
function bitReader(bytes) {
  const odds = new Uint16Array(LITERALS + (0x300 << 4)).fill(1024);
  // Range and code, unsigned: an array of them is faster than two variables.
  const now = Uint32Array.of(0xffffffff, new DataView(bytes.buffer).getUint32(1));
  let place = 5;
  const next = () => {
    if (now[0] >= 0x1000000) return;
    now[0] <<= 8;
    now[1] = (now[1] << 8) | bytes[place];
    place += 1;
  };
  const bit = (at) => {
    const bound = (now[0] >>> 11) * odds[at];
    const value = now[1] < bound ? 0 : 1;
    if (value) {
      now[0] -= bound;
      now[1] -= bound;
      odds[at] -= odds[at] >>> 5;
    } else {
      now[0] = bound;
      odds[at] += (2048 - odds[at]) >>> 5;
    }
    next();
    return value;
  };
  return {
    bit,
    tree: (at, count) => {
      let node = 1;
      for (let each = 0; each < count; each += 1) node = (node << 1) | bit(at + node);
      return node - (1 << count);
    },
    backwards: (at, count) => {
      let [node, number] = [1, 0];
      for (let each = 0; each < count; each += 1) {
        const value = bit(at + node);
        node = (node << 1) | value;
        number |= value << each;
      }
      return number;
    },
    direct: (count) => {
      let number = 0;
      for (let each = 0; each < count; each += 1) {
        now[0] >>>= 1;
        const value = now[1] < now[0] ? 0 : 1;
        if (value) now[1] -= now[0];
        number = (number << 1) | value;
        next();
      }
      return number;
    },
  };
}

// LZMA with 4 bits of the byte before as context of a literal (lc 4, lp 0, pb 0), of a known size: a function that goes
// on with it as far as it is asked to, and returns all bytes.
function unpacker(bytes, size) {
  const { bit, tree, backwards, direct } = bitReader(bytes);
  const out = new Uint8Array(size);
  const length = (at) => (bit(at) ? (bit(at + 1) ? 16 + tree(at + 18, 8) : 8 + tree(at + 10, 3)) : tree(at + 2, 3));
  const distanceFor = (count) => {
    const slot = tree(SLOTS + 64 * Math.min(count, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const start = (2 | (slot & 1)) << bits;
    if (slot < 14) return start + backwards(SPECIAL + start - slot, bits);
    return start + (direct(bits - 4) << 4) + backwards(ALIGN, 4);
  };
  let last = [0, 0, 0, 0, 0, 0];
  return (wanted) => {
    let [state, to, near, second, third, fourth] = last;
    while (to < wanted) {
      if (!bit(state)) {
        const base = LITERALS + 0x300 * (to ? out[to - 1] >> 4 : 0);
        let symbol = 1;
        if (state >= 7) {
          for (let match = out[to - near - 1]; symbol < 0x100; match <<= 1) {
            const side = (match >> 7) & 1;
            const value = bit(base + ((1 + side) << 8) + symbol);
            symbol = (symbol << 1) | value;
            if (side !== value) break;
          }
        }
        while (symbol < 0x100) symbol = (symbol << 1) | bit(base + symbol);
        out[to] = symbol;
        to += 1;
        state = state < 4 ? 0 : state - (state < 10 ? 3 : 6);
        continue;
      }
      let count = -1;
      if (!bit(REPEATS + state)) {
        count = length(LENGTHS);
        [fourth, third, second, near] = [third, second, near, distanceFor(count)];
        state = state < 7 ? 7 : 10;
      } else {
        if (!bit(FIRST + state)) {
          if (!bit(LONG + state)) state = state < 7 ? 9 : 11;
          else count = 0;
        } else {
          if (!bit(SECOND + state)) [near, second] = [second, near];
          else if (!bit(THIRD + state)) [near, second, third] = [third, near, second];
          else [near, second, third, fourth] = [fourth, near, second, third];
          count = 0;
        }
        if (count === 0) {
          count = length(REPEATED);
          state = state < 7 ? 8 : 11;
        }
      }
      if (near >= to) throw new RangeError("a part is damaged");
      for (const end = Math.min(size, to + count + 2); to < end; to += 1) out[to] = out[to - near - 1];
    }
    last = [state, to, near, second, third, fourth];
    return out;
  };
}

function adler(bytes) {
  let [low, high] = [1, 0];
  for (let place = 0; place < bytes.length;) {
    for (const end = Math.min(bytes.length, place + 3800); place < end; place += 1) {
      low += bytes[place];
      high += low;
    }
    low %= 65521;
    high %= 65521;
  }
  return high * 65536 + low;
}

// The parts of the archive: those of a line with sizes and checksums are one LZMA text, which is unpacked as far as it is
// needed; a line without is one part, deflated: a file, or any part where Python has no LZMA.
const parts = document.getElementById("archive").textContent.trim().split("\n").flatMap((line) => {
  const [sizes, sums, text] = line.split(" ");
  if (text === undefined) return [{ line }];
  let [end, unpack] = [0, null];
  const upTo = (place) => (unpack ??= unpacker(bytesOf(text), end))(place);
  return sizes.split(",").map((size, place) => ({ upTo, start: end, end: end += Number(size), sum: Number(sums.split(",")[place]) }));
});

async function part(number) {
  if (parts[number] === undefined) throw new RangeError(`part ${number} is missing`);
  const { line, upTo, start, end, sum } = parts[number];
  if (line !== undefined) {
    const bytes = Uint8Array.from(atob(line), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
  }
  const bytes = upTo(end).subarray(start, end);
  if (adler(bytes) !== sum) throw new RangeError("a part is damaged");
  return bytes;
}

function chunk(number) {
  if (!chunks.has(number)) {
    chunks.set(number, part(number).then((data) => new TextDecoder().decode(data).split(FRAGMENTS)));
  }
  return chunks.get(number);
}

(async () => {
  const [description, head, foot, style, script] = await chunk(0);
  index = JSON.parse(description);
  document.body.insertAdjacentHTML("afterbegin", head);
  document.body.insertAdjacentHTML("beforeend", foot);
  for (const [name, text] of [["style", style], ["script", script]]) {
    document.body.append(Object.assign(document.createElement(name), { textContent: text }));
  }
})().catch(showDamage);
