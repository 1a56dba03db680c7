// @ts-check
// Every text that the page shows, how numbers and dates are written, and how elements are made of them.

export const TEXT = {
  title: "Usage",
  // Who looks
  signIn: "Show your usage",
  signInAbout: "Paste an API key with the scope workspace:read. It stays in this tab until you close it or forget the key.",
  key: "API key",
  show: "Show usage",
  forget: "Forget key",
  revoked: "This API key is not valid any more. Paste another one.",
  waiting: "Waiting for the application around this page to sign in…",
  sessionOver: "The session has ended. Sign in again in the application around this page.",
  notEmbedded: "This page may not be shown inside another one here.",
  // Head
  workspace: "Workspace",
  copy: "Copy the workspace id",
  copied: "Copied",
  asOf: "Data as of",
  asOfNever: "No run has read all logs yet",
  old: (/** @type {string} */ age) => `These figures are ${age} old. Later events are not in them yet.`,
  utc: "UTC",
  inUtc: "Times are in UTC, because this browser does not know the zone.",
  // Controls
  range: "Range",
  ranges: { "30d": "30 days", "60d": "60 days", "90d": "90 days" },
  view: "Trend",
  views: { daily: "7 days", weekly: "12 weeks", monthly: "12 months" },
  zone: "Time zone",
  zoneHint: "Search by city or offset, such as Lisbon or +5:45",
  zoneBrowser: "This browser",
  zoneNone: "No zone has that name",
  zoneMore: (/** @type {number} */ n) => `${formatNumber(n)} more: type to narrow them down`,
  loading: "Loading…",
  // Numbers
  totals: "In this range",
  credits: "Credits",
  characters: "Characters",
  lines: "Lines",
  runs: "Runs",
  audio: "Audio, hours",
  corrected: "Corrected",
  charactersALine: (/** @type {string} */ n) => `${n} characters per line`,
  runStates: { completed: "completed", failed: "failed", cancelled: "cancelled", open: "open" },
  from: (/** @type {string} */ change, /** @type {string} */ before) => `${change} from ${before}`,
  fresh: (/** @type {string} */ before) => `new, from ${before}`,
  same: "no change",
  compared: (/** @type {string} */ days) => `Changes compare with ${days}, up to the same time of the last day.`,
  notCompared: "Nothing to compare with: earlier days are not kept.",
  hours: (/** @type {string} */ h, /** @type {number} */ m, /** @type {string} */ s) => `${h} hours, ${m} minutes, ${s} seconds`,
  // My credits
  myCredits: "My credits",
  used: "used",
  ofQuota: (/** @type {string} */ quota) => `of ${quota}`,
  noQuota: "no quota",
  percent: (/** @type {string} */ percent) => `${percent} of the quota`,
  over: (/** @type {string} */ n) => `${n} over the quota`,
  left: (/** @type {string} */ n) => `${n} left`,
  resets: "Resets on",
  pace: "At this pace",
  paceEnds: (/** @type {string} */ n) => `${n} by then`,
  exhausted: "used up on",
  neverResets: "These credits are not renewed.",
  mine: "Your own, in all your workspaces. Range and zone do not change them.",
  // Charts and tables
  days: "Day by day",
  measure: "Show",
  soFar: "so far",
  today: "today",
  average: "average",
  peak: "peak",
  table: "Show as a table",
  csv: "CSV",
  csvOf: (/** @type {string} */ what) => `Download as CSV: ${what}`,
  date: "Date",
  period: "Period",
  sentence: (/** @type {string} */ what, /** @type {string} */ span, /** @type {string} */ total) => `${what}, ${span}: ${total} in all`,
  most: (/** @type {string} */ value, /** @type {string} */ name) => `, most ${name} with ${value}`,
  noneUsed: "Nothing in this time",
  keys: "Left and right arrow keys read single values.",
  // Languages
  languages: "Languages",
  language: "Language",
  share: "Share",
  untagged: "Untagged",
  total: "Total",
  noLanguages: "No languages in this range.",
  allLanguages: (/** @type {number} */ n) => `Show all ${formatNumber(n)} languages`,
  // Activity
  activity: "Activity",
  type: "Type",
  everyType: "All types",
  person: "Person",
  everyone: "Everyone",
  me: "Me",
  system: "System",
  noEvents: "No events match.",
  older: "Older events",
  loadingOlder: "Loading…",
  oldest: "These are all events of this range.",
  newer: (/** @type {string} */ n) => (n === "1" ? "1 new event" : `${n} new events`),
  event: { id: "Event", kind: "Kind", resource: "About", time: "Time", user: "Person", ip: "IP address", metadata: "Metadata" },
  none: "none",
  actions: {
    workflow_run: "Workflow run",
    voice_generated: "Voice generated",
    template_applied: "Template applied",
    member_invited: "Member invited",
    api_key_created: "API key created",
    settings_changed: "Settings changed",
  },
  // What goes wrong
  offline: "No connection to the service.",
  keptFigures: "The figures below are the last ones received.",
  nothingYet: "No figures yet. They appear here after the first run.",
  unavailable: "The figures cannot be read right now.",
  spent: "The limit of this API key is spent for this minute.",
  retryIn: (/** @type {number} */ seconds) => `Trying again in ${seconds} s.`,
  reference: (/** @type {string} */ id) => `Reference: ${id}`,
};

const NUMBER = new Intl.NumberFormat();
const DECIMAL = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 4 });
const CHANGE = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1, signDisplay: "always" });
// The texts are English, and so are dates: with the name of the month, nobody mistakes it for the day.
const DATE = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
const SHORT_DATE = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
const DAY = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short", year: "numeric" });
const MONTH = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "long", year: "numeric" });
const MS_PER_DAY = 86_400_000;

/** @typedef {number | bigint} Whole a whole number; a bigint beyond 2⁵³ */

/** @param {Whole} value */
export const formatNumber = (value) => NUMBER.format(value);
/** @param {number} value */
export const formatDecimal = (value) => DECIMAL.format(value);
/** @param {number} ratio */
export const formatPercent = (ratio) => PERCENT.format(ratio);
/** @param {Whole} now @param {Whole} before not 0 */
export const formatChange = (now, before) => CHANGE.format(Number(BigInt(now) - BigInt(before)) / Number(before));

/**
 * The exact sum.
 * @param {Whole[]} values
 */
export const sum = (values) => values.reduce((/** @type {bigint} */ total, value) => total + BigInt(value), 0n);

/** @param {string} date as in 2026-11-24 */
const civil = (date) => new Date(`${date}T00:00:00Z`);
/** @param {string} date */
export const formatDate = (date) => DATE.format(civil(date));
/** @param {string} date */
export const formatShortDate = (date) => SHORT_DATE.format(civil(date));
/** @param {string} date */
export const formatDay = (date) => DAY.format(civil(date));
/** @param {string} date */
export const formatMonth = (date) => MONTH.format(civil(date));
/**
 * Days and their numbers are those of the service; this is plain arithmetic on dates.
 * @param {string} date @param {number} days
 */
export const addDays = (date, days) => new Date(civil(date).getTime() + days * MS_PER_DAY).toISOString().slice(0, 10);
/** @param {string} date the first of a month @param {number} months */
export function addMonths(date, months) {
  const moved = civil(date);
  moved.setUTCMonth(moved.getUTCMonth() + months);
  return moved.toISOString().slice(0, 10);
}
/** @param {string} date @returns {number} 0 for Monday */
export const weekday = (date) => (civil(date).getUTCDay() + 6) % 7;
/** @param {string} first @param {string} last */
export function formatSpan(first, last) {
  if (first === last) return formatDate(last);
  return `${first.slice(0, 4) === last.slice(0, 4) ? formatShortDate(first) : formatDate(first)} – ${formatDate(last)}`;
}
/** @param {string} instant in UTC */
export const formatUtc = (instant) => `${formatDate(instant.slice(0, 10))}, ${instant.slice(11, 16)} UTC`;

/**
 * The exact length: hours:minutes:seconds, and milliseconds if there are any.
 * @param {Whole} milliseconds
 */
export function formatHours(milliseconds) {
  const whole = BigInt(milliseconds);
  const pad = (/** @type {bigint} */ n, digits = 2) => String(n).padStart(digits, "0");
  const hours = formatNumber(whole / 3_600_000n);
  const minutes = (whole / 60_000n) % 60n;
  const rest = whole % 1000n ? `.${pad(whole % 1000n, 3)}` : "";
  const seconds = (whole / 1000n) % 60n;
  return { text: `${hours}:${pad(minutes)}:${pad(seconds)}${rest}`, spoken: TEXT.hours(hours, Number(minutes), `${seconds}${rest}`) };
}

/** @param {number} seconds */
export function formatAge(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${formatNumber(Math.floor(hours / 24))} days`;
}

/** How instants are shown: by the clock of a zone, or of UTC where the browser does not know the zone. */
export class Clock {
  /** @param {string} zone */
  constructor(zone) {
    this.known = true;
    try {
      this.time = Clock.format(zone);
    } catch {
      this.known = false;
      this.time = Clock.format("UTC");
    }
    this.zone = this.known ? zone : "UTC";
    this.short = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, hour: "2-digit", minute: "2-digit" });
    this.day = new Intl.DateTimeFormat("en-GB", { timeZone: this.zone, day: "numeric", month: "short" });
  }

  /** @param {string} timeZone */
  static format(timeZone) {
    return new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "medium", timeStyle: "medium" });
  }

  /** @param {string} instant */
  full(instant) {
    return this.time.format(new Date(instant)) + (this.known ? "" : ` ${TEXT.utc}`);
  }

  /** @param {string} instant @param {string} now the day is left out if it is the same */
  near(instant, now) {
    const [moment, today] = [new Date(instant), new Date(now)];
    const day = this.day.format(moment) === this.day.format(today) ? "" : `${this.day.format(moment)}, `;
    return day + this.short.format(moment) + (this.known ? "" : ` ${TEXT.utc}`);
  }
}

/** @param {string} action */
export const formatAction = (action) =>
  /** @type {Record<string, string>} */ (TEXT.actions)[action] ?? (action[0] ?? "").toUpperCase() + action.slice(1).replaceAll("_", " ");

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Make an element. Texts become text nodes, never markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes] functions listen to the event of that name; null and false leave out
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * Make an element of SVG.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * @template {Element} E
 * @param {E} element @param {Record<string, any>} attributes @param {Child[]} children
 * @returns {E}
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/**
 * The element with an id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(id);
  return found;
}

/**
 * A row of radio buttons that looks like one control.
 * @param {string} name @param {string} legend @param {Record<string, string>} options by value
 * @param {(value: string) => void} choose
 */
export function choices(name, legend, options, choose) {
  const inputs = Object.entries(options).map(([value, label]) => {
    const input = el("input", { type: "radio", name, value, change: () => choose(value) });
    return { input, label: el("label", {}, input, el("span", {}, label)) };
  });
  const element = el("fieldset", { class: "choices" }, el("legend", {}, legend), el("div", {}, ...inputs.map((one) => one.label)));
  /** @param {string} value */
  const show = (value) => inputs.forEach(({ input }) => (input.checked = input.value === value));
  return { element, show };
}
