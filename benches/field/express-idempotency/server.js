const express = require("express");

const once = require("./once");
const { PATHS, transfer, transfers } = require("./transfers");

const app = express();
app.use(express.json());
app.post("*", once.middleware);
for (const path of PATHS) {
  app.post(path, async (request, response, next) => {
    if (once.isHit(request)) return;
    try {
      const { status, location, body } = await transfer(path, request.body);
      if (location) response.location(location);
      response.status(status).send(body);
    } catch (error) {
      next(error);
    }
  });
}
app.get("/transfers", (request, response) => response.send(transfers()));
app.listen(Number(process.env.PORT), "127.0.0.1");
