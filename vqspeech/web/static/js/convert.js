// The first tab: a recording in another voice.

import { decode } from "./audio.js";
import { DeliverySettings } from "./delivery.js";
import { find, showValues } from "./dom.js";
import { JobForm, runJob } from "./jobs.js";
import { Player } from "./player.js";
import { Source } from "./source.js";
import { VoicePicker } from "./voices.js";

export function start(info) {
  const form = find("#convert-form");
  const job = new JobForm(form);
  const before = new Player(find("#convert-source"), "Source", "choose a recording");
  const after = new Player(find("#convert-result"), "Converted", "press Convert to hear it here");
  const picker = new VoicePicker(find("#convert-voice"), info);
  const source = new Source(find("[data-source]", form), {
    limits: info,
    onerror: (line) => job.fail(line),
    onchange: () => {
      job.clear();
      before.set(source.blob, source.samples, { note: source.name });
      after.clear("press Convert to hear it here");
    },
  });
  const delivery = new DeliverySettings(find("[data-delivery]", form), info, { source: "follow the recording" });
  find("#convert-filter").value = info.post_filter;
  showValues(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!source.blob) {
      job.fail("choose a recording first");
      return;
    }
    const options = {
      speaker: picker.value,
      ...delivery.options,
      post_filter: find("#convert-filter").value,
      seed: find("#convert-seed").value || 0,
    };
    const label = picker.label;
    const began = performance.now();
    const made = await job.run((onevent, signal) =>
      source.sendBy((body) => runJob("/api/convert", options, body, { onevent, signal })),
    );
    if (!made) return;
    const took = (performance.now() - began) / 1000;
    after.set(made.wav, await decode(made.wav), {
      note: `${label}, in ${took.toFixed(1)} s`,
      download: `${source.stem}-${label}.wav`,
    });
    after.reveal();
    if (document.activeElement === document.body || form.contains(document.activeElement)) after.play();
  });
  source.useSample();
  return { voices: (now, chosen) => picker.fill(now, chosen) };
}
