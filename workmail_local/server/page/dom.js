// Elements, made without HTML: whatever mail, rules and logs say is text and stays text.

/** Make an element. A property `onclick` listens; any other is an attribute, left out if null or false. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Show what somebody else wrote; its direction of writing ends with it. */
export function said(text) {
  return el("bdi", {}, String(text ?? ""));
}

/** Make a table that scrolls by itself where it is too wide. */
export function table(caption, heads, rows) {
  return el("div", { class: "scrolls", role: "region", "aria-label": caption, tabindex: "0" },
    el("table", {},
      el("caption", {}, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell)))))));
}

/** Make a list of terms and what they are. */
export function facts(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value !== null).map(([term, value]) =>
    [el("dt", {}, term), el("dd", {}, value)]));
}

/** Make a part that opens and closes. */
export function folded(key, summary, ...children) {
  return el("details", { "data-key": key }, el("summary", { "data-key": `${key} summary` }, summary), children);
}

/** Make a block of text as it is. */
export function pre(text, label) {
  return el("pre", { tabindex: "0", role: "region", "aria-label": label }, said(text));
}

/** Replace what a container holds; what was open stays open, and the focus stays where it was. */
export function swap(container, ...children) {
  const keyOf = (node) => node.id || node.getAttribute("href") || node.dataset.key;
  const focused = container.contains(document.activeElement) && keyOf(document.activeElement);
  const open = new Set([...container.querySelectorAll("details[open]")].map(keyOf));
  container.replaceChildren(...children.flat());
  for (const details of container.querySelectorAll("details")) details.open ||= open.has(keyOf(details));
  if (focused) {
    const same = [...container.querySelectorAll("a, button, summary, input, select")].find((n) => keyOf(n) === focused);
    same?.focus({ preventScroll: true });
  }
}

/** Say something to who listens to the page. */
export function announce(text) {
  document.getElementById("announcement").textContent = text;
}

/** Show something that stays until it is closed. */
export function notice(text) {
  const line = el("p", {}, said(text), " ", el("button", { type: "button", onclick: () => line.remove() }, "Close"));
  document.getElementById("notices").append(line);
}

/** Return a size for people. */
export function bytes(number) {
  return number < 10_000 ? `${number} bytes` : `${Math.round(number / 1000).toLocaleString("en")} kB`;
}

/** Return a time of today, or any other, for people. */
export function when(timestamp) {
  const date = new Date(timestamp);
  return date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString() : date.toLocaleString();
}
