// The course of the survey: code, consent, pairs, results. The plan of each participant is plans/<code>.js.
"use strict";

const TEXTS = {
  title: "Survey",
  code: "Your participant code",
  continue: "Continue",
  code_form: "That is not a participant code: a code has 13 letters and digits.",
  code_unknown: "This code is not known: check it, or ask the person who invited you.",
};
const HOW = "Choose with a click or a tap, or with the keys: ← for the left picture, → for the right one, ↓ if you are not"
  + " sure. If you close this page and open it again in the same browser, it goes on where you stopped.";

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

openPlan(location.hash.slice(1), TEXTS, "surveyPlan", run);
