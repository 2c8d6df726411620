// What becomes of the answers: kept in the browser, and sent one by one; a page that is opened again, here or on another
// device, goes on where the server's answers end.
"use strict";

class Answers {
  constructor(plan) {
    this.plan = plan;
    this.key = `label/${plan.design}/${plan.rater}`;
    this.list = []; // By picture; null for those that another device has sent.
    this.sent = 0;
    this.state = location.protocol.startsWith("http") ? "open" : "absent"; // absent: no server; refused: it took none.
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      if (kept.list.length <= plan.pictures.length && kept.list.every((one, index) => one === null || one.trial === index)) {
        Object.assign(this, { list: kept.list, sent: kept.sent });
      }
    } catch { /* Without storage, or with something else in it, the server knows, or it starts at the beginning. */ }
  }

  async meetServer() {
    if (this.state !== "open") return;
    try {
      const reply = await fetch(`answered/${this.plan.rater}`);
      if (!reply.ok) {
        if ([404, 405, 501].includes(reply.status)) this.state = "absent";
        return;
      }
      const { answered } = await reply.json();
      while (this.list.length < answered) this.list.push(null);
      const lost = this.list.findIndex((one, index) => one === null && index >= answered);
      if (lost >= 0) this.list.length = lost;
      this.sent = answered;
      this.keep();
    } catch { /* The network is gone; it may come back. */ }
  }

  add(answer) {
    this.list.push(answer);
    this.keep();
    this.flush();
  }

  keep() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ list: this.list, sent: this.sent }));
    } catch { /* A browser that keeps nothing can still finish. */ }
  }

  get waiting() {
    return this.list.length - this.sent;
  }

  body(answers) {
    return JSON.stringify({ design: this.plan.design, rater: this.plan.rater, answers });
  }

  // Sends what waits, in order; one sending at a time.
  flush() {
    this.sending = (this.sending ?? Promise.resolve()).then(() => this.sendWaiting());
    return this.sending;
  }

  async sendWaiting() {
    while (this.waiting && this.state === "open") {
      const outcome = await this.sendOne(this.list[this.sent]);
      if (outcome === "later") return;
      if (outcome === "sent") this.sent += 1;
      else this.state = outcome;
      this.keep();
    }
    if (this.state === "refused") this.onRefused?.();
  }

  async sendOne(answer) {
    try {
      const reply = await fetch("results", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: this.body([answer]),
      });
      if (reply.ok) return "sent";
      if ([404, 405, 501].includes(reply.status)) return "absent";
      return reply.status < 500 && reply.status !== 408 ? "refused" : "later";
    } catch {
      return "later";
    }
  }

  // What the file holds: everything that was answered here.
  file() {
    return this.body(this.list.slice(this.list.lastIndexOf(null) + 1));
  }
}

async function finishLabels(answers, words, display) {
  const show = (title, text, ...buttons) => display.replaceChildren(
    element("section", { className: "text" }, element("h1", { textContent: title }),
      element("p", { textContent: text }), ...buttons));
  const button = (label, act) => {
    const made = element("button", { className: "primary", type: "button", textContent: label });
    made.addEventListener("click", act);
    return made;
  };
  const download = () => button(words.save, () => save(answers.file(), answers.plan.rater));
  show(words.sending, "");
  for (const wait of [1000, 3000, 0]) {
    await answers.flush();
    if (!answers.waiting || answers.state !== "open") break;
    await pause(wait);
  }
  if (answers.state === "absent") show(words.nearly, words.as_file, download());
  else if (answers.state === "refused") show(words.refused, words.refused_why, download());
  else if (answers.waiting) {
    show(words.nearly, words.not_sent, button(words.again, () => finishLabels(answers, words, display)), download());
  } else show(words.thanks, words.arrived);
}
