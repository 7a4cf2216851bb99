// A card with a recording: its spectrogram, a play button, a place to click or to move in by arrow keys, a download.

import { RATE } from "./audio.js";
import { clock, element } from "./dom.js";
import { drawSpectrogram } from "./spectrogram.js";

const PLAY = "▶";
const PAUSE = "❚❚";
const STEP = 1; // seconds that an arrow key moves
let playing = null; // one at a time

export class Player {
  /** Fill `card`; `title` above, `empty` where there is no recording yet. */
  constructor(card, title, empty) {
    this.audio = new Audio();
    this.samples = null;
    this.onframe = null;
    this.note = element("span", { class: "hint" });
    this.canvas = element("canvas", { role: "img", ariaLabel: `Spectrogram: ${title}` });
    this.head = element("div", { class: "head", hidden: true });
    this.empty = element("div", { class: "empty", text: empty });
    this.axis = ["8 kHz", "0"].map((text, i) => element("span", { class: `axis ${i ? "low" : "high"}`, text, hidden: true }));
    this.boundary = element("div", { class: "mark", hidden: true });
    const slider = { role: "slider", tabIndex: 0, ariaLabel: `Position: ${title}`, ariaDisabled: "true" };
    this.plot = element("div", { class: "plot", ...slider }, this.canvas, this.boundary, this.head, ...this.axis, this.empty);
    this.button = element("button", { class: "play", type: "button", text: PLAY, ariaLabel: `Play: ${title}`, disabled: true });
    this.time = element("time", { text: "" });
    this.link = element("a", { text: "Download", hidden: true });
    this.transport = element("div", { class: "transport" }, this.button, this.time, this.link);
    card.classList.add("player");
    card.append(element("header", {}, element("h2", { text: title }), this.note), this.plot, this.transport);
    this.button.addEventListener("click", () => this.toggle());
    this.plot.addEventListener("click", (event) => {
      if (!this.samples) return;
      const box = this.plot.getBoundingClientRect();
      this.seek(((event.clientX - box.left) / box.width) * this.seconds);
      this.play();
    });
    this.plot.addEventListener("keydown", (event) => {
      const at = this.audio.currentTime;
      const to = { ArrowRight: at + STEP, ArrowLeft: at - STEP, Home: 0, End: this.seconds }[event.key];
      if (!this.samples || to === undefined) return;
      event.preventDefault();
      this.seek(to);
    });
    for (const name of ["play", "pause", "ended", "seeked"]) this.audio.addEventListener(name, () => this.show());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  get seconds() {
    return this.samples ? this.samples.length / RATE : 0;
  }

  /** Show a recording; `samples` at 16 kHz, or null where the browser cannot decode it. */
  set(blob, samples, { note = "", download = "" } = {}) {
    this.clear();
    this.url = URL.createObjectURL(blob);
    this.audio.src = this.url;
    this.samples = samples;
    this.note.textContent = note;
    this.note.title = note;
    this.button.disabled = !samples;
    this.empty.textContent = samples ? "" : "this browser cannot play this format; the server may still read it";
    this.empty.hidden = Boolean(samples);
    for (const mark of this.axis) mark.hidden = !samples;
    this.plot.ariaDisabled = String(!samples);
    this.link.hidden = !download;
    if (download) Object.assign(this.link, { href: this.url, download });
    this.draw();
    this.show();
  }

  /** A dashed line at a time. */
  mark(seconds) {
    this.boundary.hidden = !seconds;
    this.boundary.style.left = `${(100 * seconds) / this.seconds}%`;
  }

  /** Forget the recording. */
  clear(empty = "") {
    this.audio.pause();
    if (this.url) URL.revokeObjectURL(this.url);
    this.audio.removeAttribute("src");
    Object.assign(this, { url: null, samples: null });
    this.canvas.width = this.canvas.width; // wipes it
    this.button.disabled = true;
    this.plot.ariaDisabled = "true";
    this.head.hidden = this.link.hidden = this.boundary.hidden = true;
    for (const mark of this.axis) mark.hidden = true;
    this.empty.textContent = empty;
    this.empty.hidden = false;
    this.note.textContent = this.time.textContent = "";
  }

  /** Bring it into view, where the page is longer than the screen. */
  reveal() {
    this.plot.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  draw() {
    if (this.samples && this.canvas.clientWidth) drawSpectrogram(this.canvas, this.samples, RATE);
  }

  seek(seconds) {
    this.audio.currentTime = Math.max(0, Math.min(seconds, this.seconds));
  }

  play() {
    if (playing && playing !== this) playing.audio.pause();
    playing = this;
    this.audio.play().catch(() => {});
  }

  toggle() {
    if (this.audio.paused) this.play();
    else this.audio.pause();
  }

  show() {
    const at = this.audio.currentTime || 0;
    this.button.textContent = this.audio.paused ? PLAY : PAUSE;
    if (this.samples) {
      this.time.textContent = `${clock(at)} / ${clock(this.seconds)}`;
      const now = { ariaValueMin: "0", ariaValueMax: this.seconds.toFixed(1), ariaValueNow: at.toFixed(1) };
      Object.assign(this.plot, now, { ariaValueText: this.time.textContent });
      this.head.hidden = !at;
      this.head.style.left = `${(100 * at) / this.seconds}%`;
    }
    if (this.onframe) this.onframe(at);
    if (!this.audio.paused) requestAnimationFrame(() => this.show());
  }
}
