// One message or two versions of it: as a mail program shows it, as text and as source.

import { download, get, start } from "./api.js";
import { bytes, el, facts, pre, said } from "./dom.js";
import { mailFrame } from "./mail_frame.js";

const MOST_SOURCE = 200_000;

/** Make a choice between ways to look at something; each loads when it is chosen. */
export function ways(name, legend, choices, chosen = Object.keys(choices)[0]) {
  const shown = el("div", { class: "shown" });
  let latest = 0;
  async function show(way) {
    const number = ++latest;
    let content;
    try {
      content = await choices[way]();
    } catch (error) {
      content = el("p", { class: "failed" }, said(error.message));
    }
    if (number === latest) shown.replaceChildren(content);
  }
  const radio = (way) => el("label", {},
    el("input", { type: "radio", name, value: way, checked: way === chosen, onchange: () => show(way) }), way);
  show(chosen);
  return el("div", {},
    el("fieldset", { class: "ways" }, el("legend", {}, legend), Object.keys(choices).map(radio)), shown);
}

/** Return what a reader sees of the mail at an address of the API. */
export async function rendered(path, query, title) {
  const mail = await get(path, query);
  const body = mail.html === null ? pre(mail.text ?? "(no text)", title)
    : el("div", { class: "framed" }, mailFrame(mail.html, title));
  const more = [el("p", {}, "Subject: ", el("strong", {}, said(mail.subject)))];
  const files = mail.remote === 1 ? "file is" : "files are";
  if (mail.remote) more.push(el("p", {}, `${mail.remote} remote ${files} not loaded.`));
  if (mail.cut) more.push(el("p", {}, "The end is not shown: the message is too long."));
  if (mail.attachments.length) more.push(facts([["Attachments", el("ul", {}, mail.attachments.map((one) =>
    el("li", {}, said(one.name), ` (${one.type}, ${bytes(one.size)})`)))]]));
  return el("div", {}, more, body);
}

/** Return the first part of a mail's source, and a button that saves all of it. */
export async function source(path, query, title, fileName) {
  const { text, cut } = await start(path, query, MOST_SOURCE);
  return el("div", {},
    el("p", {}, cut && `The first ${bytes(MOST_SOURCE)}. `,
      el("button", { type: "button", onclick: () => download(path, query, fileName) }, "Save .eml")),
    pre(text, title));
}

/** Return a unified diff whose lines differ by sign and colour. */
function diff(text) {
  const kinds = { "+": "added", "-": "removed", "@": "place" };
  return el("pre", { tabindex: "0", role: "region", "aria-label": "What changed" },
    text.split("\n").map((line) => el("span", { class: kinds[line[0]] }, said(line), "\n")));
}

/** Show a flow's message before and after its function. */
export function beforeAndAfter(flow) {
  const id = flow.messageId;
  const changed = flow.deliveredUpdate > 0;
  const sides = (show) => async () => {
    const versions = changed ? [["Before", "original"], ["After", "delivered"]] : [["Unchanged", "original"]];
    return el("div", { class: "sides" }, await Promise.all(versions.map(async ([name, version]) =>
      el("section", { "aria-label": name }, el("h4", {}, name), await show(version, `${name}: message`)))));
  };
  return ways(`ways-${id}`, "Show as", {
    Rendered: sides((version, title) => rendered(`/v1/messages/${id}/readable`, { version }, title)),
    Text: async () => {
      const { changes } = await get(`/v1/messages/${id}/diff`);
      const own = changes.find((change) => change.messageId === id);
      return own ? diff(own.diff) : el("p", {}, "Nothing changed.");
    },
    Source: sides((version, title) =>
      source(`/v1/messages/${id}/content`, { version }, title, `${id}-${version}.eml`)),
  });
}
