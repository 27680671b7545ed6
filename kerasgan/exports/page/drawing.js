// Chooses who draws, and draws what it is asked for. It runs in a worker, beside the page.
"use strict";

const ENGINES = { webgpu: WebGpuEngine, webgl2: WebGlEngine, cpu: CpuEngine };
const GREYS = 2; // of 255, that a graphics card's picture may differ from the one in the file
const SMALL = 0.01; // seconds of a processor, below which no graphics card is worth the way there

// Returns what is done with each message; `post` sends the answers: what is drawn, or why it is not.
function makeStudio(post) {
  let engine, network, picture;
  let before = Promise.resolve();

  async function open({ rows, weights, picture: kind, check, asked }) {
    network = new Network(rows, weights);
    picture = kind;
    const best = secondsOf(network.operations) < SMALL ? ["cpu"] : Object.keys(ENGINES);
    const names = [...new Set([...(Object.hasOwn(ENGINES, asked) ? [asked] : []), ...best])];
    for (const name of names) {
      try {
        engine = await ENGINES[name].open(network, { soft: name === asked });
        if (name !== "cpu") await compare(check); // the processor is what is left in any case
        if (name !== "cpu" && name !== asked) await race(check);
        break;
      } catch (error) {
        engine?.close();
        engine = null;
        console.info(`Not drawn by ${name}: ${error.message}.`);
      }
    }
  }

  // Draws one picture that is known, for not every graphics card reckons as it should.
  async function compare({ inputs, every, bytes }) {
    const drawn = toBytes(await numbersOf(inputs.map((each) => Float32Array.from(each))), picture);
    const known = fromBase64(bytes);
    if (known.some((byte, i) => Math.abs(byte - drawn[i * every]) > GREYS)) throw new Error("it draws something else");
  }

  // Draws it again, now that all is prepared: some graphics cards are only played by the browser.
  async function race({ inputs }) {
    const start = performance.now();
    await engine.draw(inputs.map((each) => Float32Array.from(each)));
    const seconds = (performance.now() - start) / 1000;
    if (seconds > secondsOf(network.operations)) throw new Error("the processor is quicker");
  }

  async function numbersOf(inputs) {
    const numbers = await engine.draw(inputs);
    if (!numbers.every(Number.isFinite)) throw new Error("it draws no numbers");
    return numbers;
  }

  async function draw({ id, inputs }) {
    const start = performance.now();
    let numbers;
    try {
      numbers = await numbersOf(inputs);
    } catch (error) {
      if (engine instanceof CpuEngine) throw error;
      engine.close();
      engine = await CpuEngine.open(network);
      numbers = await numbersOf(inputs);
    }
    const pixels = toPixels(toBytes(numbers, picture), picture.channels);
    const by = { label: engine.constructor.label, milliseconds: performance.now() - start };
    post({ id, pixels, by }, [pixels.buffer]);
  }

  return (message) => {
    const work = message.rows ? open : draw;
    before = before.then(() => work(message)).catch((error) => post({ id: message.id, error: error.message }));
  };
}

// The picture's numbers as bytes, channels last, from black to white.
function toBytes(numbers, { height, width, channels, channelsFirst, range: [black, white] }) {
  const bytes = new Uint8ClampedArray(numbers.length); // rounds, and stops at 0 and 255
  const area = height * width;
  for (let i = 0; i < bytes.length; i++) {
    const from = channelsFirst ? (i % channels) * area + Math.floor(i / channels) : i;
    bytes[i] = ((numbers[from] - black) / (white - black)) * 255;
  }
  return bytes;
}

// Bytes of grey or of colours as a canvas takes them, with an opacity.
function toPixels(bytes, channels) {
  const count = bytes.length / channels;
  const pixels = new Uint8ClampedArray(4 * count).fill(255);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = bytes[i * channels + (channels === 3 ? c : 0)];
  }
  return pixels;
}

if (typeof WorkerGlobalScope !== "undefined") {
  const studio = makeStudio((answer, moved) => postMessage(answer, moved));
  onmessage = ({ data }) => studio(data);
}
