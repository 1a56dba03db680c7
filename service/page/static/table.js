// @ts-check
// Tables: of plain numbers, and of languages, which can be sorted. On a narrow screen a row becomes a card.

import { el, formatNumber, formatPercent, svg, TEXT } from "./text.js";

/** @typedef {import("./text.js").Whole} Whole */
/** @typedef {{ locale_code: string, display_name: string, share: number, credits: Whole, characters: Whole, corrected: Whole, lines: Whole }} Language */
/** @typedef {{ languages: Language[], total_credits: Whole, untagged_credits: Whole }} Languages */

const SHOWN = 12; // languages at first

/**
 * A cell; its title is shown beside it where the row is a card. Roles, because a card is no table to the browser.
 * @param {string} title @param {...import("./text.js").Child} children
 */
const cell = (title, ...children) => el("td", { role: "cell", "data-title": title }, ...children);

/** @param {string} title @param {Record<string, string>} [more] @param {...import("./text.js").Child} children */
const head = (title, more = {}, ...children) => el("th", { role: "columnheader", scope: "col", ...more }, ...(children.length ? children : [title]));

/**
 * A button that saves a table.
 * @param {string} what @param {() => void} save
 */
export const csvButton = (what, save) => el("button", { type: "button", class: "plain csv", "aria-label": TEXT.csvOf(what), click: save }, TEXT.csv);

/** @param {number} share 0 to 1 */
export function shareBar(share) {
  const [all, part] = [1, share].map((width, place) => svg("rect", { class: place ? "share-part" : "share-all", width, height: 1 }));
  return svg("svg", { class: "share-bar", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" }, all, part);
}

/** A table of numbers that is folded up at first. */
export class NumberTable {
  /** @param {string[]} titles of the columns, the first of which names the row */
  constructor(titles) {
    this.titles = titles;
    this.body = el("tbody", { role: "rowgroup" });
    this.caption = el("caption");
    const row = el("tr", { role: "row" }, ...titles.map((title) => head(title)));
    const table = el("table", { class: "cards", role: "table" }, this.caption, el("thead", { role: "rowgroup" }, row), this.body);
    this.element = el("details", { class: "folded" }, el("summary", {}, TEXT.table), table);
  }

  /** @param {string} caption @param {{ name: string, values: Whole[] }[]} rows */
  show(caption, rows) {
    this.caption.textContent = caption;
    this.body.replaceChildren(
      ...rows.map(({ name, values }) =>
        el(
          "tr",
          { role: "row" },
          el("th", { role: "rowheader", scope: "row" }, name),
          ...values.map((value, place) => cell(this.titles[place + 1] ?? "", formatNumber(value))),
        ),
      ),
    );
  }
}

/** The columns of the languages that can be sorted, with what they are sorted by. */
const COLUMNS = /** @type {Record<string, { title: string, of: (row: Language) => any }>} */ ({
  language: { title: TEXT.language, of: (row) => row.display_name },
  share: { title: TEXT.share, of: (row) => row.share },
  credits: { title: TEXT.credits, of: (row) => row.credits },
  characters: { title: TEXT.characters, of: (row) => row.characters },
  corrected: { title: TEXT.corrected, of: (row) => row.corrected },
  lines: { title: TEXT.lines, of: (row) => row.lines },
});
const ASCENDING = ["language"]; // what a first click does; numbers begin with the largest

export class LanguageTable {
  /** @param {(sort: string) => void} choose gets a column, with `-` in front if the largest comes first */
  constructor(choose) {
    this.sort = "-credits";
    this.expanded = false;
    this.body = el("tbody", { role: "rowgroup" });
    this.heads = Object.entries(COLUMNS).map(([name, { title }]) => {
      const click = () => choose(this.#next(name));
      return { name, th: head(title, {}, el("button", { type: "button", class: "sort", click }, title)) };
    });
    const row = el("tr", { role: "row" }, ...this.heads.map(({ th }) => th));
    const caption = el("caption", { class: "unseen" }, TEXT.languages);
    this.table = el("table", { class: "cards languages", role: "table" }, caption, el("thead", { role: "rowgroup" }, row), this.body);
    const expand = () => {
      this.expanded = true;
      this.#draw();
    };
    this.more = el("button", { type: "button", class: "plain more", hidden: true, click: expand });
    this.empty = el("p", { class: "empty", hidden: true }, TEXT.noLanguages);
    this.element = el("div", {}, this.table, this.more, this.empty);
  }

  /** @param {Languages} languages @param {string} sort */
  show(languages, sort) {
    this.languages = languages;
    this.sort = COLUMNS[sort.replace("-", "")] ? sort : "-credits";
    this.#draw();
  }

  /** @param {string} name */
  #next(name) {
    const first = ASCENDING.includes(name) ? name : `-${name}`;
    if (this.sort !== first) return first;
    return first === name ? `-${name}` : name;
  }

  #draw() {
    if (!this.languages) return;
    const { languages, total_credits: total, untagged_credits: untagged } = this.languages;
    const [name, sign] = this.sort.startsWith("-") ? [this.sort.slice(1), -1] : [this.sort, 1];
    const of = COLUMNS[name]?.of ?? (() => 0);
    const sorted = languages.toSorted((a, b) => {
      const [x, y] = [of(a), of(b)];
      return sign * (typeof x === "string" ? x.localeCompare(y) : Number(x > y) - Number(x < y));
    });
    for (const { name: own, th } of this.heads) {
      if (own === name) th.setAttribute("aria-sort", sign < 0 ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    }
    const rows = sorted.map((row, place) => {
      const element = languageRow(row.display_name, row.locale_code, row.share, row);
      if (!this.expanded && place >= SHOWN) element.classList.add("later");
      return element;
    });
    const ratio = total ? Number(untagged) / Number(total) : 0;
    if (untagged) rows.push(languageRow(TEXT.untagged, "", ratio, { credits: untagged }, "rest"));
    rows.push(languageRow(TEXT.total, "", null, { credits: total }, "rest"));
    this.body.replaceChildren(...rows);
    this.more.hidden = this.expanded || sorted.length <= SHOWN;
    this.more.textContent = TEXT.allLanguages(sorted.length);
    this.table.hidden = !languages.length && !total;
    this.empty.hidden = !this.table.hidden;
  }
}

/**
 * @param {string} name @param {string} code @param {number | null} share
 * @param {Partial<Record<"credits" | "characters" | "corrected" | "lines", Whole>>} numbers @param {string} [kind]
 */
function languageRow(name, code, share, numbers, kind) {
  const values = /** @type {const} */ (["credits", "characters", "corrected", "lines"]).map((key) => {
    const value = numbers[key];
    return value === undefined ? el("td", { role: "cell", class: "void" }) : cell(TEXT[key], formatNumber(value));
  });
  const title = el("th", { role: "rowheader", scope: "row" }, el("bdi", {}, name), code && " ", code && el("span", { class: "code" }, code));
  const shares = share === null ? el("td", { role: "cell", class: "void" }) : el("td", { role: "cell", class: "share" }, shareBar(share), el("span", {}, formatPercent(share)));
  return el("tr", { role: "row", class: kind }, title, shares, ...values);
}
