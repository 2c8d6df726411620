// The course of the labels' page: code, language and consent, guide, pictures, end. What a rater sees is in
// plans/<code>.js, what is read in texts.js.
"use strict";

const languages = Object.keys(window.labelTexts);
const LANGUAGE = "label/language";

function chosenLanguage() {
  let kept = null;
  try { kept = localStorage.getItem(LANGUAGE); } catch { /* Then the browser's languages decide. */ }
  const wanted = [kept, ...navigator.languages.map((name) => name.slice(0, 2))];
  return wanted.find((name) => languages.includes(name)) ?? languages[0];
}

function use(language) {
  document.documentElement.lang = language;
  document.title = window.labelTexts[language].page.title;
  try { localStorage.setItem(LANGUAGE, language); } catch { /* It is asked for again. */ }
  return window.labelTexts[language];
}

// Consent and guide on one page; resolves to the language when the rater agrees.
function welcome(pictures) {
  return new Promise((resolve) => {
    const page = element("section", { className: "text welcome" });
    const show = (language) => {
      const texts = use(language), words = texts.page;
      const choice = element("select", { name: "language" }, ...languages.map((name) =>
        element("option", { value: name, textContent: window.labelTexts[name].language, selected: name === language })));
      choice.setAttribute("aria-label", "Language");
      choice.addEventListener("change", () => show(choice.value));
      const start = element("button", { type: "button", className: "primary", textContent: words.start });
      start.addEventListener("click", () => { page.remove(); resolve(language); }, { once: true });
      page.replaceChildren(element("h1", { textContent: words.title }), ...(languages.length > 1 ? [choice] : []),
        ...words.consent.map((text) => element("p", { textContent: text.replace("{pictures}", pictures) })),
        start, element("h2", { textContent: texts.asked.question }), ...guideParts(texts));
      start.focus({ preventScroll: true });
    };
    document.body.append(page);
    show(chosenLanguage());
  });
}

async function runLabels(plan) {
  const total = plan.pictures.length;
  const answers = new Answers(plan);
  await answers.meetServer();
  const language = answers.list.length ? chosenLanguage() : await welcome(total);
  const texts = use(language);
  const jsPsych = initJsPsych({
    show_progress_bar: true,
    auto_update_progress_bar: false,
    message_progress_bar: (share) =>
      texts.page.progress.replace("{done}", Math.round(share * total)).replace("{pictures}", total),
    default_iti: 150,
  });
  const showProgress = () => { jsPsych.progressBar.progress = answers.list.length / total; };
  const timeline = plan.pictures.map((picture, index) => ({
    type: PictureLabel,
    picture,
    texts,
    next: plan.pictures.slice(index + 1, index + 3),
    on_finish: ({ answer, marks, milliseconds }) => {
      if (!answer) return; // The work was broken off.
      answers.add({ trial: index, answer, marks, milliseconds, language });
      showProgress();
    },
  })).slice(answers.list.length);
  timeline.push({ type: lastPage(answers, texts.page) });
  timeline.forEach((trial) => { trial.on_load = showProgress; });
  // Nobody labels on for nothing: what the server refuses ends the work at once.
  answers.onRefused = () => {
    PictureLabel.current?.stop();
    jsPsych.abortExperiment();
  };
  await jsPsych.run(timeline);
  finishLabels(answers, texts.page, jsPsych.getDisplayElement());
}

// The last page is a trial that never ends, so that jsPsych leaves it standing.
function lastPage(answers, words) {
  return class LastPage {
    static info = { name: "last-page", version: "1.0.0", parameters: {}, data: {} };

    trial(display) {
      finishLabels(answers, words, display);
    }
  };
}

// Another link in the same tab is another rater.
window.addEventListener("hashchange", () => location.reload());
openPlan(location.hash.slice(1), use(chosenLanguage()).page, "labelPlan", runLabels);
