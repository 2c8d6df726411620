// The jsPsych plugin that asks about one pair of pictures: left, right, or not sure. Both are zoomed together.
"use strict";

const SIDES = ["left", "right"];

class PairChoice {
  static info = {
    name: "pair-choice",
    version: "2.0.0",
    parameters: {
      prompt: { type: jsPsychModule.ParameterType.STRING },
      left: { type: jsPsychModule.ParameterType.STRING },
      right: { type: jsPsychModule.ParameterType.STRING },
      texts: { type: jsPsychModule.ParameterType.OBJECT },
      next: { type: jsPsychModule.ParameterType.STRING, array: true, default: [] },
    },
    data: {
      choice: { type: jsPsychModule.ParameterType.STRING },
      reaction_ms: { type: jsPsychModule.ParameterType.INT },
    },
  };

  static keys = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "unsure" };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const { asked, page: words } = trial.texts;
    PairChoice.current = this;
    this.over = false;
    this.viewers = SIDES.map((side) => new Viewer(`images/${trial[side]}`, words[`picture_${side}`]));
    this.viewers.forEach((viewer, index) => { viewer.onMove = () => this.viewers[1 - index].follow(viewer); });
    this.wait = waiting(words.loading);
    const signs = { left: "← ", right: " →", unsure: " ↓" };
    this.buttons = ["left", "unsure", "right"].map((value) => button(
      value === "left" ? signs.left + asked.answers.left : asked.answers[value] + signs[value],
      () => this.answer(value), { className: "choice", disabled: true, value }));
    this.zoom = button(words.zoom, () => this.viewers[0].toggle(), { className: "small zoom", disabled: true });
    display.replaceChildren(element("section", { className: "pair whole" },
      element("div", { className: "head" }, element("h1", { textContent: asked.question }),
        element("p", { className: "prompt" }, `${asked.shown} `, element("q", { textContent: trial.prompt }))),
      element("div", { className: "tools" }, this.zoom),
      element("div", { className: "images" }, ...this.viewers.map((viewer) => viewer.stage), this.wait),
      element("div", { className: "choices" }, ...this.buttons)));

    // The clock starts when both pictures are there to be seen.
    Promise.all(this.viewers.map((viewer) => viewer.image.decode())).then(
      () => requestAnimationFrame(() => this.begin(trial)),
      () => display.replaceChildren(
        element("section", { className: "text" }, element("p", { textContent: words.broken }))));
  }

  begin(trial) {
    this.wait.remove();
    this.viewers.forEach((viewer) => {
      viewer.stage.classList.add("loaded");
      viewer.fit();
    });
    if (this.over) return;
    this.start = performance.now();
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    [...this.buttons, this.zoom].forEach((one) => { one.disabled = false; });
    trial.next.forEach((name) => { new Image().src = `images/${name}`; });
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const choice = PairChoice.keys[event.key];
    if (event.shiftKey && event.key.startsWith("Arrow")) this.viewers[0].pan(event.key);
    else if (choice && !event.repeat) this.answer(choice);
    else if (choice || event.key.startsWith("Arrow") || !this.viewers[0].key(event)) return;
    event.preventDefault();
  }

  // Takes no more answers.
  stop() {
    this.over = true;
    document.removeEventListener("keydown", this.onKey);
    this.buttons.forEach((one) => { one.disabled = true; });
    this.viewers.forEach((viewer) => viewer.close());
  }

  answer(choice) {
    if (this.over) return;
    this.stop();
    this.jsPsych.finishTrial({ choice, reaction_ms: Math.round(performance.now() - this.start) });
  }
}
