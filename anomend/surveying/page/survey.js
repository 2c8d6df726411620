// The course of the survey: code, consent, pairs, results. The plan of each participant is plans/<code>.js.
"use strict";

const CODE = /^[a-z2-7]{13}$/;
const HOW = "Choose with a click or a tap, or with the keys: ← for the left picture, → for the right one, ↓ if you are not"
  + " sure. If you close this page and open it again in the same browser, it goes on where you stopped.";

function loadPlan(code) {
  return new Promise((resolve, reject) => {
    // A script and not a fetch, because a page that was opened as a file may not fetch.
    const script = element("script", { src: `plans/${code}.js` });
    script.addEventListener("load", () => resolve(window.surveyPlan));
    script.addEventListener("error", () => reject(new Error("no such plan")));
    document.head.append(script);
  });
}

function askForCode(problem = "") {
  const field = element("input", { name: "code", autocomplete: "off", autocapitalize: "none", spellcheck: false });
  const form = element("form", { className: "text" }, element("h1", { textContent: "Survey" }),
    element("label", {}, "Your participant code ", field),
    element("p", { className: "problem", textContent: problem }),
    element("button", { className: "primary", textContent: "Continue" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.remove();
    open(field.value.trim().toLowerCase());
  });
  document.body.append(form);
  field.focus();
}

async function open(code) {
  if (!CODE.test(code)) return askForCode(code && "That is not a participant code: a code has 13 letters and digits.");
  try {
    await run(await loadPlan(code));
  } catch (error) {
    if (error.message !== "no such plan") throw error;
    askForCode("This code is not known: check it, or ask the person who invited you.");
  }
}

async function run(plan) {
  document.title = plan.title;
  const progress = new Progress(plan);
  const total = plan.trials.length;
  const jsPsych = initJsPsych({
    show_progress_bar: true,
    auto_update_progress_bar: false,
    message_progress_bar: (share) => `${Math.round(share * total)} of ${total}`,
    default_iti: 200,
  });
  const showProgress = () => { jsPsych.progressBar.progress = progress.answers.length / total; };
  const consent = { type: TextPage, title: plan.title, text: `${plan.consent}\n\n${HOW}`, button: "I agree, start" };
  const pairs = plan.trials.map((trial, index) => ({
    type: PairChoice,
    question: plan.question,
    prompt: trial.prompt,
    left: trial.left,
    right: trial.right,
    next: index + 1 < total ? [plan.trials[index + 1].left, plan.trials[index + 1].right] : [],
    on_finish: (data) => {
      progress.add({ trial: index, choice: data.choice, reaction_ms: data.reaction_ms });
      showProgress();
    },
  }));
  const timeline = pairs.slice(progress.answers.length);
  if (progress.answers.length === 0) timeline.unshift(consent);
  timeline.push({ type: jsPsychFinal(plan, progress), on_load: showProgress });
  timeline[0].on_load = showProgress;
  await jsPsych.run(timeline);
}

// The last page is a trial that never ends, so that jsPsych leaves it standing.
function jsPsychFinal(plan, progress) {
  return class FinalPage {
    static info = { name: "final-page", version: "1.0.0", parameters: {}, data: {} };

    trial(display) {
      finish(plan, progress, display);
    }
  };
}

open(location.hash.slice(1));
