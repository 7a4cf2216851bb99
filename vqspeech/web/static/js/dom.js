// Small helpers for elements: made by hand, so that no text from outside is ever read as HTML.

/** Make an element: `element("p", {class: "x", text: "…"}, child, …)`; other keys are properties or attributes. */
export function element(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(given)) {
    if (key === "text") made.textContent = value;
    else if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export const find = (selector, within = document) => within.querySelector(selector);

/** (1, "code") -> "1 code", (2, "code") -> "2 codes" */
export const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** 75.4 -> "1:15.4" */
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 0.0001);
  const whole = Math.floor(tenths / 10);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** Show the value of each slider beside it. */
export function showValues(within) {
  for (const output of within.querySelectorAll("output[for]")) {
    const input = within.querySelector(`#${output.htmlFor}`);
    const show = () => {
      output.value = `${Number(input.value)}${input.dataset.unit ? ` ${input.dataset.unit}` : ""}`;
    };
    input.addEventListener("input", show);
    show();
  }
}
