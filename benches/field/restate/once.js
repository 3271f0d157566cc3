// A Restate service as the SDK's README writes one. Nothing is configured: a call to a handler with the header
// `Idempotency-Key` is carried out once and its result kept for a day.
//
// The effect is a step of its own (`ctx.run`), and what failed for good is a `TerminalError`, as the documentation of the
// SDK has it.

const restate = require("@restatedev/restate-sdk");

const { transfer, transfers } = require("./transfers");

const handler = (path) => async (ctx, asked) => {
  const { status, body } = await ctx.run("transfer", () => transfer(path, asked));
  if (status >= 400) throw new restate.TerminalError(JSON.stringify(body), { errorCode: status });
  return body;
};

module.exports = restate.service({
  name: "transfers",
  handlers: {
    create: handler("/transfers"),
    slow: handler("/slow"),
    fails: handler("/fails"),
    refused: handler("/refused"),
    large: handler("/large"),
    list: async () => transfers(),
  },
});
