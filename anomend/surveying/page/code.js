// How a page of people's answers begins: the code in the address, or asked for, and the plan that belongs to it.
"use strict";

const CODE = /^[a-z2-7]{13}$/;

// A plan is a script and not a fetch, because a page that was opened as a file may not fetch.
function loadPlan(code, variable) {
  return new Promise((resolve, reject) => {
    const script = element("script", { src: `plans/${code}.js` });
    script.addEventListener("load", () => resolve(window[variable]));
    script.addEventListener("error", () => reject(new Error("no such plan")));
    document.head.append(script);
  });
}

// `texts` has title, code, continue, code_form and code_unknown; `run` is given the plan.
function askForCode(texts, variable, run, problem = "") {
  const field = element("input", { name: "code", autocomplete: "off", autocapitalize: "none", spellcheck: false });
  const form = element("form", { className: "text" }, element("h1", { textContent: texts.title }),
    element("label", {}, `${texts.code} `, field),
    element("p", { className: "problem", textContent: problem }),
    element("button", { className: "primary", textContent: texts.continue }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.remove();
    openPlan(field.value.trim().toLowerCase(), texts, variable, run);
  });
  document.body.append(form);
  field.focus();
}

async function openPlan(code, texts, variable, run) {
  if (!CODE.test(code)) return askForCode(texts, variable, run, code && texts.code_form);
  let plan;
  try {
    plan = await loadPlan(code, variable);
  } catch {
    return askForCode(texts, variable, run, texts.code_unknown);
  }
  await run(plan);
}
