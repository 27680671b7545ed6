// Draws by typed arrays, on one core.
//
// Nearly all of the time goes into convolutions. Each is cut into products of matrices, of four
// pixels by four channels at a time, whose sixteen sums a processor holds in its registers.
"use strict";

const BLOCK = 32; // pixels, a multiple of 4, for which weights are fetched once

class CpuEngine {
  static label = "the processor";

  static async open(network) {
    return new CpuEngine(network);
  }

  constructor(network) {
    this.operations = network.operations;
    this.results = this.operations.map(({ length }) => new Float32Array(length));
    this.steps = this.operations.map((operation, place) => {
      const given = operation.inputs.map((input) => this.results[input]);
      return CPU[operation.kind](operation, given, this.results[place], this);
    });
  }

  draw(inputs) {
    this.inputs = inputs;
    for (const step of this.steps) step();
    return this.results.at(-1).slice();
  }

  close() {}
}

// Of each kind of operation: (operation, what it reads, what it gives, engine) to what does it.
const CPU = {
  input: ({ number }, _, result, engine) => () => result.set(engine.inputs[number]),
  reshape: (_, [x], result) => () => result.set(x),
  activation: ({ activation }, [x], result) => () => {
    result.set(x);
    bend(result, activation);
  },
  affine: ({ scale, offset }, [x], result) => () => {
    for (let i = 0, n = scale.length; i < x.length; i++) result[i] = x[i] * scale[i % n] + offset[i % n];
  },
  slopes: ({ slopes }, [x], result) => () => {
    for (let i = 0; i < x.length; i++) result[i] = x[i] < 0 ? x[i] * slopes[i % slopes.length] : x[i];
  },
  unit: ({ shape }, [x], result) => () => {
    const channels = shape.at(-1);
    for (let start = 0; start < x.length; start += channels) {
      let sum = 0;
      for (let i = start; i < start + channels; i++) sum += x[i] * x[i];
      const length = Math.max(Math.sqrt(sum), 1e-12);
      for (let i = start; i < start + channels; i++) result[i] = x[i] / length;
    }
  },
  merging: ({ how }, [one, other], result) => () => {
    const merge = MERGES[how];
    for (let i = 0; i < result.length; i++) result[i] = merge(one[i], other[i]);
  },
  concatenation: ({ runs: [first, second] }, [one, other], result) => () => {
    for (let i = 0, at = 0; at < result.length; i++, at += first + second) {
      result.set(one.subarray(i * first, (i + 1) * first), at);
      result.set(other.subarray(i * second, (i + 1) * second), at + first);
    }
  },
  permutation: ({ sides, apart }, [x], result) => () => {
    for (let i = 0; i < result.length; i++) {
      let [left, from] = [i, 0];
      for (let axis = 3; axis >= 0; axis--) {
        from += (left % sides[axis]) * apart[axis];
        left = Math.floor(left / sides[axis]);
      }
      result[i] = x[from];
    }
  },
  frame: ({ shape, reads, corner }, [x], result) => () => {
    const [rows, columns, channels] = shape;
    for (let i = 0; i < rows * columns; i++) {
      const [row, column] = [Math.floor(i / columns) - corner[0], (i % columns) - corner[1]];
      if (row < 0 || row >= reads[0] || column < 0 || column >= reads[1]) continue;
      const from = (row * reads[1] + column) * channels;
      result.set(x.subarray(from, from + channels), i * channels);
    }
  },
  pooling: (operation, [x], result) => () => pool(operation, x, result),
  upsampling: (operation, [x], result) => () => (operation.smooth ? enlarge : repeat)(operation, x, result),
  convolution: (operation, [x], result) => {
    const single = [...operation.gives.slice(0, 2), ...operation.kernel_shape.slice(0, 2)].every((side) => side === 1);
    const products = single
      ? [rowTimesMatrix(operation, x, result)]
      : convolutionsOf(operation).map((each) => convolve(each, operation, x, result));
    return () => {
      for (const product of products) product();
      if (operation.activation) bend(result, operation.activation);
    };
  },
};

const MERGES = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  maximum: Math.max,
  minimum: Math.min,
};

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const FUNCTIONS = {
  tanh: () => Math.tanh,
  sigmoid: () => sigmoid,
  hard_sigmoid: () => (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
  elu: (alpha) => (x) => (x < 0 ? alpha * Math.expm1(x) : x),
  selu: () => (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x),
  silu: () => (x) => x * sigmoid(x),
  softplus: () => (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  softsign: () => (x) => x / (1 + Math.abs(x)),
};

// Applies a function to every number, in place. Those that most networks have are loops of their
// own, which a browser compiles to a fraction of the time.
function bend(numbers, [name, first, second]) {
  if (name === "leaky") {
    for (let i = 0; i < numbers.length; i++) {
      const x = numbers[i];
      numbers[i] = x < 0 ? first * x : x > second ? second : x;
    }
  } else if (name === "clip") {
    for (let i = 0; i < numbers.length; i++) {
      const x = numbers[i];
      numbers[i] = x < first ? first : x > second ? second : x;
    }
  } else {
    const bent = FUNCTIONS[name](first, second);
    for (let i = 0; i < numbers.length; i++) numbers[i] = bent(numbers[i]);
  }
}

// A dense layer of one row: its matrix is read once, so that nothing is gained by blocks.
function rowTimesMatrix({ kernel, bias }, x, result) {
  const count = bias.length;
  return () => {
    result.set(bias);
    for (let k = 0, at = 0; k < x.length; k++, at += count) {
      const factor = x[k];
      for (let n = 0; n < count; n++) result[n] += factor * kernel[at + n];
    }
  };
}

// Cuts a convolution into plain ones. A transposed convolution of stride 2 draws four kinds of
// pixels, by their rows' and columns' being even or odd, and each kind sees other taps of the
// kernel: it is four convolutions of stride 1, whose pixels interlace.
function convolutionsOf({ transposed, stride, dilation, before, gives, kernel_shape }) {
  if (!transposed) {
    const [down, across] = [0, 1].map((axis) => ({
      start: 0, step: 1, stride: stride[axis], count: gives[axis],
      taps: range(kernel_shape[axis]).map((tap) => ({ tap, shift: tap * dilation[axis] - before[axis] })),
    }));
    return [{ down, across }];
  }
  const [down, across] = [0, 1].map((axis) => range(stride[axis]).map((start) => ({
    start, step: stride[axis], stride: 1, count: Math.ceil((gives[axis] - start) / stride[axis]),
    taps: range(kernel_shape[axis])
      .filter((tap) => (start + before[axis] - tap) % stride[axis] === 0)
      .map((tap) => ({ tap, shift: (start + before[axis] - tap) / stride[axis] })),
  })));
  return down.flatMap((d) => across.map((a) => ({ down: d, across: a })));
}

const range = (count) => Array.from({ length: count }, (_, i) => i);

// Prepares one plain convolution, and returns what does it.
function convolve({ down, across }, operation, x, result) {
  const { kernel, kernel_shape: [, columnsOfTaps, reads, gives], bias } = operation;
  const taps = down.taps.flatMap((d) => across.taps.map((a) => (
    { tap: d.tap * columnsOfTaps + a.tap, shift: d.shift, shiftAcross: a.shift })));
  const depth = taps.length * reads;
  const weights = packedWeights(kernel, taps, reads, gives);
  const pixels = down.count * across.count;
  const packed = new Float32Array(BLOCK * depth);
  const places = new Int32Array(BLOCK); // of the results
  const sums = new Float64Array(16);
  return () => {
    for (let first = 0; first < pixels; first += BLOCK) {
      const count = Math.min(BLOCK, pixels - first);
      packPixels(x, operation, taps, { down, across }, first, count, packed, places);
      for (let channel = 0; channel < gives; channel += 4) {
        for (let pixel = 0; pixel < count; pixel += 4) {
          multiply(packed, pixel * depth, weights, channel * depth, depth, sums);
          for (let p = 0; p < 4 && pixel + p < count; p++) {
            const to = places[pixel + p] + channel;
            for (let c = 0; c < 4 && channel + c < gives; c++) result[to + c] = sums[4 * p + c] + bias[channel + c];
          }
        }
      }
    }
  };
}

// Lays weights out as they are read: of four channels all that a pixel is multiplied by, in turn.
function packedWeights(kernel, taps, reads, gives) {
  const depth = taps.length * reads;
  const packed = new Float32Array(4 * Math.ceil(gives / 4) * depth);
  taps.forEach(({ tap }, number) => {
    for (let read = 0; read < reads; read++) {
      for (let given = 0; given < gives; given++) {
        const to = (given - (given % 4)) * depth + (number * reads + read) * 4 + (given % 4);
        packed[to] = kernel[(tap * reads + read) * gives + given];
      }
    }
  });
  return packed;
}

// Lays out what the taps see of some pixels: four pixels side by side, zeros beyond the edges.
function packPixels(x, operation, taps, { down, across }, first, count, packed, places) {
  const { reads: [rows, columns, channels], gives } = operation;
  const depth = taps.length * channels;
  for (let pixel = 0; pixel < count; pixel++) {
    const row = Math.floor((first + pixel) / across.count);
    const column = (first + pixel) % across.count;
    const [toRow, toColumn] = [down.start + row * down.step, across.start + column * across.step];
    places[pixel] = (toRow * gives[1] + toColumn) * gives[2];
    let to = (pixel - (pixel % 4)) * depth + (pixel % 4);
    for (let t = 0; t < taps.length; t++) {
      const fromRow = row * down.stride + taps[t].shift;
      const fromColumn = column * across.stride + taps[t].shiftAcross;
      if (fromRow < 0 || fromRow >= rows || fromColumn < 0 || fromColumn >= columns) {
        for (let c = 0; c < channels; c++, to += 4) packed[to] = 0;
      } else {
        const from = (fromRow * columns + fromColumn) * channels;
        for (let c = 0; c < channels; c++, to += 4) packed[to] = x[from + c];
      }
    }
  }
}

// The product of four pixels and four channels. Sums are of double precision, which costs nothing:
// a browser computes so unless every single step is rounded.
function multiply(a, i, b, j, depth, sums) {
  let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
  let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
  for (let k = 0; k < depth; k++, i += 4, j += 4) {
    const a0 = a[i], a1 = a[i + 1], a2 = a[i + 2], a3 = a[i + 3];
    const b0 = b[j], b1 = b[j + 1], b2 = b[j + 2], b3 = b[j + 3];
    s00 += a0 * b0; s01 += a0 * b1; s02 += a0 * b2; s03 += a0 * b3;
    s10 += a1 * b0; s11 += a1 * b1; s12 += a1 * b2; s13 += a1 * b3;
    s20 += a2 * b0; s21 += a2 * b1; s22 += a2 * b2; s23 += a2 * b3;
    s30 += a3 * b0; s31 += a3 * b1; s32 += a3 * b2; s33 += a3 * b3;
  }
  sums[0] = s00; sums[1] = s01; sums[2] = s02; sums[3] = s03;
  sums[4] = s10; sums[5] = s11; sums[6] = s12; sums[7] = s13;
  sums[8] = s20; sums[9] = s21; sums[10] = s22; sums[11] = s23;
  sums[12] = s30; sums[13] = s31; sums[14] = s32; sums[15] = s33;
}

function pool({ how, size, stride, before, reads: [rows, columns, channels], gives }, x, result) {
  const maximal = how === "maximum";
  for (let i = 0; i < gives[0] * gives[1]; i++) {
    const top = Math.floor(i / gives[1]) * stride[0] - before[0];
    const left = (i % gives[1]) * stride[1] - before[1];
    const [bottom, right] = [Math.min(top + size[0], rows), Math.min(left + size[1], columns)];
    const to = i * channels;
    result.fill(maximal ? -Infinity : 0, to, to + channels);
    let count = 0; // of the pixels within the edges
    for (let row = Math.max(top, 0); row < bottom; row++) {
      for (let column = Math.max(left, 0); column < right; column++, count++) {
        const from = (row * columns + column) * channels;
        for (let c = 0; c < channels; c++) {
          if (!maximal) result[to + c] += x[from + c];
          else if (x[from + c] > result[to + c]) result[to + c] = x[from + c];
        }
      }
    }
    if (!maximal) for (let c = 0; c < channels; c++) result[to + c] /= count;
  }
}

function repeat({ times, reads: [rows, columns, channels] }, x, result) {
  const width = columns * times[1];
  for (let i = 0; i < rows * times[0] * width; i++) {
    const row = Math.floor(i / width / times[0]);
    const column = Math.floor((i % width) / times[1]);
    const from = (row * columns + column) * channels;
    for (let c = 0; c < channels; c++) result[i * channels + c] = x[from + c];
  }
}

// Enlarges bilinearly. Pixels are squares: the middle of the first lies half of one from the edge.
function enlarge({ times, reads: [rows, columns, channels] }, x, result) {
  const width = columns * times[1];
  for (let i = 0; i < rows * times[0] * width; i++) {
    const [above, below, down] = between(Math.floor(i / width), times[0], rows);
    const [left, right, across] = between(i % width, times[1], columns);
    for (let c = 0; c < channels; c++) {
      const at = (row, column) => x[(row * columns + column) * channels + c];
      const top = at(above, left) * (1 - across) + at(above, right) * across;
      const bottom = at(below, left) * (1 - across) + at(below, right) * across;
      result[i * channels + c] = top * (1 - down) + bottom * down;
    }
  }
}

// The two places between which one lies that was enlarged, and how far it is to the second.
function between(place, times, count) {
  const middle = Math.min(Math.max((place + 0.5) / times - 0.5, 0), count - 1);
  const first = Math.floor(middle);
  return [first, Math.min(first + 1, count - 1), middle - first];
}
