// The page's client. Without it the page is a classic form; with it, each press of Pay is one call of `pay`.
//
// Nothing here guards against a second press: no button is disabled, no press is counted, held back or merged.
// Both sides run the same code; `send` differs in one line.
"use strict";

const MOST_TRIES = 3;
const MOST_LISTED = 40;
const PAUSE_MS = 700;
const LONGEST_PAUSE_MS = 5000;
const REFRESH_MS = 1000;

const TOLD = ["Idempotency-Status", "Idempotent-Replayed", "Retry-After"];
const SHOWN = [...TOLD, "Idempotency-Key", "Idempotency-Expires", "Location", "Content-Type"];
const NAMES = { ana: "Ana", luis: "Luis" };

const form = document.querySelector("#payment");
const said = document.querySelector("#said");

async function send(lane, order, key, network) {
  const headers = { "Content-Type": "application/json", ...network };
  if (lane === "guarded") headers["Idempotency-Key"] = `"${key}"`; // the only difference

  const answer = await fetch(`/through/${lane}/transfers`, {
    method: "POST",
    headers,
    body: JSON.stringify(order),
  });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

// One press of Pay. As a well-made client does, it sends the same request again, under the same key, after a
// lost answer and after an answer that says so; it never makes a new key on its own.
async function pay(lane, intent) {
  for (let attempt = 1; attempt <= MOST_TRIES; attempt += 1) {
    const last = attempt === MOST_TRIES;
    const entry = list(lane, intent, attempt);
    const answer = await send(lane, intent.order, intent.key, network(intent, attempt)).catch(() => null);
    if (answer) entry.answered(answer);
    else entry.lost(last);
    refresh();
    const pause = answer ? pauseBeforeRetry(answer) : PAUSE_MS;
    if (pause === null || last) return;
    await new Promise((resume) => setTimeout(resume, pause));
  }
}

// Only an answer that calls for the same key again is followed by the same request again.
function pauseBeforeRetry(answer) {
  const problem = parsed(answer.body);
  if (problem?.retryable !== true || problem.next !== "same-key") return null;
  const seconds = Number(answer.headers.get("Retry-After")) || 1;
  return Math.min(seconds * 1000, LONGEST_PAUSE_MS);
}

// What the demo's own network does to this attempt. Only a first attempt loses its answer.
function network({ user, slow, lost }, attempt) {
  const troubles = [slow && "slow", lost && attempt === 1 && "lost"].filter(Boolean);
  return { "Demo-User": user, "Demo-Network": troubles.join(", ") };
}

// What the form says at the moment of the press.
function intent() {
  const { key, slow, lost, other, luis } = form.elements;
  const [from, to] = luis.checked ? ["luis", "ana"] : ["ana", "luis"];
  const order = { from, to, amount: other.checked ? 250 : 100 };
  return { user: from, order, key: key.value, slow: slow.checked, lost: lost.checked };
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { lane } = event.submitter?.dataset ?? {};
  if (lane) pay(lane, intent());
  else newPayment();
});

// A new intent: the one place where a key is made.
function newPayment() {
  const key = crypto.randomUUID();
  form.elements.key.value = key;
  const shown = document.querySelector("#key");
  shown.textContent = key;
  shown.classList.remove("fresh");
  void shown.offsetWidth; // restarts the animation
  shown.classList.add("fresh");
  for (const rule of document.querySelectorAll(".request:first-child")) rule.classList.add("before");
  say("New payment, new key.");
}

// --- the list of requests ---

const counts = { guarded: 0, naive: 0 };

function list(lane, intent, attempt) {
  const sent = document.querySelector(`[data-sent="${lane}"]`);
  const entries = sent.querySelector("ol");
  const item = document.querySelector("#request").content.cloneNode(true).firstElementChild;
  const part = (name) => item.querySelector(`.${name}`);
  const number = (counts[lane] += 1);
  const { from, to, amount } = intent.order;

  part("number").textContent = number;
  part("what").textContent = `${NAMES[from]} → ${NAMES[to]}, ${amount} €`;
  item.querySelector("time").textContent = new Date().toLocaleTimeString([], { hourCycle: "h23" });
  part("code").textContent = "…";
  part("words").textContent = attempt === 1 ? "On its way." : "The client tries again. On its way.";
  item.querySelector("pre").textContent = asSent(lane, intent);
  item.classList.add("travelling");
  sent.hidden = false;
  entries.prepend(item);
  while (entries.children.length > MOST_LISTED) entries.lastElementChild.remove();

  const settle = (tone, code, words) => {
    item.classList.replace("travelling", tone);
    part("code").textContent = code;
    part("words").textContent = words;
    say(`${lane === "guarded" ? "Through Onlyonce" : "Naive twin"}, request ${number}: ${words}`);
  };
  return {
    answered(answer) {
      const { tone, words } = judge(lane, intent, answer);
      settle(tone, answer.status, words);
      fillHeaders(part("headers"), lane, intent, answer);
      fillConflict(item, parsed(answer.body));
      item.querySelector("pre").textContent += `\n\n${asAnswered(answer)}`;
    },
    lost(last) {
      const again = lane === "guarded" ? "sends it again, with the same key" : "sends it again";
      settle("lost", "no answer", `No answer arrived. The client ${last ? "gives up" : again}.`);
      fillHeaders(part("headers"), lane, intent, null);
      item.querySelector("pre").textContent += "\n\n(no answer)";
    },
  };
}

// What an answer means, in plain words.
function judge(lane, { user, order }, { status, headers, body }) {
  const answer = parsed(body) ?? {};
  if (headers.get("Idempotent-Replayed") === "true") {
    return { tone: "replayed", words: "The first answer again, word for word. The bank was not asked." };
  }
  if (status >= 200 && status < 300) {
    const own = lane === "guarded" && user === "luis"
      ? " For Luis it is a new key of his own; Ana’s answer stays hers."
      : "";
    return { tone: "executed", words: `Paid: the bank moved ${order.amount} €.${own}` };
  }
  if (answer.accepted || answer.type?.endsWith(":key-reused")) {
    return { tone: "refused", words: "Refused, nothing paid: this key already stands for something else." };
  }
  return { tone: "refused", words: answer.detail ?? answer.error ?? answer.title ?? "Refused." };
}

function fillHeaders(target, lane, { key }, answer) {
  const rows = lane === "guarded" ? [["Idempotency-Key", short(answer?.headers.get("Idempotency-Key") ?? key)]] : [];
  for (const name of TOLD) {
    const value = answer?.headers.get(name);
    if (value) rows.push([name, value]);
  }
  if (answer) rows.push(["body", answer.body.replace(/\s+/g, " ").trim()]);
  target.replaceChildren(...rows.map(([name, value]) => {
    const row = document.createElement("div");
    const [term, data] = [document.createElement("dt"), document.createElement("dd")];
    row.className = name === "body" ? "body" : "";
    term.textContent = name;
    data.textContent = value;
    row.append(term, data);
    return row;
  }));
}

// A conflict shows its owner what the key stands for.
function fillConflict(item, problem) {
  if (!problem?.accepted) return;
  const { method, path, body } = problem.accepted;
  item.querySelector(".stands-for").hidden = false;
  item.querySelector(".accepted").textContent = `${method} ${path} ${JSON.stringify(body)}`;
  const differs = problem.differs?.join(", ");
  item.querySelector(".differs").textContent = differs ? `This request differs in ${differs}.` : "";
}

function asSent(lane, { order, key }) {
  const keyed = lane === "guarded" ? `Idempotency-Key: "${key}"\n` : "";
  return `POST /transfers\n${keyed}Content-Type: application/json\n\n${JSON.stringify(order)}`;
}

function asAnswered({ status, headers, body }) {
  const lines = SHOWN.filter((name) => headers.has(name)).map((name) => `${name}: ${headers.get(name)}\n`);
  const json = parsed(body);
  return `${status}\n${lines.join("")}\n${json ? JSON.stringify(json, null, 2) : body}`;
}

// --- the books ---

// Also what a terminal or another tab did shows within a second.
async function refresh() {
  const gone = document.querySelector("#gone");
  try {
    await Promise.all(["guarded", "naive"].map(showLedger));
    gone.hidden = true;
  } catch {
    gone.hidden = false;
  }
}

async function showLedger(lane) {
  const answer = await fetch(`/ledger/${lane}`);
  if (!answer.ok) throw new Error(`no books: ${answer.status}`);
  const html = await answer.text();
  const ledger = document.querySelector(`[data-ledger="${lane}"]`);
  if (ledger.dataset.shown === html) return;
  const known = new Set([...ledger.querySelectorAll("[data-id]")].map((row) => row.dataset.id));
  ledger.innerHTML = html; // the server's own markup, the same that it renders into the page
  ledger.dataset.shown = html;
  for (const row of ledger.querySelectorAll("[data-id]")) {
    row.classList.toggle("arrived", !known.has(row.dataset.id));
  }
}

// --- small things ---

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function short(key) {
  const bare = key.replaceAll('"', "");
  return bare.length > 13 ? `${bare.slice(0, 8)}…${bare.slice(-4)}` : bare;
}

function say(words) {
  said.textContent = words;
}

document.documentElement.classList.add("scripted");
document.querySelector("#code").textContent = send.toString();
document.querySelector("#code-behind").hidden = false;
refresh();
setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);

// `/?story=double-click` plays what a visitor would do: each button pressed twice, through the buttons themselves.
if (new URLSearchParams(location.search).get("story") === "double-click") {
  for (const button of document.querySelectorAll("button.pay")) {
    button.click();
    button.click();
  }
}
