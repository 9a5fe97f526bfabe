// The same client for Node.js: see test_callback.py.
import { createServer } from "node:http";

const [base, body] = process.argv.slice(2);
let take;
const received = new Promise((resolve) => { take = resolve; });
const server = createServer((req, res) => {
  const parts = [];
  req.on("data", (part) => parts.push(part));
  req.on("end", () => {
    const data = JSON.parse(Buffer.concat(parts).toString());
    const { status, result, error_message } = data;
    const text = status === "completed" ? `return ${(result.return * 100).toFixed(2)}%` : error_message;
    res.setHeader("Content-Type", "application/json; charset=utf-8");
    res.end(JSON.stringify({ status: "received" }));
    take({ path: req.url, content_type: req.headers["content-type"], text, data });
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const request = JSON.parse(body);
request.callback_url = `http://127.0.0.1:${server.address().port}/webhook/strategy-result`;
const answer = await fetch(`${base}/strategies/execute/`, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
});
const accepted = await answer.json();
if (answer.status !== 202 || accepted.status !== "pending" || accepted.callback_url !== request.callback_url) {
  throw new Error(`answer ${answer.status} ${JSON.stringify(accepted)}`);
}
const document = await received;
if (document.data.execution_id !== accepted.execution_id) throw new Error(JSON.stringify(document));
console.log(JSON.stringify(document));
server.close();
server.closeAllConnections();
