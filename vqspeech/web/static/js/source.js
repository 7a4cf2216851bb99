// Where a recording comes from: a file, dropped or chosen, the microphone, or the sample.

import { RATE, decode, wavBlob } from "./audio.js";
import { counted, clock, element } from "./dom.js";
import { LOST, Recorder } from "./recorder.js";

const SAMPLE = { name: "sample.flac", text: "A small machine can learn the sounds of speech from nothing but speech." };

export class Source {
  /** Fill `place`; `onchange(source)` when there is another recording, `onerror(line)` when there cannot be. */
  constructor(place, { limits, onchange, onerror, title = "Recording", step = "1", sample: offers = true }) {
    Object.assign(this, { limits, onchange, onerror, blob: null, samples: null, name: "", text: "" });
    const file = element("input", { type: "file", accept: "audio/*,video/*,.flac,.wav,.mp3,.ogg,.opus,.m4a,.sph", hidden: true });
    this.record = element("button", { type: "button", text: "● Record" });
    const choose = element("button", { type: "button", text: "Open a file", onclick: () => file.click() });
    const sample = element("button", { type: "button", text: "Sample", title: "Synthetic speech, one sentence", onclick: () => this.useSample() });
    this.line = element("p", { class: "muted" });
    this.fill = element("i");
    this.meter = element("div", { class: "meter", hidden: true }, this.fill);
    this.drop = element("div", { class: "drop" }, element("div", { class: "row" }, choose, this.record, ...(offers ? [sample] : [])), this.line, this.meter, file);
    const legend = element("legend", {}, ...(step ? [element("span", { class: "step", text: step })] : []), ` ${title}`);
    place.replaceChildren(element("fieldset", {}, legend, this.drop));
    file.addEventListener("change", () => file.files[0] && this.useFile(file.files[0]));
    this.record.addEventListener("click", () => (this.recorder ? this.stop() : this.start()));
    this.drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.drop.classList.add("over");
    });
    this.drop.addEventListener("dragleave", () => this.drop.classList.remove("over"));
    this.drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.drop.classList.remove("over");
      if (event.dataTransfer.files[0]) this.useFile(event.dataTransfer.files[0]);
    });
    this.show();
  }

  /** The recording that is chosen, or what may be. */
  show() {
    if (!this.blob) {
      this.say(`Drop a recording here: any usual format, up to ${counted(this.limits.seconds / 60, "minute")}`);
      return;
    }
    const length = this.samples ? `, ${clock(this.samples.length / RATE)}` : "";
    this.line.replaceChildren(element("span", { class: "chosen", text: this.name }), length);
  }

  say(text) {
    this.line.textContent = text;
  }

  async useSample() {
    try {
      const response = await fetch(`/static/${SAMPLE.name}`);
      await this.use(await response.blob(), "sample.flac", SAMPLE.text);
    } catch {
      this.onerror("the server does not answer; is vqspeech serve still running?");
    }
  }

  async useFile(file) {
    if (file.size > this.limits.megabytes * 2 ** 20) {
      this.onerror(`${file.name}: larger than ${this.limits.megabytes} MB`);
      return;
    }
    if (!file.size) {
      this.onerror(`${file.name}: empty`);
      return;
    }
    await this.use(file, file.name);
  }

  async use(blob, name, text = "") {
    Object.assign(this, { blob, name, text, samples: await decode(blob) });
    this.show();
    this.onchange(this);
  }

  async start() {
    const recorder = new Recorder((level, seconds) => {
      this.fill.style.width = `${100 * level}%`;
      this.meter.classList.toggle("loud", level > 0.97);
      this.say(`recording ${clock(seconds)}`);
    }, this.limits.seconds);
    this.recorder = recorder;
    this.record.textContent = "■ Stop";
    this.record.classList.add("recording");
    this.meter.hidden = false;
    try {
      const lost = () => this.recorder === recorder && this.stop().then(() => this.onerror(LOST));
      await recorder.start(() => this.stop(), lost);
    } catch (error) {
      if (this.recorder !== recorder) return;
      this.recorder = null;
      this.idle();
      this.onerror(error.message);
    }
  }

  async stop() {
    const recorder = this.recorder;
    if (!recorder) return;
    this.recorder = null;
    const opened = recorder.microphone;
    const samples = await recorder.stop();
    this.idle();
    if (!opened) return;
    if (samples.length < RATE / 4) this.onerror("nothing was recorded; does the microphone work?");
    else await this.use(wavBlob(samples), `recording ${new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}.wav`);
  }

  idle() {
    this.record.textContent = "● Record";
    this.record.classList.remove("recording");
    this.meter.hidden = true;
    this.show();
  }

  /** Run `job(body)`; a format that only the browser knows is sent a second time as WAV. */
  async sendBy(job) {
    try {
      return await job(this.blob);
    } catch (error) {
      if (!this.samples || !error.message.startsWith("not audio")) throw error;
      return await job(wavBlob(this.samples));
    }
  }

  /** The name without its ending. */
  get stem() {
    return this.name.replace(/\.[^.]*$/, "").replaceAll(/[^\p{L}\p{N}._-]+/gu, "-") || "recording";
  }
}
