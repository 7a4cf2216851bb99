// The microphone in another voice, while one speaks.

import { RATE } from "./audio.js";
import { DeliverySettings } from "./delivery.js";
import { element, find, showValues } from "./dom.js";
import { LOST, level, openMicrophone } from "./recorder.js";
import { VoicePicker } from "./voices.js";

const HISTORY = 10; // seconds in the plot
const STEP = 0.02; // seconds of a block of the microphone
const PATIENCE = 3000; // milliseconds in which the rest must come after the end
const MOST = 2; // seconds of sound that may wait to be sent

export function start(info) {
  const form = find("#live-form");
  const toggle = find("#live-toggle");
  const state = find("#live-state");
  const problem = find("#live-problem");
  const plot = new Plot(find("#live-plot"));
  let session = null;
  const picker = new VoicePicker(find("#live-voice"), info, { onchange: () => session?.setVoice(picker.value) });
  const delivery = new DeliverySettings(find("[data-delivery]", form), info, { source: "follow my voice" });
  showValues(form);

  const fail = (line) => problem.replaceChildren(element("p", { class: "notice bad", role: "alert", text: line }));
  // A session keeps the settings that it began with.
  const settle = (running) => {
    for (const control of form.querySelectorAll(".settings :is(input, select)")) control.disabled = running;
  };
  const idle = () => {
    session = null;
    toggle.textContent = "Start speaking";
    toggle.classList.remove("recording");
    toggle.disabled = false;
    settle(false);
    for (const id of ["#live-in", "#live-out"]) showLevel(id, 0);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.replaceChildren();
    if (session) {
      toggle.disabled = true;
      state.textContent = "stopping";
      session.end();
      return;
    }
    toggle.textContent = "Stop";
    toggle.classList.add("recording");
    state.textContent = "opening the microphone";
    const options = { speaker: picker.value, ...delivery.options };
    const mine = new Session(options, {
      echo: find("#live-echo").checked,
      onstate: (text) => (state.textContent = text),
      onproblem: fail,
      onend: () => {
        if (session === mine) {
          state.textContent = "stopped";
          idle();
        }
      },
      onfigures: (figures) => {
        const { heard, made, latency, model, load, drops } = figures;
        showLevel("#live-in", heard);
        showLevel("#live-out", made);
        find("#live-latency").textContent = latency ? `${Math.round(1000 * latency)} ms` : "–";
        find("#live-model").textContent = model ? `${Math.round(1000 * model)} ms` : "–";
        find("#live-load").textContent = load ? `${Math.round(100 * load)} %` : "–";
        find("#live-load").classList.toggle("bad", load > 1);
        find("#live-drops").textContent = drops;
        find("#live-drops").classList.toggle("bad", drops > 0);
        plot.add(heard, made);
      },
    });
    session = mine;
    settle(true);
    try {
      await mine.start();
    } catch (error) {
      mine.stop();
      if (session !== mine) return;
      fail(error.message);
      state.textContent = "not started";
      idle();
    }
  });
  return { voices: (now, chosen) => picker.fill(now, chosen) };
}

class Session {
  constructor(options, handlers) {
    Object.assign(this, handlers, { options, sent: 0, received: 0, begun: false, ended: false });
    this.figures = { heard: 0, made: 0, latency: 0, model: 0, load: 0, drops: 0 };
    this.dropped = 0;
  }

  async start() {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.context = context;
    const onlost = () => {
      if (this.ending) return;
      this.onproblem(LOST);
      this.end();
    };
    this.microphone = await openMicrophone((block) => this.send(block), { context, echo: this.echo, onlost });
    if (!this.ending) await context.audioWorklet.addModule("/static/js/playback-worklet.js");
    if (this.ending) return this.stop(); // while the browser asked whether the microphone may be opened
    this.playback = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.playback.connect(context.destination);
    this.playback.port.onmessage = ({ data }) => this.measure(data);
    this.onstate("connecting");
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/api/live`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket.send(JSON.stringify(this.options));
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.told(JSON.parse(data)) : this.play(data));
    this.socket.onclose = () => {
      if (!this.ended && !this.ending) {
        this.onproblem(`the server ${this.begun ? "has ended the connection" : "does not answer"}; is vqspeech serve still running?`);
      }
      this.stop();
      this.onend();
    };
  }

  told(event) {
    if (event.event === "loading") this.onstate("loading the model");
    else if (event.event === "begun") {
      this.begun = true;
      this.figures.model = event.latency;
      this.onstate("speak");
    } else if (event.event === "load") {
      this.figures.load = event.load;
      this.dropped = event.dropped;
    } else if (event.event === "done") this.ended = true;
    else {
      if (event.event === "error") this.ended = true;
      this.onproblem(event.message);
    }
  }

  send(block) {
    this.figures.heard = level(block);
    if (!this.begun || this.ending || this.socket.bufferedAmount > 2 * MOST * RATE) return;
    const pcm = new Int16Array(block.length);
    for (let i = 0; i < block.length; i++) pcm[i] = Math.max(-32768, Math.min(32767, Math.round(block[i] * 32768)));
    this.socket.send(pcm.buffer);
    this.sent += block.length;
  }

  play(data) {
    const samples = Float32Array.from(new Int16Array(data), (sample) => sample / 32768);
    this.received += samples.length;
    this.playback.port.postMessage(samples, [samples.buffer]);
    if (this.ending) this.playback.port.postMessage("last");
  }

  measure({ left, dropouts, power }) {
    const made = Math.max(0, Math.min(1, 1 + (10 * Math.log10(power + 1e-9)) / 60));
    const waiting = (this.sent - this.received + left) / RATE - this.dropped;
    const device = this.context.baseLatency + (this.context.outputLatency || 0);
    Object.assign(this.figures, { made, drops: dropouts, latency: this.received ? waiting + device + STEP / 2 : 0 });
    this.onfigures(this.figures);
  }

  setVoice(speaker) {
    if (this.begun) this.socket.send(JSON.stringify({ event: "voice", speaker }));
    else this.options.speaker = speaker;
  }

  /** Say that nothing more comes; the server sends the rest and closes. */
  end() {
    this.ending = true;
    this.microphone?.mute();
    setTimeout(() => this.stop(), PATIENCE);
    if (this.begun && this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ event: "end" }));
    else if (this.socket) this.socket.close();
    else {
      this.stop();
      this.onend();
    }
  }

  stop() {
    this.ending = true;
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) this.socket.close();
    this.microphone?.close().catch(() => {});
    this.microphone = null;
  }
}

/** A level from 0 to 1, in a meter. */
function showLevel(id, share) {
  find(id).style.width = `${100 * share}%`;
  find(id).parentElement.ariaValueNow = String(Math.round(100 * share));
}

/** The last seconds of both levels: the microphone upwards, the converted voice downwards. */
class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.levels = [];
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  add(heard, made) {
    this.levels.push([heard, made]);
    if (this.levels.length > HISTORY * 20) this.levels.shift();
    this.draw();
  }

  draw() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width) return;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const context = this.canvas.getContext("2d");
    context.scale(ratio, ratio);
    const bar = width / (HISTORY * 20);
    const middle = height / 2;
    context.fillStyle = "#ffffff30";
    context.fillRect(0, middle - 0.5, width, 1);
    this.levels.forEach(([heard, made], i) => {
      const x = width - (this.levels.length - i) * bar;
      context.fillStyle = "#8b85ff";
      context.fillRect(x, middle - 1 - heard * (middle - 8), Math.max(bar - 1, 1), heard * (middle - 8));
      context.fillStyle = "#f6a04e";
      context.fillRect(x, middle + 1, Math.max(bar - 1, 1), made * (middle - 8));
    });
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = "#b9b5ff";
    context.fillText("you", 8, 16);
    context.fillStyle = "#f9c48f";
    context.fillText("converted", 8, height - 8);
  }
}
