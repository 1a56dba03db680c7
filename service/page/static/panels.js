// @ts-check
// The panels made of the summary: who and when, totals with their changes, the caller's credits, and the two charts.

import { Chart } from "./chart.js";
import { csvButton, NumberTable, shareBar } from "./table.js";
import * as text from "./text.js";

const { TEXT, byId, el, formatNumber } = text;
/** @typedef {import("./text.js").Whole} Whole */
/** @typedef {import("./api.js").Meta} Meta */

const OLD_SECONDS = 3600;
const HIGH = 0.8; // of the quota
export const MEASURES = /** @type {const} */ (["credits", "characters", "lines", "runs"]);
const MEASURE_TITLES = MEASURES.map((measure) => TEXT[measure]);

/** The first lines of the page: the workspace, the days, and how old the data are by the clock of the service. */
export class Head {
  constructor() {
    /** @type {{ meta: Meta, received: number } | null} */
    this.last = null;
    /** @type {text.Clock | null} */
    this.clock = null;
    setInterval(() => this.#age(), 15_000);
  }

  /** @param {string | null} workspace */
  who(workspace) {
    const place = byId("workspace");
    if (!workspace) return place.replaceChildren();
    const id = el("code", { title: workspace }, `${workspace.slice(0, 8)}…`);
    const copy = async () => {
      try {
        await navigator.clipboard.writeText(workspace);
        button.textContent = TEXT.copied;
      } catch {
        id.textContent = workspace; // to be copied by hand
        button.remove();
      }
    };
    const button = el("button", { type: "button", class: "plain copy", "aria-label": TEXT.copy, click: copy }, "⧉");
    place.replaceChildren(`${TEXT.workspace} `, id, button);
  }

  /** Take away what is said of a workspace and its data. */
  clear() {
    this.last = null;
    for (const id of ["workspace", "span", "fresh"]) byId(id).replaceChildren();
    byId("old").hidden = true;
  }

  /** @param {Meta} meta @param {text.Clock} clock */
  when(meta, clock) {
    this.last = { meta, received: performance.now() };
    this.clock = clock;
    this.#age();
  }

  #age() {
    if (!this.last || !this.clock) return;
    const { meta, received } = this.last;
    const place = byId("fresh");
    const warning = byId("old");
    if (!meta.data_as_of) {
      place.textContent = TEXT.asOfNever;
      warning.hidden = true;
      return;
    }
    const seconds = Math.max((Date.parse(meta.timestamp) - Date.parse(meta.data_as_of) + performance.now() - received) / 1000, 0);
    const time = el("time", { datetime: meta.data_as_of }, this.clock.near(meta.data_as_of, meta.timestamp));
    place.replaceChildren(`${TEXT.asOf} `, time, ` (${text.formatAge(seconds)} ago)`);
    const old = seconds > OLD_SECONDS ? TEXT.old(text.formatAge(seconds)) : "";
    if (warning.textContent !== old) warning.textContent = old;
    warning.hidden = !old;
  }
}

/** @param {any} summary @param {string} zone by its present name */
export function showSpan(summary, zone) {
  byId("span").replaceChildren(text.formatSpan(summary.daily[0].date, summary.daily.at(-1).date), el("span", { class: "small" }, ` ${zone}`));
}

/** @param {any} summary */
export function showTiles(summary) {
  const { runs, comparison, daily } = summary;
  const [now, before] = [comparison?.current, comparison?.previous];
  /** @param {string} key */
  const change = (key) => {
    if (!now || !before) return "";
    const [current, previous] = [now[key], before[key]];
    if (current === previous) return TEXT.same;
    const from = formatNumber(previous);
    if (!previous) return TEXT.fresh(from);
    return TEXT.from(text.formatChange(current, previous), key === "audio_ms" ? text.formatHours(previous).text : from);
  };
  const { completed, failed, cancelled } = runs;
  const states = { completed, failed, cancelled, open: text.sum([runs.running, runs.pending, runs.paused]) };
  const stated = Object.entries(states).map(
    ([state, count]) => `${formatNumber(count)}\u00a0${/** @type {Record<string, string>} */ (TEXT.runStates)[state]}`,
  );
  const average = summary.lines.avg_chars_per_line;
  const hours = text.formatHours(summary.audio.total_ms);
  const tiles = [
    tile("credits", formatNumber(text.sum(daily.map((/** @type {any} */ day) => day.credits))), change("credits")),
    tile("characters", formatNumber(summary.characters.total), change("characters")),
    tile("lines", formatNumber(summary.lines.total), change("lines"), average === null ? "" : TEXT.charactersALine(text.formatDecimal(average))),
    tile("runs", formatNumber(runs.total), change("runs"), stated.join(", ")),
    tile("audio", hours.text, change("audio_ms"), "", hours.spoken),
    tile("corrected", formatNumber(summary.corrected.total), change("corrected")),
  ];
  byId("tiles").replaceChildren(...tiles);
  byId("compared").textContent = comparison ? comparedText(comparison, daily) : "";
}

/** @param {any} comparison @param {any[]} daily */
function comparedText(comparison, daily) {
  if (!comparison.previous) return TEXT.notCompared;
  const today = daily.at(-1).date;
  const span = text.formatSpan(text.addDays(today, 1 - 2 * daily.length), text.addDays(today, -daily.length));
  return TEXT.compared(span);
}

/**
 * @param {"credits" | "characters" | "lines" | "runs" | "audio" | "corrected"} key
 * @param {string} value @param {string} change @param {string} [more] @param {string} [spoken]
 */
function tile(key, value, change, more = "", spoken = "") {
  const [whole = "", rest = ""] = value.split(/(?=\.)/);
  const shown = spoken ? [el("bdi", { "aria-hidden": "true" }, whole, rest && el("span", {}, rest)), el("span", { class: "unseen" }, spoken)] : [value];
  return el(
    "div",
    { class: "tile", id: `tile-${key}` },
    el("dt", {}, TEXT[key]),
    el("dd", { class: `value${(spoken ? whole : value).length > 11 ? " long" : ""}` }, ...shown),
    change && el("dd", { class: "change" }, change),
    more && el("dd", { class: "small" }, more),
  );
}

/** @param {any} credits */
export function showCredits(credits) {
  const { used, quota, percent, pace } = credits;
  /** @type {Node[]} */
  const parts = [
    el(
      "p",
      { class: "amount" },
      el("strong", {}, formatNumber(used)),
      ` ${TEXT.used} `,
      el("span", { class: "small" }, quota === null ? TEXT.noQuota : TEXT.ofQuota(formatNumber(quota))),
    ),
  ];
  if (quota) {
    const over = BigInt(used) - BigInt(quota);
    const rest = over > 0 ? TEXT.over(formatNumber(over)) : TEXT.left(formatNumber(-over));
    const words = `${TEXT.percent(text.formatPercent(percent / 100))}, ${rest}`;
    const value = Math.min(Number(used) / Number(quota), 1);
    parts.push(el("meter", { class: "unseen", min: 0, max: 1, value, "aria-label": words }), el("div", { class: value < HIGH ? "" : "high" }, shareBar(value)));
    parts.push(el("p", { class: over > 0 ? "warn" : "" }, words));
  } else if (quota === 0 && used) parts.push(el("p", { class: "warn" }, TEXT.over(formatNumber(used))));
  if (pace) parts.push(paceLine(pace));
  else if (pace === null) parts.push(el("p", { class: "small" }, TEXT.neverResets));
  parts.push(el("p", { class: "small" }, TEXT.mine));
  byId("credits").replaceChildren(...parts);
}

/** @param {any} pace */
function paceLine({ period, projected, exhausted_at: exhausted }) {
  const items = [[TEXT.resets, text.formatUtc(period.end)]];
  if (projected !== null) items.push([TEXT.pace, TEXT.paceEnds(formatNumber(projected))]);
  if (exhausted !== null) items.push([TEXT.pace, `${TEXT.exhausted} ${text.formatUtc(exhausted)}`]);
  return el("dl", { class: "pace" }, ...items.map(([name = "", value = ""]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** A chart of a panel with the table below it. */
class ChartPanel {
  /** @param {string} id @param {string} name of the first column @param {() => void} save */
  constructor(id, name, save) {
    this.chart = new Chart();
    this.table = new NumberTable([name, ...MEASURE_TITLES]);
    this.panel = byId(id);
    this.title = byId(`${id}-title`);
    this.panel.append(this.chart.element, this.table.element);
    this.csv = csvButton(this.title.textContent || name, save);
    this.title.after(this.csv);
  }
}

/** @param {any} row */
const values = (row) => MEASURES.map((measure) => row[measure]);

/** @param {any[]} rows with a name and a value @returns {number | undefined} */
const highest = (rows) => (rows.some(({ value }) => value) ? rows.reduce((best, { value }, place) => (value > rows[best].value ? place : best), 0) : undefined);

export class DayChart extends ChartPanel {
  /** @param {(measure: string) => void} choose @param {() => void} save */
  constructor(choose, save) {
    super("days", TEXT.date, save);
    this.choices = text.choices("measure", TEXT.measure, Object.fromEntries(MEASURES.map((measure) => [measure, TEXT[measure]])), choose);
    this.title.after(this.choices.element);
  }

  /** @param {any} summary @param {string} wanted */
  show({ daily }, wanted) {
    const measure = MEASURES.find((one) => one === wanted) ?? "credits";
    this.choices.show(measure);
    const last = daily.length - 1;
    const every = daily.length / 30 * 7;
    const rows = daily.map((/** @type {any} */ day, /** @type {number} */ place) => ({
      name: text.formatDay(day.date) + (place === last ? ` (${TEXT.soFar})` : ""),
      value: day[measure],
      values: values(day),
      label: place === last ? TEXT.today : (last - place) % every ? "" : text.formatShortDate(day.date),
    }));
    const span = text.formatSpan(daily[0].date, daily[last].date);
    const peak = highest(rows);
    const total = formatNumber(text.sum(rows.map((/** @type {any} */ row) => row.value)));
    const most = peak === undefined ? `. ${TEXT.noneUsed}` : TEXT.most(formatNumber(rows[peak].value), rows[peak].name);
    this.chart.show({
      sentence: TEXT.sentence(TEXT[measure], span, total) + most,
      bars: rows.map((/** @type {any} */ row, /** @type {number} */ place) => ({
        value: row.value,
        label: row.label,
        reading: `${row.name}: ${formatNumber(row.value)} ${TEXT[measure].toLowerCase()}`,
        running: place === last,
      })),
    });
    this.table.show(`${TEXT.days}, ${span}`, rows);
  }
}

export class BucketChart extends ChartPanel {
  /** @param {() => void} save */
  constructor(save) {
    super("buckets", TEXT.period, save);
  }

  /** @param {any} summary */
  show({ activity, daily }) {
    const today = daily.at(-1).date;
    const { buckets, peak } = activity;
    const last = buckets.length - 1;
    /** @type {"day" | "week" | "month"} */
    const unit = activity.bucket_unit;
    const rows = buckets.map((/** @type {any} */ bucket, /** @type {number} */ place) => ({
      name: `${bucketName(bucket.label, unit, today, place - last)}${place === last ? ` (${TEXT.soFar})` : ""}`,
      value: bucket.credits,
      values: values(bucket),
      label: unit === "week" ? bucket.label.replace(/\D+/, "") : bucket.label,
    }));
    this.title.textContent = `${TEXT.credits}, ${activity.range_label.toLowerCase()}`;
    this.csv.setAttribute("aria-label", TEXT.csvOf(this.title.textContent));
    const place = peak ? buckets.findIndex((/** @type {any} */ bucket) => bucket.start === peak.start) : undefined;
    const most = peak ? TEXT.most(formatNumber(peak.value), rows[place ?? 0].name) : `. ${TEXT.noneUsed}`;
    const average = peak ? `, ${TEXT.average} ${text.formatDecimal(activity.avg)}` : "";
    this.chart.show({
      sentence: TEXT.sentence(TEXT.credits, activity.range_label.toLowerCase(), formatNumber(activity.total)) + average + most,
      average: activity.avg,
      peak: place,
      bars: rows.map((/** @type {any} */ row, /** @type {number} */ at) => ({
        value: row.value,
        label: row.label,
        reading: `${row.name}: ${formatNumber(row.value)} ${TEXT.credits.toLowerCase()}`,
        running: at === last,
      })),
    });
    this.table.show(activity.range_label, rows);
  }
}

/**
 * The days of a bucket, counted from the date of today; its label is that of the service.
 * @param {string} label @param {string} unit @param {string} today @param {number} back how many buckets, as 0, -1, …
 */
function bucketName(label, unit, today, back) {
  if (unit === "day") return text.formatDay(text.addDays(today, back));
  if (unit === "month") return text.formatMonth(text.addMonths(`${today.slice(0, 7)}-01`, back));
  const monday = text.addDays(today, 7 * back - text.weekday(today));
  return `${label}, ${text.formatSpan(monday, text.addDays(monday, 6))}`;
}
