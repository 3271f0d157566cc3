const http2 = require("node:http2");

const restate = require("@restatedev/restate-sdk");

const handler = restate.endpoint().bind(require("./once")).http2Handler();
http2.createServer(handler).listen(Number(process.env.PORT_SERVICE), "127.0.0.1");
