// @ts-check
// The choice of a time zone: a combobox that finds zones by city, by former name and by present offset.

import { el, TEXT } from "./text.js";

/** @typedef {{ name: string, offset: string, words: string, aliases: string[] }} Zone */
/** @typedef {{ name: string, about: string, group: string }} Option */

const SHOWN = 60; // options at once
const RECENT = "usage-zones"; // the last zones chosen, which are no secret
const KEPT = 3;

/** The zone of the browser, by the name that the browser has for it. */
export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** @param {number} minutes */
function offsetText(minutes) {
  const pad = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

/** @param {string} name */
const city = (name) => (name.split("/").pop() ?? name).replaceAll("_", " ");

/** Letters without accents and case, so that what is typed plainly is found. @param {string} text */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replaceAll("_", " ").replaceAll("−", "-").trim();

export class ZonePicker {
  /** @param {(zone: string) => void} choose an empty text is the zone of the browser */
  constructor(choose) {
    this.choose = choose;
    /** @type {Zone[]} */
    this.zones = [];
    /** @type {Map<string, string>} */
    this.modern = new Map();
    /** @type {Option[]} */
    this.options = [];
    this.active = -1;
    this.current = "";
    this.list = el("ul", { id: "zone-list", role: "listbox", "aria-label": TEXT.zone, hidden: true });
    this.input = el("input", {
      id: "zone",
      role: "combobox",
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": "zone-list",
      "aria-describedby": "zone-hint",
      focus: () => this.input.select(),
      click: () => this.#open(""),
      input: () => this.#open(this.input.value),
      keydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      blur: () => this.#close(),
    });
    const hint = el("span", { id: "zone-hint", class: "unseen" }, TEXT.zoneHint);
    this.element = el("div", { class: "zone" }, el("label", { for: "zone" }, TEXT.zone), el("div", { class: "zone-box" }, this.input, this.list), hint);
  }

  /** Take the list of the service. */
  async load() {
    const response = await fetch("zones.json", { credentials: "omit" }).catch(() => null);
    if (!response?.ok) return;
    const { zones } = await response.json();
    this.zones = zones.map((/** @type {[string, number, ...string[]]} */ [name, minutes, ...aliases]) => {
      for (const alias of aliases) this.modern.set(alias, name);
      const offset = offsetText(minutes);
      return { name, offset, aliases, words: [name, ...aliases].map(plain).join("\n") };
    });
    this.show(this.current);
  }

  /** @param {string} zone as in the address; an empty text is that of the browser */
  show(zone) {
    this.current = zone;
    if (document.activeElement !== this.input || this.list.hidden) this.input.value = this.named(zone || browserZone());
  }

  /** The present name, for a former one that a browser may have. @param {string} zone */
  named(zone) {
    return this.modern.get(zone) ?? zone;
  }

  /** @returns {string[]} */
  get #recent() {
    try {
      const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]");
      return Array.isArray(kept) ? kept.filter((zone) => typeof zone === "string") : [];
    } catch {
      return []; // a frame may have no storage
    }
  }

  /** @param {string} text */
  #open(text) {
    const wanted = plain(text);
    const found = wanted ? this.#search(wanted) : [...this.#first(), ...this.zones.map((zone) => this.#option(zone, ""))];
    this.options = found.slice(0, SHOWN);
    const items = this.options.map((option, place) => {
      const group = option.group !== this.options[place - 1]?.group && option.group;
      return el(
        "li",
        {
          id: `zone-${place}`,
          role: "option",
          "aria-selected": String(option.name === this.current),
          class: group ? "first" : null,
          // Before the input loses the focus, which closes the list.
          pointerdown: (/** @type {Event} */ event) => event.preventDefault(),
          click: () => this.#choose(place),
        },
        el("span", {}, this.#title(option)),
        el("span", { class: "small" }, option.about),
      );
    });
    const rest = found.length - this.options.length;
    const note = rest ? TEXT.zoneMore(rest) : found.length ? "" : TEXT.zoneNone;
    if (note) items.push(el("li", { role: "option", "aria-disabled": "true", class: "note" }, note));
    this.list.replaceChildren(...items);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#move(wanted && this.options.length ? 0 : -1);
  }

  /** @param {Option} option */
  #title(option) {
    if (!option.name) return `${TEXT.zoneBrowser} (${this.named(browserZone())})`;
    return option.name.includes("/") ? `${city(option.name)} (${option.name})` : option.name;
  }

  /** @returns {Option[]} */
  #first() {
    const about = (/** @type {string} */ zone) => this.zones.find(({ name }) => name === this.named(zone))?.offset ?? "";
    const recent = this.#recent.filter((zone) => zone !== "UTC");
    return [
      { name: "", about: about(browserZone()), group: "browser" },
      { name: "UTC", about: about("UTC"), group: "browser" },
      ...recent.map((name) => ({ name, about: about(name), group: "recent" })),
    ];
  }

  /** @param {Zone} zone @param {string} alias @returns {Option} */
  #option(zone, alias) {
    return { name: zone.name, about: alias ? `${alias}, ${zone.offset}` : zone.offset, group: "all" };
  }

  /** Zones whose city begins with a text, then those with it anywhere, then by offset. @param {string} wanted */
  #search(wanted) {
    const digits = /^(?:utc|gmt)?\s*([+-])\s*0?(\d{1,2})(?::?(\d{2}))?$/.exec(wanted);
    if (digits) {
      const [, sign, hours = "", minutes = ""] = digits;
      const start = `utc${sign}${hours.padStart(2, "0")}:${minutes}`;
      return this.zones.filter(({ offset }) => plain(offset).startsWith(start)).map((zone) => this.#option(zone, ""));
    }
    const rank = (/** @type {Zone} */ zone) => (plain(city(zone.name)).startsWith(wanted) ? 0 : plain(zone.name).includes(wanted) ? 1 : 2);
    return this.zones
      .filter(({ words }) => words.includes(wanted))
      .sort((a, b) => rank(a) - rank(b))
      .map((zone) => this.#option(zone, plain(zone.name).includes(wanted) ? "" : (zone.aliases.find((alias) => plain(alias).includes(wanted)) ?? "")));
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const open = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!open) this.#open("");
      const step = event.key === "ArrowDown" ? 1 : -1;
      const count = this.options.length;
      if (count) this.#move((this.active + step + count) % count);
    } else if (event.key === "Enter") {
      if (open && this.active >= 0) this.#choose(this.active);
    } else if (event.key === "Escape" && open) this.#close();
    else return;
    event.preventDefault();
  }

  /** @param {number} place of an option; -1 for none */
  #move(place) {
    this.list.children[this.active]?.classList.remove("active");
    this.active = place;
    const item = this.list.children[place];
    item?.classList.add("active");
    item?.scrollIntoView({ block: "nearest" });
    if (item) this.input.setAttribute("aria-activedescendant", item.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {number} place */
  #choose(place) {
    const name = this.options[place]?.name ?? "";
    if (name) {
      try {
        localStorage.setItem(RECENT, JSON.stringify([name, ...this.#recent.filter((zone) => zone !== name)].slice(0, KEPT)));
      } catch {
        // Without storage, the list begins without recent zones.
      }
    }
    this.current = name;
    this.#close();
    this.choose(name);
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#move(-1);
    this.input.value = this.named(this.current || browserZone());
  }
}
