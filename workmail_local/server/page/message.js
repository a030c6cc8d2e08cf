// One message: what became of it for each recipient, what ran, and what it looks like.

import { get, post } from "./api.js";
import { beforeAndAfter } from "./content.js";
import { bytes, el, facts, folded, notice, pre, said, swap, table, when } from "./dom.js";

/** The open message, shown in one place of the page. */
export class MessageView {
  #place;
  #shown = null;
  #outcome = el("div");
  #content = el("div");
  #flows = el("div");
  #contentOf = null;

  constructor(place) {
    this.#place = place;
  }

  /** The id of the open message; null if none is. */
  id = null;

  /** Show a message, or none. */
  async open(id) {
    if (id === this.id) return;
    this.id = id;
    this.#shown = this.#contentOf = null;
    this.#place.replaceChildren();
    if (id) await this.refresh();
  }

  /** Show what is known now. What the reader looks at is replaced only if it differs. */
  async refresh() {
    const id = this.id;
    let message;
    try {
      message = await get(`/v1/messages/${encodeURIComponent(id)}`);
    } catch (error) {
      if (id === this.id) this.#place.replaceChildren(el("p", { class: "failed" }, said(error.message)));
      return;
    }
    const known = JSON.stringify(message);
    if (id !== this.id || known === this.#shown) return;
    if (this.#shown === null) this.#place.replaceChildren(this.#outcome, this.#content, this.#flows);
    this.#shown = known;
    swap(this.#outcome, this.#head(message), recipients(message));
    swap(this.#flows, message.flows.map(flowSection));
    const content = JSON.stringify(message.flows.map((flow) => [flow.messageId, flow.deliveredUpdate]));
    if (content === this.#contentOf) return;
    this.#contentOf = content;
    this.#content.replaceChildren(el("h3", {}, "Before and after"), ...message.flows.map((flow) =>
      el("section", { "aria-label": `Content of rule ${ruleName(flow)}` },
        message.flows.length > 1 && el("h4", {}, "Rule ", said(ruleName(flow))), beforeAndAfter(flow))));
  }

  #head(message) {
    return [
      el("a", { href: "#messages", class: "back" }, "← Messages"),
      el("h2", {}, said(message.subject || "(no subject)")),
      el("p", {},
        el("strong", { class: message.failure ? "failed" : "" }, said(message.failure ?? message.state)), " ",
        el("button", {
          type: "button", "data-key": "replay", onclick: () => this.#replay(),
          title: "Send it again, through the rules that are deployed now",
        }, "Replay")),
      facts([
        ["Envelope", ["from ", said(message.mailFrom || "<>"), " to ", said(message.envelopeRecipients.join(", "))]],
        ["From", said(message.from)],
        ["Sender", message.sender && said(message.sender)],
        ["Received", `${when(message.receivedAt)}, ${message.direction.toLowerCase()}, by ${message.source}`],
        ["Size", bytes(message.size)],
        ["Id", el("code", {}, message.id)],
      ]),
    ];
  }

  async #replay() {
    try {
      location.hash = `#message/${(await post(`/v1/messages/${this.id}/replay`)).id}`;
    } catch (error) {
      notice(error.message);
    }
  }
}

/** Return a link to the mail at a place of the state folder. */
export function placeLink(place, text) {
  return el("a", { href: `#mail/${encodeURIComponent(place)}` }, said(text));
}

function recipients(message) {
  return table("Recipients", ["Recipient", "Rule", "Action", "Reason", "Place"], message.recipients.map((one) => [
    [said(one.recipient), one.added && " (added by the reply)"],
    said(one.rule ?? "none"),
    one.action ?? "…",
    [said(one.why), one.bounceMessage && [": “", said(one.bounceMessage), "”"]],
    place(one),
  ]));
}

/** Say where a mail is in a few words, as `workmail-flow local send` does. */
function place(outcome) {
  if (outcome.action === "DROP") return "nowhere";
  if (!outcome.place) return outcome.action === "BOUNCE" ? "nobody to notify" : "";
  const [root, address, folder] = outcome.place.split("/");
  if (outcome.action !== "BOUNCE") return placeLink(outcome.place, root === "mailboxes" ? folder : "outbound spool");
  return ["notification: ", placeLink(outcome.place, root === "mailboxes" ? address : "outbound spool")];
}

function ruleName(flow) {
  return flow.rule?.name ?? "none";
}

function flowSection(flow) {
  const key = flow.messageId;
  const failed = flow.failureRecord;
  return el("section", { "aria-label": `Rule ${ruleName(flow)}` },
    el("h3", {}, "Rule ", said(ruleName(flow))),
    flow.heldBecause && el("p", { class: "failed" }, "Held: ", said(flow.heldBecause)),
    folded(`${key} why`, "Why this rule", facts(Object.entries(flow.why).map(([recipient, why]) => [said(recipient), [
      said(why.reason),
      el("ul", {}, why.lost.map((lost) => el("li", {}, "not ", said(lost.rule), ": ", said(lost.reason)))),
    ]]))),
    flow.event && folded(`${key} event`, "Event", pre(json(flow.event), "Event")),
    flow.attempts.map((attempt) => attemptPart(key, attempt)),
    failed && el("p", {}, "On-failure destination ", said(failed.destination), ": ", said(failed.prevented ?? "sent")));
}

function attemptPart(key, attempt) {
  const error = [attempt.errorType, attempt.error].filter(Boolean).join(": ");
  const failed = attempt.outcome !== "replied" || attempt.findings.length;
  return folded(`${key} attempt ${attempt.number}`,
    [`Attempt ${attempt.number}: `, el("span", { class: failed ? "failed" : "" }, attempt.outcome),
      ` after ${attempt.durationS.toFixed(3)} s`, attempt.fault && ` (injected fault ${attempt.fault})`,
      attempt.findings.length > 0 && `, ${attempt.findings.length} findings`],
    error && el("p", { class: "failed" }, said(error)),
    attempt.findings.length > 0 && el("ul", { "aria-label": "Findings" },
      attempt.findings.map((each) => el("li", {}, said(each)))),
    attempt.steps.length > 0 && table("Steps", ["Step", "Result", "Notes", "ms"], attempt.steps.map((step) =>
      [said(step.step), said(step.result), said(step.notes.join("; ")), String(step.ms)])),
    attempt.reply !== null && [el("h4", {}, "Reply"), pre(json(attempt.reply), "Reply")],
    el("h4", {}, "Log"), pre(attempt.log || "(nothing)", "Log"));
}

function json(value) {
  return JSON.stringify(value, null, 2);
}
