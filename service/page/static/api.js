// @ts-check
// Requests to the API with the credential of whoever looks, and where the credential comes from.

/** @typedef {{ code: string, message: string, details: { field: string, message: string }[] }} Fault */
/** @typedef {{ request_id: string, timestamp: string, data_as_of: string | null }} Meta */
/** @typedef {{ data: any, meta: Meta, pagination?: { next: string | null }, text: string }} Answer */

const API = "../api/v1/"; // relative, because a proxy may serve everything below a path of its own
const KEY = "usage-key";

/**
 * A text as a header can carry it. What no key, token or id has becomes a question mark: the browser would refuse it,
 * while the service says what is wrong.
 * @param {string} text
 */
const sendable = (text) => text.trim().replace(/[^ -~]/g, "?");

/** An answer that is an error. */
export class Refusal extends Error {
  /** @param {number} status @param {Fault} fault @param {number} wait seconds @param {string} id of the request */
  constructor(status, fault, wait, id) {
    super(fault.message);
    this.status = status;
    this.fault = fault;
    this.wait = wait;
    this.id = id;
  }
}

/** The API as one credential sees it. The last answer to each request is kept in memory for its `ETag`. */
export class Api {
  /** @param {string} token @param {string} [workspace] */
  constructor(token, workspace) {
    /** @type {Record<string, string>} */
    this.headers = { Authorization: `Bearer ${sendable(token)}` };
    if (workspace) this.headers["X-Workspace-Id"] = sendable(workspace);
    /** @type {Map<string, { etag: string, answer: Answer }>} */
    this.kept = new Map();
  }

  /**
   * Ask for JSON. Unchanged data are the same object as before.
   * @param {string} path @param {Record<string, string>} parameters @param {AbortSignal} [signal] @param {boolean} [anew]
   * @returns {Promise<Answer>}
   */
  async get(path, parameters, signal, anew = false) {
    const url = address(path, parameters);
    const kept = anew ? undefined : this.kept.get(url);
    const response = await this.#fetch(url, "application/json", kept ? { "If-None-Match": kept.etag } : {}, signal);
    if (response.status === 304 && kept) return kept.answer;
    const text = await response.text();
    const answer = { ...parse(text), text };
    const etag = response.headers.get("ETag");
    if (etag) this.kept.set(url, { etag, answer });
    return answer;
  }

  /**
   * Save a table as a file; several pages become one table.
   * @param {string} path @param {Record<string, string>[]} pages the parameters of each
   */
  async download(path, pages) {
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const parts = [];
    let name = "usage.csv";
    for (const parameters of pages) {
      const response = await this.#fetch(address(path, parameters), "text/csv", {});
      name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? name;
      const bytes = new Uint8Array(await response.arrayBuffer());
      parts.push(parts.length ? bytes.subarray(bytes.indexOf(10) + 1) : bytes); // one row of names is enough
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** @param {string} url @param {string} accept @param {Record<string, string>} more @param {AbortSignal} [signal] */
  async #fetch(url, accept, more, signal) {
    const headers = { ...this.headers, Accept: accept, ...more };
    const response = await fetch(url, { headers, signal, cache: "no-store", credentials: "omit" });
    if (response.ok || response.status === 304) return response;
    const body = await response.json().catch(() => null);
    const fault = body?.error ?? { code: "", message: `${response.status} ${response.statusText}`, details: [] };
    const wait = Number(response.headers.get("Retry-After")) || 0;
    throw new Refusal(response.status, fault, wait, body?.meta?.request_id ?? "");
  }
}

/** @param {string} path @param {Record<string, string>} parameters */
function address(path, parameters) {
  const query = new URLSearchParams(parameters).toString();
  return API + path + (query ? `?${query}` : "");
}

/**
 * Parse JSON; whole numbers beyond 2⁵³ become bigints, so that none is rounded.
 * @param {string} text
 */
export function parse(text) {
  /** @type {(key: string, value: any, context?: { source: string }) => any} */
  const exact = (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "")
      ? BigInt(/** @type {{ source: string }} */ (context).source)
      : value;
  return JSON.parse(text, exact);
}

/** An API key that somebody pasted, for as long as the tab is open. */
export class PastedKey {
  get token() {
    return sessionStorage.getItem(KEY) ?? "";
  }

  /** @param {string} token */
  keep(token) {
    sessionStorage.setItem(KEY, token);
  }

  forget() {
    sessionStorage.removeItem(KEY);
  }
}

/** The token that the application around this page passes by message; it is kept in memory only. */
export class HostToken {
  /** @param {(token: string, workspace?: string) => void} receive */
  constructor(receive) {
    const listed = document.querySelector('meta[name="embed-origins"]')?.getAttribute("content") ?? "";
    this.origins = listed.split(" ").filter(Boolean);
    addEventListener("message", (event) => {
      if (event.source !== window.parent || !this.origins.includes(event.origin)) return;
      const { type, token, workspace } = event.data ?? {};
      if (type === "usage-token" && typeof token === "string" && token) receive(token, typeof workspace === "string" ? workspace : undefined);
    });
  }

  /** Whether this page is inside another one. */
  static get framed() {
    return window.parent !== window;
  }

  ask() {
    // A message to an origin that is not the parent's would leave a warning in the console.
    const parents = location.ancestorOrigins;
    const origins = parents?.length ? this.origins.filter((origin) => origin === parents[0]) : this.origins;
    for (const origin of origins) window.parent.postMessage({ type: "usage-ready" }, origin);
  }
}
