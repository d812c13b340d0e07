// A tool in JavaScript, without any package: is told of numbers (push), says whether they are prime. Node 18 or newer.
//
//   penstock tools register checknumber --push http://127.0.0.1:8181/ --secret checknumber-key
//   PORT=8181 KEY=… PENSTOCK_URL=http://127.0.0.1:8090 node examples/tools/checknumber.mjs
//
// KEY is the text of that secret; without one signatures are not looked at. PENSTOCK_TOKEN is sent when it is set.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const url = process.env.PENSTOCK_URL ?? "http://127.0.0.1:8090";
const token = process.env.PENSTOCK_TOKEN;
const key = process.env.KEY;
const OLDEST_S = 300;

function signedByUs(header, body) {
  const [, at, given] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? "") ?? [];
  if (!given || Math.abs(Date.now() / 1000 - at) > OLDEST_S) return false;
  const wanted = createHmac("sha256", key).update(`${at}.`).update(body).digest();
  return timingSafeEqual(wanted, Buffer.from(given, "hex"));
}

async function say(task, what, data) {
  const event = {
    specversion: "1.0",
    source: "/tools/checknumber.mjs",
    id: `${task.id}/${what}`,
    type: task.type.replace(/triggered$/, what),
    triggeredid: task.id,
    penstocktool: task.penstocktool,
    data,
  };
  const headers = { "Content-Type": "application/cloudevents+json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(`${url}/api/v1/events`, { method: "POST", headers, body: JSON.stringify(event) });
  if (!answer.ok) throw new Error(`${what} of ${task.id}: ${answer.status} ${await answer.text()}`);
}

function isPrime(number) {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return number > 1;
}

async function work(task) {
  await say(task, "started", {});
  const number = task.data?.number;
  if (!Number.isInteger(number)) return say(task, "finished", { status: "errored", message: "number is missing" });
  await say(task, "finished", { prime: isPrime(number) });
}

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  if (key && !signedByUs(request.headers["penstock-signature"], body)) {
    response.writeHead(401).end();
    return;
  }
  response.writeHead(202).end(); // taken: the work itself is answered by events
  work(JSON.parse(body)).catch((error) => console.error(String(error)));
});
server.listen(Number(process.env.PORT ?? 8181), "127.0.0.1", () => console.log(`listening on ${server.address().port}`));
