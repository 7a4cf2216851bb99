// Plays what comes, after a short reserve; says how much is left and how often it ran dry.

const RESERVE = 0.06; // seconds that are gathered before playing begins, and again after it ran dry

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.blocks = [];
    Object.assign(this, { place: 0, left: 0, playing: false, dropouts: 0, quiet: false, power: 0, count: 0 });
    this.port.onmessage = ({ data }) => {
      if (data === "last") this.quiet = true; // what follows is silence, no dropout
      else {
        this.quiet = false;
        this.blocks.push(data);
        this.left += data.length;
      }
    };
  }

  process(_, [[channel]]) {
    if (!this.playing && this.left >= RESERVE * sampleRate) this.playing = true;
    for (let i = 0; i < channel.length && this.playing; i++) {
      if (!this.left) {
        this.playing = false;
        if (!this.quiet) this.dropouts++;
        break;
      }
      const sample = this.blocks[0][this.place++];
      channel[i] = sample;
      this.power += sample * sample;
      this.left--;
      if (this.place === this.blocks[0].length) {
        this.blocks.shift();
        this.place = 0;
      }
    }
    this.count += channel.length;
    if (this.count >= sampleRate / 20) {
      this.port.postMessage({ left: this.left, dropouts: this.dropouts, power: this.power / this.count });
      this.power = this.count = 0;
    }
    return true;
  }
}

registerProcessor("playback", Playback);
