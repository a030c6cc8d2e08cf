// Faults on demand: what is active, and a form to switch one on.

import { get, post } from "./api.js";
import { el, said, swap, table } from "./dom.js";

/** Show the active faults and the form. */
export async function faults() {
  const [found, { organizations }] = await Promise.all([get("/v1/faults"), get("/v1/rules")]);
  const active = el("div", {}, activeFaults(found.faults));
  const failed = el("p", { class: "failed", role: "alert" });
  async function change(body, method) {
    try {
      swap(active, activeFaults((await post("/v1/faults", body, method)).faults));
      failed.textContent = "";
    } catch (error) {
      failed.textContent = error.message;
    }
  }
  const names = organizations.flatMap((one) => one.rules.map((rule) => rule.name));
  return [el("h2", {}, "Faults"), active,
    el("p", {}, el("button", { type: "button", onclick: () => change(undefined, "DELETE") }, "Clear all faults")),
    form(found.kinds, names, (fault) => change(fault, "POST")), failed,
    table("What each fault does", ["Fault", "What happens"],
      found.kinds.map((kind) => [el("code", {}, kind.fault), kind.effect]))];
}

function activeFaults(found) {
  if (found.length === 0) return el("p", {}, "No fault is active.");
  return table("Active faults", ["Fault", "Rule", "Limit", "Happened"],
    found.map((one) => [el("code", {}, one.fault), said(one.rule ?? "every rule"), limit(one), `${one.hits} times`]));
}

function limit(one) {
  const parts = [one.times && `${one.times} times`, one.messages && `${one.messages} messages`,
    one.after && `after ${one.after} calls`, one.seconds && `${one.seconds} s`];
  return parts.filter(Boolean).join(", ") || "none";
}

function form(kinds, names, add) {
  const fault = el("select", { id: "fault-kind" }, kinds.map((kind) => el("option", {}, kind.fault)));
  const rule = el("select", { id: "fault-rule" }, el("option", { value: "" }, "every rule"),
    names.map((name) => el("option", { value: name }, name)));
  const times = el("input", { id: "fault-times", type: "number", min: "1" });
  const seconds = el("input", { id: "fault-seconds", type: "number", min: "0", max: "900", value: "5" });
  const onlySlow = el("div", { class: "fields", hidden: true },
    el("label", { for: "fault-seconds" }, "Seconds"), seconds);
  fault.addEventListener("change", () => { onlySlow.hidden = fault.value !== "slow-content"; });
  function submit(event) {
    event.preventDefault();
    const slow = fault.value === "slow-content" && { seconds: Number(seconds.value) };
    add({ fault: fault.value, rule: rule.value || null, times: times.value ? Number(times.value) : null, ...slow });
  }
  return el("form", { class: "fields", onsubmit: submit, novalidate: true, "aria-labelledby": "fault-heading" },
    el("h3", { id: "fault-heading" }, "Make something fail"),
    el("label", { for: "fault-kind" }, "Fault"), fault, el("label", { for: "fault-rule" }, "Rule"), rule,
    el("label", { for: "fault-times" }, "Times (empty: always)"), times, onlySlow, el("button", {}, "Switch on"));
}
