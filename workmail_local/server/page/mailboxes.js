// Where mail ended up: mailboxes, the outbound spool, and one mail of either.

import { get } from "./api.js";
import { rendered, source, ways } from "./content.js";
import { bytes, el, said, table } from "./dom.js";
import { placeLink } from "./message.js";

const MOST_MAILS = 200;

/** Show who has mail. */
export async function mailboxes() {
  const { mailboxes: found } = await get("/v1/mailboxes");
  const { total } = await get("/v1/outbound", { limit: 1 });
  return [
    el("h2", {}, "Mailboxes"),
    found.length === 0 ? el("p", {}, "Nobody has mail yet.") : table("Mailboxes", ["Address", "Inbox", "Junk"],
      found.map((one) => [el("a", { href: `#mailbox/${encodeURIComponent(one.address)}` }, said(one.address)),
        String(one.inbox), String(one.junk)])),
    el("p", {}, el("a", { href: "#spool" }, "Outbound spool"), `: ${total} mails that would leave the organization`),
  ];
}

/** Show the newest mails of a mailbox. */
export async function mailbox(address) {
  const { mails, total } = await get(`/v1/mailboxes/${encodeURIComponent(address)}`, { limit: MOST_MAILS });
  return [back(), el("h2", {}, said(address)), howMany(mails, total),
    table("Mails, newest first", ["Subject", "From", "Folder", "Seen", "Size"], mails.map((mail) =>
      [link(mail), said(mail.from), mail.folder, mail.seen ? "yes" : "no", bytes(mail.size)]))];
}

/** Show the newest mails that would leave the organization. */
export async function spool() {
  const { mails, total } = await get("/v1/outbound", { limit: MOST_MAILS });
  return [back(), el("h2", {}, "Outbound spool"), howMany(mails, total),
    table("Mails, newest first", ["Subject", "From", "To", "Route", "Size"], mails.map((mail) =>
      [link(mail), said(mail.mailFrom || "<>"), said(mail.recipients.join(", ")),
        said(mail.smtpGateway ?? "internet"), bytes(mail.size)]))];
}

/** Show one mail where it was delivered. */
export async function mail(place) {
  const path = `/v1/places/${place.split("/").map(encodeURIComponent).join("/")}`;
  return [back(), el("h2", {}, "Mail"), el("p", {}, el("code", {}, said(place))),
    ways("ways-mail", "Show as", {
      Rendered: () => rendered(path, { as: "readable" }, "Mail"),
      Source: () => source(path, {}, "Mail", `${place.split("/").pop()}.eml`),
    })];
}

function link(mail) {
  return placeLink(mail.path, mail.subject || "(no subject)");
}

function back() {
  return el("a", { href: "#mailboxes", class: "back shown-always" }, "← Mailboxes");
}

function howMany(mails, total) {
  return el("p", {}, mails.length < total ? `The newest ${mails.length} of ${total} mails.` : `${total} mails.`);
}
