// @ts-check
// The feed: who did what, newest first, with filters, older pages, and a word when newer events have come.

import { csvButton } from "./table.js";
import * as text from "./text.js";

const { TEXT, byId, el } = text;
/** @typedef {import("./api.js").Answer} Answer */
/** @typedef {{ range: string, timezone: string, type: string, user_id: string }} Question */

const PAGE = 20;
const BY_ITSELF = 5; // pages that are loaded without a click

export class Feed {
  /**
   * @param {(parameters: Record<string, string>) => Promise<Answer>} ask
   * @param {(change: Record<string, string>) => void} choose @param {(pages: Record<string, string>[]) => void} save
   */
  constructor(ask, choose, save) {
    this.ask = ask;
    /** @type {Map<string, string>} */
    this.people = new Map();
    this.me = "";
    /** @type {any[]} */
    this.events = [];
    /** @type {Record<string, string>[]} */
    this.pages = [];
    /** @type {Answer | null} */
    this.newer = null;
    /** @type {string[]} */
    this.types = [];
    this.type = el("select", { id: "type", change: () => choose({ type: this.type.value }) });
    this.person = el("select", { id: "person", change: () => choose({ user_id: this.person.value }) });
    this.list = el("ol", { class: "feed" });
    this.note = el("button", { type: "button", class: "newer", hidden: true, click: () => this.#showNewer() });
    this.more = el("button", { type: "button", class: "plain more", hidden: true, click: () => this.#older() }, TEXT.older);
    this.end = el("p", { class: "empty", hidden: true });
    const filters = el("div", { class: "filters" }, el("label", { for: "type" }, TEXT.type), this.type, el("label", { for: "person" }, TEXT.person), this.person);
    byId("activity-title").after(csvButton(TEXT.activity, () => save(this.pages)));
    byId("activity").append(filters, el("div", { role: "status" }, this.note), this.list, this.more, this.end);
    new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting && this.events.length && this.pages.length < 1 + BY_ITSELF) this.#older();
    }, { rootMargin: "200px" }).observe(this.more);
  }

  /** @param {string} me @param {string[]} types */
  know(me, types) {
    this.me = me;
    this.types = types;
  }

  /** @param {Question} question */
  parameters(question) {
    const { range, timezone, type, user_id } = question;
    return { range, timezone, limit: String(PAGE), ...(type && { type }), ...(user_id && { user_id }) };
  }

  /**
   * @param {Answer} answer to the first page @param {Question} question @param {text.Clock} clock
   * @param {boolean} refreshed whether the question is the one that is shown already
   */
  show(answer, question, clock, refreshed) {
    if (refreshed && this.pages.length) {
      const known = new Set(this.events.map(({ id, timestamp }) => `${timestamp} ${id}`));
      const count = answer.data.filter((/** @type {any} */ event) => !known.has(`${event.timestamp} ${event.id}`)).length;
      if (count && this.events.length) {
        this.newer = answer;
        const words = count === PAGE ? `${count}+` : text.formatNumber(count);
        this.note.textContent = TEXT.newer(words);
        this.note.hidden = false;
        return;
      }
      if (!count) return;
    }
    this.question = question;
    this.clock = clock;
    this.#begin(answer);
  }

  /** Take away all events, and who they are of. */
  clear() {
    this.#reset();
    this.people.clear();
    this.more.hidden = true;
    this.end.hidden = true;
  }

  /** The filters, which can be used before there are events. @param {Question} question */
  showFilters({ type, user_id }) {
    const types = [...new Set([...this.types, ...(type ? [type] : [])])];
    options(this.type, [["", TEXT.everyType], ...types.map((one) => [one, text.formatAction(one)])], type);
    const people = [...this.people].filter(([id]) => id !== this.me).sort(([, a], [, b]) => a.localeCompare(b));
    if (user_id && user_id !== this.me && !this.people.has(user_id)) people.push([user_id, `${user_id.slice(0, 8)}…`]);
    options(this.person, [["", TEXT.everyone], ...(this.me ? [[this.me, TEXT.me]] : []), ...people], user_id);
  }

  /** @param {Answer} answer */
  #begin(answer) {
    if (!this.question) return;
    this.#reset();
    this.#add(answer, this.parameters(this.question));
  }

  #reset() {
    this.newer = null;
    this.note.hidden = true;
    this.events = [];
    this.pages = [];
    this.list.replaceChildren();
  }

  #showNewer() {
    if (!this.newer) return;
    this.#begin(this.newer);
    byId("activity").scrollIntoView({ block: "start" });
  }

  async #older() {
    if (!this.question || !this.next || this.more.disabled) return;
    const parameters = { ...this.parameters(this.question), cursor: this.next };
    const { list, pages } = this;
    this.more.disabled = true;
    this.more.textContent = TEXT.loadingOlder;
    try {
      const answer = await this.ask(parameters);
      if (list === this.list && pages === this.pages) this.#add(answer, parameters);
    } catch {
      // The page has said what went wrong; the button is there to try again.
    }
    this.more.disabled = false;
    this.more.textContent = TEXT.older;
  }

  /** @param {Answer} answer @param {Record<string, string>} parameters */
  #add(answer, parameters) {
    this.events.push(...answer.data);
    this.pages.push(parameters);
    for (const { user } of answer.data) if (user && !this.people.has(user.id)) this.people.set(user.id, user.name || user.id.slice(0, 8));
    this.list.append(...answer.data.map((/** @type {any} */ event, /** @type {number} */ place) => this.#row(event, () => metadataOf(answer.text, place))));
    this.next = answer.pagination?.next;
    this.more.hidden = !this.next;
    this.end.hidden = Boolean(this.next);
    this.end.textContent = this.events.length ? TEXT.oldest : TEXT.noEvents;
    if (this.question) this.showFilters(this.question);
  }

  /** @param {any} event @param {() => string} metadata read when the row is opened */
  #row(event, metadata) {
    const { id, timestamp, action, kind, resource, user, ip } = event;
    const details = el(
      "details",
      { toggle: () => details.open && details.children.length < 2 && details.append(facts()) },
      el(
        "summary",
        {},
        el("time", { datetime: timestamp }, this.clock?.full(timestamp)),
        el("strong", {}, text.formatAction(action)),
        el("bdi", { class: "about" }, resource.name ?? resource.id ?? resource.type),
        user ? el("bdi", { class: "who" }, user.name || user.id.slice(0, 8)) : el("span", { class: "who small" }, TEXT.system),
      ),
    );
    const facts = () => {
      const rows = [
        [TEXT.event.time, timestamp],
        [TEXT.event.kind, kind],
        [TEXT.event.resource, [resource.type, resource.id, resource.name].filter((part) => part !== null).join(" · ")],
        [TEXT.event.user, user ? `${user.name} (${user.id})` : TEXT.system],
        [TEXT.event.ip, ip ?? TEXT.none],
        [TEXT.event.id, id],
      ];
      const list = rows.map(([name = "", value = ""]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("bdi", {}, value))));
      const shown = metadata();
      list.push(el("div", {}, el("dt", {}, TEXT.event.metadata), el("dd", {}, shown ? el("pre", { dir: "auto" }, shown) : TEXT.none)));
      return el("dl", { class: "facts-of" }, ...list);
    };
    return el("li", {}, details);
  }
}

/** @param {HTMLSelectElement} select @param {string[][]} rows @param {string} chosen */
function options(select, rows, chosen) {
  select.replaceChildren(...rows.map(([value = "", title = ""]) => el("option", { value, selected: value === chosen }, title)));
}

/**
 * The metadata of one event of an answer, indented, with the numbers and the order of keys as they were written:
 * parsed and written again, `1.0` would become `1`.
 * @param {string} answer @param {number} place of the event
 */
export function metadataOf(answer, place) {
  const tokens = answer.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s"{}[\],:]+/g) ?? [];
  let [depth, event, start] = [0, -1, -1];
  for (let i = 0; i < tokens.length && start < 0; i++) {
    if (tokens[i] === "{" || tokens[i] === "[") depth++;
    if (tokens[i] === "}" || tokens[i] === "]") depth--;
    if (depth === 3 && tokens[i] === "{") event++; // {"data": [{…}, …
    if (depth === 3 && event === place && tokens[i] === '"metadata"' && tokens[i + 1] === ":") start = i + 2;
  }
  return tokens[start] === "{" ? indented(tokens, start) : "";
}

/** @param {string[]} tokens @param {number} start of an object */
function indented(tokens, start) {
  let [text, level] = ["", 0];
  const line = () => `\n${"  ".repeat(level)}`;
  for (let i = start; ; i++) {
    const token = tokens[i] ?? "}";
    if ((token === "{" || token === "[") && "}]".includes(tokens[i + 1] ?? "}")) text += token + tokens[++i];
    else if (token === "{" || token === "[") {
      level++;
      text += token + line();
    } else if (token === "}" || token === "]") {
      level--;
      text += line() + token;
    } else text += token === "," ? token + line() : token === ":" ? ": " : token;
    if (!level) return text;
  }
}
