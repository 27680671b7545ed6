// People: what one is made of, and how the address says it.
//
// In the address a person is its name, from which everything else is drawn, or its latent where it
// has none; then what was changed:
//
//     #face=k3j9x2&to.Smiling=1.5    moved along a direction, in standard deviations
//     #latent=...&is.Eyeglasses=1    of numbers in 16 bits; conditions as they are
"use strict";

const STEP = 4096; // of a latent's numbers in an address, to 1
const FURTHEST = 3; // standard deviations that a direction is followed
const LONGEST = 40; // characters of a name

// What all people of this page have in common, as the file has it.
class Kind {
  constructor({ dim, directions, conditions }) {
    this.dim = dim;
    this.directions = directions.map(({ name, title, vector }) => ({ name, title, vector: Float32Array.from(vector) }));
    this.conditions = conditions; // names, whether they are classes, and examples
  }

  // A person whom nobody has seen; what is held of another stays.
  stranger(held) {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    return { name: number.toString(36), moves: new Map(held?.moves), is: new Map(held?.is) };
  }

  read(address) {
    const words = new URLSearchParams(address);
    const latent = fromWord(words.get("latent"), this.dim);
    const name = (words.get("face") ?? "").slice(0, LONGEST);
    if (!latent && !name) return null;
    const person = { ...(latent ? { latent } : { name }), moves: new Map(), is: new Map() };
    for (const { name } of this.directions) {
      const strength = bounded(words.get(`to.${name}`), -FURTHEST, FURTHEST);
      if (strength) person.moves.set(name, strength);
    }
    for (const name of this.conditions?.names ?? []) {
      const value = bounded(words.get(`is.${name}`), this.conditions.are_classes ? 0 : -1, 1);
      if (value !== null) person.is.set(name, value);
    }
    return person;
  }

  write({ name, latent, moves, is }) {
    const words = new URLSearchParams(latent ? { latent: toWord(latent) } : { face: name });
    for (const [direction, strength] of moves) if (strength) words.set(`to.${direction}`, tidy(strength));
    for (const [condition, value] of is) words.set(`is.${condition}`, tidy(value));
    return words.toString();
  }

  // What the network reads of a person: a latent and, where it has them, conditions.
  inputs(person) {
    let latent = person.latent ?? normalNumbers(person.name, this.dim);
    for (const { name, vector } of this.directions) {
      const strength = person.moves.get(name);
      if (strength) latent = move(latent, vector, strength);
    }
    return this.conditions ? [latent, this.#condition(person)] : [latent];
  }

  #condition({ name, is }) {
    const { names, are_classes: classes, examples } = this.conditions;
    const drawn = examples[Math.floor(makeRandom(`${name ?? ""}/is`)() * examples.length)];
    const chosen = classes && is.size > 0; // then no other class counts
    return Float32Array.from(names, (each, number) => {
      const usual = classes ? Number(number === drawn && !chosen) : drawn[number];
      return is.get(each) ?? usual;
    });
  }

  // A person between two, without a name.
  between(one, other, fraction) {
    const [from, to] = [this.inputs(one), this.inputs(other)];
    const person = { latent: rounded(slerp(from[0], to[0], fraction)), moves: new Map(), is: new Map() };
    this.conditions?.names.forEach((name, number) =>
      person.is.set(name, Number(tidy(from[1][number] * (1 - fraction) + to[1][number] * fraction))));
    return person;
  }
}

const tidy = (number) => String(Math.round(number * 100) / 100);

function bounded(text, low, high) {
  const number = Number.parseFloat(text);
  return Number.isFinite(number) ? Math.min(Math.max(number, low), high) : null;
}

// Numbers of 16 bits as a word, and back; null for a word of other numbers.
function toWord(latent) {
  const numbers = Int16Array.from(latent, (x) => Math.round(x * STEP));
  const characters = String.fromCharCode(...new Uint8Array(numbers.buffer));
  return btoa(characters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromWord(word, dim) {
  try {
    const characters = atob((word ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    if (characters.length !== 2 * dim) return null;
    const bytes = Uint8Array.from(characters, (each) => each.charCodeAt(0));
    return Float32Array.from(new Int16Array(bytes.buffer), (x) => x / STEP);
  } catch {
    return null;
  }
}

// A latent as the address has it, so that a link shows the very same.
function rounded(latent) {
  const most = 2 ** 15 - 1;
  return latent.map((x) => Math.min(Math.max(Math.round(x * STEP), -most), most) / STEP);
}

// Numbers from 0 to 1 that follow from a word (sfc32, seeded by FNV-1a).
function makeRandom(word) {
  const seeds = [1, 2, 3, 4].map((salt) => {
    let hash = 0x811c9dc5 ^ salt;
    for (const byte of new TextEncoder().encode(word)) hash = Math.imul(hash ^ byte, 0x01000193);
    return hash >>> 0;
  });
  let [a, b, c, d] = seeds;
  const next = () => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 16; i++) next(); // until words that differ little have parted
  return next;
}

// Normal numbers that follow from a word (Box and Muller 1958).
function normalNumbers(word, count) {
  const random = makeRandom(word);
  const numbers = new Float32Array(count + 1);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    numbers[i] = radius * Math.cos(angle);
    numbers[i + 1] = radius * Math.sin(angle);
  }
  return rounded(numbers.slice(0, count));
}

const lengthOf = (vector) => Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));

// Moves a latent along a direction, and brings it back to its length, as `edit` does.
function move(latent, vector, strength) {
  const length = lengthOf(latent);
  const step = (strength * length) / Math.sqrt(latent.length);
  const moved = latent.map((x, i) => x + step * vector[i]);
  const factor = length / Math.max(lengthOf(moved), 1e-30);
  return moved.map((x) => x * factor);
}

// Goes from one latent to another along the sphere, as `sample --interpolate` does.
function slerp(from, to, fraction) {
  const [fromLength, toLength] = [lengthOf(from) || 1e-30, lengthOf(to) || 1e-30];
  const cosine = from.reduce((sum, x, i) => sum + x * to[i], 0) / (fromLength * toLength);
  const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
  const sine = Math.sin(angle);
  const [a, b] = sine < 1e-6
    ? [1 - fraction, fraction]
    : [Math.sin((1 - fraction) * angle) / sine, Math.sin(fraction * angle) / sine];
  const length = fromLength * (1 - fraction) + toLength * fraction;
  return from.map((x, i) => length * ((a * x) / fromLength + (b * to[i]) / toLength));
}
