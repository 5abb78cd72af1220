"use strict";

const $ = (id) => document.getElementById(id);
const picks = { from: null, to: null }; // what A and B are: {seed, index, label, image, truncation}
let about = null;
let drawn = null; // the query whose samples are shown, and they
let frames = [];
let next = "from";

/** One stream of requests of a panel: one under way, and of the others only the newest. */
class Latest {
  constructor(panel, ask, show) {
    Object.assign(this, { panel, ask, show, busy: false, wanted: null });
  }
  async want(query) {
    this.wanted = query;
    if (this.busy) return;
    this.busy = true;
    this.panel.classList.add("waiting");
    while (this.wanted !== null) {
      const query = this.wanted;
      this.wanted = null;
      try {
        const found = await this.ask(query);
        if (this.wanted === null) this.show(found, query);
        say("");
      } catch (error) {
        say(error.message);
      }
    }
    this.panel.classList.remove("waiting");
    this.busy = false;
  }
}

function say(sentence) {
  $("trouble").textContent = sentence;
  $("trouble").hidden = !sentence;
}

/** The body of an answer, read whole. */
async function ask(path, options) {
  let answer, body;
  try {
    answer = await fetch(path, options);
    body = await answer.blob();
  } catch {
    throw new Error("The page is not served any longer: is lightning-gan explore running?");
  }
  if (answer.ok) return body;
  let sentence = `${answer.status}`;
  try {
    sentence = JSON.parse(await body.text()).error;
  } catch { /* not one of ours */ }
  throw new Error(sentence);
}

const json = async (path, options) => JSON.parse(await (await ask(path, options)).text());
const picture = async (path) => URL.createObjectURL(await ask(path));

function query(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== "" && value !== null);
  return new URLSearchParams(kept).toString();
}

/** The values of a form, or null where one is not valid, which the browser shows. */
function read(panel) {
  const form = panel.querySelector("form");
  return form.checkValidity() ? Object.fromEntries(new FormData(form)) : (form.reportValidity(), null);
}

function put(image, url) {
  if (image.src.startsWith("blob:")) URL.revokeObjectURL(image.src);
  image.src = url;
}

function each(selector, act) {
  document.querySelectorAll(selector).forEach(act);
}

// Samples ------------------------------------------------------------------------------------

function startSamples() {
  const panel = $("samples");
  const latest = new Latest($("grid"), (asked) => json(`api/samples?${query(asked)}`), showSamples);
  const draw = () => {
    const asked = read(panel);
    if (asked) latest.want(asked);
  };
  panel.querySelector("form").addEventListener("input", draw);
  panel.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  $("another").addEventListener("click", () => {
    panel.querySelector("[name=seed]").value = Math.floor(Math.random() * 100000);
    draw();
  });
  draw();
}

function showSamples({ samples }, asked) {
  // Samples of another psi are others: a way goes from one to another of the same.
  const first = drawn === null || drawn.asked.truncation !== asked.truncation;
  drawn = { asked, samples };
  const picked = about.latents;
  $("grid").replaceChildren(...samples.map((sample, index) => {
    const button = document.createElement("button");
    const image = new Image();
    const name = sample.label === null ? `sample ${index}` : `sample ${index}, class ${sample.label}`;
    image.src = sample.image;
    image.alt = name;
    button.type = "button";
    button.disabled = !picked;
    button.append(image, document.createElement("b"));
    if (sample.label !== null) {
      const label = document.createElement("span");
      label.textContent = sample.label;
      label.setAttribute("aria-hidden", "true");
      button.append(label);
    }
    button.addEventListener("click", () => pick(index));
    return button;
  }));
  $("save-samples").href = `api/samples.png?${query(asked)}`;
  $("save-samples").download = `samples-seed${asked.seed}.png`;
  $("command").textContent = command(asked);
  if (picked && first) {
    next = "from";
    const like = samples.findIndex((sample, index) => index > 0 && sample.label === samples[0].label);
    pick(0);
    pick(Math.max(0, like));
  } else {
    mark();
  }
}

function command({ seed, num, label, truncation }) {
  const classes = label === "turns" ? [...Array(about.classes).keys()].join(",") : label;
  const words = [`lightning-gan sample ${about.quoted}`, `--seed=${seed}`, `--num=${num}`];
  if (classes) words.push(`--labels=${classes}`);
  if (truncation) words.push(`--truncation=${truncation}`);
  return [...words, "--out=samples.png"].join(" ");
}

function pick(index) {
  const { seed, truncation } = drawn.asked;
  picks[next] = { seed, index, truncation, ...drawn.samples[index] };
  next = next === "from" ? "to" : "from";
  mark();
  if (picks.from && picks.to) walk();
}

function mark() {
  [...$("grid").children].forEach((button, index) => {
    const names = ["from", "to"].filter((end) => {
      const p = picks[end];
      return p && p.seed === drawn.asked.seed && p.index === index && p.image === drawn.samples[index].image;
    });
    button.setAttribute("aria-pressed", String(names.length > 0));
    button.querySelector("b").textContent = names.map((end) => (end === "from" ? "A" : "B")).join(" ");
  });
}

// The way from A to B ------------------------------------------------------------------------

let ways = null;

function startWay() {
  ways = new Latest($("between"), (asked) => json(`api/way?${query(asked)}`), showWay);
  $("way").querySelector("form").addEventListener("input", walk);
  $("way").querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  $("place").addEventListener("input", showPlace);
}

function walk() {
  const asked = read($("way"));
  if (!asked || !picks.from || !picks.to) return;
  const of = (p) => `${p.seed}:${p.index}`;
  const label = about.classes === null ? "" : asked.label || picks.from.label;
  const truncation = picks.from.truncation;
  ways.want({ from: of(picks.from), to: of(picks.to), num: asked.num, label, truncation });
}

function showWay({ samples }, asked) {
  frames = samples.map((sample) => sample.image);
  for (const end of ["from", "to"]) {
    const p = picks[end];
    $(end).src = p.image;
    $(end).alt = `${end === "from" ? "A" : "B"}: sample ${p.index} of seed ${p.seed}`;
  }
  $("frames").replaceChildren(...frames.map((url) => Object.assign(new Image(), { src: url, alt: "" })));
  $("place").max = frames.length - 1;
  $("place").value = Math.floor((frames.length - 1) / 2);
  $("save-way").href = `api/way.png?${query(asked)}`;
  showPlace();
}

function showPlace() {
  const at = Number($("place").value);
  $("between").src = frames[at];
  $("place").setAttribute("aria-valuetext", `step ${at + 1} of ${frames.length}`);
  [...$("frames").children].forEach((image, index) => image.classList.toggle("at", index === at));
  $("save-between").href = frames[at];
}

// The plane ----------------------------------------------------------------------------------

function startPlane() {
  const panel = $("plane");
  const size = about.side < 128 ? 7 : 5;
  const maps = new Latest($("map"), async (asked) => {
    return picture(`api/map?${query({ ...asked, size })}`);
  }, (url, asked) => {
    put($("map"), url);
    $("save-map").href = `api/map?${query({ ...asked, size: about.bounds.map })}`;
  });
  const points = new Latest($("point"), (asked) => picture(`api/point?${query(asked)}`), (url) => {
    put($("point"), url);
    $("save-point").href = url;
  });
  const move = () => {
    const asked = read(panel);
    if (!asked) return;
    const [x, y] = [Number($("x").value), Number($("y").value)];
    // Places from 0 to 1 are those between the centers of the outermost samples of the map.
    const on = (place) => `${((place * (size - 1) + 0.5) / size) * 100}%`;
    Object.assign($("cross").style, { left: on(x), top: on(y) });
    points.want({ x, y, ...asked });
  };
  const redraw = () => {
    const asked = read(panel);
    if (!asked) return;
    maps.want(asked);
    move();
  };
  const drag = (event) => {
    const box = $("pad").getBoundingClientRect();
    const place = (at, from, length) => {
      const share = ((at - from) / length) * size - 0.5;
      return Math.min(1, Math.max(0, share / (size - 1))).toFixed(2);
    };
    $("x").value = place(event.clientX, box.left, box.width);
    $("y").value = place(event.clientY, box.top, box.height);
    move();
  };
  $("pad").addEventListener("pointerdown", (event) => {
    $("pad").setPointerCapture(event.pointerId);
    drag(event);
  });
  $("pad").addEventListener("pointermove", (event) => {
    if ($("pad").hasPointerCapture(event.pointerId)) drag(event);
  });
  panel.querySelector("form").addEventListener("input", redraw);
  panel.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  $("x").addEventListener("input", move);
  $("y").addEventListener("input", move);
  $("plane-note").textContent = about.plane
    ? "Both latents, all of them. Drag, or use the sliders."
    : "The corners are four latents of the seed. Drag, or use the sliders.";
  each(".of-corners", (node) => { node.hidden = about.plane; });
  redraw();
}

// An image put through -----------------------------------------------------------------------

function startTranslate() {
  const panel = $("translate");
  const side = panel.querySelector("[name=side]");
  [side.min, side.max] = about.bounds.sides;
  side.value = Math.min(about.side, side.max);
  each(".of-noise", (node) => { node.hidden = about.latent_dim === 0; });
  const latest = new Latest($("result"), ({ file, asked }) => {
    return json(`api/translate?${query(asked)}`, { method: "POST", body: file });
  }, ({ input, output }) => {
    $("result").hidden = $("save-output").hidden = false;
    $("input").src = input;
    $("output").src = output;
    $("save-output").href = output;
  });
  const put = () => {
    const asked = read(panel);
    const [file] = $("file").files;
    if (!asked || !file) return;
    if (file.size > about.bounds.bytes) {
      say(`The image has more than ${about.bounds.bytes / 2 ** 20} MiB, which is the most taken here.`);
      return;
    }
    latest.want({ file, asked });
  };
  panel.querySelector("form").addEventListener("change", put);
  panel.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
}

// All of it ----------------------------------------------------------------------------------

async function start() {
  try {
    about = await json("api/about");
  } catch (error) {
    say(error.message);
    return;
  }
  const { shape, classes } = about;
  const facts = [about.network, `samples ${shape.map((n) => n ?? "any").join(" × ")}`];
  if (about.latent_dim) facts.push(`${about.latent_dim} latents`);
  if (classes) facts.push(`${classes} classes`);
  if (about.step !== null) facts.push(`step ${about.step}`);
  if (about.averaged) facts.push("averaged weights");
  $("title").textContent = about.path;
  $("facts").textContent = facts.join(" · ");
  document.title = `${about.path} – lightning-gan explore`;
  document.body.classList.add(about.side < 128 ? "small" : "big");
  each(".of-classes", (node) => { node.hidden = !classes; });
  each(".of-latents", (node) => { node.hidden = !about.latents; });
  each("select[name=label]", (select) => {
    for (let label = 0; label < (classes ?? 0); label++) select.append(new Option(label, label));
  });
  each("[name=seed]", (input) => { input.max = about.bounds.seed; });
  each("#samples [name=num]", (input) => { input.max = about.bounds.num; });
  each("#way [name=num]", (input) => { input.max = about.bounds.frames; });
  each("[name=truncation]", (input) => { input.max = about.bounds.truncation; });
  if (classes) document.querySelector("#samples [name=label]").value = "turns";
  $("translate").hidden = !about.input;
  $("samples").hidden = about.input;
  $("way").hidden = $("plane").hidden = !about.latents;
  if (about.input) {
    startTranslate();
    return;
  }
  startWay();
  startSamples();
  if (about.latents) startPlane();
}

start();
