// The list of messages, newest first. Only the rows in sight are elements, so the number of messages does not matter.

import { get } from "./api.js";
import { announce, el, said, when } from "./dom.js";

const ROW = 76; // pixels, as in style.css
const PAGE = 100;
const SPARE = 8;

export class MessageList {
  #list = document.getElementById("list");
  #track = document.getElementById("track");
  #note = document.getElementById("list-note");
  #messages = [];
  #complete = false;
  #active = null;
  #search = "";
  #generation = 0;
  #loading = false;
  #again = false;
  #stale = new Set();
  #elements = new Map();
  #open;

  /** `open(id)` opens a message. */
  constructor(open) {
    this.#open = open;
    this.#list.addEventListener("scroll", () => requestAnimationFrame(() => this.#draw()));
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.#choose(Number(row.dataset.position), true);
    });
    this.#list.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(this.#list);
  }

  /** Show the messages that hold every word of a text, from the newest on; leave the text out to show them anew.
   *
   * Until they have come, those shown before stay, and keys move among them. */
  async load(search = this.#search) {
    this.#search = search;
    this.#generation++;
    this.#loading = this.#again = false;
    this.#stale.clear();
    await this.#exclusively(async (isCurrent) => {
      const page = await this.#page().catch((error) => {
        if (isCurrent()) this.#messages = [];
        throw error;
      });
      if (!isCurrent()) return;
      this.#messages = page;
      this.#complete = page.length < PAGE;
      this.#list.scrollTop = 0;
    });
  }

  /** Take note that something happened to messages of these ids; new ones come in above what the reader looks at. */
  async changed(ids) {
    for (const id of ids) this.#stale.add(id);
    if (this.#loading) {
      this.#again = true;
      return;
    }
    await this.#exclusively(async (isCurrent) => {
      const known = this.#messages[0]?.seq ?? 0;
      const found = [];
      let page;
      do {
        page = await this.#page(found.at(-1)?.seq);
        found.push(...page);
      } while (known && page.length === PAGE && page.at(-1).seq > known);
      if (!isCurrent()) return;
      for (const message of found) this.#stale.delete(message.id); // what came since then is noted in #again
      this.#update(found);
      const fresh = found.filter((message) => message.seq > known);
      if (!known) this.#complete = page.length < PAGE;
      this.#messages.unshift(...fresh);
      if (this.#list.scrollTop > 0) {
        this.#track.style.height = `${this.#messages.length * ROW}px`;
        this.#list.scrollTop += fresh.length * ROW;
      }
      if (fresh.length === 1) announce(`New message: ${fresh[0].subject}`);
      else if (fresh.length) announce(`${fresh.length} new messages`);
    });
  }

  /** Mark the message that is open elsewhere on the page. */
  select(id) {
    this.#active = id ?? this.#active;
    this.#draw();
  }

  focus() {
    this.#list.focus({ preventScroll: true });
  }

  async #more() {
    await this.#exclusively(async (isCurrent) => {
      const page = await this.#page(this.#messages.at(-1)?.seq);
      if (!isCurrent()) return;
      this.#messages.push(...page);
      this.#complete = page.length < PAGE;
    });
  }

  /** Read the rows in sight anew if one of them has changed. */
  async #refresh(first, last) {
    await this.#exclusively(async (isCurrent) => {
      for (const message of this.#messages.slice(first, last)) this.#stale.delete(message.id);
      const page = await this.#page(this.#messages[first].seq + 1, last - first);
      if (isCurrent()) this.#update(page);
    });
  }

  /** Do one thing at a time, so that each sees all messages that are known. */
  async #exclusively(work) {
    if (this.#loading) return;
    const generation = this.#generation;
    const isCurrent = () => generation === this.#generation;
    this.#loading = true;
    try {
      await work(isCurrent);
    } catch (error) {
      if (isCurrent()) this.#note.textContent = error.message;
      return;
    } finally {
      if (isCurrent()) this.#loading = false;
    }
    if (!isCurrent()) return;
    this.#draw();
    if (this.#again) {
      this.#again = false;
      await this.changed([]);
    }
  }

  async #page(before, limit = PAGE) {
    return (await get("/v1/messages", { q: this.#search, before, limit })).messages;
  }

  #update(messages) {
    const found = new Map(messages.map((message) => [message.seq, message]));
    this.#messages = this.#messages.map((message) => {
      const now = found.get(message.seq);
      return now && JSON.stringify(now) !== JSON.stringify(message) ? now : message;
    });
  }

  #draw() {
    const count = this.#messages.length;
    const height = this.#list.clientHeight;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - SPARE);
    const last = Math.min(count, Math.ceil((this.#list.scrollTop + height) / ROW) + SPARE);
    this.#track.style.height = `${count * ROW}px`;
    const inSight = this.#messages.slice(first, last);
    const elements = inSight.map((message, index) => this.#row(message, first + index));
    this.#elements = new Map(inSight.map((message, index) => [message, elements[index]]));
    this.#track.replaceChildren(...elements);
    const none = this.#search ? "No message holds these words."
      : "No messages yet. Send one by SMTP, or drop an .eml file here.";
    this.#note.textContent = count || !this.#complete ? "" : none;
    const active = this.#messages.find((message) => message.id === this.#active);
    if (active && this.#elements.has(active)) this.#list.setAttribute("aria-activedescendant", `row-${active.seq}`);
    else this.#list.removeAttribute("aria-activedescendant");
    if (this.#loading || !height) return;
    if (!this.#complete && last > count - PAGE / 2) this.#more();
    else if (inSight.some((message) => this.#stale.has(message.id))) this.#refresh(first, last);
  }

  /** Return the element of a row; the same one while the message is, so that a click is not lost. */
  #row(message, position) {
    const row = this.#elements.get(message) ?? el("div", { role: "option", id: `row-${message.seq}`, class: "row" },
      el("span", { class: "subject" }, said(message.subject || "(no subject)")),
      el("time", { datetime: message.receivedAt }, when(message.receivedAt)),
      el("span", { class: "who" }, said(message.mailFrom || "<>"), " → ", said(firstAndMore(message.recipients))),
      el("span", { class: "rules" }, said(rules(message.recipients))),
      el("span", { class: message.failure || message.state === "held" ? "state failed" : "state" },
        said(message.failure ?? (message.state === "done" ? actions(message.recipients) : message.state))));
    row.style.transform = `translateY(${position * ROW}px)`;
    row.dataset.position = position;
    row.setAttribute("aria-posinset", position + 1);
    row.setAttribute("aria-setsize", this.#complete ? this.#messages.length : -1);
    row.setAttribute("aria-selected", message.id === this.#active);
    return row;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.#messages.findIndex((message) => message.id === this.#active);
    const screen = Math.max(1, Math.floor(this.#list.clientHeight / ROW) - 1);
    const steps = {
      ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: screen, PageUp: -screen, Home: -Infinity, End: Infinity,
    };
    if (event.key === "Enter" && now >= 0) this.#choose(now, true);
    else if (event.key in steps) this.#choose(now < 0 && steps[event.key] <= 1 ? 0 : now + steps[event.key], false);
    else return;
    event.preventDefault();
  }

  #choose(position, open) {
    const chosen = Math.min(Math.max(0, position), this.#messages.length - 1);
    const message = this.#messages[chosen];
    if (!message) return;
    this.#active = message.id;
    const top = chosen * ROW;
    const { scrollTop, clientHeight } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + ROW > scrollTop + clientHeight) this.#list.scrollTop = top + ROW - clientHeight;
    this.#draw();
    if (open) this.#open(message.id);
  }
}

function firstAndMore(recipients) {
  const more = recipients.length > 1 ? ` and ${recipients.length - 1} more` : "";
  return (recipients[0]?.recipient ?? "nobody") + more;
}

function rules(recipients) {
  return [...new Set(recipients.map((one) => one.rule ?? "no rule"))].join(", ");
}

function actions(recipients) {
  const counts = new Map();
  for (const one of recipients) counts.set(one.action, (counts.get(one.action) ?? 0) + 1);
  return [...counts].map(([action, count]) => (count > 1 ? `${action} ×${count}` : action)).join(", ");
}
