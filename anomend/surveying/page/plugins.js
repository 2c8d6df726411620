// Two jsPsych plugins: a page of text with one button, and a pair of images to choose from.
// Every text goes through textContent, so that markup in a prompt stays text.
"use strict";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => element("p", { textContent: part.trim() }));
}

class TextPage {
  static info = {
    name: "text-page",
    version: "1.0.0",
    parameters: {
      title: { type: jsPsychModule.ParameterType.STRING },
      text: { type: jsPsychModule.ParameterType.STRING },
      button: { type: jsPsychModule.ParameterType.STRING },
    },
    data: {},
  };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const button = element("button", { className: "primary", type: "button", textContent: trial.button });
    button.addEventListener("click", () => this.jsPsych.finishTrial({}), { once: true });
    const page = element("section", { className: "text" }, element("h1", { textContent: trial.title }));
    page.append(...paragraphs(trial.text), button);
    display.replaceChildren(page);
    button.focus();
  }
}

class PairChoice {
  static info = {
    name: "pair-choice",
    version: "1.0.0",
    parameters: {
      question: { type: jsPsychModule.ParameterType.STRING },
      prompt: { type: jsPsychModule.ParameterType.STRING },
      left: { type: jsPsychModule.ParameterType.STRING },
      right: { type: jsPsychModule.ParameterType.STRING },
      next: { type: jsPsychModule.ParameterType.STRING, array: true, default: [] },
    },
    data: {
      choice: { type: jsPsychModule.ParameterType.STRING },
      reaction_ms: { type: jsPsychModule.ParameterType.INT },
    },
  };

  static keys = { arrowleft: "left", arrowright: "right", arrowdown: "unsure" };

  constructor(jsPsych) {
    this.jsPsych = jsPsych;
  }

  trial(display, trial) {
    const images = ["left", "right"].map((side) =>
      element("img", { src: `images/${trial[side]}`, alt: `the picture on the ${side}`, draggable: false }));
    const [left, right] = [["left", "← Left"], ["right", "Right →"]].map(([side, label], index) =>
      element("button", { type: "button", className: "image", disabled: true, value: side },
        images[index], element("span", { textContent: label })));
    const unsure = element("button",
      { type: "button", className: "unsure", disabled: true, value: "unsure", textContent: "Not sure ↓" });
    display.replaceChildren(element("section", { className: "pair" },
      element("h1", { textContent: trial.question }),
      element("p", { className: "prompt" }, "The picture was to show: ", element("q", { textContent: trial.prompt })),
      element("div", { className: "images" }, left, right), unsure));

    // The clock starts when both images are there to be seen.
    Promise.all(images.map((image) => image.decode())).then(
      () => requestAnimationFrame(() => this.listen([left, right, unsure], trial)),
      () => display.replaceChildren(element("section", { className: "text" },
        element("p", { textContent: "A picture could not be loaded. Load this page again; your answers are kept." }))));
  }

  listen(buttons, trial) {
    const start = performance.now();
    const keyboard = this.jsPsych.pluginAPI.getKeyboardResponse({
      valid_responses: Object.keys(PairChoice.keys),
      callback_function: (pressed) => answer(PairChoice.keys[pressed.key.toLowerCase()]),
    });
    const answer = (choice) => {
      this.jsPsych.pluginAPI.cancelKeyboardResponse(keyboard);
      buttons.forEach((button) => { button.disabled = true; });
      this.jsPsych.finishTrial({ choice, reaction_ms: Math.round(performance.now() - start) });
    };
    for (const button of buttons) {
      button.disabled = false;
      button.addEventListener("click", () => answer(button.value), { once: true });
    }
    trial.next.forEach((name) => { new Image().src = `images/${name}`; });
  }
}
