// The page: who is shown, what its buttons do, and what the address says.
"use strict";

const $ = (id) => document.getElementById(id);
const FILE = JSON.parse($("network").textContent);
const kind = new Kind(FILE.kind);
const MOST_KEPT = 60;

// What draws, beside the page where the browser lets it. Answers come in the order of questions.
class Drawing {
  constructor(asked) {
    this.waiting = new Map();
    this.count = 0;
    const { operations: rows, picture, check } = FILE;
    const opening = { rows, weights: $("weights").textContent, picture, check, asked };
    const answer = (message) => this.#answer(message);
    const here = makeStudio(answer);
    this.post = here;
    try {
      const source = new Blob([$("engines").textContent], { type: "text/javascript" });
      const worker = new Worker(URL.createObjectURL(source));
      worker.onmessage = ({ data }) => answer(data);
      // A worker that a browser does not let begin: all that was asked is asked here.
      worker.onerror = () => {
        worker.terminate();
        this.post = here;
        here(opening);
        for (const [id, { inputs }] of this.waiting) here({ id, inputs });
      };
      this.post = (message) => worker.postMessage(message);
    } catch {
      // No workers at all.
    }
    this.post(opening);
  }

  // Promises the pixels of a person, and by what they were drawn.
  of(person) {
    const [id, inputs] = [++this.count, kind.inputs(person)];
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { inputs, resolve, reject });
      this.post({ id, inputs });
    });
  }

  #answer({ id, error, ...drawn }) {
    const asked = this.waiting.get(id);
    this.waiting.delete(id);
    if (error) (asked?.reject ?? tell)(new Error(error));
    else asked.resolve(drawn);
  }
}

const asked = new URLSearchParams(location.hash.slice(1)).get("engine");
const drawing = new Drawing(asked);
let shown; // the person on the stage
let other = null; // the one beside it
let start = null; // from whom the walk set out, while it is on its way
let busy = false;
let playing = 0; // the timer of a walk

// --- The stage ---

function show(person, { walking = false, sliding = false } = {}) {
  shown = person;
  if (!walking) stopWalk();
  if (!sliding) setSliders();
  return refresh();
}

// Draws who is shown; while one is drawn, only the last of those that follow waits.
async function refresh() {
  if (busy) return;
  busy = true;
  $("again").ariaBusy = "true";
  try {
    for (let drawn; drawn !== shown; ) {
      drawn = shown;
      const { pixels, by } = await drawing.of(drawn);
      paint($("face"), pixels);
      describe(drawn, by);
    }
  } catch (error) {
    tell(error);
  }
  busy = false;
  $("again").ariaBusy = "false";
}

function paint(canvas, pixels) {
  const { width, height } = FILE.picture;
  canvas.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
}

function describe(person, { label, milliseconds }) {
  $("name").textContent = titleOf(person);
  $("again").setAttribute("aria-label", `${titleOf(person)}, who does not exist. Press for another person.`);
  $("engine").textContent = `Drawn by ${label}, in ${Math.max(1, Math.round(milliseconds))} ms.`;
  document.documentElement.dataset.engine = label;
}

function titleOf({ name, moves, is }) {
  const changed = moves.size + is.size > 0;
  return name ? `Person ${name}${changed ? ", changed" : ""}` : "Somebody in between";
}

function tell(error) {
  say(`It could not be drawn: ${error.message}`);
}

function say(text) {
  $("status").textContent = "";
  // A reader reads out what changes, also where the words are the same as before.
  requestAnimationFrame(() => ($("status").textContent = text));
}

// --- The address ---

function address(person) {
  return `#${kind.write(person)}${asked ? `&engine=${encodeURIComponent(asked)}` : ""}`;
}

// Someone new can be left by Back; a change of the one shown is written over.
function note(person, how = "replaceState") {
  try {
    history[how](null, "", address(person));
  } catch {
    // Browsers take so many addresses in a time, and those within another page none.
  }
}

let noting;
function noteSoon() {
  clearTimeout(noting);
  noting = setTimeout(() => note(shown), 300);
}

function meet(person) {
  clearTimeout(noting);
  note(person, "pushState");
  return show(person);
}

function another() {
  return meet(kind.stranger($("hold").checked ? shown : null));
}

function shownByAddress() {
  const person = kind.read(location.hash.slice(1));
  if (person) show(person);
}

// --- Kept ---

const SHELF = `kerasgan-${FILE.fingerprint}`;
let kept = []; // addresses

function remember() {
  try {
    localStorage.setItem(SHELF, JSON.stringify(kept));
  } catch {
    // Not where a browser keeps nothing for this page.
  }
}

function recall() {
  try {
    const words = JSON.parse(localStorage.getItem(SHELF) ?? "[]");
    for (const word of words.slice(0, MOST_KEPT)) if (typeof word === "string" && kind.read(word)) add(word);
  } catch {
    // What is kept there is not ours.
  }
}

function keep() {
  const word = kind.write(shown);
  if (kept.includes(word)) return say(`${titleOf(shown)} is kept already.`);
  if (kept.length === MOST_KEPT) return say(`No more than ${MOST_KEPT} are kept. Remove one first.`);
  add(word);
  remember();
  say(`${titleOf(shown)} is kept.`);
}

function add(word) {
  const person = kind.read(word);
  const title = titleOf(person);
  const item = document.createElement("li");
  const { width, height } = FILE.picture;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const showing = button("", `Show ${title}`, () => meet(kind.read(word)));
  showing.className = "show";
  showing.append(canvas);
  const comparing = button("Compare", `Compare with ${title}`, () => compare(person));
  const removing = button("Remove", `Remove ${title}`, () => remove(word, item));
  comparing.classList.add("quiet");
  removing.classList.add("quiet");
  item.append(showing, comparing, removing);
  kept.push(word);
  $("kept").append(item);
  $("none-kept").hidden = true;
  drawing.of(person).then(({ pixels }) => paint(canvas, pixels), tell);
}

function button(text, label, pressed) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, onclick: pressed });
  made.setAttribute("aria-label", label);
  return made;
}

function remove(word, item) {
  const next = item.nextElementSibling ?? item.previousElementSibling;
  kept = kept.filter((each) => each !== word);
  item.remove();
  remember();
  $("none-kept").hidden = kept.length > 0;
  (next?.querySelector("button") ?? $("keep")).focus(); // not lost with what was removed
  say("Removed.");
}

// --- Two at once ---

async function compare(person) {
  stopWalk();
  other = person;
  try {
    paint($("other-face"), (await drawing.of(person)).pixels);
  } catch (error) {
    return tell(error);
  }
  $("other-face").setAttribute("aria-label", `${titleOf(person)}, who does not exist`);
  $("other-name").textContent = titleOf(person);
  $("other").hidden = $("walk").hidden = false;
  say(`Compared with ${titleOf(person)}.`);
}

function part() {
  stopWalk();
  other = null;
  $("other").hidden = $("walk").hidden = true;
  $("keep").focus();
}

function stopWalk() {
  cancelAnimationFrame(playing);
  playing = 0;
  start = null;
  $("way").value = 0;
  $("play").ariaPressed = "false";
}

function walkTo(way) {
  start ??= shown;
  const person = way === 0 ? start : way === 1 ? other : kind.between(start, other, way);
  $("way").value = way;
  show(person, { walking: true });
  noteSoon();
}

// There and back in eight seconds, from where it is.
function play() {
  if (playing) {
    cancelAnimationFrame(playing);
    playing = 0;
    $("play").ariaPressed = "false";
    return;
  }
  $("play").ariaPressed = "true";
  let last = performance.now();
  let turn = Number($("way").value) * 4000; // milliseconds
  const step = (now) => {
    turn = (turn + Math.min(now - last, 200)) % 8000;
    last = now;
    playing = requestAnimationFrame(step);
    if (!busy) walkTo(turn < 4000 ? turn / 4000 : 2 - turn / 4000);
  };
  playing = requestAnimationFrame(step);
}

// --- Changes ---

const sliders = []; // what sets each to who is shown

function makeSliders() {
  const { directions, conditions } = kind;
  if (conditions?.are_classes) makeChoice(conditions.names);
  else for (const [number, name] of (conditions?.names ?? []).entries()) {
    makeSlider(name, 1, () => kind.inputs(shown)[1][number], (value) => change("is", name, value));
  }
  for (const { name, title } of directions) {
    makeSlider(title, FURTHEST, () => shown.moves.get(name) ?? 0, (value) => change("moves", name, value));
  }
  $("changes").hidden = sliders.length === 0;
}

// One from -most to most.
function makeSlider(title, most, value, moved) {
  const [row, label, range, number] = ["div", "label", "input", "span"].map((tag) => document.createElement(tag));
  Object.assign(range, { type: "range", min: -most, max: most, step: 0.1, id: `slider-${sliders.length}` });
  label.textContent = title;
  label.htmlFor = range.id;
  number.ariaHidden = "true"; // the slider says it itself
  row.className = "slider";
  row.append(label, range, number);
  $("sliders").append(row);
  const write = () => (number.textContent = Number(range.value).toFixed(1));
  range.oninput = () => {
    write();
    moved(Number(range.value));
  };
  sliders.push(() => {
    range.value = value();
    write();
  });
}

// Classes: a person has one.
function makeChoice(names) {
  const [row, label, select] = ["div", "label", "select"].map((tag) => document.createElement(tag));
  Object.assign(label, { textContent: "Class", htmlFor: "class" });
  select.id = "class";
  names.forEach((name, number) => select.add(new Option(name, number)));
  select.onchange = () => {
    shown = { ...shown, is: new Map() };
    change("is", names[select.value], 1);
  };
  row.className = "slider";
  row.append(label, select);
  $("sliders").append(row);
  sliders.push(() => {
    const condition = kind.inputs(shown)[1];
    select.value = condition.indexOf(Math.max(...condition));
  });
}

function setSliders() {
  for (const set of sliders) set();
}

function change(what, name, value) {
  const changed = { ...shown, [what]: new Map(shown[what]) };
  if (what === "moves" && value === 0) changed.moves.delete(name);
  else changed[what].set(name, value);
  show(changed, { sliding: true });
  noteSoon();
}

function asTheyWere() {
  show({ ...shown, moves: new Map(), is: shown.name ? new Map() : shown.is });
  noteSoon();
}

// --- Out of the page ---

function save() {
  $("face").toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob) });
    link.download = `${shown.name?.replace(/[^\w-]/g, "_") || "person"}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(`Saved as ${link.download}.`);
  }, "image/png");
}

async function copyLink() {
  note(shown);
  const link = location.href.split("#")[0] + `#${kind.write(shown)}`;
  try {
    await navigator.clipboard.writeText(link);
    say("The link is copied. It shows this person to everyone who has the page.");
  } catch {
    $("link").hidden = false;
    $("address").value = link;
    $("address").select();
    say("Copy the link from the field.");
  }
}

// --- Keys, and the beginning ---

const KEYS = { n: another, " ": another, k: keep, s: save, l: copyLink };

// Letters where nothing is written or chosen, and a space where it presses no button.
function pressed(event) {
  const at = document.activeElement;
  const writes = at.matches("select, input:not([type=range], [type=checkbox])");
  const taken = event.key === " " ? at !== document.body : writes;
  const does = KEYS[event.key.toLowerCase()];
  if (taken || !does || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  does();
}

Object.entries({
  again: another, next: another, keep, save, copy: copyLink, part, play, reset: asTheyWere,
}).forEach(([id, does]) => ($(id).onclick = () => does()));
$("way").oninput = () => {
  const way = Number($("way").value);
  if (playing) play();
  walkTo(way);
};
addEventListener("keydown", pressed);
addEventListener("popstate", shownByAddress);

// A link shows whom it names; the page loaded anew shows another.
const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
const first = (!reloaded && kind.read(location.hash.slice(1))) || kind.stranger();
shown = first;
makeSliders();
const seconds = Math.round(secondsOf(FILE.operations));
if (seconds > 1) say(`A network of this size takes a processor about ${seconds} seconds a picture.`);
note(first);
show(first).then(recall);
