// Choosing a voice, or a blend of several.

import { element } from "./dom.js";

let serial = 0;

/** Own voices first, then names, then numbers. */
function byName(a, b) {
  const number = (voice) => /^\d/.test(voice.name);
  return b.own - a.own || number(a) - number(b) || a.name.localeCompare(b.name, "en", { numeric: true });
}

export class VoicePicker {
  /** Fill `place` with the voices of `info`; `blends` allows several. */
  constructor(place, info, { blends = true, onchange = () => {} } = {}) {
    this.onchange = onchange;
    this.name = `voice-${++serial}`;
    this.weights = new Map();
    this.chips = element("div", { class: "chips", role: "group", ariaLabel: "Voices" });
    this.several = element("input", { type: "checkbox" });
    this.sliders = element("div", { class: "blend" });
    place.replaceChildren(this.chips);
    if (blends) place.append(element("label", { class: "switch" }, this.several, "Blend several voices"), this.sliders);
    this.several.addEventListener("change", () => this.build());
    this.fill(info);
  }

  /** Show the voices that there are now, with the choice of before where it is still there. */
  fill(info, choose = null) {
    this.voices = [...info.voices].sort(byName);
    const names = new Set(this.voices.map((voice) => voice.name));
    for (const name of this.weights.keys()) if (!names.has(name)) this.weights.delete(name);
    if (choose && names.has(choose)) this.weights = new Map([[choose, 1]]);
    if (!this.weights.size && this.voices.length) {
      const first = ["bdl", "p226"].find((name) => names.has(name)) || this.voices[0].name;
      this.weights.set(first, 1);
    }
    this.build();
  }

  build() {
    const several = this.several.checked;
    if (!several && this.weights.size > 1) this.weights = new Map([[this.weights.keys().next().value, 1]]);
    this.chips.replaceChildren(
      ...this.voices.map(({ name, own }) => {
        const input = element("input", { type: several ? "checkbox" : "radio", name: this.name, value: name, checked: this.weights.has(name), ariaLabel: name });
        input.addEventListener("change", () => {
          if (!several) this.weights = new Map([[name, 1]]);
          else if (input.checked) this.weights.set(name, 1);
          else if (this.weights.size > 1) this.weights.delete(name);
          else input.checked = true;
          this.slide();
          this.onchange();
        });
        return element("label", { class: own ? "chip own" : "chip" }, input, element("span", { text: name }));
      }),
    );
    this.slide();
  }

  slide() {
    const shown = this.several.checked ? [...this.weights.keys()] : [];
    const outputs = new Map();
    const show = () => {
      const total = [...this.weights.values()].reduce((sum, weight) => sum + weight, 0);
      for (const [name, output] of outputs) output.value = `${Math.round((100 * this.weights.get(name)) / total)} %`;
    };
    this.sliders.replaceChildren(
      ...shown.map((name) => {
        const range = element("input", { type: "range", min: 0.05, max: 1, step: 0.05 });
        range.value = this.weights.get(name);
        range.addEventListener("input", () => {
          this.weights.set(name, Number(range.value));
          show();
          this.onchange();
        });
        outputs.set(name, element("output"));
        return element("label", {}, element("span", { text: name }), range, outputs.get(name));
      }),
    );
    show();
  }

  /** As the server takes it: a name, or names with weights. */
  get value() {
    const parts = [...this.weights];
    return parts.length === 1 ? parts[0][0] : parts.map(([name, weight]) => `${name}:${weight}`).join(",");
  }

  /** As part of a file's name. */
  get label() {
    return [...this.weights.keys()].join("+");
  }
}
