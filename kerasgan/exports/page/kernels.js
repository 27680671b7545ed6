// What a GPU does for each pixel and each four channels of an operation's result.
//
// A tensor lies on the GPU as texels of four channels: texel `pixel * groups + group`, the last
// group filled up. The kernels are written once, in the part of GLSL that is easily turned into
// WGSL (`wgsl` does it), so WebGL and WebGPU draw by the same words. Of the facts, whole numbers
// all of them, a kernel sees those that it names.
"use strict";

// A function of each number; `bending` is its place in BENDS, `first` and `second` its numbers.
const BENDS = ["", "leaky", "clip", "tanh", "sigmoid", "hard_sigmoid", "elu", "selu", "silu", "softplus", "softsign"];
const BEND = `
float bent(float x) {
  if (bending == 1) { return min(select(x, first * x, x < 0.0), second); }
  if (bending == 2) { return clamp(x, first, second); }
  if (bending == 3) { return tanh(clamp(x, -15.0, 15.0)); }
  if (bending == 4) { return 1.0 / (1.0 + exp(-x)); }
  if (bending == 5) { return clamp(x / 6.0 + 0.5, 0.0, 1.0); }
  if (bending == 6) { return select(x, first * (exp(min(x, 0.0)) - 1.0), x < 0.0); }
  if (bending == 7) { return 1.0507010 * select(x, 1.6732632 * (exp(min(x, 0.0)) - 1.0), x < 0.0); }
  if (bending == 8) { return x / (1.0 + exp(-x)); }
  if (bending == 9) { return max(x, 0.0) + log(1.0 + exp(-abs(x))); }
  if (bending == 10) { return x / (1.0 + abs(x)); }
  return x;
}
vec4 bend(vec4 v) { return vec4(bent(v.x), bent(v.y), bent(v.z), bent(v.w)); }
`;

// Fills a texel number by number, where numbers do not keep their places within texels.
const BY_NUMBER = `
vec4 value(int i) {
  vec4 v = vec4(0.0);
  for (int k = 0; k < 4; k++) {
    int c = (i % groups) * 4 + k;
    if (c < channels) { v[k] = number((i / groups) * channels + c); }
  }
  return v;
}
`;
const OF_X = `
float ofX(int n) {
  int c = n % xChannels;
  vec4 v = texel(x, (n / xChannels) * xGroups + c / 4);
  return v[c % 4];
}
`;

// The names of what each kernel reads, of its facts, and how it finds texel i of the result.
const KERNELS = {
  convolution: {
    reads: ["x", "kernel", "bias"],
    facts: ["groups", "columns", "xRows", "xColumns", "xGroups", "tapRows", "tapColumns", "transposed",
      "strideRows", "strideColumns", "dilationRows", "dilationColumns", "beforeRows", "beforeColumns"],
    source: `
vec4 value(int i) {
  int g = i % groups;
  int toRow = (i / groups) / columns;
  int toColumn = (i / groups) % columns;
  // Transposed, a pixel sees only every taps-th row and column of the kernel.
  int firstRow = select(0, (toRow + beforeRows) % strideRows, transposed == 1);
  int firstColumn = select(0, (toColumn + beforeColumns) % strideColumns, transposed == 1);
  int stepRows = select(1, strideRows, transposed == 1);
  int stepColumns = select(1, strideColumns, transposed == 1);
  vec4 sum = texel(bias, g);
  for (int tapRow = firstRow; tapRow < tapRows; tapRow += stepRows) {
    int ahead = toRow + beforeRows - tapRow;
    int row = select(toRow * strideRows + tapRow * dilationRows - beforeRows,
      ahead / strideRows, transposed == 1);
    if (row < 0 || row >= xRows || (transposed == 1 && ahead < 0)) { continue; }
    for (int tapColumn = firstColumn; tapColumn < tapColumns; tapColumn += stepColumns) {
      int aside = toColumn + beforeColumns - tapColumn;
      int column = select(toColumn * strideColumns + tapColumn * dilationColumns - beforeColumns,
        aside / strideColumns, transposed == 1);
      if (column < 0 || column >= xColumns || (transposed == 1 && aside < 0)) { continue; }
      int start = (row * xColumns + column) * xGroups;
      int w = ((g * tapRows + tapRow) * tapColumns + tapColumn) * xGroups * 4;
      for (int k = 0; k < xGroups; k++) {
        vec4 v = texel(x, start + k);
        sum += v.x * texel(kernel, w) + v.y * texel(kernel, w + 1);
        sum += v.z * texel(kernel, w + 2) + v.w * texel(kernel, w + 3);
        w += 4;
      }
    }
  }
  return sum;
}`,
  },
  pooling: {
    reads: ["x"],
    facts: ["groups", "columns", "xRows", "xColumns", "sizeRows", "sizeColumns", "strideRows", "strideColumns",
      "beforeRows", "beforeColumns", "maximal"],
    source: `
vec4 value(int i) {
  int top = ((i / groups) / columns) * strideRows - beforeRows;
  int left = ((i / groups) % columns) * strideColumns - beforeColumns;
  vec4 sum = vec4(0.0);
  float count = 0.0;
  for (int row = max(top, 0); row < min(top + sizeRows, xRows); row++) {
    for (int column = max(left, 0); column < min(left + sizeColumns, xColumns); column++) {
      vec4 v = texel(x, (row * xColumns + column) * groups + i % groups);
      sum = select(sum + v, select(max(sum, v), v, count == 0.0), maximal == 1);
      count += 1.0;
    }
  }
  return select(sum / count, sum, maximal == 1);
}`,
  },
  upsampling: {
    reads: ["x"],
    facts: ["groups", "columns", "xRows", "xColumns", "timesRows", "timesColumns", "smoothly"],
    source: `
float middle(int place, int times, int count) {
  return clamp((float(place) + 0.5) / float(times) - 0.5, 0.0, float(count - 1));
}
vec4 value(int i) {
  int g = i % groups;
  int toRow = (i / groups) / columns;
  int toColumn = (i / groups) % columns;
  if (smoothly == 0) { return texel(x, ((toRow / timesRows) * xColumns + toColumn / timesColumns) * groups + g); }
  float down = middle(toRow, timesRows, xRows);
  float across = middle(toColumn, timesColumns, xColumns);
  int above = int(down) * xColumns;
  int below = min(int(down) + 1, xRows - 1) * xColumns;
  int left = int(across);
  int right = min(left + 1, xColumns - 1);
  vec4 top = mix(texel(x, (above + left) * groups + g), texel(x, (above + right) * groups + g), fract(across));
  vec4 bottom = mix(texel(x, (below + left) * groups + g), texel(x, (below + right) * groups + g), fract(across));
  return mix(top, bottom, fract(down));
}`,
  },
  frame: {
    reads: ["x"],
    facts: ["groups", "columns", "xRows", "xColumns", "cornerRows", "cornerColumns"],
    source: `
vec4 value(int i) {
  int row = (i / groups) / columns - cornerRows;
  int column = (i / groups) % columns - cornerColumns;
  if (row < 0 || row >= xRows || column < 0 || column >= xColumns) { return vec4(0.0); }
  return texel(x, (row * xColumns + column) * groups + i % groups);
}`,
  },
  unit: {
    reads: ["x"],
    facts: ["groups", "channels"],
    source: `
vec4 value(int i) {
  float sum = 0.0;
  for (int k = 0; k < groups; k++) {
    vec4 v = texel(x, (i / groups) * groups + k);
    for (int lane = 0; lane < 4; lane++) {
      if (k * 4 + lane < channels) { sum += v[lane] * v[lane]; }
    }
  }
  return texel(x, i) / max(sqrt(sum), 1e-12);
}`,
  },
  activation: { reads: ["x"], facts: [], source: `vec4 value(int i) { return texel(x, i); }` },
  affine: {
    reads: ["x", "scale", "offset"],
    facts: ["groups"],
    source: `vec4 value(int i) { return texel(x, i) * texel(scale, i % groups) + texel(offset, i % groups); }`,
  },
  slopes: {
    reads: ["x", "slopes"],
    facts: ["groups"],
    source: `
vec4 value(int i) {
  vec4 v = texel(x, i);
  return max(v, vec4(0.0)) + texel(slopes, i % groups) * min(v, vec4(0.0));
}`,
  },
  merging: {
    reads: ["x", "y"],
    facts: ["how"],
    source: `
vec4 value(int i) {
  vec4 a = texel(x, i);
  vec4 b = texel(y, i);
  if (how == 0) { return a + b; }
  if (how == 1) { return a - b; }
  if (how == 2) { return a * b; }
  if (how == 3) { return max(a, b); }
  return min(a, b);
}`,
  },
  reshape: {
    reads: ["x"],
    facts: ["groups", "channels", "xGroups", "xChannels"],
    source: `${OF_X}
float number(int n) { return ofX(n); }
${BY_NUMBER}`,
  },
  concatenation: {
    reads: ["x", "y"],
    facts: ["groups", "channels", "xGroups", "xChannels", "yGroups", "yChannels", "xRun", "yRun"],
    source: `${OF_X}
float ofY(int n) {
  int c = n % yChannels;
  vec4 v = texel(y, (n / yChannels) * yGroups + c / 4);
  return v[c % 4];
}
float number(int n) {
  int run = n / (xRun + yRun);
  int left = n % (xRun + yRun);
  if (left < xRun) { return ofX(run * xRun + left); }
  return ofY(run * yRun + left - xRun);
}
${BY_NUMBER}`,
  },
  permutation: {
    reads: ["x"],
    facts: ["groups", "channels", "xGroups", "xChannels",
      "side1", "side2", "side3", "apart0", "apart1", "apart2", "apart3"],
    source: `${OF_X}
float number(int n) {
  int rest = n / side3;
  int start = (n % side3) * apart3 + (rest % side2) * apart2;
  rest = rest / side2;
  return ofX(start + (rest % side1) * apart1 + (rest / side1) * apart0);
}
${BY_NUMBER}`,
  },
};

// The facts of an operation by the names that its kernel has for them.
function factsOf(operation, operations) {
  const [x, y] = operation.inputs.map((input) => layoutOf(operations[input].shape));
  const { groups, channels } = layoutOf(operation.shape);
  const both = (name, pair) => ({ [`${name}Rows`]: pair?.[0], [`${name}Columns`]: pair?.[1] });
  const { reads, gives, times, kernel_shape, size, stride, dilation, before, corner, runs, sides, apart } = operation;
  return {
    groups, channels, xGroups: x?.groups, xChannels: x?.channels, yGroups: y?.groups, yChannels: y?.channels,
    columns: gives ? gives[1] : operation.shape[1],
    ...both("x", reads), ...both("tap", kernel_shape), ...both("stride", stride), ...both("dilation", dilation),
    ...both("before", before), ...both("times", times), ...both("size", size), ...both("corner", corner),
    xRun: runs?.[0], yRun: runs?.[1], side1: sides?.[1], side2: sides?.[2], side3: sides?.[3],
    ...Object.fromEntries((apart ?? []).map((each, axis) => [`apart${axis}`, each])),
    transposed: Number(operation.transposed), smoothly: Number(operation.smooth),
    maximal: Number(operation.how === "maximum"),
    how: ["add", "subtract", "multiply", "maximum", "minimum"].indexOf(operation.how),
    bending: BENDS.indexOf(operation.activation?.[0] ?? ""),
  };
}

function layoutOf(shape) {
  const { pixels, channels } = pixelsOf(shape);
  const groups = Math.ceil(channels / 4);
  return { pixels, channels, groups, texels: pixels * groups };
}

// In how many bands an operation is done, for a system stops a graphics card that is long at one.
function bandsOf(operation) {
  return Math.ceil(productsOf(operation) / 2 ** 24) || 1;
}

// Which inputs of the network are the results of which places.
function inputsOf({ operations }) {
  return operations.flatMap(({ kind, number }, place) => (kind === "input" ? [{ number, place }] : []));
}

// Numbers as texels, 4 for each, and back.
function toTexels(numbers, { pixels, channels, groups }) {
  const texels = new Float32Array(pixels * groups * 4);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < channels; c++) texels[p * groups * 4 + c] = numbers[p * channels + c];
  }
  return texels;
}

function fromTexels(texels, { pixels, channels, groups }) {
  const numbers = new Float32Array(pixels * channels);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < channels; c++) numbers[p * channels + c] = texels[p * groups * 4 + c];
  }
  return numbers;
}

// The weights of an operation as texels, by the names that its kernel has for them.
function weightsOf(operation) {
  const weights = {};
  for (const name of ["bias", "scale", "offset", "slopes"]) {
    const array = operation[name];
    if (!array) continue;
    const channels = name === "bias" ? array.length : operation.shape.at(-1);
    const numbers = array.length === channels ? array : new Float32Array(channels).fill(array[0]);
    weights[name] = toTexels(numbers, layoutOf([channels]));
  }
  if (operation.kernel) weights.kernel = kernelTexels(operation);
  return weights;
}

// A kernel as it is read: for four channels given, tap by tap, four texels for four channels read.
function kernelTexels({ kernel, kernel_shape: [rows, columns, reads, gives] }) {
  const [taps, readGroups, giveGroups] = [rows * columns, Math.ceil(reads / 4), Math.ceil(gives / 4)];
  const texels = new Float32Array(giveGroups * taps * readGroups * 16);
  for (let tap = 0, from = 0; tap < taps; tap++) {
    for (let read = 0; read < reads; read++) {
      for (let given = 0; given < gives; given++, from++) {
        const group = ((given >> 2) * taps + tap) * readGroups + (read >> 2);
        texels[group * 16 + (read & 3) * 4 + (given & 3)] = kernel[from];
      }
    }
  }
  return texels;
}

// Turns a kernel into WGSL: types behind names, functions with `fn`, texels from buffers.
function wgsl(source) {
  const types = { int: "i32", float: "f32", vec4: "vec4f" };
  return source
    .replace(/\b(int|float|vec4) (\w+)\(([^)]*)\) \{/g, (_, type, name, parameters) => {
      const typed = parameters.split(", ").map((each) => each.split(" ")).map(([of, its]) => `${its}: ${types[of]}`);
      return `fn ${name}(${typed.join(", ")}) -> ${types[type]} {`;
    })
    .replace(/\b(int|float|vec4) (\w+) =/g, (_, type, name) => `var ${name}: ${types[type]} =`)
    .replace(/\b(int|float|vec4)\(/g, (_, type) => `${types[type]}(`)
    .replace(/\btexel\((\w+), /g, "texelOf_$1(");
}
