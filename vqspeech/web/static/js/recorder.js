// The microphone, as samples at 16 kHz.

import { RATE } from "./audio.js";

const PROBLEMS = {
  NotFoundError: "there is no microphone",
  NotReadableError: "the microphone cannot be opened; another program may be using it",
};
export const LOST = "the microphone was disconnected";

/**
 * Open the microphone; `onblock` gets Float32Arrays, `onlost` is called when it is unplugged. The settings leave the
 * speech as it is.
 */
export async function openMicrophone(onblock, { context = new AudioContext({ sampleRate: RATE }), echo = false, onlost }) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("browsers give the microphone only to pages on localhost or over https");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: echo, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    await context.close();
    throw new Error(PROBLEMS[error.name] || "the microphone was not allowed");
  }
  const node = await (async () => {
    await context.audioWorklet.addModule("/static/js/capture-worklet.js");
    const made = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0 });
    context.createMediaStreamSource(stream).connect(made);
    await context.resume();
    return made;
  })().catch(async () => {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
    throw new Error("this browser cannot record at 16 kHz; use Chromium, Chrome, Edge or Safari");
  });
  node.port.onmessage = (event) => onblock(event.data);
  for (const track of stream.getTracks()) track.addEventListener("ended", onlost);
  const mute = () => {
    for (const track of stream.getTracks()) track.stop();
    node.port.onmessage = null;
  };
  return {
    mute,
    async close() {
      mute();
      await context.close();
    },
  };
}

/** Level of a block, 0 to 1 over 60 dB. */
export function level(block) {
  let power = 1e-9;
  for (const sample of block) power += (sample * sample) / block.length;
  return Math.max(0, Math.min(1, 1 + (10 * Math.log10(power)) / 60));
}

/** Records until stopped. */
export class Recorder {
  constructor(onlevel, most) {
    this.blocks = [];
    this.length = 0;
    this.onlevel = onlevel;
    this.most = most;
    this.stopped = false;
  }

  get seconds() {
    return this.length / RATE;
  }

  async start(onfull, onlost) {
    const take = (block) => {
      if (this.stopped) return;
      this.blocks.push(block);
      this.length += block.length;
      this.onlevel(level(block), this.seconds);
      if (this.seconds >= this.most) onfull();
    };
    const microphone = await openMicrophone(take, { onlost });
    if (this.stopped) await microphone.close(); // while the browser asked whether it may be opened
    else this.microphone = microphone;
  }

  /** Stop; returns the samples. */
  async stop() {
    this.stopped = true;
    await this.microphone?.close();
    const samples = new Float32Array(this.length);
    let at = 0;
    for (const block of this.blocks) {
      samples.set(block, at);
      at += block.length;
    }
    return samples;
  }
}
