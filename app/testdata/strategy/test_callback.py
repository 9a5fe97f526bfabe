"""A client of the strategy API, as the users of the older executor have it: it starts a
receiver on this machine, executes a strategy with a callback, waits for it and prints it.

usage: test_callback.py BASE_URL REQUEST (the body, without callback_url)
"""
import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

received = threading.Event()
document = {}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        data = json.loads(body)
        if data["status"] == "completed":
            text = "return %.2f%%" % (data["result"].get("return", 0) * 100)
        else:
            text = data["error_message"]
        document.update(path=self.path, content_type=self.headers["Content-Type"], text=text, data=data)
        answer = json.dumps({"status": "received"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        received.set()

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
request = json.loads(sys.argv[2])
request["callback_url"] = "http://127.0.0.1:%d/webhook/strategy-result" % server.server_port
call = urllib.request.Request(
    sys.argv[1] + "/strategies/execute/", json.dumps(request).encode(), {"Content-Type": "application/json"}
)
with urllib.request.urlopen(call) as response:
    accepted = json.load(response)
    assert response.status == 202, response.status
    assert accepted["status"] == "pending" and accepted["callback_url"] == request["callback_url"], accepted
if not received.wait(60):
    sys.exit("no callback within a minute")
assert document["data"]["execution_id"] == accepted["execution_id"], document
print(json.dumps(document))
server.shutdown()
