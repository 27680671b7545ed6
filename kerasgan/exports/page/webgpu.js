// Draws by WebGPU: every operation is one compute shader over buffers.
"use strict";

const GROUP = 64; // texels that a workgroup computes
const ROW = 2 ** 15; // workgroups in a row; a device takes no more than 65,535
const OF_ALL = ["texels", "bending", "begin"]; // facts of every operation

class WebGpuEngine {
  static label = "the graphics card, by WebGPU";

  // Where a browser plays the graphics card itself, the processor is quicker without.
  static async open(network, { soft }) {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) throw new Error("no WebGPU");
    if (!soft && (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) throw new Error("no graphics card");
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
    device.pushErrorScope("out-of-memory");
    device.pushErrorScope("validation");
    const engine = new WebGpuEngine(network, device);
    const problem = (await device.popErrorScope()) ?? (await device.popErrorScope());
    if (problem) throw new Error(problem.message);
    return engine;
  }

  constructor(network, device) {
    this.device = device;
    device.lost.then(() => (this.lost = true));
    this.pipelines = {};
    this.layouts = network.operations.map(({ shape }) => layoutOf(shape));
    this.tensors = this.layouts.map(({ texels }) => this.#buffer(16 * texels, "STORAGE", "COPY_DST", "COPY_SRC"));
    this.inputs = inputsOf(network);
    this.steps = network.operations.flatMap((operation, place) =>
      operation.kind === "input" ? [] : [this.#step(operation, network.operations, place)]);
    this.staging = this.#buffer(16 * this.layouts.at(-1).texels, "MAP_READ", "COPY_DST");
  }

  async draw(inputs) {
    const { queue } = this.device;
    for (const { number, place } of this.inputs) {
      queue.writeBuffer(this.tensors[place], 0, toTexels(inputs[number], this.layouts[place]));
    }
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const step of this.steps) step(pass);
    pass.end();
    encoder.copyBufferToBuffer(this.tensors.at(-1), 0, this.staging, 0, this.staging.size);
    queue.submit([encoder.finish()]);
    await this.staging.mapAsync(GPUMapMode.READ);
    const numbers = fromTexels(new Float32Array(this.staging.getMappedRange()), this.layouts.at(-1));
    this.staging.unmap();
    if (this.lost) throw new Error("the graphics card gave up");
    return numbers;
  }

  close() {
    this.device.destroy();
  }

  #buffer(size, ...uses) {
    const usage = uses.reduce((sum, use) => sum | GPUBufferUsage[use], 0);
    return this.device.createBuffer({ size, usage });
  }

  #filled(content, use) {
    const buffer = this.#buffer(content.byteLength, use, "COPY_DST");
    this.device.queue.writeBuffer(buffer, 0, content);
    return buffer;
  }

  // Prepares one operation, and returns what puts it into a pass.
  #step(operation, operations, place) {
    const kernel = KERNELS[operation.kind];
    const pipeline = (this.pipelines[operation.kind] ??= this.#pipeline(kernel));
    const weights = weightsOf(operation);
    const [x, y] = operation.inputs.map((input) => this.tensors[input]);
    const reads = kernel.reads.map((name) => ({ x, y })[name] ?? this.#filled(weights[name], "STORAGE"));
    const { texels } = this.layouts[place];
    const band = Math.ceil(texels / GROUP / bandsOf(operation)); // workgroups
    const groups = [];
    for (let begin = 0; begin < texels; begin += band * GROUP) {
      const known = { ...factsOf(operation, operations), texels, begin };
      const facts = this.#filled(this.#facts(kernel, known, operation.activation), "UNIFORM");
      const buffers = [facts, this.tensors[place], ...reads];
      const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
      groups.push(this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    }
    return (pass) => {
      pass.setPipeline(pipeline);
      for (const group of groups) {
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(Math.min(band, ROW), Math.ceil(band / ROW));
      }
    };
  }

  // The facts as their struct has them: two floats, then whole numbers, filled up to 16 bytes.
  #facts(kernel, facts, [, first = 0, second = 0] = []) {
    const names = [...kernel.facts, ...OF_ALL];
    const bytes = new ArrayBuffer(16 * Math.ceil((names.length + 2) / 4));
    new Float32Array(bytes).set([first, second]);
    new Int32Array(bytes).set(names.map((name) => facts[name]), 2);
    return bytes;
  }

  #pipeline({ reads, facts, source }) {
    const ints = [...facts, ...OF_ALL];
    const code = `
struct Facts { first: f32, second: f32, ${ints.map((name) => `${name}: i32`).join(", ")} }
@group(0) @binding(0) var<uniform> facts: Facts;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;
${reads.map((name, place) => `
@group(0) @binding(${place + 2}) var<storage, read> of_${name}: array<vec4f>;
fn texelOf_${name}(i: i32) -> vec4f { return of_${name}[i]; }`).join("")}
var<private> first: f32; var<private> second: f32;
${ints.map((name) => `var<private> ${name}: i32;`).join(" ")}
${wgsl(BEND + source)}
@compute @workgroup_size(${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  ${["first", "second", ...ints].map((name) => `${name} = facts.${name};`).join(" ")}
  let i = begin + i32(id.y) * ${ROW * GROUP} + i32(id.x);
  if (i < texels) { result[i] = bend(value(i)); }
}`;
    const module = this.device.createShaderModule({ code });
    return this.device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  }
}
