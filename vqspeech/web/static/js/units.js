// The codes of a recording, over its phones.

import { clock, counted, element, find } from "./dom.js";
import { JobForm, runJob } from "./jobs.js";
import { Player } from "./player.js";
import { Source } from "./source.js";
import { Timeline } from "./timeline.js";

/** Bits per second of codes, by their own frequencies. */
function bitrate(codes, period) {
  const counts = new Map();
  for (const code of codes) counts.set(code, (counts.get(code) || 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / codes.length) * Math.log2(count / codes.length);
  return [counts.size, bits / period];
}

export function start(info) {
  const form = find("#units-form");
  const job = new JobForm(form);
  const player = new Player(find("#units-source"), "Recording", "choose a recording");
  const card = find("#units-card");
  const text = find("#units-text");
  const voice = find("#units-voice");
  const detail = find("#units-detail");
  const spoken = new Map();
  const single = new Audio();
  let url = null;

  const fillVoices = ({ voices }) => {
    const before = voice.value;
    voice.replaceChildren(...voices.map(({ name }) => element("option", { value: name, text: name })));
    voice.value = voices.some(({ name }) => name === before) ? before : voices.some(({ name }) => name === "slt") ? "slt" : voices[0].name;
  };
  fillVoices(info);

  const hear = async (run) => {
    const key = `${voice.value} ${run.code}`;
    try {
      if (!spoken.has(key)) {
        const { wav } = await runJob("/api/code", { code: run.code, speaker: voice.value });
        if (spoken.size > 200) spoken.clear();
        spoken.set(key, await wav.arrayBuffer());
      }
      if (single.src) URL.revokeObjectURL(single.src);
      single.src = URL.createObjectURL(new Blob([spoken.get(key)], { type: "audio/wav" }));
      await single.play();
    } catch (error) {
      if (error.name !== "AbortError" && error.name !== "NotAllowedError") job.fail(error.message);
    }
  };

  const timeline = new Timeline(find("#units-timeline"), {
    colours: info.colours,
    onpick: hear,
    onhover: (run, phone, word) => {
      const parts = [`code ${run.code}`, `at ${clock(run.start)}`, `${Math.round(1000 * (run.end - run.start))} ms`];
      if (phone) parts.push(`phone ${phone}`);
      if (word) parts.push(`in “${word}”`);
      detail.replaceChildren(...parts.map((part, i) => element(i ? "span" : "strong", { text: (i ? ", " : "") + part })));
    },
  });
  player.onframe = (at) => timeline.follow(at);
  find("#units-zoom").addEventListener("input", (event) => timeline.setZoom(Number(event.target.value)));

  const show = async () => {
    if (!source.blob) {
      job.fail("choose a recording first");
      return;
    }
    const made = await job.run((onevent, signal) =>
      source.sendBy((body) => runJob("/api/units", { text: text.value }, body, { onevent, signal })),
    );
    if (!made) return;
    const { result } = made;
    const [different, bits] = bitrate(result.codes, result.period);
    card.hidden = false;
    find("#units-source").classList.add("compact"); // the spectrogram is over the codes now
    find("#units-stats").textContent =
      `${counted(result.codes.length, "code")}, ${different} different, ${Math.round(1 / result.period)} per second, ${Math.round(bits)} bit/s`;
    detail.textContent = "Point at a code to see what it is; click to hear it alone.";
    timeline.set(source.samples, result);
    if (result.note) job.fail(result.note);
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(new Blob([`${source.stem} ${result.codes.join(" ")}\n`], { type: "text/plain" }));
    Object.assign(find("#units-download"), { href: url, download: `${source.stem}-codes.txt` });
  };

  const source = new Source(find("[data-source]", form), {
    limits: info,
    onerror: (line) => job.fail(line),
    onchange: () => {
      job.clear();
      player.set(source.blob, source.samples, { note: source.name });
      text.value = source.text;
      card.hidden = true;
      find("#units-source").classList.remove("compact");
    },
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  source.useSample().then(show);
  return { voices: fillVoices };
}
