// The jsPsych plugin that asks about one picture: nothing, not sure, or wrong; if wrong, what, and where.
"use strict";

const ANSWERS = ["nothing", "unsure", "wrong"];
const DEAD_MS = 400; // After a picture appears: the second click of a double click is no answer.

class PictureLabel {
  static info = {
    name: "picture-label",
    version: "1.0.0",
    parameters: {
      picture: { type: jsPsychModule.ParameterType.STRING },
      texts: { type: jsPsychModule.ParameterType.OBJECT },
      next: { type: jsPsychModule.ParameterType.STRING, array: true, default: [] },
    },
    data: {
      answer: { type: jsPsychModule.ParameterType.STRING },
      marks: { type: jsPsychModule.ParameterType.OBJECT },
      milliseconds: { type: jsPsychModule.ParameterType.INT },
    },
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    this.asked = trial.texts.asked;
    this.words = trial.texts.page;
    PictureLabel.current = this;
    this.marks = [];
    this.over = false;
    this.viewer = new Viewer(`images/${trial.picture}`, this.words.picture);
    this.panel = element("div", { className: "panel" });
    this.wait = waiting(this.words.loading);
    this.viewer.stage.append(this.wait);
    const zoom = element("button", { type: "button", textContent: this.words.zoom, className: "small zoom" });
    zoom.addEventListener("click", () => this.viewer.toggle());
    const guide = element("button", { type: "button", textContent: this.words.guide, className: "small" });
    guide.addEventListener("click", () => showGuide(trial.texts));
    display.replaceChildren(element("section", { className: "label whole" },
      element("h1", { textContent: this.asked.question }),
      element("div", { className: "tools" }, zoom, guide), this.viewer.stage, this.panel));
    this.showAnswers();
    this.setEnabled(false);

    // The clock starts when the picture is there to be seen.
    this.viewer.image.decode().then(
      () => requestAnimationFrame(() => this.begin(trial)),
      () => display.replaceChildren(
        element("section", { className: "text" }, element("p", { textContent: this.words.broken }))));
  }

  begin(trial) {
    this.wait.remove();
    this.viewer.stage.classList.add("loaded");
    this.viewer.fit();
    if (this.over) return;
    this.start = performance.now();
    this.onKey = (event) => this.key(event, trial.texts);
    setTimeout(() => {
      if (this.over) return;
      document.addEventListener("keydown", this.onKey);
      this.setEnabled(true);
    }, DEAD_MS);
    trial.next.forEach((name) => { new Image().src = `images/${name}`; });
  }

  setEnabled(enabled) {
    this.panel.querySelectorAll("button").forEach((button) => { button.disabled = !enabled; });
  }

  // The panel's contents: one line of text, then what there is to choose.
  fill(state, text, ...parts) {
    this.state = state;
    this.viewer.ask(null);
    this.panel.className = `panel ${state}`;
    const line = element("p", { className: "ask", textContent: text });
    line.setAttribute("aria-live", "polite");
    this.panel.replaceChildren(...(text ? [line] : []), ...parts);
    this.viewer.show(this.marks);
  }

  button(label, act, { className = "", key = "" } = {}) {
    const made = element("button", { type: "button", className }, element("span", { textContent: label }));
    if (key) made.append(element("kbd", { textContent: key }));
    made.addEventListener("click", act);
    return made;
  }

  showAnswers() {
    this.marks = [];
    this.fill("answers", "", ...ANSWERS.map((answer, index) => Object.assign(
      this.button(this.asked.answers[answer], () => this.choose(answer), { key: `${index + 1}` }),
      { value: answer })));
  }

  choose(answer) {
    if (answer === "wrong") this.showKinds();
    else this.finish(answer);
  }

  showKinds() {
    const kinds = Object.entries(this.asked.kinds).map(([kind, label], index) => Object.assign(
      this.button(label, () => this.askPlace(kind), { className: "kind", key: `${(index + 1) % 10}` }), { value: kind }));
    const list = element("ol", { className: "marks" }, ...this.marks.map((mark, index) => {
      const remove = this.button("×", () => this.remove(index), { className: "small" });
      remove.setAttribute("aria-label", `${this.words.remove}: ${this.asked.kinds[mark.kind]}`);
      return element("li", {}, element("span", { textContent: `${index + 1} ${this.asked.kinds[mark.kind]}` }), remove);
    }));
    const done = this.button(this.words.done, () => this.finish("wrong"), { className: "primary done", key: "↵" });
    done.disabled = this.marks.length === 0;
    this.fill("kinds", this.words.what, element("div", { className: "choices" }, ...kinds), list,
      element("div", { className: "ends" }, this.button(this.words.back, () => this.showAnswers()), done));
    if (this.marks.length) done.focus({ preventScroll: true });
  }

  askPlace(kind) {
    this.fill("place", this.words.where.replace("{kind}", this.asked.kinds[kind]),
      element("div", { className: "ends" }, this.button(this.words.back, () => this.showKinds())));
    this.viewer.ask((place) => {
      this.marks.push({ kind, ...place });
      this.showKinds();
    });
  }

  remove(index) {
    this.marks.splice(index, 1);
    this.showKinds();
  }

  key(event, texts) {
    if (event.repeat && !event.key.startsWith("Arrow")) return;
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (this.handled(event, texts)) event.preventDefault();
  }

  handled(event, texts) {
    const buttons = [...this.panel.querySelectorAll(this.state === "answers" ? "button" : ".kind")];
    const number = /^[0-9]$/.test(event.key) ? (Number(event.key) + 9) % 10 : -1;
    if (event.code === "KeyG") showGuide(texts);
    else if (event.key === "Escape" && this.state !== "answers") this.state === "place" ? this.showKinds() : this.showAnswers();
    else if (event.key === "Backspace" && this.state === "kinds" && this.marks.length) this.remove(this.marks.length - 1);
    else if (number >= 0 && number < buttons.length) {
      buttons[number].click();
      // Whoever chooses by key may go on by key.
      if (this.state === "place") this.viewer.showCross();
    } else return this.viewer.key(event);
    return true;
  }

  // Takes no more answers.
  stop() {
    this.over = true;
    document.removeEventListener("keydown", this.onKey);
    this.setEnabled(false);
    this.viewer.close();
  }

  finish(answer) {
    if (this.over) return;
    this.stop();
    const marks = answer === "wrong" ? this.marks : [];
    this.jsPsych.finishTrial({ answer, marks, milliseconds: Math.round(performance.now() - this.start) });
  }
}
