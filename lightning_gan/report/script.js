"use strict";
// Sliders over pictures, and values of curves. Without this script the newest of both is shown.

const PLAY_MS = 200;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

function setUpFamily(family) {
  const frames = [...family.querySelectorAll(".frames img")];
  const slider = family.querySelector("input");
  const button = family.querySelector("button");
  const step = family.querySelector("output");
  if (!slider) return;
  let timer = null;

  function show() {
    frames.forEach((frame, index) => (frame.hidden = index !== Number(slider.value)));
    step.textContent = frames[slider.value].dataset.step;
    slider.setAttribute("aria-valuetext", `step ${step.textContent}`);
    family.dataset.shown = slider.value;
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function advance() {
    slider.value = Number(slider.value) + 1;
    show();
    if (slider.value === slider.max) stop();
  }

  function play() {
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Pause";
    timer = setInterval(advance, PLAY_MS);
  }

  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => (timer === null ? play() : stop()));
  show();
}

const numbers = (text) => text.split(",").map((word) => (word === "" ? NaN : Number(word)));

// The place of the step nearest to the given one, in ascending steps.
function nearest(steps, step) {
  let low = 0;
  let high = steps.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] < step) low = middle; else high = middle;
  }
  return Math.abs(steps[low] - step) <= Math.abs(steps[high] - step) ? low : high;
}

function setUpChart(chart) {
  const svg = chart.querySelector("svg");
  const lines = [...chart.querySelectorAll(".line")];
  if (!lines.length) return;
  const { first, last, left, right, width } = Object.fromEntries(
    Object.entries(chart.dataset).map(([key, value]) => [key, Number(value)]));
  const cursor = chart.querySelector(".cursor");
  const at = chart.querySelector(".at");
  const outputs = [...chart.querySelectorAll("output")];
  const lastValues = outputs.map((output) => output.textContent);
  let points = null;  // parsed when a chart is first looked at
  let here = null;

  function read(step) {
    points ??= lines.map((line) => (
      { steps: numbers(line.dataset.steps), values: numbers(line.dataset.values) }));
    const near = points.map(({ steps }) => steps[nearest(steps, step)]);
    here = near.reduce((best, one) => (Math.abs(one - step) < Math.abs(best - step) ? one : best));
    points.forEach(({ steps, values }, index) => {
      const value = values[nearest(steps, here)];
      outputs[index].textContent = Number.isNaN(value) ? "not finite" : Number(value.toPrecision(4));
    });
    const x = left + (here - first) / (last - first) * (right - left);
    cursor.setAttribute("transform", `translate(${x})`);
    at.textContent = `step ${here.toLocaleString("en")}`;
    chart.dataset.read = here;
  }

  function leave() {
    here = null;
    outputs.forEach((output, index) => (output.textContent = lastValues[index]));
    at.textContent = "last";
    delete chart.dataset.read;
  }

  function move(event) {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * width;
    read(first + clamp((x - left) / (right - left), 0, 1) * (last - first));
  }

  // Arrow keys go to the neighboring point of the first curve.
  function press(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    if (here === null) return read(last);
    const { steps } = points[0];
    read(steps[clamp(nearest(steps, here) + way, 0, steps.length - 1)]);
  }

  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerdown", move);
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("keydown", press);
  svg.addEventListener("blur", leave);
}

document.querySelectorAll(".family").forEach(setUpFamily);
document.querySelectorAll(".chart").forEach(setUpChart);
document.documentElement.dataset.ready = "true";  // shows what works with this script only
