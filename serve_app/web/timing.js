// Where the time of one answer went, drawn as one bar per stage on one scale.
//
// The stages overlap, because the server starts the next one before the last is certain. So they are rows with the
// total beneath them, never pieces of one bar.

import { wordElement } from "./words.js";

const STAGES = [
  ["stage_turn", "convai_turn_silence_before_initiation"],
  ["stage_stt", "convai_asr_trailing_service_latency"],
  ["stage_llm_first", "convai_llm_service_ttfb"],
  ["stage_llm_sentence", "convai_llm_service_ttf_sentence"],
  ["stage_tts", "convai_tts_service_ttfb"],
  ["stage_total", "convai_ttf_audio_since_silence"],
];
const TOTAL = "stage_total";

/** `metrics` as in agent_response_metadata: { name: { elapsed_time: seconds } }. Null when it names no stage. */
export function timingChart(metrics) {
  const rows = STAGES.filter(([, name]) => metrics[name]).map(([word, name]) => [word, metrics[name].elapsed_time]);
  if (rows.length === 0) return null;
  const longest = Math.max(...rows.map(([, seconds]) => seconds), 0.001);

  const chart = document.createElement("details");
  chart.className = "timing";
  chart.open = true;
  chart.append(summary(rows));
  const list = document.createElement("dl");
  for (const [word, seconds] of rows) list.append(row(word, seconds, seconds / longest));
  chart.append(list);
  return chart;
}

function summary(rows) {
  const element = document.createElement("summary");
  const total = rows.find(([word]) => word === TOTAL);
  element.append(wordElement("span", "timing"), total ? ` ${milliseconds(total[1])} · ` : " · ");
  element.append(wordElement("span", "overlap"));
  return element;
}

function row(word, seconds, share) {
  const element = document.createElement("div");
  const value = document.createElement("dd");
  const bar = document.createElement("i");
  if (word === TOTAL) element.className = "total";
  bar.style.setProperty("--share", share);
  bar.setAttribute("aria-hidden", "true"); // the label and the figure beside it say the same
  value.append(bar, milliseconds(seconds));
  element.append(wordElement("dt", word), value);
  return element;
}

function milliseconds(seconds) {
  return `${Math.round(seconds * 1000)} ms`;
}
