// The guide: what counts as wrong, with a drawing of each kind. The wrong part is red.
"use strict";

const BODY = {
  head: "M41,18 a9,9 0 1,0 18,0 a9,9 0 1,0 -18,0",
  trunk: "M50,27 V58",
  left_arm: "M50,34 L36,46 L28,60",
  right_arm: "M50,34 L64,46 L72,60",
  left_leg: "M50,58 L42,75 L40,94",
  right_leg: "M50,58 L58,75 L60,94",
};
const rays = (count, from, to, start, end) => Array.from({ length: count }, (_, index) => {
  const angle = (start + (end - start) * index / (count - 1)) * Math.PI / 180;
  const point = (radius) => `${(50 + radius * Math.cos(angle)).toFixed(1)},${(58 - radius * Math.sin(angle)).toFixed(1)}`;
  return `M${point(from)} L${point(to)}`;
}).join(" ");
const circle = (x, y, radius) => `M${x - radius},${y} a${radius},${radius} 0 1,0 ${2 * radius},0 a${radius},${radius} 0 1,0 ${-2 * radius},0`;

// Of each kind: what is not drawn of the body ("all" for a close view), and what is drawn as right and as wrong.
const DRAWINGS = {
  nothing: {},
  extra_limb: { wrong: "M50,34 L66,30 L82,20" },
  missing_limb: { without: ["right_arm"], dashed: BODY.right_arm },
  detached_limb: { without: ["right_arm"], wrong: "M66,38 L78,50 L86,64" },
  fused_limb: { without: ["left_leg", "right_leg"], wrong: "M50,58 L48,94 M50,58 L52,94 M48,62 V94 M52,62 V94 M50,62 V94" },
  bent_wrong: { without: ["right_leg"], wrong: "M50,58 L62,74 L84,60" },
  wrong_length: { without: ["right_arm"], wrong: "M50,34 L74,58 L84,94" },
  hand: { without: "all", right: `${circle(50, 58, 16)} M42,74 V96 M58,74 V96`, wrong: rays(8, 18, 42, 5, 175) },
  foot: { without: "all", right: "M36,4 V50 Q30,84 50,86 Q74,84 62,50 V4", wrong: [0, 1, 2, 3, 4, 5, 6].map((toe) => circle(29 + toe * 7, 90, 3)).join(" ") },
  face: { without: "all", right: `${circle(50, 50, 38)} ${circle(36, 40, 4)}`, wrong: `${circle(58, 34, 4)} ${circle(66, 52, 4)} M38,68 Q50,58 66,74` },
  other: { without: ["head"], wrong: `${circle(39, 18, 9)} ${circle(61, 18, 9)} M50,27 L42,25 M50,27 L58,25` },
};

function drawing(kind) {
  const space = "http://www.w3.org/2000/svg";
  const made = document.createElementNS(space, "svg");
  made.setAttribute("viewBox", "0 0 100 100");
  made.setAttribute("aria-hidden", "true");
  const { without = [], right = "", wrong = "", dashed = "" } = DRAWINGS[kind];
  const body = without === "all" ? [] : Object.entries(BODY).filter(([part]) => !without.includes(part)).map(([, path]) => path);
  for (const [style, path] of [["right", [...body, right].join(" ")], ["wrong", wrong], ["dashed", dashed]]) {
    const line = document.createElementNS(space, "path");
    line.setAttribute("d", path || "M0,0");
    line.setAttribute("class", style);
    made.append(line);
  }
  return made;
}

function guideParts(texts) {
  const { guide, kinds, examples } = texts.asked;
  const example = (kind, title) => element("figure", {}, drawing(kind),
    element("figcaption", {}, element("b", { textContent: title }), kind === "nothing" ? "" : examples[kind]));
  return [
    ...guide.map((text) => element("p", { textContent: text })),
    element("div", { className: "examples" }, example("nothing", examples.nothing),
      ...Object.entries(kinds).map(([kind, title]) => example(kind, title))),
    element("p", { className: "keys", textContent: texts.page.keys }),
  ];
}

function showGuide(texts) {
  const close = element("button", { type: "button", className: "primary", textContent: texts.page.close });
  const dialog = element("dialog", { className: "guide" },
    element("header", {}, element("h1", { textContent: texts.page.guide }), close), ...guideParts(texts));
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  dialog.scrollTop = 0;
}
