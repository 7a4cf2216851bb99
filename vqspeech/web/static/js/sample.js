// Speech drawn from the prior, from nothing or after a recording.

import { decode } from "./audio.js";
import { find, showValues } from "./dom.js";
import { JobForm, runJob } from "./jobs.js";
import { Player } from "./player.js";
import { Source } from "./source.js";
import { VoicePicker } from "./voices.js";

export function start(info) {
  const form = find("#sample-form");
  const job = new JobForm(form);
  const place = find("[data-source]", form);
  const player = new Player(find("#sample-result"), "Drawn", "press Draw to hear it here");
  const picker = new VoicePicker(find("#sample-voice"), info, { blends: false });
  find("#sample-seconds").max = info.drawn_seconds;
  const source = new Source(place, { limits: { ...info, seconds: 60 }, onerror: (line) => job.fail(line), onchange: () => job.clear(), title: "After", step: "" });
  const goesOn = () => form.elements["sample-mode"].value === "continue";
  for (const choice of form.elements["sample-mode"]) {
    choice.addEventListener("change", () => {
      place.hidden = !goesOn();
      if (goesOn() && !source.blob) source.useSample();
    });
  }
  showValues(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (goesOn() && !source.blob) {
      job.fail("choose a recording first");
      return;
    }
    const options = {
      speaker: picker.value,
      seconds: find("#sample-seconds").value,
      temperature: find("#sample-temperature").value,
      top_p: find("#sample-mass").value,
      seed: find("#sample-seed").value || 0,
    };
    const continues = goesOn();
    const made = await job.run((onevent, signal) =>
      continues
        ? source.sendBy((body) => runJob("/api/continue", options, body, { onevent, signal }))
        : runJob("/api/sample", options, undefined, { onevent, signal }),
    );
    if (!made) return;
    const name = continues ? `${source.stem}-continued` : `sample-${options.seed}`;
    player.set(made.wav, await decode(made.wav), { note: `${picker.label}, seed ${options.seed}`, download: `${name}.wav` });
    player.mark(made.result.prompt_seconds);
    player.reveal();
    player.play();
  });
  return { voices: (now, chosen) => picker.fill(now, chosen) };
}
