// @ts-check
// Bar charts of 7 to 90 values as SVG, which can be read by eye, by keyboard and by a screen reader.

import { el, formatDecimal, formatNumber, svg, TEXT } from "./text.js";

/** @typedef {import("./text.js").Whole} Whole */
/**
 * @typedef {object} Bar
 * @property {Whole} value
 * @property {string} label below the axis; empty for most bars of a long row
 * @property {string} reading what is said of it when the cursor is there
 * @property {boolean} [running] it is not over yet
 */
/** @typedef {{ bars: Bar[], sentence: string, average?: number, peak?: number }} Drawing peak: the place of a bar */

const HEIGHT = 220;
const TOP = 24;
const BOTTOM = 24;
const GAP = 8;
const CHARACTER = 6.9; // pixels of a digit, about

export class Chart {
  constructor() {
    this.reading = el("p", { class: "reading", "aria-live": "polite" });
    this.svg = svg("svg", {
      class: "chart",
      role: "img",
      tabindex: 0,
      height: HEIGHT,
      keydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      pointermove: (/** @type {PointerEvent} */ event) => this.#point(event),
      pointerdown: (/** @type {PointerEvent} */ event) => this.#point(event),
      pointerleave: () => this.#move(-1),
      blur: () => this.#move(-1),
    });
    this.element = el("div", { class: "chart-box" }, this.reading, this.svg);
    /** @type {Drawing} */
    this.drawing = { bars: [], sentence: "" };
    this.cursor = -1;
    this.width = 0;
    this.left = 0; // of the bars; beside them are the numbers of the lines
    this.slot = 1; // the width of a bar with its gap
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry?.contentRect.width ?? 0);
      if (width && width !== this.width) {
        this.width = width;
        this.#draw();
      }
    }).observe(this.element);
  }

  /** @param {Drawing} drawing */
  show(drawing) {
    this.drawing = drawing;
    this.cursor = -1;
    this.svg.setAttribute("aria-label", `${drawing.sentence}. ${TEXT.keys}`);
    this.reading.textContent = drawing.sentence;
    this.#draw();
  }

  #draw() {
    const { width, drawing } = this;
    const { bars, average, peak } = drawing;
    if (!width || !bars.length) return;
    const most = Math.max(...bars.map((bar) => Number(bar.value)));
    const { step, top } = scale(most);
    const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, place) => place * step);
    this.left = Math.max(...ticks.map((value) => formatNumber(value).length)) * CHARACTER + GAP;
    const slot = (width - this.left) / bars.length;
    this.slot = slot;
    const gap = Math.min(Math.max(slot * 0.22, slot < 6 ? 0.6 : 1), 14);
    const bar = Math.min(slot - gap, 56);
    const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
    const { left } = this;
    const middle = (/** @type {number} */ place) => left + slot * (place + 0.5);
    this.mark = svg("rect", { class: "cursor", y: TOP - 8, width: slot, height: HEIGHT - TOP - BOTTOM + 8, visibility: "hidden" });
    const lines = ticks.flatMap((value) => [
      svg("line", { class: value ? "grid" : "axis", x1: left, x2: width, y1: crisp(y(value)), y2: crisp(y(value)) }),
      svg("text", { x: left - GAP, y: y(value) + 4, "text-anchor": "end" }, formatNumber(value)),
    ]);
    const shapes = bars.map(({ value, running }, place) => {
      const height = Number(value) && Math.max((HEIGHT - BOTTOM) - y(Number(value)), 1.5);
      return svg("rect", {
        class: `bar${running ? " running" : ""}${place === peak ? " peak" : ""}`,
        x: middle(place) - bar / 2,
        y: HEIGHT - BOTTOM - height,
        width: bar,
        height,
        rx: Math.min(2, bar / 4),
      });
    });
    let free = width + GAP;
    const below = bars.map(({ label }, place) => ({ label, place })).reverse().map(({ label, place }) => {
      const half = (label.length * CHARACTER) / 2;
      if (!label || Math.min(middle(place) + half, width) > free - GAP) return null; // it would touch the next one
      free = Math.min(middle(place) - half, width - 2 * half);
      return svg("text", { ...held(middle(place), label, left, width), y: HEIGHT - 7 }, label);
    });
    const marks = [];
    if (average) {
      const text = `${TEXT.average} ${formatDecimal(average)}`;
      const line = crisp(y(average));
      marks.push(svg("line", { class: "average", x1: left, x2: width, y1: line, y2: line }));
      marks.push(svg("text", { class: "mark", x: width, y: line - 5, "text-anchor": "end" }, text));
    }
    const highest = peak === undefined ? undefined : bars[peak];
    if (highest && peak !== undefined) {
      const text = `${TEXT.peak} ${formatNumber(highest.value)}`;
      marks.push(svg("text", { class: "mark strong", ...held(middle(peak), text, left, width), y: y(Number(highest.value)) - 6 }, text));
    }
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.svg.replaceChildren(this.mark, ...lines, ...shapes, ...below.filter((label) => label instanceof Element), ...marks);
    this.#move(this.cursor);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.drawing.bars.length - 1;
    /** @type {Record<string, number>} */
    const places = {
      ArrowLeft: this.cursor < 0 ? last : Math.max(this.cursor - 1, 0),
      ArrowRight: Math.min(this.cursor + 1, last),
      Home: 0,
      End: last,
      Escape: -1,
    };
    const place = places[event.key];
    if (place === undefined) return;
    event.preventDefault();
    this.#move(place);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.svg.getBoundingClientRect();
    const place = Math.floor((event.clientX - box.left - this.left) / this.slot);
    this.#move(Math.min(Math.max(place, 0), this.drawing.bars.length - 1));
  }

  /** @param {number} place of a bar; -1 for none */
  #move(place) {
    this.cursor = place;
    const text = this.drawing.bars[place]?.reading ?? this.drawing.sentence;
    if (this.reading.textContent !== text) this.reading.textContent = text;
    this.mark?.setAttribute("visibility", place < 0 ? "hidden" : "visible");
    if (place >= 0) this.mark?.setAttribute("x", String(this.left + this.slot * place));
  }
}

/** @param {number} position */
const crisp = (position) => Math.round(position) + 0.5;

/**
 * Where a text is that must not leave the chart.
 * @param {number} x @param {string} text @param {number} left @param {number} width
 */
function held(x, text, left, width) {
  const half = (text.length * CHARACTER) / 2;
  if (x - half < left) return { x: left, "text-anchor": "start" };
  return x + half > width ? { x: width, "text-anchor": "end" } : { x, "text-anchor": "middle" };
}

/**
 * Three to five lines at round values, the highest of which is not below the most.
 * @param {number} most
 */
function scale(most) {
  const least = Math.max(most, 1) / 4;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = Math.max(1, [1, 2, 5, 10].map((n) => n * power).find((n) => n >= least) ?? 1);
  return { step, top: Math.max(Math.ceil(most / step), 1) * step };
}
