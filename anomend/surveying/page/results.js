// What becomes of the answers: kept in the browser until they are handed over, then sent, or saved as a file.
"use strict";

class Progress {
  constructor(plan) {
    this.key = `survey/${plan.survey}/${plan.participant}`;
    this.answers = [];
    this.sent = false;
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      if (kept.answers.length <= plan.trials.length && kept.answers.every((answer, index) => answer.trial === index)) {
        this.answers = kept.answers;
        this.sent = kept.sent === true;
      }
    } catch { /* Without storage, or with something else in it, the survey starts at the beginning. */ }
  }

  add(answer) {
    this.answers.push(answer);
    this.keep();
  }

  keep() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ answers: this.answers, sent: this.sent }));
    } catch { /* A browser that keeps nothing can still finish in one go. */ }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// "sent"; "refused", where the server does not take these answers; "absent", where there is no server to take them.
async function send(body) {
  if (!location.protocol.startsWith("http")) return "absent";
  for (const wait of [1000, 3000, 0]) {
    try {
      const reply = await fetch("results", { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (reply.ok) return "sent";
      if ([404, 405, 501].includes(reply.status)) return "absent";
      if (reply.status < 500) return "refused";
    } catch { /* The network is gone; it may come back. */ }
    await pause(wait);
  }
  return "absent";
}

function save(body, participant) {
  const address = URL.createObjectURL(new Blob([body], { type: "application/json" }));
  element("a", { href: address, download: `answers-${participant}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function finish(plan, progress, display) {
  const body = JSON.stringify({ survey: plan.survey, participant: plan.participant, answers: progress.answers });
  const show = (title, text, ...buttons) => display.replaceChildren(
    element("section", { className: "text" }, element("h1", { textContent: title }), ...paragraphs(text), ...buttons));
  const button = (label, act) => {
    const made = element("button", { className: "primary", type: "button", textContent: label });
    made.addEventListener("click", act);
    return made;
  };
  const download = () => button("Save my answers", () => save(body, plan.participant));
  const thanks = "Your answers have arrived. You can close this page.";
  if (progress.sent) return show("Thank you", thanks);
  show("One moment", "Your answers are being sent.");
  const outcome = await send(body);
  if (outcome === "sent") {
    progress.sent = true;
    progress.keep();
    show("Thank you", thanks);
  } else if (outcome === "refused") {
    show("Not accepted", "The server did not accept these answers: this code was used before, or the survey has"
      + " changed since. Save them as a file, and give it to the person who invited you.", download());
  } else if (location.protocol.startsWith("http")) {
    show("Nearly done", "Your answers could not be sent. Try again, or save them as a file and give it to the person who"
      + " invited you.", button("Try again", () => finish(plan, progress, display)), download());
  } else {
    show("Nearly done", "Save your answers as a file, and give it to the person who invited you.", download());
  }
}
