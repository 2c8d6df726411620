// The course of a page of answers: who may not begin, language and consent, the trials, help and withdrawal, the end.
"use strict";

const RETURN_S = 15; // Until who has finished is taken back to where the link came from.

// Consent and the code on one page; resolves to the language when the person agrees.
function welcome(work, answers) {
  return new Promise((resolve) => {
    const page = element("section", { className: "text welcome" });
    const show = (language) => {
      const texts = use(language), words = texts.page;
      const start = button(words.start, () => { page.remove(); resolve(language); });
      page.replaceChildren(
        element("header", {}, element("h1", { textContent: words.title }), ...languageChoice(language, show)),
        ...paragraphs(words.consent.map((text) => fill(text, { total: work.total }))),
        ...(work.how ? paragraphs([words.how]) : []),
        ...codeNote(words, answers),
        start, ...(texts.consent_version
          ? [element("p", { className: "small-print", textContent: fill(words.version, { version: texts.consent_version }) })]
          : []),
        ...(work.guide ? work.guide(texts) : []));
      start.focus({ preventScroll: true });
    };
    document.body.append(page);
    show(chosenLanguage());
  });
}

function codeNote(words, answers) {
  if (answers.state !== "open") return [];
  return [element("p", { className: "code-note" }, element("span", { textContent: `${words.your_code} ` }),
    element("b", { className: "short-code", textContent: shortCode(answers.who) }),
    element("span", { textContent: ` ${words.other_device}` }))];
}

// Where people go from here, if the study has said so: a code to copy, and an address to go back to.
function endParts(end, words) {
  const parts = [];
  if (end?.code) {
    parts.push(element("p", {}, `${words.completion_code} `, element("b", { className: "completion-code", textContent: end.code })));
  }
  if (end?.url) {
    parts.push(element("a", { className: "primary return", href: end.url, textContent: words.return, rel: "noreferrer" }));
  }
  return parts;
}

async function course(plan, work) {
  const answers = new Answers(plan, work.names, work.total);
  await answers.meetServer();
  const words = use(chosenLanguage()).page;
  const { state } = answers.standing;
  if (state === "withdrawn") return showText(document.body, words.withdrawn, words.withdrawn_why);
  if (state === "finished" && !answers.begunHere && !work.recognised) {
    return showText(document.body, words.used, words.used_why);
  }
  if (state !== "finished" && !(await wideEnough(words))) return;
  work.prefetch(answers.list.length);
  const language = answers.list.length ? chosenLanguage() : await welcome(work, answers);
  const texts = use(language);
  const jsPsych = initJsPsych({
    show_progress_bar: true,
    auto_update_progress_bar: false,
    message_progress_bar: (share) =>
      fill(texts.page.progress, { done: Math.round(share * work.total), total: work.total }),
    default_iti: 150,
  });
  const showProgress = () => {
    jsPsych.progressBar.progress = answers.list.length / work.total;
    addHelp(jsPsych, answers, texts, work);
  };
  const timeline = Array.from({ length: work.total }, (_, index) => ({
    ...work.trial(index, texts),
    on_finish: (data) => {
      const answer = work.answer(data);
      if (!answer) return; // The work was broken off.
      answers.add({ trial: index, ...answer, language });
      showProgress();
    },
  })).slice(answers.list.length);
  timeline.push({ type: lastPage(answers, texts.page) });
  timeline.forEach((trial) => { trial.on_load = showProgress; });
  // Nobody answers on for nothing: what the server refuses ends the work at once.
  let last = (display) => finish(answers, texts.page, display);
  const stop = (ending = last) => {
    last = ending;
    work.stop();
    jsPsych.abortExperiment();
  };
  answers.onRefused = stop;
  answers.onWithdrawn = () => stop((display) => showText(display, texts.page.withdrawn, texts.page.withdrawn_why));
  await jsPsych.run(timeline);
  last(jsPsych.getDisplayElement());
}

// The last page is a trial that never ends, so that jsPsych leaves it standing.
function lastPage(answers, words) {
  return class LastPage {
    static info = { name: "last-page", version: "1.0.0", parameters: {}, data: {} };

    trial(display) {
      finish(answers, words, display);
    }
  };
}

async function finish(answers, words, display) {
  const download = () => button(words.save, () => answers.save());
  showText(display, words.sending, "");
  for (const wait of [1000, 3000, 0]) {
    await answers.flush();
    if (!answers.waiting || answers.state !== "open") break;
    await pause(wait);
  }
  if (answers.state === "absent") showText(display, words.nearly, words.as_file, download());
  else if (answers.state === "refused") showText(display, words.refused, words.refused_why, download());
  else if (answers.state === "closed") showText(display, words.withdrawn, words.withdrawn_why);
  else if (answers.waiting) {
    showText(display, words.nearly, words.not_sent, button(words.again, () => finish(answers, words, display)), download());
  } else {
    const { end } = answers.standing;
    showText(display, words.thanks, words.arrived, ...endParts(end, words),
      ...(end?.url ? paragraphs([fill(words.returning, { seconds: RETURN_S })]) : []));
    const link = display.querySelector(".return");
    link?.focus();
    // Not while the person reads how to withdraw.
    if (link) setTimeout(() => { if (link.isConnected && !document.querySelector("dialog[open]")) link.click(); }, 1000 * RETURN_S);
  }
}

// Beside the progress: the code, the keys, and how to withdraw.
function addHelp(jsPsych, answers, texts, work) {
  const bar = document.getElementById("jspsych-progressbar-container");
  if (!bar || bar.querySelector("button")) return;
  bar.append(button(texts.page.help, () => showHelp(answers, texts, work), { className: "small help" }));
}

function showHelp(answers, texts, work) {
  const words = texts.page;
  const problem = element("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  const really = button(words.withdraw_yes, async () => {
    really.disabled = true;
    const outcome = await answers.withdraw();
    really.disabled = false;
    if (outcome === "sent") {
      dialog.close();
      answers.onWithdrawn();
    } else problem.textContent = outcome === "later" ? words.offline : words.withdraw_late;
  }, { className: "danger" });
  const ask = button(words.withdraw, () => {
    ask.hidden = true;
    sure.hidden = false;
    really.focus();
  }, { className: "" });
  const sure = element("div", { hidden: true }, ...paragraphs([words.withdraw_sure]), really);
  const close = button(words.close, () => dialog.close());
  const dialog = element("dialog", { className: "help-dialog" },
    element("header", {}, element("h1", { textContent: words.help }), close),
    ...(work.how ? paragraphs([words.how]) : []), ...codeNote(words, answers), ask, sure, problem);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Whether the window is as wide as the pictures need; as long as it is not, a sentence says so.
async function wideEnough(words) {
  const least = window.pageSettings?.min_screen_width ?? 0;
  if (innerWidth >= least) return true;
  const size = () => ({ least, width: innerWidth });
  if (Math.max(screen.width, screen.height) < least) {
    showText(document.body, words.screen, fill(words.screen_why, size()), ...endParts(await screenedOut(), words));
    return false;
  }
  return new Promise((resolve) => {
    const check = () => {
      if (innerWidth < least) return showText(document.body, words.screen, fill(words.window_why, size()));
      removeEventListener("resize", check);
      document.body.replaceChildren();
      resolve(true);
    };
    addEventListener("resize", check);
    check();
  });
}

async function screenedOut() {
  try {
    return (await (await fetch("entry")).json()).screened_out;
  } catch {
    return null;
  }
}
