// How a page of people's answers begins: the code in the address, or asked for, and the plan that belongs to it.
"use strict";

const CODE = /^[a-z2-7]{13}$/;
const SHORT = /^[a-z2-7]{8}$/; // How a code begins: enough for the server to know which one it is.

const shortCode = (code) => `${code.slice(0, 4)}-${code.slice(4, 8)}`;

// A plan is a script and not a fetch, because a page that was opened as a file may not fetch.
function loadPlan(code, variable) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src: `plans/${code}.js` });
    script.addEventListener("load", () => resolve(window[variable]));
    script.addEventListener("error", () => reject(new Error("no such plan")));
    document.head.append(script);
  });
}

async function wholeCode(typed) {
  const code = typed.toLowerCase().replace(/[\s-]/g, "");
  if (!SHORT.test(code) || !location.protocol.startsWith("http")) return code;
  const reply = await fetch(`code/${code}`);
  return reply.ok ? (await reply.json()).code : "unknown";
}

// `run` is given the plan.
function askForCode(variable, run, problem = "") {
  const words = use(chosenLanguage()).page;
  const field = element("input", { name: "code", autocomplete: "off", autocapitalize: "none", spellcheck: false });
  const form = element("form", { className: "text" }, element("h1", { textContent: words.title }),
    element("label", {}, `${words.code} `, field),
    element("p", { className: "problem", textContent: problem }),
    element("button", { className: "primary", textContent: words.continue }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let code;
    try {
      code = await wholeCode(field.value);
    } catch {
      form.querySelector(".problem").textContent = words.offline;
      return;
    }
    form.remove();
    openPlan(code, variable, run);
  });
  document.body.append(form);
  field.focus();
}

async function openPlan(code, variable, run) {
  const words = use(chosenLanguage()).page;
  if (code === "unknown") return askForCode(variable, run, words.code_unknown);
  if (!CODE.test(code)) return askForCode(variable, run, code && words.code_form);
  let plan;
  try {
    plan = await loadPlan(code, variable);
  } catch {
    return askForCode(variable, run, words.code_unknown);
  }
  history.replaceState(null, "", `#${code}`); // Loaded again, the page goes on.
  await run(plan);
}

// Another link in the same tab is another person.
window.addEventListener("hashchange", () => location.reload());
