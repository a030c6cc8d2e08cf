// The frame that shows a message's HTML: without scripts, forms, popups and origin (`sandbox`), and without network
// (its policy, which comes before anything of the message and adds to the page's own). The API has renamed links.

import { el } from "./dom.js";

const HEAD = `<!doctype html><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">
<base target="_blank"><style>
:root { color-scheme: light; background: white; color: black; font-family: sans-serif }
not-a { color: #0645ad; text-decoration: underline }
</style>`;

const rules = { createHTML: (mail) => HEAD + mail };
const policy = window.trustedTypes?.createPolicy("mail-frame", rules) ?? rules;

/** Make the frame. What still is a link, as in MathML, asks for a new window, which the sandbox does not give. */
export function mailFrame(mail, title) {
  const frame = el("iframe", { sandbox: "", title, referrerpolicy: "no-referrer", class: "mail" });
  frame.srcdoc = policy.createHTML(mail);
  return frame;
}
