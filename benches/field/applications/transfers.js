// Transfers, without any protection: what the JavaScript applications do.
//
// An effect is a line of the file that EFFECTS names; it is written before the answer is made, and is never taken back.

const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { randomUUID } = require("node:crypto");
const { setTimeout: sleep } = require("node:timers/promises");

// What each path does: how long it works before its effect and after it, with which status it answers, and how long its
// receipt is.
const WAYS = {
  "/transfers": { before: 30, after: 0, status: 201, receipt: 0 },
  "/slow": { before: 750, after: 750, status: 201, receipt: 0 },
  "/fails": { before: 0, after: 0, status: 500, receipt: 0 },
  "/large": { before: 0, after: 0, status: 201, receipt: 2 * 1024 * 1024 },
};

/** Works, takes effect, works on, and answers: status, location and what to send as JSON. */
async function transfer(path, asked) {
  if (path === "/refused") return { status: 422, body: { error: "there is no such account" } };
  const { before, after, status, receipt } = WAYS[path];
  await sleep(before);
  const effect = { id: randomUUID(), to: asked.to, amount: asked.amount };
  appendFileSync(process.env.EFFECTS, JSON.stringify(effect) + "\n");
  await sleep(after);
  return { status, location: `/transfers/${effect.id}`, body: { ...effect, receipt: "x".repeat(receipt) } };
}

/** All effects. */
function transfers() {
  if (!existsSync(process.env.EFFECTS)) return [];
  const lines = readFileSync(process.env.EFFECTS, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

module.exports = { PATHS: [...Object.keys(WAYS), "/refused"], transfer, transfers };
