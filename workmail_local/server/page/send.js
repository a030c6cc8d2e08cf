// Sends the files that a person chooses or drops.

import { request } from "./api.js";
import { announce, notice } from "./dom.js";

/** Send files from the header's form, and those that are dropped anywhere; `sent(id)` gets the last one. */
export function sendFiles(sent) {
  const input = document.getElementById("files");
  input.addEventListener("change", async () => {
    await send([...input.files], sent);
    input.value = "";
  });
  const over = (is) => document.body.classList.toggle("dropping", is);
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(false);
    send([...event.dataTransfer.files], sent);
  });
}

async function send(files, sent) {
  let last = null;
  for (const file of files) {
    try {
      const query = { direction: document.getElementById("direction").value };
      const answer = await (await request("/v1/messages", { method: "POST", query, body: file })).json();
      for (const note of answer.notes) notice(`${file.name}: ${note}`);
      last = answer.id;
    } catch (error) {
      notice(`${file.name} is not sent: ${error.message}`);
    }
  }
  if (last === null) return;
  announce("Sent.");
  sent(last);
}
