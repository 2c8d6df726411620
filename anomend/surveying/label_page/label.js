// The labels' page: what is asked about each picture. What a rater sees is in plans/<code>.js, what is read in texts.js.
"use strict";

function runLabels(plan) {
  return course(plan, {
    names: { whole: "design", person: "rater" },
    total: plan.pictures.length,
    guide: (texts) => [element("h2", { textContent: texts.asked.question }), ...guideParts(texts)],
    prefetch: (from) => plan.pictures.slice(from, from + 2).forEach((name) => { new Image().src = `images/${name}`; }),
    trial: (index, texts) => ({
      type: PictureLabel,
      picture: plan.pictures[index],
      texts,
      next: plan.pictures.slice(index + 1, index + 3),
    }),
    answer: ({ answer, marks, milliseconds }) => answer && { answer, marks, milliseconds },
    stop: () => PictureLabel.current?.stop(),
  });
}

openPlan(location.hash.slice(1), "labelPlan", runLabels);
