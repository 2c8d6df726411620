// The language of the page: chosen before in this browser, else the browser's own, else the first one.
"use strict";

const languages = Object.keys(window.pageTexts);
const LANGUAGE = "language";

function chosenLanguage() {
  let kept = null;
  try { kept = localStorage.getItem(LANGUAGE); } catch { /* Then the browser's languages decide. */ }
  const wanted = [kept, ...navigator.languages.map((name) => name.slice(0, 2))];
  return wanted.find((name) => languages.includes(name)) ?? languages[0];
}

// Texts in a language, which becomes that of the page.
function use(language) {
  document.documentElement.lang = language;
  document.title = window.pageTexts[language].page.title;
  return window.pageTexts[language];
}

// The choice of a language; none where there is but one.
function languageChoice(current, change) {
  if (languages.length < 2) return [];
  const choice = element("select", { name: "language" }, ...languages.map((name) =>
    element("option", { value: name, textContent: window.pageTexts[name].language, selected: name === current })));
  choice.setAttribute("aria-label", "Language");
  choice.addEventListener("change", () => {
    try { localStorage.setItem(LANGUAGE, choice.value); } catch { /* It is asked for again. */ }
    change(choice.value);
  });
  return [choice];
}
