// One link for all: the participant's id in the address, as Prolific and MTurk write it, is sent to the server once, which
// keeps a keyed hash of it, and it leaves the address at once.
"use strict";

function given() {
  const hash = location.hash.slice(1);
  return new URLSearchParams(location.search || (hash.includes("=") ? hash : ""));
}

async function beginSurvey() {
  const parameters = given();
  const link = location.hash.includes("=") ? "" : location.hash.slice(1);
  if (![...parameters].length || !location.protocol.startsWith("http")) {
    return openPlan(link, "surveyPlan", (plan) => runSurvey(plan, false));
  }
  const words = use(chosenLanguage()).page;
  let reply;
  try {
    const { names } = await (await fetch("entry")).json();
    const ids = Object.fromEntries(names.filter((name) => parameters.has(name)).map((name) => [name, parameters.get(name)]));
    if (!Object.keys(ids).length) return openPlan(link, "surveyPlan", (plan) => runSurvey(plan, false));
    if (!(await wideEnough(words))) return;
    const sent = await fetch("entry", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ids }),
    });
    if (sent.status >= 500) throw new Error("later");
    reply = await sent.json();
    if (!sent.ok) return showText(document.body, words.no_id, words.no_id_why);
  } catch {
    return showText(document.body, words.nearly, words.offline, button(words.again, () => location.reload()));
  }
  history.replaceState(null, "", location.pathname);
  if (reply.state === "full") return showText(document.body, words.full, words.full_why, ...endParts(reply.end, words));
  await openPlan(reply.code, "surveyPlan", (plan) => runSurvey(plan, true));
}
