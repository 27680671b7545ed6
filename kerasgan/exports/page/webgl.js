// Draws by WebGL 2: every operation is a picture that a fragment shader paints of textures.
"use strict";

const WIDTH = 1024; // texels in a row of a texture, whatever it holds
const VERTICES = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID % 2, gl_VertexID / 2) * 4.0 - 1.0, 0.0, 1.0); }`;

class WebGlEngine {
  static label = "the graphics card, by WebGL";

  // Where a browser plays the graphics card itself, the processor is quicker without.
  static async open(network, { soft }) {
    if (typeof OffscreenCanvas === "undefined") throw new Error("no canvas off the screen");
    const canvas = new OffscreenCanvas(1, 1);
    const gl = canvas.getContext("webgl2", { failIfMajorPerformanceCaveat: !soft, antialias: false });
    if (!gl) throw new Error("no WebGL 2");
    if (!gl.getExtension("EXT_color_buffer_float")) throw new Error("no textures of numbers");
    return new WebGlEngine(network, gl);
  }

  constructor(network, gl) {
    this.gl = gl;
    this.programs = {};
    this.frame = gl.createFramebuffer();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.frame);
    gl.enable(gl.SCISSOR_TEST);
    this.layouts = network.operations.map(({ shape }) => layoutOf(shape));
    this.tensors = this.layouts.map(({ texels }) => this.#texture(texels));
    this.inputs = inputsOf(network);
    this.steps = network.operations.flatMap((operation, place) =>
      operation.kind === "input" ? [] : [this.#step(operation, network.operations, place)]);
    if (gl.getError()) throw new Error("no room on the graphics card");
  }

  draw(inputs) {
    const gl = this.gl;
    for (const { number, place } of this.inputs) {
      this.#fill(this.tensors[place], toTexels(inputs[number], this.layouts[place]));
    }
    for (const step of this.steps) step();
    const { texels } = this.layouts.at(-1);
    const rows = Math.ceil(texels / WIDTH);
    const read = new Float32Array(WIDTH * rows * 4);
    gl.readPixels(0, 0, WIDTH, rows, gl.RGBA, gl.FLOAT, read); // the last step's texture is bound
    if (gl.isContextLost() || gl.getError()) throw new Error("the graphics card gave up");
    return fromTexels(read, this.layouts.at(-1));
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  #texture(texels) {
    const gl = this.gl;
    const rows = Math.ceil(texels / WIDTH);
    if (rows > gl.getParameter(gl.MAX_TEXTURE_SIZE)) throw new Error("a network too large for its textures");
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA32F, WIDTH, rows);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    return texture;
  }

  #fill(texture, numbers) {
    const gl = this.gl;
    const rows = Math.ceil(numbers.length / 4 / WIDTH);
    const whole = new Float32Array(WIDTH * rows * 4);
    whole.set(numbers);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, WIDTH, rows, gl.RGBA, gl.FLOAT, whole);
    return texture;
  }

  // Prepares one operation, and returns what does it.
  #step(operation, operations, place) {
    const gl = this.gl;
    const kernel = KERNELS[operation.kind];
    const { program, uniforms } = (this.programs[operation.kind] ??= this.#program(kernel));
    const weights = weightsOf(operation);
    const [x, y] = operation.inputs.map((input) => this.tensors[input]);
    const textures = kernel.reads.map((name) =>
      ({ x, y })[name] ?? this.#fill(this.#texture(weights[name].length / 4), weights[name]));
    const facts = { ...factsOf(operation, operations), texels: this.layouts[place].texels };
    const [, first = 0, second = 0] = operation.activation ?? [];
    const result = this.tensors[place];
    const rows = Math.ceil(facts.texels / WIDTH);
    const band = Math.ceil(rows / bandsOf(operation));
    return () => {
      gl.useProgram(program);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, result, 0);
      gl.viewport(0, 0, WIDTH, rows);
      textures.forEach((texture, unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.uniform1i(uniforms[kernel.reads[unit]], unit);
      });
      for (const name of [...kernel.facts, "texels", "bending"]) gl.uniform1i(uniforms[name], facts[name]);
      gl.uniform1f(uniforms.first, first);
      gl.uniform1f(uniforms.second, second);
      for (let row = 0; row < rows; row += band) {
        gl.scissor(0, row, WIDTH, band);
        gl.drawArrays(gl.TRIANGLES, 0, 3);
      }
    };
  }

  #program({ reads, facts, source }) {
    const gl = this.gl;
    const ints = [...facts, "texels", "bending"];
    const fragments = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D;
#define select(no, yes, when) ((when) ? (yes) : (no))
${reads.map((name) => `uniform sampler2D ${name};`).join(" ")}
${ints.map((name) => `uniform int ${name};`).join(" ")}
uniform float first; uniform float second;
out vec4 result;
vec4 texel(sampler2D of, int i) { return texelFetch(of, ivec2(i % ${WIDTH}, i / ${WIDTH}), 0); }
${BEND}${source}
void main() {
  int i = int(gl_FragCoord.y) * ${WIDTH} + int(gl_FragCoord.x);
  result = i < texels ? bend(value(i)) : vec4(0.0);
}`;
    const program = gl.createProgram();
    for (const [type, text] of [[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, fragments]]) {
      const shader = gl.createShader(type);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
      throw new Error(`a shader that it refuses: ${gl.getProgramInfoLog(program)}`);
    }
    const names = [...reads, ...ints, "first", "second"];
    const uniforms = names.map((name) => [name, gl.getUniformLocation(program, name)]);
    return { program, uniforms: Object.fromEntries(uniforms) };
  }
}
