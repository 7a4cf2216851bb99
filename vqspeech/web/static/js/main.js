// Tabs, theme, and what the server says of itself.

import { counted, find } from "./dom.js";
import { ask } from "./jobs.js";
import * as convert from "./convert.js";
import * as live from "./live.js";
import * as sample from "./sample.js";
import * as units from "./units.js";
import * as voice from "./newvoice.js";

const STATUS_EVERY = 4000;
const started = new Map();
const modules = { convert, live, units, sample, voice };

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const follow = () => setTheme(kept() || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", follow);
  follow();
  find("#theme").addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    setTheme(next);
    try {
      localStorage.setItem("theme", next);
    } catch {
      // a browser that keeps nothing
    }
  });
}

function about(info) {
  find("#about").textContent = `${counted(info.voices.length, "voice")}, ${counted(info.codes, "code")}, ${info.code_rate} per second (${info.engine})`;
}

function startTabs(info) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const open = (tab, focus) => {
    for (const other of tabs) {
      const selected = other === tab;
      other.setAttribute("aria-selected", selected);
      other.tabIndex = selected ? 0 : -1;
      find(`#${other.getAttribute("aria-controls")}`).hidden = !selected;
    }
    if (focus) tab.focus();
    const name = tab.id.replace("tab-", "");
    if (!started.has(name)) started.set(name, modules[name].start(info, { changed, open: (id) => open(find(`#tab-${id}`), true) }));
    history.replaceState(null, "", name === "convert" ? "#" : `#${name}`);
  };
  // There are other voices now.
  const changed = async (chosen) => {
    info.voices = (await ask("/api/info")).voices;
    about(info);
    for (const part of started.values()) part?.voices?.(info, chosen);
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const next = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: -1 }[event.key];
      if (next === undefined) return;
      event.preventDefault();
      open(tabs.at(next % tabs.length), true);
    });
  });
  const asked = tabs.find((tab) => tab.id === `tab-${location.hash.slice(1)}`);
  open(asked || tabs[0]);
}

async function watchQueue() {
  const pill = find("#queue");
  const look = async () => {
    if (document.hidden) return;
    try {
      const { waiting } = await ask("/api/status");
      pill.textContent = waiting ? `${waiting} ${waiting === 1 ? "job" : "jobs"} in the queue` : "ready";
      pill.className = waiting ? "pill busy" : "pill";
    } catch {
      pill.textContent = "no answer";
      pill.className = "pill off";
    }
  };
  await look();
  setInterval(look, STATUS_EVERY);
}

async function start() {
  startTheme();
  try {
    const info = await ask("/api/info");
    about(info);
    if (!info.prior) find("#tab-sample").remove();
    if (!info.align) find("#units-text-field").hidden = true;
    startTabs(info);
    await watchQueue();
  } catch (error) {
    find("#fatal").textContent = error.message;
    find("#fatal").hidden = false;
    find("#queue").textContent = "no answer";
  }
}

start();
