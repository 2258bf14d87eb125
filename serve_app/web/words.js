// What the page says, in Portuguese first. Text on the page carries `data-word`, so switching language is one pass.

const WORDS = {
  "pt-BR": {
    other: "EN",
    other_label: "English",
    idle: "Pronto",
    connecting: "Conectando…",
    listening: "Ouvindo",
    speaking: "Falando",
    reconnecting: "Reconectando…",
    back: "De volta após",
    start: "Falar",
    stop: "Encerrar",
    cancel: "Cancelar",
    you: "Você",
    agent: "Agente",
    transcript: "Conversa",
    type: "Ou escreva",
    send: "Enviar",
    welcome: "Converse por voz com este servidor",
    how: "Toque em Falar, permita o microfone e diga olá. Pode interromper quando quiser.",
    interrupted: "interrompido",
    unheard: "não chegou a ser ouvido:",
    timing: "Resposta",
    overlap: "as etapas se sobrepõem",
    stage_turn: "Silêncio esperado",
    stage_stt: "Transcrição",
    stage_llm_first: "Modelo, 1ª palavra",
    stage_llm_sentence: "Modelo, 1ª frase",
    stage_tts: "Voz, 1º som",
    stage_total: "Da fala ao som",
    insecure: "O navegador só libera o microfone em páginas seguras. Abra esta página por https:// ou, na própria máquina, por http://localhost.",
    unsupported: "Este navegador não tem o que a conversa por voz precisa (AudioWorklet). Atualize-o ou use outro.",
    microphone_refused: "O microfone foi recusado. Permita o microfone para este site, nas permissões ao lado do endereço, e toque em Falar de novo.",
    microphone_missing: "Nenhum microfone encontrado. Conecte um e toque em Falar de novo.",
    microphone_busy: "O microfone não abriu: outro programa pode estar usando. Feche-o e toque em Falar de novo.",
    away: "O servidor não respondeu. Veja se ele está no ar (make run) e toque em Falar de novo.",
    lost: "A conexão com o servidor caiu. Veja a rede e toque em Falar de novo.",
    refused: "O servidor recusou a conversa. Corrija o motivo abaixo e tente de novo.",
    busy: "O servidor está cheio ou ainda iniciando. Espere um pouco e toque em Falar de novo.",
    failed: "O servidor encontrou um erro e encerrou a conversa. Toque em Falar para começar outra.",
    elsewhere: "A conversa continua em outra conexão.",
    trouble: "O servidor avisou de um problema; a conversa continua.",
    unknown_format: "O servidor usa um formato de áudio que esta página não conhece. Use um destes: pcm_8000 a pcm_48000, ulaw_8000.",
  },
  en: {
    other: "PT",
    other_label: "Português",
    idle: "Ready",
    connecting: "Connecting…",
    listening: "Listening",
    speaking: "Speaking",
    reconnecting: "Reconnecting…",
    back: "Back after",
    start: "Talk",
    stop: "Hang up",
    cancel: "Cancel",
    you: "You",
    agent: "Agent",
    transcript: "Conversation",
    type: "Or type",
    send: "Send",
    welcome: "Talk to this server by voice",
    how: "Press Talk, allow the microphone and say hello. Interrupt whenever you like.",
    interrupted: "interrupted",
    unheard: "never heard:",
    timing: "Answer",
    overlap: "stages overlap",
    stage_turn: "Silence waited",
    stage_stt: "Transcription",
    stage_llm_first: "Model, 1st word",
    stage_llm_sentence: "Model, 1st sentence",
    stage_tts: "Voice, 1st sound",
    stage_total: "Speech to sound",
    insecure: "Browsers give the microphone to secure pages only. Open this page over https:// or, on the machine itself, at http://localhost.",
    unsupported: "This browser lacks what a voice conversation needs (AudioWorklet). Update it or use another.",
    microphone_refused: "The microphone was refused. Allow it for this site, in the permissions next to the address, and press Talk again.",
    microphone_missing: "No microphone found. Connect one and press Talk again.",
    microphone_busy: "The microphone did not open: another program may be using it. Close that and press Talk again.",
    away: "The server did not answer. See that it is up (make run) and press Talk again.",
    lost: "The connection to the server was lost. Check the network and press Talk again.",
    refused: "The server refused the conversation. Fix the reason below and try again.",
    busy: "The server is full or still starting. Wait a little and press Talk again.",
    failed: "The server hit an error and ended the conversation. Press Talk to begin another.",
    elsewhere: "The conversation goes on over another connection.",
    trouble: "The server reported a problem; the conversation goes on.",
    unknown_format: "The server uses an audio format this page does not know. Use one of pcm_8000 to pcm_48000, ulaw_8000.",
  },
};

let language = navigator.language.toLowerCase().startsWith("en") ? "en" : "pt-BR";

export function say(word) {
  return WORDS[language][word];
}

export function switchLanguage() {
  language = language === "en" ? "pt-BR" : "en";
  translate(document);
}

/** Fill in every element under `root` that names a word. */
export function translate(root) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-word]")) element.textContent = say(element.dataset.word);
  for (const element of root.querySelectorAll("[data-word-label]")) {
    element.setAttribute("aria-label", say(element.dataset.wordLabel));
  }
  for (const element of root.querySelectorAll("[data-word-placeholder]")) {
    element.placeholder = say(element.dataset.wordPlaceholder);
  }
}

/** An element that says `word` in whatever language the page is in. */
export function wordElement(tag, word, className = "") {
  const element = document.createElement(tag);
  element.dataset.word = word;
  element.textContent = say(word);
  element.className = className;
  return element;
}
