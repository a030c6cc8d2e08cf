// Calls of the HTTP API. The token comes in the fragment of the page's address and leaves that at once: no request has
// it in its address, so no log and no Referer does.

const KEPT = "workmail-local-token";

/** An answer that is an error; status 0 if there is none. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Keep the token that the page was opened with. */
export function takeToken() {
  const found = location.hash.match(/^#token=(.+)$/);
  if (!found) return;
  sessionStorage.setItem(KEPT, found[1]);
  history.replaceState(null, "", location.pathname);
}

/** Return the answer to a request; throws an ApiError. */
export async function request(path, { method = "GET", query = {}, body, signal } = {}) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  let response;
  try {
    response = await fetch(text ? `${path}?${text}` : path, {
      method, body, signal, headers: { Authorization: `Bearer ${sessionStorage.getItem(KEPT) ?? ""}` },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The local WorkMail does not answer; `workmail-flow local up` starts it.", 0);
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  if (response.status === 401) document.dispatchEvent(new Event("refused"));
  throw new ApiError(answer?.error?.message ?? `status ${response.status}`, response.status);
}

/** Return a JSON answer. */
export async function get(path, query, signal) {
  return (await request(path, { query, signal })).json();
}

/** Send a JSON body, or none, and return the JSON answer. */
export async function post(path, body, method = "POST") {
  return (await request(path, { method, body: body && JSON.stringify(body) })).json();
}

/** Return the first `most` bytes of an answer as text, and whether there are more. */
export async function start(path, query, most) {
  const reader = (await request(path, { query })).body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (let read = 0; read < most;) {
    const { done, value } = await reader.read();
    if (done) return { text: text + decoder.decode(), cut: false };
    text += decoder.decode(value.subarray(0, most - read), { stream: true });
    read += value.length;
  }
  await reader.cancel();
  return { text, cut: true };
}

/** Let the browser save an answer as a file. */
export async function download(path, query, name) {
  const address = URL.createObjectURL(await (await request(path, { query })).blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/** Yield what happens, from the moment that `opened` is called. */
export async function* events(opened) {
  const reader = (await request("/v1/events")).body.pipeThrough(new TextDecoderStream()).getReader();
  opened();
  for (let left = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (left + value).split("\n");
    left = lines.pop();
    for (const line of lines) if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
  }
}
