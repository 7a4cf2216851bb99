// A voice of one's own, from a minute of reading.

import { RATE } from "./audio.js";
import { element, find } from "./dom.js";
import { JobForm, ask, runJob } from "./jobs.js";
import { Player } from "./player.js";
import { Source } from "./source.js";

const TEXT =
  "Early on Friday the harbour was quiet, and only the gulls were busy with the boxes on the quay. Two boys watched a grey ship " +
  "turn slowly towards the open water. “Where is she going?” asked the younger one. “Far enough to need charts,” said his brother, " +
  "who knew every vessel by its voice. They shared a warm loaf, threw the crust to the birds, and argued about which of them " +
  "would join the navy. By noon a fresh wind had blown the fog away. The shops along the front put out their chairs, somebody " +
  "began to play the fiddle, and the whole town smelled of coffee, rope and rain. When the lamp of the lighthouse began to turn " +
  "in the evening, they were still there, counting the flashes: one, two, three, and a long dark pause.";

export function start(info, { changed, open }) {
  const form = find("#voice-form");
  const job = new JobForm(form);
  const player = new Player(find("#voice-source"), "Recording", "record yourself reading, or open a file");
  const name = find("#voice-name");
  const done = find("#voice-done");
  const own = find("#voice-own");
  find("#voice-text").textContent = TEXT;
  find("#voice-kept").textContent = info.keeps ? "" : "New voices last until the server ends; started with --voices DIR, it keeps them.";

  const list = () => {
    const names = info.voices.filter((voice) => voice.own).map((voice) => voice.name);
    find("#voice-own-card").hidden = !names.length;
    own.replaceChildren(
      ...names.map((each) => {
        const remove = element("button", { type: "button", text: "Delete", ariaLabel: `Delete the voice ${each}` });
        remove.addEventListener("click", async () => {
          if (!confirm(`Delete the voice ${each}?`)) return;
          try {
            await ask(`/api/voices/${encodeURIComponent(each)}`, { method: "DELETE" });
            await changed();
          } catch (error) {
            job.fail(error.message);
          }
        });
        return element("li", {}, element("span", { text: each }), remove);
      }),
    );
  };
  list();

  const source = new Source(find("[data-source]", form), {
    limits: info,
    sample: false,
    onerror: (line) => job.fail(line),
    onchange: () => {
      job.clear();
      player.set(source.blob, source.samples, { note: source.name });
      const seconds = source.samples ? source.samples.length / RATE : Infinity; // the server finds out
      if (seconds < info.voice_seconds) job.fail(`${seconds.toFixed(0)} s are too short to learn a voice from; read for a minute`);
    },
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    done.replaceChildren();
    if (!source.blob) job.fail("record a minute of reading first");
    else if (!name.value.trim()) job.fail("give the voice a name");
    else if (!find("#voice-consent").checked) job.fail("a voice is learnt only with its owner's consent");
    else {
      const leaving = (unload) => unload.preventDefault();
      window.addEventListener("beforeunload", leaving);
      const made = await job.run((onevent, signal) =>
        source.sendBy((body) => runJob("/api/voices", { name: name.value.trim() }, body, { onevent, signal })),
      );
      window.removeEventListener("beforeunload", leaving);
      if (!made) return;
      const { speaker, seconds, nearest, before, after } = made.result;
      await changed(speaker);
      const use = element("button", { type: "button", text: `Convert to ${speaker}`, onclick: () => open("convert") });
      done.replaceChildren(
        element("p", {
          class: "notice",
          role: "status",
          text:
            `${speaker} is in the list, learnt from ${seconds.toFixed(0)} s. The part of it that was held out has ` +
            `${after.toFixed(3)} nats per sample in it, and ${before.toFixed(3)} in the nearest voice of before, ${nearest}.`,
        }),
        element("div", { class: "actions" }, use),
      );
    }
  });
  return { voices: list };
}
