// Both sides of the conversation as it goes, one list item per thing said.

import { timingChart } from "./timing.js";
import { wordElement } from "./words.js";

export class Transcript {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.answers = new Map(); // event id -> item
    this.lastAnswer = null;
    this.tentative = null;
    this.typed = null; // not yet confirmed by the server
  }

  userTyped(text) {
    this.typed = this.add("you");
    textOf(this.typed).textContent = text;
    scrollTo(this.typed);
  }

  userSaid(text) {
    const confirmed = this.typed && textOf(this.typed).textContent === text; // not every server repeats what was typed
    if (confirmed) return void (this.typed = null);
    const item = this.tentative ?? this.add("you");
    this.tentative = null;
    item.classList.remove("tentative");
    textOf(item).textContent = text;
    scrollTo(item);
  }

  userMaySay(text) {
    this.tentative ??= this.add("you");
    this.tentative.classList.add("tentative");
    textOf(this.tentative).textContent = text;
    scrollTo(this.tentative);
  }

  agentSaid(text, eventId) {
    const item = this.answers.get(eventId) ?? this.add("agent");
    this.answers.set(eventId, item);
    this.lastAnswer = item;
    textOf(item).textContent = text;
    scrollTo(item);
  }

  /** Mark the answer being spoken as interrupted; what was left unheard is told by `agentCorrected`. */
  interrupted() {
    if (!this.lastAnswer || this.lastAnswer.classList.contains("interrupted")) return;
    this.lastAnswer.classList.add("interrupted");
    this.lastAnswer.querySelector("header").append(wordElement("span", "interrupted", "badge"));
  }

  agentCorrected(original, corrected, eventId) {
    const item = this.answers.get(eventId) ?? this.lastAnswer;
    if (!item) return;
    const heard = corrected.replace(/(\.\.\.|…)$/, ""); // some servers mark the cut with an ellipsis
    const unheard = document.createElement("del");
    unheard.textContent = original.startsWith(heard) ? original.slice(heard.length) : original;
    textOf(item).replaceChildren(heard, wordElement("span", "unheard", "unseen"), unheard);
  }

  answerTook(metrics, eventId) {
    const item = this.answers.get(eventId) ?? this.lastAnswer;
    const chart = timingChart(metrics);
    if (!item || !chart) return;
    item.querySelector(".timing")?.remove();
    item.append(chart);
    scrollTo(item);
  }

  add(who) {
    const item = document.createElement("li");
    item.className = who;
    const header = document.createElement("header");
    header.append(wordElement("span", who));
    const text = document.createElement("p");
    item.append(header, text);
    this.list.append(item);
    return item;
  }
}

function textOf(item) {
  return item.querySelector("p");
}

function scrollTo(item) {
  item.scrollIntoView({ block: "nearest" });
}
