// The service `reverse`, for Node.js 18.3 or newer, with nothing but its own modules: `node reverse.mjs --port 5000`.
// The same contract as text_service.py; a text is reversed by code points, as Python does.
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const BODY_BYTES_MAX = 1_000_000;
const EVENT_PATHS = ["/event", "/"];
const GET_PATHS = ["/healthcheck", "/infos"];

const { values: options } = parseArgs({
  options: { port: { type: "string", default: "5000" }, address: { type: "string" } },
});

/** The request cannot be served: an HTTP status and the reason for the caller. */
class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

const isJson = (contentType = "") => {
  const mediaType = contentType.split(";")[0].trim().toLowerCase();
  return mediaType === "application/json" || mediaType.endsWith("+json");
};

const isEmpty = (payload) =>
  !payload || (typeof payload === "object" && Object.keys(payload).length === 0);

async function readBody(request) {
  if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) throw new Refused(413, "payload is too large.");
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new Refused(413, "payload is too large.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function messageOf(body) {
  let payload;
  try {
    payload = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refused(400, "payload is not valid JSON.");
  }
  if (isEmpty(payload)) throw new Refused(400, "payload can not be empty.");
  if (typeof payload !== "object" || Array.isArray(payload)) {
    throw new Refused(400, "payload must be an object.");
  }
  const message = Object.hasOwn(payload, "message") ? payload.message : null;
  if (message === null || message === "") throw new Refused(400, "message field is missing on payload.");
  if (typeof message !== "string") throw new Refused(400, "message field must be a string.");
  return message;
}

const registration = (address) => ({
  name: "reverse",
  address,
  inputs: [{ name: "message", type: "string", description: "The text to transform" }],
  outputs: [{ name: "message", type: "string", description: "The reversed text" }],
});

function answer(response, status, document) {
  const body = JSON.stringify(document);
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) };
  if (status === 413) headers.Connection = "close"; // the rest of the body is not read
  response.writeHead(status, headers).end(body);
}

function get(path, response) {
  if (path === "/healthcheck") response.writeHead(204).end();
  else if (path === "/infos") answer(response, 200, registration(ownAddress()));
  else if (EVENT_PATHS.includes(path)) throw new Refused(405, "use POST.");
  else throw new Refused(404, "no such path.");
}

async function post(path, request, response) {
  if (GET_PATHS.includes(path)) throw new Refused(405, "use GET.");
  if (!EVENT_PATHS.includes(path)) throw new Refused(404, "no such path.");
  if (!isJson(request.headers["content-type"])) throw new Refused(415, "JSON is expected.");
  const message = messageOf(await readBody(request));
  answer(response, 200, { message: Array.from(message).reverse().join("") });
}

const server = createServer(async (request, response) => {
  try {
    if (request.method === "GET") get(request.url, response);
    else if (request.method === "POST") await post(request.url, request, response);
    else throw new Refused(405, "use GET or POST.");
  } catch (error) {
    if (error instanceof Refused) answer(response, error.status, { message: error.message });
    else response.destroy(); // the caller went away in the middle of its request
  }
});

const baseUrl = () => `http://127.0.0.1:${server.address().port}`;

function ownAddress() {
  if (options.address === "self") return `${baseUrl()}/event`;
  return options.address ?? "http://reverse.local:5000/";
}

server.requestTimeout = 10_000;
server.listen(Number(options.port), "127.0.0.1", () => console.log(`listening on ${baseUrl()}`));
