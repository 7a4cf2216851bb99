// Codes, phones and words under the spectrogram, in time; drawn for the part in view alone.

import { RATE } from "./audio.js";
import { clock, element } from "./dom.js";
import { spectrogram } from "./spectrogram.js";

const ROWS = { plot: 170, codes: 44, phones: 28, words: 28 }; // pixels
const CLOSEST = 2400; // pixels per second at most
const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300]; // seconds between marks of the time axis
const APART = 60; // pixels between them at least

export class Timeline {
  /** `onpick(run)` when a code is clicked, `onhover(run, phone, word)` when one is pointed at. */
  constructor(place, { colours, onpick, onhover }) {
    Object.assign(this, { colours, onpick, onhover, zoom: 0, chosen: -1, at: 0 });
    this.canvas = element("canvas", { tabIndex: 0, role: "application", ariaLabel: "Codes in time: arrow keys move, Enter plays" });
    this.spacer = element("div", { class: "spacer" });
    this.box = element("div", { class: "timeline" }, this.canvas, this.spacer);
    place.replaceChildren(this.box);
    this.box.addEventListener("scroll", () => this.draw());
    this.canvas.addEventListener("click", (event) => this.pick(this.under(event)));
    this.canvas.addEventListener("pointermove", (event) => this.point(this.under(event)));
    this.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) this.choose(Math.max(0, Math.min(this.runs.length - 1, this.chosen + step)));
      else if (event.key === "Enter" || event.key === " ") this.pick(this.chosen);
      else return;
      event.preventDefault();
    });
    new ResizeObserver(() => this.fit()).observe(this.box);
  }

  /** Show what the server found, see `/api/units`. */
  set(samples, { codes, period, phones = [], words = [] }) {
    Object.assign(this, { samples, period, phones, words, seconds: codes.length * period, chosen: -1 });
    this.runs = [];
    codes.forEach((code, i) => {
      const last = this.runs.at(-1);
      if (last && last.code === code) last.count += 1;
      else this.runs.push({ code, first: i, count: 1, start: i * period });
    });
    for (const run of this.runs) run.end = run.start + run.count * period;
    this.fit();
  }

  /** Zoom from 0, all in view, to 1. */
  setZoom(zoom) {
    const middle = (this.box.scrollLeft + this.box.clientWidth / 2) / this.scale;
    this.zoom = zoom;
    this.fit();
    this.box.scrollLeft = middle * this.scale - this.box.clientWidth / 2;
    this.draw();
  }

  fit() {
    if (!this.runs || !this.box.clientWidth) return;
    const whole = this.box.clientWidth / this.seconds;
    this.scale = whole * Math.max(1, CLOSEST / whole) ** this.zoom; // pixels per second
    this.spacer.style.width = `${Math.round(this.scale * this.seconds)}px`;
    this.draw();
  }

  /** Follow the player. */
  follow(seconds) {
    this.at = seconds;
    const x = seconds * this.scale - this.box.scrollLeft;
    if (this.zoom && seconds && (x < 0 || x > this.box.clientWidth)) this.box.scrollLeft = seconds * this.scale - 40;
    this.draw();
  }

  under(event) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left + this.box.scrollLeft;
    const seconds = x / this.scale;
    return this.runs.findIndex((run) => seconds < run.end);
  }

  point(index) {
    const run = this.runs[index];
    if (!run) return;
    const middle = (run.start + run.end) / 2;
    const within = (parts) => parts.find(([start, end]) => start <= middle && middle < end)?.[2];
    this.onhover(run, within(this.phones), within(this.words));
  }

  choose(index) {
    this.chosen = index;
    const run = this.runs[index];
    const [left, right] = [run.start * this.scale, run.end * this.scale];
    if (left < this.box.scrollLeft || right > this.box.scrollLeft + this.box.clientWidth) this.box.scrollLeft = left - 60;
    this.point(index);
    this.draw();
  }

  pick(index) {
    if (!this.runs[index]) return;
    this.choose(index);
    this.onpick(this.runs[index]);
  }

  draw() {
    if (!this.runs || !this.box.clientWidth) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = this.box.clientWidth;
    const height = ROWS.plot + ROWS.codes + (this.phones.length ? ROWS.phones + ROWS.words : 0);
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const context = this.canvas.getContext("2d");
    const left = this.box.scrollLeft / this.scale;
    const right = left + width / this.scale;
    const view = `${left} ${right} ${this.canvas.width} ${this.samples?.length}`;
    if (this.samples && this.view !== view) {
      const part = this.samples.subarray(Math.round(left * RATE), Math.round(right * RATE));
      this.picture = spectrogram(part, RATE, this.canvas.width, Math.round(ROWS.plot * ratio));
      this.view = view;
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#0d0c1d";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.picture) context.putImageData(this.picture, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.runs.forEach((run, i) => {
      if (run.end < left || run.start > right) return;
      const [x, w] = [(run.start - left) * this.scale, (run.end - run.start) * this.scale];
      context.fillStyle = this.colours[run.code];
      context.fillRect(x, ROWS.plot, Math.max(w - (w > 5 ? 1 : 0), 0.75), ROWS.codes);
      if (w > 24) {
        context.fillStyle = "#000000d0";
        context.font = "600 11px system-ui, sans-serif";
        context.fillText(String(run.code), x + w / 2, ROWS.plot + ROWS.codes / 2, w - 2);
      }
      if (i === this.chosen) {
        context.strokeStyle = "#fff";
        context.lineWidth = 2;
        context.strokeRect(x + 1, ROWS.plot + 1, Math.max(w - 2, 2), ROWS.codes - 2);
      }
    });
    this.labels(context, this.phones, ROWS.plot + ROWS.codes, ROWS.phones, left, right, (label) => label !== "sil");
    this.labels(context, this.words, ROWS.plot + ROWS.codes + ROWS.phones, ROWS.words, left, right, () => true);
    this.axes(context, left, right);
    if (this.at) {
      context.fillStyle = "#fff";
      context.fillRect((this.at - left) * this.scale - 1, 0, 2, height);
    }
  }

  /** Frequency at the left edge of the spectrogram, time along its top. */
  axes(context, left, right) {
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = "#ffffffc0";
    context.textAlign = "left";
    context.fillText(`${RATE / 2000} kHz`, 6, 11);
    context.fillText("0", 6, ROWS.plot - 9);
    const step = TICKS.find((seconds) => seconds * this.scale >= APART) || TICKS.at(-1);
    context.textAlign = "center";
    for (let i = Math.ceil(left / step); i * step <= right; i++) {
      const x = (i * step - left) * this.scale;
      if (x < APART || x > (right - left) * this.scale - 16) continue;
      context.fillRect(x, 0, 1, 4);
      context.fillText(clock(i * step), x, 12);
    }
  }

  labels(context, parts, top, height, left, right, shown) {
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    for (const [start, end, label] of parts) {
      if (end < left || start > right || !shown(label)) continue;
      const [x, w] = [(start - left) * this.scale, (end - start) * this.scale];
      context.fillStyle = "#2b2b40";
      context.fillRect(x + 0.5, top + 3, Math.max(w - 1, 1), height - 5);
      if (w > 9) {
        context.fillStyle = "#f1f1f8";
        context.fillText(label, x + w / 2, top + height / 2 + 0.5, w - 3);
      }
    }
  }
}
