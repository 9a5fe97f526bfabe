// Checks the API against its own OpenAPI document, by programs that share no
// code with it: redocly reads the document, promtool the metrics, and prism
// stands between client and server, comparing every request and answer with
// the document.
//
//   node check.mjs PROGRAM     a switchyard to run the demo of
//
// Everything is on loopback, on free ports. It ends with 1 if anything is wrong,
// and leaves nothing running.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

const here = import.meta.dirname;
const program = process.argv[2];
if (!program) {
  console.error("usage: node check.mjs PROGRAM");
  process.exit(2);
}

// Nobody is told that this runs.
const quiet = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true", SCARF_ANALYTICS: "false", NO_COLOR: "1" };

const running = [];
const faults = [];

/** freePort finds a port that nobody listens on. */
async function freePort() {
  return new Promise((resolve, reject) => {
    const s = createServer();
    s.on("error", reject);
    s.listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => resolve(port));
    });
  });
}

/** start runs a program until the end of the check; what it says is kept. */
function start(command, ...args) {
  const p = spawn(command, args, { env: quiet, stdio: ["ignore", "pipe", "pipe"] });
  const it = { process: p, said: "", ended: new Promise((resolve) => p.on("close", resolve)) };
  p.on("error", (err) => (it.said += err));
  for (const s of [p.stdout, p.stderr]) s.on("data", (text) => (it.said += text));
  running.push(it);
  return it;
}

/** run runs a program to its end and returns how it went. */
async function run(input, command, ...args) {
  const p = spawn(command, args, { env: quiet, cwd: here, stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  for (const s of [p.stdout, p.stderr]) s.on("data", (text) => (said += text));
  p.stdin.on("error", () => {});
  p.stdin.end(input);
  const code = await new Promise((resolve) => {
    p.on("error", (err) => { said += err; resolve(-1); });
    p.on("close", resolve);
  });
  return { code, said };
}

/** until asks again and again until ask returns something, for a minute. */
async function until(what, it, ask) {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    if (it.process.exitCode !== null) break;
    try {
      const got = await ask();
      if (got) return got;
    } catch { /* not there yet */ }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain until ${what}; it said:\n${it.said}`);
}

let calls = 0;

/**
 * call sends a request through a proxy and holds the answer to a status. Its
 * faults are what prism finds in the answer, and, unless the request is meant to
 * be wrong, in the request.
 */
async function call(base, wrong, status, method, address, body, headers = {}) {
  calls++;
  const typed = body === undefined ? {} : { "content-type": "application/json" };
  const res = await fetch(base + address, {
    method, headers: { ...typed, ...headers }, body: typeof body === "object" ? JSON.stringify(body) : body, redirect: "manual",
  });
  const text = await res.text();
  const name = `${method} ${address} ${body === undefined ? "" : JSON.stringify(body)}`;
  let found = [];
  if (text.includes("stoplight.io/prism/errors")) {
    found = [text];
  } else {
    found = JSON.parse(res.headers.get("sl-violations") ?? "[]").filter((v) => !(wrong && v.location?.[0] === "request")).map((v) => JSON.stringify(v));
  }
  for (const f of found) faults.push(`${name}: ${res.status}: ${f}`);
  if (found.length === 0 && res.status !== status) faults.push(`${name}: ${res.status}, want ${status}: ${text.slice(0, 300)}`);
  try {
    return { headers: res.headers, body: JSON.parse(text) };
  } catch {
    return { headers: res.headers, body: text };
  }
}

async function check(dir) {
  const port = await freePort();
  const server = `http://127.0.0.1:${port}`;
  const demo = start(program, "demo", "--listen", `127.0.0.1:${port}`);
  await until("the demo is ready", demo, async () => (await fetch(`${server}/readyz`)).ok);

  const spec = path.join(dir, "openapi.json");
  await writeFile(spec, await (await fetch(`${server}/openapi.json`)).text());
  const bin = path.join(here, "node_modules", ".bin");
  const lint = await run("", path.join(bin, "redocly"), "lint", "--extends=recommended", "--max-problems=50", spec);
  if (lint.code !== 0 || /You have \d+ warning/.test(lint.said)) faults.push(`redocly lint: ${lint.said}`);

  const figures = await (await fetch(`${server}/metrics`)).text();
  const prom = await run(figures, "promtool", "check", "metrics");
  if (prom.code !== 0 || prom.said.trim() !== "") faults.push(`promtool check metrics: ${prom.code} ${prom.said}`);

  // strict refuses what is not as documented; lax passes it on and tells, so that
  // the server's own answer to a faulty request can be looked at.
  const proxies = [];
  for (const flags of [["--errors"], []]) {
    const p = await freePort();
    const prism = start(path.join(bin, "prism"), "proxy", spec, server, "--port", String(p), "--host", "127.0.0.1", "--validate-request", ...flags);
    proxies.push({ prism, base: `http://127.0.0.1:${p}` });
  }
  for (const p of proxies) await until("prism listens", p.prism, async () => (await fetch(`${p.base}/healthz`)).ok);
  const good = (...args) => call(proxies[0].base, false, ...args);
  const bad = (...args) => call(proxies[1].base, true, ...args);
  const toggle = "/api/v1/proxies/toggle";

  for (const page of ["/healthz", "/health", "/readyz", "/", "/docs", "/openapi.json", "/metrics", "/monitoring", "/status", "/status?server_ip=198.51.100.7"]) {
    await good(200, "GET", page);
  }
  const first = await good(202, "POST", toggle, { port: 10012, chat_id: -12345678 });
  const joined = await good(202, "POST", toggle, { subnet: 12, chat_id: "@operators", host: "demo" });
  if (joined.body.job_id !== first.body.job_id || joined.body.joined !== true) faults.push("the second request did not join the first");
  await good(200, "GET", `/api/v1/jobs/${first.body.job_id}`);
  const waited = await good(200, "POST", toggle, { port: 10013, wait: 60 });
  if (waited.body.success !== true) faults.push(`the toggle failed: ${JSON.stringify(waited.body)}`);
  await good(200, "POST", toggle, { port: 10012, wait: 60 });
  await good(200, "GET", `/api/v1/jobs/${first.body.job_id}`);

  const key = { "idempotency-key": "check-1" };
  await good(202, "POST", toggle, { port: 10014 }, key);
  const again = await good(202, "POST", toggle, { port: 10014 }, key);
  if (again.headers.get("idempotency-replayed") !== "true") faults.push("the repeated request was not told to be one");
  await good(422, "POST", toggle, { port: 10015 }, key);

  const running = await good(202, "POST", toggle, { port: 10015 });
  await good(202, "POST", `/api/v1/jobs/${running.body.job_id}/cancel`);
  await until("the job is cancelled", demo, async () => (await (await fetch(`${server}/api/v1/jobs/${running.body.job_id}`)).json()).state === "cancelled");
  await good(200, "GET", `/api/v1/jobs/${running.body.job_id}`);
  await good(409, "POST", `/api/v1/jobs/${running.body.job_id}/cancel`);
  await good(409, "POST", `/api/v1/jobs/${first.body.job_id}/retry`);
  await good(202, "POST", `/api/v1/jobs/${running.body.job_id}/retry`);

  await good(200, "GET", "/toggle/16");
  await good(200, "POST", "/toggle/17?server_ip=198.51.100.7", undefined, { "idempotency-key": "check-2" });
  await good(200, "GET", "/status");
  const page = await good(200, "GET", "/api/v1/jobs?limit=2");
  await good(200, "GET", `/api/v1/jobs?limit=2&cursor=${encodeURIComponent(page.body.next_cursor)}`);
  await good(200, "GET", "/api/v1/jobs?chat_id=-12345678&type=toggle&state=completed&host=demo");
  for (const list of ["hosts", "hosts/demo", "proxies", "proxies?connected=true&plmn=45008&min_rsrp=-140&host=demo", "proxies?connected=false"]) await good(200, "GET", `/api/v1/${list}`);
  await good(409, "DELETE", "/api/v1/hosts/demo"); // it is online
  for (const method of ["GET", "DELETE"]) await good(404, method, "/api/v1/hosts/nowhere");

  const cf = await good(202, "POST", "/api/v1/cf/block", { ip: "192.0.2.44", chat_id: -12345678 });
  await good(202, "POST", "/api/v1/cf/release?ip=2001:db8::1&chat_id=%40operators");
  await good(202, "POST", "/api/v1/cf/block", "ip=192.0.2.0/24&chat_id=5", { "content-type": "application/x-www-form-urlencoded" });
  for (const method of ["GET", "POST"]) {
    await good(202, method, "/api/v1/cf/search?ip=1.1.1.1&chat_id=-12345678");
    await good(202, method, "/api/v1/telegram?chat_id=-123456&text=test%20message");
  }
  await good(202, "POST", "/api/v1/telegram", { chat_id: "@operators", text: "test message" }, { "idempotency-key": "check-3" });
  await until("an address is blocked", demo, async () => (await (await fetch(`${server}/api/v1/jobs/${cf.body.job_id}`)).json()).state === "completed");
  await good(200, "GET", `/api/v1/jobs/${cf.body.job_id}`);
  await good(400, "POST", "/api/v1/cf/block", { ip: "192.0.2.0/25", chat_id: 1 });
  await good(400, "POST", "/api/v1/cf/search?ip=192.0.2.1");
  await good(400, "POST", "/api/v1/telegram", { chat_id: 1 });
  await good(422, "POST", "/api/v1/cf/block", { ip: "10.0.0.1", chat_id: 1 });
  await bad(400, "GET", "/api/v1/cf/search?ip=192.0.2.1");
  await bad(400, "POST", "/api/v1/cf/block", { ip: "192.0.2.1", chat_id: 1, nonsense: 1 });
  await bad(415, "POST", "/api/v1/telegram", "text=a", { "content-type": "text/plain" });

  const unknown = "/api/v1/jobs/j_01k9zd3v5y8m1q2r3s4t5v6w7x";
  for (const [method, address] of [["GET", unknown], ["POST", `${unknown}/cancel`], ["POST", `${unknown}/retry`]]) await good(404, method, address);
  await good(404, "GET", "/toggle/25");
  await good(404, "GET", "/toggle/11?server_ip=203.0.113.99");
  await good(404, "GET", "/status?server_ip=203.0.113.99");
  await good(404, "POST", toggle, { port: 10025 });
  await good(404, "POST", toggle, { port: 10011, host: "nowhere" });
  await good(400, "GET", "/api/v1/jobs?type=nonsense");
  await good(400, "GET", "/api/v1/jobs?state=nonsense");
  await good(400, "GET", "/api/v1/jobs?cursor=nonsense");
  await good(400, "POST", toggle, {});
  await good(400, "POST", toggle, { port: 10010 });
  await good(400, "POST", toggle, { port: 10011, callback_url: "ftp://hooks.example.com/" });
  await good(400, "POST", toggle, { port: 10011, chat_id: "operators" });

  await bad(400, "GET", "/toggle/99");
  await bad(400, "GET", "/toggle/abc");
  await bad(400, "GET", "/api/v1/jobs?limit=0");
  for (const query of ["connected=perhaps", "plmn=KT", "min_rsrp=strong", "colour=red"]) await bad(400, "GET", `/api/v1/proxies?${query}`);
  await bad(400, "GET", "/api/v1/jobs?limit=many");
  await bad(400, "GET", `/api/v1/jobs/${"a".repeat(65)}`);
  await bad(400, "POST", toggle, { port: "10011" });
  await bad(400, "POST", toggle, { port: 10011, wait: 201 });
  await bad(400, "POST", toggle, { port: 10011, nonsense: 1 });
  await bad(400, "POST", toggle, []);
  await bad(415, "POST", toggle, "port=10011", { "content-type": "text/plain" });
  await bad(403, "POST", toggle, { port: 10011 }, { "sec-fetch-site": "cross-site" });
}

const dir = await mkdtemp(path.join(tmpdir(), "switchyard-openapi-"));
try {
  await check(dir);
} catch (err) {
  faults.push(String(err?.stack ?? err));
} finally {
  for (const it of running) it.process.kill("SIGTERM");
  await Promise.all(running.map((it) => it.ended));
  await rm(dir, { recursive: true, force: true });
}
for (const f of faults) console.error(`FAULT ${f}\n`);
console.log(`${calls} calls through prism, the document by redocly, the metrics by promtool: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
