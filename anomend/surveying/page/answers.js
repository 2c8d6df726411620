// What becomes of the answers: kept in the browser, and sent one by one; a page that is opened again, here or on another
// device, goes on where the server's answers end.
"use strict";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Answers {
  // `names`: how the server calls the whole (survey, design) and the person (participant, rater); `plan` has both.
  constructor(plan, names, total) {
    this.who = plan[names.person];
    this.head = { [names.whole]: plan[names.whole], [names.person]: this.who };
    this.key = `${names.whole}/${plan[names.whole]}/${this.who}`;
    this.list = []; // By trial; null for those that another device has sent.
    this.sent = 0;
    this.standing = {}; // What the server last said: answered, asked, state, end.
    this.state = location.protocol.startsWith("http") ? "open" : "absent"; // absent: no server; refused: it took none.
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      if (kept.list.length <= total && kept.list.every((one, index) => one === null || one.trial === index)) {
        Object.assign(this, { list: kept.list, sent: kept.sent });
      }
    } catch { /* Without storage, or with something else in it, the server knows, or it starts at the beginning. */ }
    this.begunHere = this.list.some((one) => one !== null);
  }

  async meetServer() {
    if (this.state !== "open") return;
    try {
      const reply = await fetch(`answered/${this.who}`);
      if (!reply.ok) {
        if ([404, 405, 501].includes(reply.status)) this.state = "absent";
        return;
      }
      this.standing = await reply.json();
      const { answered } = this.standing;
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
    return JSON.stringify({ ...this.head, answers });
  }

  // Sends what waits, in order; one sending at a time.
  flush() {
    this.sending = (this.sending ?? Promise.resolve()).then(() => this.sendWaiting());
    return this.sending;
  }

  async sendWaiting() {
    while (this.waiting && this.state === "open") {
      const outcome = await this.post("results", this.body([this.list[this.sent]]));
      if (outcome === "later") return;
      if (outcome === "sent") this.sent += 1;
      else this.state = outcome;
      this.keep();
    }
    if (this.state === "refused") this.onRefused?.();
  }

  async post(path, body) {
    try {
      const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      if (reply.ok) {
        this.standing = await reply.json();
        return "sent";
      }
      if ([404, 405, 501].includes(reply.status)) return "absent";
      return reply.status < 500 && reply.status !== 408 ? "refused" : "later";
    } catch {
      return "later";
    }
  }

  // "sent": all answers are deleted, here and on the server; else they stay, and why.
  async withdraw() {
    await this.sending;
    const before = this.state;
    this.state = "closed"; // Nothing is sent any more.
    const outcome = before === "absent" ? "sent" : await this.post("withdraw", JSON.stringify({ code: this.who }));
    if (outcome !== "sent") {
      this.state = before;
      return outcome;
    }
    this.list = [];
    try { localStorage.removeItem(this.key); } catch { /* Nothing was kept. */ }
    return "sent";
  }

  // What the file holds: everything that was answered here.
  file() {
    return this.body(this.list.slice(this.list.lastIndexOf(null) + 1));
  }

  save() {
    const address = URL.createObjectURL(new Blob([this.file()], { type: "application/json" }));
    element("a", { href: address, download: `answers-${this.who}.json` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }
}
