// Elements of the page. Every text goes through textContent, so that markup in a prompt or text stays text.
"use strict";

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function paragraphs(texts) {
  return texts.map((text) => element("p", { textContent: text }));
}

function button(label, act, properties = {}) {
  const made = element("button", { className: "primary", type: "button", textContent: label, ...properties });
  made.addEventListener("click", act);
  return made;
}

// Replaces what is displayed by a heading, a text and further parts.
function showText(display, title, text, ...parts) {
  display.replaceChildren(element("section", { className: "text" },
    element("h1", { textContent: title }), ...paragraphs(text ? [text] : []), ...parts));
}

// A spinner with a text, over what is loading.
function waiting(text) {
  const made = element("p", { className: "wait", textContent: text });
  made.setAttribute("role", "status");
  return made;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
