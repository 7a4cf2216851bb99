// Jobs on the server: a request whose response is events as they happen, then perhaps a WAV file.

import { element, find } from "./dom.js";

const NEWLINE = 10;

/** Ask for JSON; an error of the server becomes an Error with its line. */
export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer; is vqspeech serve still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the server says ${response.status}`);
  return answer;
}

/** Run a job: `{result, wav}`. `onevent` is called with each event, `signal` abandons it. */
export async function runJob(path, options, body, { onevent = () => {}, signal } = {}) {
  let response;
  try {
    response = await fetch(`${path}?${new URLSearchParams(options)}`, { method: "POST", body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is vqspeech serve still running?");
  }
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new Error(answer.error || `the server says ${response.status}`);
  }
  const reader = response.body.getReader();
  let rest = new Uint8Array(0);
  let result = null;
  let [wav, wanted] = [null, 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (wav) {
      wav.push(value);
      continue;
    }
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest);
    joined.set(value, rest.length);
    rest = joined;
    for (let end = rest.indexOf(NEWLINE); end >= 0 && !wav; end = rest.indexOf(NEWLINE)) {
      const event = JSON.parse(new TextDecoder().decode(rest.subarray(0, end)));
      rest = rest.slice(end + 1);
      if (event.event === "error") throw new Error(event.message);
      if (event.event === "done") result = event;
      else if (event.event === "audio") [wav, wanted] = [[rest], event.bytes];
      else onevent(event);
    }
  }
  const blob = wav && new Blob(wav, { type: "audio/wav" });
  if (!result || (blob && blob.size !== wanted)) throw new Error("the connection broke off; try again");
  return { result, wav: blob };
}

/** Where a job is, in words. */
function words(event) {
  if (event.event === "decoding") return "reading the recording";
  if (event.event === "queued") return event.ahead ? `waiting: ${event.ahead} before it` : "waiting for its turn";
  if (event.event === "started") return "starting";
  const share = Math.floor((100 * event.done) / event.total);
  return event.what + (event.total > 1 ? ` ${share} %` : "");
}

/** A form's job: one at a time, with progress, an error line and a button to cancel. */
export class JobForm {
  constructor(form) {
    this.submit = find("[type=submit]", form);
    this.cancel = find("[data-cancel]", form);
    this.place = find("[data-progress]", form);
    this.cancel.addEventListener("click", () => this.controller?.abort());
  }

  /** Run `work(onevent, signal)`; returns what it returns, or null where it failed or was cancelled. */
  async run(work) {
    this.controller?.abort();
    const controller = new AbortController();
    this.controller = controller;
    const label = element("span", { text: "sending" });
    const bar = element("progress", { max: 1 });
    this.place.replaceChildren(element("div", { class: "progress", role: "status" }, label, bar));
    this.submit.disabled = true;
    this.cancel.hidden = false;
    try {
      const made = await work((event) => {
        label.textContent = words(event);
        if (event.event === "progress" && event.total > 1) bar.value = event.done / event.total;
        else bar.removeAttribute("value");
      }, controller.signal);
      this.place.replaceChildren();
      return made;
    } catch (error) {
      this.fail(error.name === "AbortError" ? "cancelled" : error.message, error.name !== "AbortError");
      return null;
    } finally {
      this.submit.disabled = false;
      this.cancel.hidden = true;
    }
  }

  /** Forget what was said of another recording; a job that runs goes on. */
  clear() {
    if (!this.submit.disabled) this.place.replaceChildren();
  }

  fail(message, bad = true) {
    this.place.replaceChildren(element("p", { class: bad ? "notice bad" : "notice", role: "alert", text: message }));
  }
}
