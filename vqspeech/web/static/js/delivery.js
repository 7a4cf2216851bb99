// How converted speech is delivered: the settings that the tabs Convert and Live share.

import { element } from "./dom.js";

const INTONATIONS = { source: "", target: "leave it to the model", flat: "monotone" };

export class DeliverySettings {
  /** Fill `place`, whose `data-delivery` begins the ids; `source` says what intonation of the source is called. */
  constructor(place, info, { source }) {
    const id = place.dataset.delivery;
    const slider = (name, title, given) => {
      const input = element("input", { id: `${id}-${name}`, type: "range", ...given.range });
      input.value = given.value;
      if (given.unit) input.dataset.unit = given.unit;
      return [input, element("label", {}, `${title} `, element("output", { for: input.id }), input)];
    };
    this.f0 = element("select", { id: `${id}-f0` });
    for (const [value, text] of Object.entries(INTONATIONS)) this.f0.append(element("option", { value, text: text || source }));
    const intonation = element("label", {}, "Intonation ", this.f0);
    const [shift, shifted] = slider("shift", "Pitch shift", { range: { min: -12, max: 12, step: 0.5 }, value: 0, unit: "semitones" });
    const [temperature, warmed] = slider("temperature", "Temperature", { range: { min: 0, max: 1.5, step: 0.05 }, value: 1 });
    Object.assign(this, { shift, temperature, pitch: info.pitch });
    place.replaceWith(...(info.pitch ? [intonation, shifted] : []), warmed);
  }

  /** As the server takes them. */
  get options() {
    const options = { temperature: this.temperature.value };
    if (!this.pitch) return options;
    options.f0 = this.f0.value;
    if (options.f0 !== "target") options.f0_shift = this.shift.value;
    return options;
  }
}
