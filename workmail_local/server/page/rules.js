// The deployed rules, and who they match: the console's Test.

import { get, post } from "./api.js";
import { el, said, table } from "./dom.js";

/** Show the rules of each organization, in order, and the Test. */
export async function rules() {
  const { organizations } = await get("/v1/rules");
  return [
    el("h2", {}, "Rules"),
    organizations.length === 0
      ? el("p", {}, "No rule is deployed, so all mail is delivered.")
      : el("p", {}, "Each recipient gets exactly one rule (F8); the Test says which one, and why the others lost."),
    organizations.map((one) => [
      el("h3", {}, said(one.organizationId)),
      el("p", {}, `${one.region}; domains: `, said(one.domains.join(", ") || "any that no other one declares")),
      table(`Rules of ${one.organizationId}`, ["Name", "Direction", "Action", "Senders", "Recipients", "Function"],
        one.rules.map((rule) => [said(rule.name), rule.direction, rule.action, said(rule.senders.join(", ")),
          said(rule.destinations.join(", ")), rule.function ? said(functionOf(rule)) : ""])),
    ]),
    test(),
  ];
}

function functionOf(rule) {
  const how = rule.synchronous
    ? `synchronous, ${rule.ruleTimeoutMinutes} minutes, then ${rule.fallback}` : "asynchronous";
  return `${rule.function.split(":function:").pop()} (${how})`;
}

function test() {
  const direction = el("select", { id: "test-direction" }, el("option", {}, "inbound"), el("option", {}, "outbound"));
  const address = (id) => el("input", { id, type: "email", required: true, autocomplete: "off" });
  const [sender, recipient] = [address("test-sender"), address("test-recipient")];
  const result = el("div", { role: "status", id: "test-result" });
  async function ask(event) {
    event.preventDefault();
    try {
      result.replaceChildren(...decision(await post("/v1/rules/test",
        { direction: direction.value, sender: sender.value, recipient: recipient.value })));
    } catch (error) {
      result.replaceChildren(el("p", { class: "failed" }, said(error.message)));
    }
  }
  return el("form", { class: "fields", onsubmit: ask, novalidate: true, "aria-labelledby": "test-heading" },
    el("h3", { id: "test-heading" }, "Test"),
    el("label", { for: "test-direction" }, "Direction"), direction,
    el("label", { for: "test-sender" }, "Sender"), sender,
    el("label", { for: "test-recipient" }, "Recipient"), recipient,
    el("button", {}, "Test"), result);
}

function decision(found) {
  return [
    el("p", {}, found.rule === null ? "No rule matches" : ["Rule ", el("strong", {}, said(found.rule))],
      `: ${found.action}. `, said(found.reason)),
    found.lost.length === 0 ? "" : table("Rules that lost", ["Rule", "Why"],
      found.lost.map((lost) => [said(lost.rule), said(lost.reason)])),
  ];
}
