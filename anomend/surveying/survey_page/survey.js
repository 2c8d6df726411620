// The survey's page: what is asked about each pair. What a participant sees is in plans/<code>.js, what is read in
// texts.js.
"use strict";

function runSurvey(plan, recognised) {
  const files = (from, count) => plan.trials.slice(from, from + count).flatMap(({ left, right }) => [left, right]);
  return course(plan, {
    names: { whole: "survey", person: "participant" },
    total: plan.trials.length,
    how: true,
    recognised,
    // While the consent is read, the first pictures come.
    prefetch: (from) => files(from, 2).forEach((name) => { new Image().src = `images/${name}`; }),
    trial: (index, texts) => ({ type: PairChoice, ...plan.trials[index], texts, next: files(index + 1, 2) }),
    answer: ({ choice, reaction_ms }) => choice && { choice, reaction_ms },
    stop: () => PairChoice.current?.stop(),
  });
}

beginSurvey();
