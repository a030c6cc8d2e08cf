// The page: which view is open, what happens live, and what works everywhere.

import { events, get, post, takeToken } from "./api.js";
import { el, notice, said, swap } from "./dom.js";
import { faults } from "./faults.js";
import { mail, mailbox, mailboxes, spool } from "./mailboxes.js";
import { MessageList } from "./message_list.js";
import { MessageView } from "./message.js";
import { rules } from "./rules.js";
import { sendFiles } from "./send.js";

const GATHER_MS = 150; // a burst of events is one update
const RETRY_MS = 1000;

const at = (id) => document.getElementById(id);
const views = { mailboxes, mailbox, spool, mail, rules, faults };
const ofMail = ["mailboxes", "mailbox", "spool"];
const follows = { delivered: ofMail, reset: ofMail, deployed: ["rules"], missed: [...ofMail, "rules"] };
const tabs = { mailbox: "mailboxes", spool: "mailboxes", mail: "mailboxes", message: "messages" };

const list = new MessageList((id) => go(`#message/${id}`));
const message = new MessageView(at("message"));
let latest = 0;
let toSearch = false;

function go(hash) {
  if (location.hash === hash) show();
  else location.hash = hash;
}

function route() {
  const [, view, argument] = location.hash.match(/^#(\w*)\/?(.*)$/) ?? [];
  return { view: view || "messages", argument: argument ? decodeURIComponent(argument) : "" };
}

/** Show the view that the address names. */
async function show({ focus = true } = {}) {
  if (!at("refused").hidden) return;
  const { view, argument } = route();
  const ofMessages = !Object.hasOwn(views, view);
  at("messages-view").hidden = !ofMessages;
  at("other-view").hidden = ofMessages;
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${tabs[view] ?? view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (ofMessages) {
    const id = view === "message" ? argument : null;
    list.select(id);
    await message.open(id);
    if (!focus) return;
    if (id) at("message").focus({ preventScroll: true });
    else if (toSearch) at("search").focus();
    else list.focus();
    toSearch = false;
    return;
  }
  await draw(view, argument);
  if (focus) at("other-view").focus({ preventScroll: true });
}

/** Draw a view that is no message. */
async function draw(view, argument) {
  const number = ++latest;
  let content;
  try {
    content = await views[view](argument);
  } catch (error) {
    content = [el("p", { class: "failed" }, said(error.message))];
  }
  if (number === latest) swap(at("other-view"), ...content.flat(2));
}

async function showCounts() {
  const { counts, inFlight } = await get("/v1/status");
  at("counts").textContent = `${counts.messages} messages, ${inFlight} in flight, ${counts.held} held`;
}

/** Bring what is shown up to date with a burst of events. */
async function update(burst) {
  const types = new Set(burst.map((event) => event.type));
  const ids = new Set(burst.map((event) => event.message).filter(Boolean));
  showCounts().catch(() => {});
  if (types.has("reset")) {
    if (route().view === "message") go("#messages");
    await list.load();
  } else if (types.has("missed")) await list.load();
  else if (ids.size) await list.changed(ids);
  if (message.id && (ids.has(message.id) || types.has("missed"))) await message.refresh();
  const { view, argument } = route();
  if ([...types].some((type) => follows[type]?.includes(view))) await draw(view, argument);
}

/** Follow what happens; after a break, show everything anew. */
async function follow() {
  for (;;) {
    let burst = [];
    let timer = null;
    try {
      const stream = events(() => {
        at("live").textContent = "live";
        list.load();
        if (message.id) message.refresh();
        showCounts().catch(() => {});
      });
      for await (const event of stream) {
        burst.push(event);
        timer ??= setTimeout(() => {
          const gathered = burst;
          burst = [];
          timer = null;
          update(gathered);
        }, GATHER_MS);
      }
    } catch (error) {
      if (error.status === 401) return;
    }
    at("live").textContent = "not connected; trying again";
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function refused() {
  for (const id of ["messages-view", "other-view", "send"]) at(id).hidden = true;
  at("refused").hidden = false;
  at("live").textContent = "no token";
}

function shortcuts(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("reset-dialog").open) return;
  const typing = event.target.matches("input:not([type=radio]), select, textarea");
  if (event.key === "/" && !typing && !at("messages-view").hidden) {
    event.preventDefault();
    toSearch = at("search").offsetParent === null; // a phone shows the list or a message
    if (toSearch) go("#messages");
    else at("search").focus();
  } else if (event.key === "Escape" && event.target === at("search")) list.focus();
  else if (event.key === "Escape" && message.id && !typing) go("#messages");
}

function askToReset() {
  at("reset-dialog").returnValue = "";
  at("reset-dialog").showModal();
}

function searchSoon() {
  let timer;
  at("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => list.load(at("search").value.trim()), GATHER_MS);
  });
  at("search-form").addEventListener("submit", (event) => event.preventDefault());
}

takeToken();
document.addEventListener("refused", refused);
document.addEventListener("keydown", shortcuts);
at("reset").addEventListener("click", askToReset);
at("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address names what is open
  at("view").focus();
});
at("reset-dialog").addEventListener("close", () => {
  if (at("reset-dialog").returnValue === "delete") post("/v1/reset").catch((error) => notice(error.message));
});
window.addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#token=")) return show();
  takeToken();
  location.reload();
});
searchSoon();
sendFiles((id) => go(`#message/${id}`));
show({ focus: false });
follow();
