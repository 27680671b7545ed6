// The network that the page holds: its operations, and its weights as they are read from text.
//
// A tensor's shape is [..., channels]; all that comes before the channels is its pixels. Whatever
// draws implements an engine: `await Engine.open(network)`, then `draw(inputs)`, which takes
// Float32Arrays and gives, or promises, the picture's numbers as one.
"use strict";

class Network {
  // rows: the operations as JSON has them, each after its inputs. text: the weights in base64.
  constructor(rows, text) {
    this.bytes = fromBase64(text);
    this.operations = rows.map((row) => this.#read(row));
  }

  #read(row) {
    const arrays = {};
    for (const [name, value] of Object.entries(row)) {
      if (value?.count) arrays[name] = this.#array(value);
    }
    return { ...row, ...arrays, length: row.shape.reduce((a, b) => a * b, 1) };
  }

  #array({ at, count, type, scale }) {
    const { buffer, byteOffset } = this.bytes;
    const kinds = { float32: Float32Array, float16: Uint16Array, int8: Int8Array };
    const stored = new kinds[type](buffer, byteOffset + at, count);
    const numbers = type === "float16" ? fromHalves(stored) : Float32Array.from(stored);
    if (scale) {
      const scales = this.#array(scale); // one for each of the channels, which lie innermost
      for (let i = 0; i < count; i += scales.length) {
        for (let c = 0; c < scales.length; c++) numbers[i + c] *= scales[c];
      }
    }
    return numbers;
  }
}

// How many products an operation takes. Nearly all time goes into those of convolutions.
function productsOf({ kind, transposed, reads, gives, kernel_shape }) {
  if (kind !== "convolution") return 0;
  // Transposed, each pixel read is spread; else all is gathered for each pixel given.
  const [rows, columns] = transposed ? reads : gives;
  return rows * columns * kernel_shape.reduce((a, b) => a * b);
}

// The seconds that a picture takes a processor, about.
function secondsOf(operations) {
  const perSecond = 1e9; // products that one core reckons
  return operations.reduce((sum, each) => sum + productsOf(each), 0) / perSecond;
}

function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

// Numbers of half precision, by a table of all that there are.
function fromHalves(halves) {
  const table = (fromHalves.table ??= Float32Array.from({ length: 65536 }, (_, half) => fromHalf(half)));
  const numbers = new Float32Array(halves.length);
  for (let i = 0; i < numbers.length; i++) numbers[i] = table[halves[i]];
  return numbers;
}

function fromHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  if (exponent === 0) return (sign * fraction) / 2 ** 14;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * 2 ** (exponent - 15) * (1 + fraction);
}

// How many pixels a tensor has, and how many channels each.
function pixelsOf(shape) {
  const channels = shape.at(-1);
  return { channels, pixels: shape.reduce((a, b) => a * b, 1) / channels };
}
