// @ts-check
// The page: what is looked at (the address), by whom (a key or a token), and when it is asked for again.

import { Api, HostToken, PastedKey, Refusal } from "./api.js";
import { Feed } from "./feed.js";
import { BucketChart, DayChart, Head, showCredits, showSpan, showTiles } from "./panels.js";
import { csvButton, LanguageTable } from "./table.js";
import { byId, choices, Clock, el, TEXT } from "./text.js";
import { browserZone, ZonePicker } from "./zones.js";

const REFRESH_SECONDS = 60;
const OFFLINE_SECONDS = 10;
/** What the address says if it says nothing; `measure` and `sort` are of the page alone, the others of the API. */
const DEFAULTS = { range: "30d", activity_view: "daily", timezone: "", type: "", user_id: "", workspace: "", measure: "credits", sort: "-credits" };
const ONLY_DRAWN = ["measure", "sort"]; // these change no request

/** @typedef {typeof DEFAULTS} State */

/** @returns {State} */
function readAddress() {
  const given = new URLSearchParams(location.search);
  return /** @type {State} */ (Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, given.get(name) ?? value])));
}

class Page {
  constructor() {
    this.state = readAddress();
    this.key = new PastedKey();
    this.framed = HostToken.framed;
    this.head = new Head();
    /** @type {Api | null} */
    this.api = null;
    this.zoneRefused = false; // the service does not know the browser's zone
    this.asked = false; // the host, for another token
    this.shown = ""; // the question whose answers are shown
    this.received = 0;
    this.loading = new AbortController();
    this.timer = 0;
    for (const place of document.querySelectorAll("[data-text]")) {
      place.textContent = /** @type {any} */ (TEXT)[place.getAttribute("data-text") ?? ""];
    }
    byId("facts").after(el("p", { id: "old", class: "notice old", role: "status", hidden: true }));
    this.#makeControls();
    this.days = new DayChart((measure) => this.change({ measure }), () => this.#save("usage/summary", [this.#parameters("range", "timezone")]));
    this.buckets = new BucketChart(() => this.#save("usage/summary", [this.#parameters("range", "activity_view", "timezone")]));
    this.languages = new LanguageTable((sort) => this.change({ sort }));
    byId("languages").append(this.languages.element);
    byId("languages-title").after(csvButton(TEXT.languages, () => this.#save("usage/by-language", [this.#parameters("range", "timezone")])));
    this.feed = new Feed(
      (parameters) => this.#older(parameters),
      (change) => this.change(change),
      (pages) => this.#save("usage/activity", pages),
    );
    byId("sign-in").addEventListener("submit", (event) => this.#signIn(event));
    byId("forget").addEventListener("click", () => this.#forget(""));
    addEventListener("popstate", () => this.#moved(readAddress()));
    addEventListener("online", () => this.load());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && performance.now() - this.received > REFRESH_SECONDS * 1000) this.load();
    });
    this.#unfoldForPrint();
  }

  begin() {
    this.#showControls();
    if (this.framed) this.#beginFramed();
    else if (this.key.token) this.#enter(this.key.token);
    else this.#askForKey("");
  }

  // Who looks

  #beginFramed() {
    let workspace = "";
    this.host = new HostToken((token, given) => {
      workspace = given ?? workspace;
      this.#notice("");
      this.#enter(token, workspace);
    });
    if (!this.host.origins.length) return this.#notice(TEXT.notEmbedded, "error");
    this.#notice(TEXT.waiting);
    this.host.ask();
  }

  /** @param {Event} event */
  #signIn(event) {
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (byId("key"));
    this.#enter(input.value.trim());
  }

  /** @param {string} token @param {string} [workspace] */
  #enter(token, workspace) {
    this.api = new Api(token, workspace || this.state.workspace);
    this.token = token;
    this.who = null;
    this.load();
  }

  /** Take away what somebody else, or another workspace, was shown. */
  #empty() {
    this.shown = "";
    this.summary = this.byLanguage = null;
    this.head.clear();
    this.feed.clear();
    byId("figures").classList.add("bare");
    byId("figures").setAttribute("aria-busy", "true");
    byId("loading").hidden = false;
  }

  /** @param {string} fault why the last one does not do */
  #askForKey(fault) {
    byId("figures").hidden = true;
    byId("facts").hidden = true;
    byId("forget").hidden = true;
    byId("sign-in").hidden = false;
    byId("sign-in-fault").textContent = fault;
    const input = /** @type {HTMLInputElement} */ (byId("key"));
    input.setAttribute("aria-invalid", String(Boolean(fault)));
    input.focus();
  }

  /** @param {string} fault */
  #forget(fault) {
    this.key.forget();
    this.api = null;
    this.who = null;
    this.token = "";
    this.loading.abort();
    this.#empty();
    clearTimeout(this.timer);
    this.#notice("");
    /** @type {HTMLInputElement} */ (byId("key")).value = "";
    this.#askForKey(fault);
  }

  // What is looked at

  #makeControls() {
    this.ranges = choices("range", TEXT.range, TEXT.ranges, (range) => this.change({ range }));
    this.views = choices("activity_view", TEXT.view, TEXT.views, (view) => this.change({ activity_view: view }));
    this.zones = new ZonePicker((timezone) => this.change({ timezone }));
    byId("controls").append(this.ranges.element, this.views.element, this.zones.element);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    this.zones.load();
  }

  #showControls() {
    this.ranges?.show(this.state.range);
    this.views?.show(this.state.activity_view);
    this.zones?.show(this.zone === this.state.timezone || !this.zoneRefused ? this.state.timezone : "UTC");
    this.feed.showFilters(this.state);
  }

  /** The zone to ask for: what the address says, else that of the browser. */
  get zone() {
    return this.state.timezone || (this.zoneRefused ? "UTC" : browserZone());
  }

  /** @param {Partial<State>} change */
  change(change) {
    const state = { ...this.state, ...change };
    const query = new URLSearchParams(Object.entries(state).filter(([name, value]) => value !== /** @type {any} */ (DEFAULTS)[name]));
    const address = query.size ? `?${query}` : location.pathname;
    // In a frame, Back belongs to the page around it.
    if (this.framed) history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    this.#moved(state);
  }

  /** @param {State} state */
  #moved(state) {
    const differs = Object.keys(DEFAULTS).filter((name) => /** @type {any} */ (state)[name] !== /** @type {any} */ (this.state)[name]);
    this.state = state;
    this.#showControls();
    if (differs.every((name) => ONLY_DRAWN.includes(name))) this.#draw();
    else if (differs.includes("workspace") && this.token && !this.framed) this.#enter(this.token);
    else this.load();
  }

  // Asking

  /** @param {...("range" | "activity_view" | "timezone")} names @returns {Record<string, string>} */
  #parameters(...names) {
    return Object.fromEntries(names.map((name) => [name, name === "timezone" ? this.zone : this.state[name]]));
  }

  async load() {
    const { api } = this;
    if (!api) return;
    this.loading.abort();
    const { signal } = (this.loading = new AbortController());
    clearTimeout(this.timer);
    const question = JSON.stringify({ ...this.state, measure: "", sort: "", zone: this.zone });
    byId("figures").setAttribute("aria-busy", String(question !== this.shown));
    try {
      // Not with `If-None-Match`: an answer without a body would not say how old the data are.
      const who = await api.get("auth/whoami", {}, signal, true);
      if (!this.who) this.#welcome(who.data);
      const clock = new Clock(this.zone);
      const asked = { ...this.state, timezone: this.zone };
      const feed = api.get("usage/activity", this.feed.parameters(asked), signal);
      await Promise.all([
        api.get("usage/summary", { ...this.#parameters("range", "activity_view", "timezone"), include: "comparison,pace" }, signal).then(({ data }) => this.#showSummary(data)),
        api.get("usage/by-language", this.#parameters("range", "timezone"), signal).then(({ data }) => this.#showLanguages(data)),
        feed.then((answer) => this.feed.show(answer, asked, clock, question === this.shown)),
      ]);
      this.head.when(who.meta, clock);
      this.shown = question;
      this.asked = false;
      this.received = performance.now();
      byId("figures").setAttribute("aria-busy", "false");
      this.#notice(clock.known ? "" : TEXT.inUtc);
      this.#again(REFRESH_SECONDS);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  /** @param {any} who */
  #welcome(who) {
    this.who = who;
    const seen = `${who.user_id} ${who.workspace_id}`;
    if (seen !== this.seen) this.#empty();
    this.seen = seen;
    if (!this.framed) this.key.keep(this.token ?? "");
    this.head.who(who.workspace_id);
    const signedIn = !byId("sign-in").hidden;
    byId("sign-in").hidden = true;
    byId("sign-in-fault").textContent = "";
    byId("facts").hidden = false;
    byId("forget").hidden = this.framed;
    byId("figures").hidden = false;
    if (signedIn) byId("figures").focus(); // where the form was, there is nothing to have it
    this.feed.know(who.user_id, this.types ?? []);
    this.feed.showFilters(this.state);
    if (!this.types) this.#learnTypes();
  }

  /** Take the actions that the service accepts from its OpenAPI document. */
  async #learnTypes() {
    const response = await fetch("../schema/openapi.json", { credentials: "omit" }).catch(() => null);
    if (!response?.ok) return;
    const { parameters } = (await response.json()).paths["/api/v1/usage/activity"].get;
    this.types = parameters.find((/** @type {any} */ one) => one.name === "type").schema.enum;
    this.feed.know(this.who?.user_id ?? "", this.types ?? []);
    this.feed.showFilters(this.state);
  }

  /** @param {Record<string, string>} parameters */
  async #older(parameters) {
    const { signal } = this.loading;
    try {
      if (!this.api) throw new Error("no credential");
      return await this.api.get("usage/activity", parameters, signal);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
      throw error;
    }
  }

  /** @param {string} path @param {Record<string, string>[]} pages */
  async #save(path, pages) {
    const { api } = this;
    try {
      await api?.download(path, pages);
    } catch (error) {
      if (api === this.api) this.#fail(error);
    }
  }

  // Showing

  /** @param {any} summary */
  #showSummary(summary) {
    this.summary = summary;
    showSpan(summary, this.zones?.named(summary.timezone) ?? "");
    showTiles(summary);
    showCredits(summary.credits);
    this.days.show(summary, this.state.measure);
    this.buckets.show(summary);
    byId("figures").classList.remove("bare");
    byId("loading").hidden = true;
  }

  /** @param {any} languages */
  #showLanguages(languages) {
    this.byLanguage = languages;
    this.languages.show(languages, this.state.sort);
  }

  #draw() {
    if (this.summary) this.days.show(this.summary, this.state.measure);
    if (this.byLanguage) this.languages.show(this.byLanguage, this.state.sort);
  }

  /** Folded tables are printed too, and folded again afterwards. */
  #unfoldForPrint() {
    /** @type {HTMLDetailsElement[]} */
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details.folded")].filter((one) => one instanceof HTMLDetailsElement && !one.open).map((one) => /** @type {HTMLDetailsElement} */ (one));
      for (const one of opened) one.open = true;
    });
    addEventListener("afterprint", () => {
      for (const one of opened) one.open = false;
    });
  }

  // What goes wrong

  /** @param {unknown} error */
  #fail(error) {
    const kept = this.shown ? ` ${TEXT.keptFigures}` : "";
    if (!(error instanceof Refusal)) {
      if (!(error instanceof TypeError)) console.error(error);
      return this.#notice(TEXT.offline + kept, "error", OFFLINE_SECONDS);
    }
    const { status, fault, wait, id } = error;
    if (status === 401) return this.#refused(fault.message);
    if (status === 429) return this.#notice(TEXT.spent + kept, "warn", wait);
    if (status === 503) return this.#notice(this.shown ? TEXT.unavailable + kept : TEXT.nothingYet, "warn", wait);
    if (status >= 500) return this.#notice(`${fault.message} ${TEXT.reference(id)}`, "error", Math.max(wait, OFFLINE_SECONDS));
    if (status === 422 && !this.state.timezone && !this.zoneRefused && fault.details.some(({ field }) => field === "timezone")) {
      this.zoneRefused = true;
      this.#showControls();
      return void this.load();
    }
    byId("loading").hidden = true;
    this.#notice(fault.message, "error");
    this.#again(REFRESH_SECONDS); // a table that could not be saved, or a member who is away, ends nothing
  }

  /** @param {string} message */
  #refused(message) {
    clearTimeout(this.timer);
    if (!this.framed) return this.#forget(this.who || this.key.token ? TEXT.revoked : message);
    if (this.asked) return this.#notice(TEXT.sessionOver, "error");
    this.asked = true;
    this.#notice(TEXT.waiting);
    this.host?.ask();
  }

  /**
   * Say something, and ask again after some seconds, if there are any.
   * @param {string} words @param {string} [kind] @param {number} [seconds]
   */
  #notice(words, kind = "info", seconds = 0) {
    const place = byId("notice");
    place.className = `notice ${kind}`;
    place.hidden = !words;
    if (place.dataset.words !== words) place.replaceChildren(words);
    place.dataset.words = words;
    clearTimeout(this.timer);
    if (!seconds) return;
    // Hidden from screen readers, which would read every second.
    const count = el("span", { "aria-hidden": "true" });
    place.replaceChildren(words, " ", count);
    const until = performance.now() + seconds * 1000;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (left <= 0) return void this.load();
      count.textContent = TEXT.retryIn(left);
      this.timer = setTimeout(tick, 250);
    };
    tick();
  }

  /** @param {number} seconds */
  #again(seconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (document.visibilityState === "visible" ? this.load() : undefined), seconds * 1000);
  }
}

new Page().begin();
