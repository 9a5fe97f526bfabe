// The documented client that comes back by itself, in Node.js with the library ws: prints
// a line of JSON for each message and close.
//
// usage: manager.mjs URI
import { readFileSync } from 'node:fs';
import WebSocket from 'ws';

const tell = (what) => process.stdout.write(JSON.stringify(what) + '\n');

class Watched extends WebSocket {
    constructor(url) {
        super(url);
        this.on('message', (text) => tell({ got: JSON.parse(text) }));
        this.on('close', (code) => tell({ closed: code }));
    }
}

const text = readFileSync(new URL('page/manager.js', import.meta.url), 'utf8').replace('ws://localhost:8000/ws', process.argv[2]);
const quiet = { log: () => {}, error: () => {}, warn: () => {} };
const often = (f, pause) => setInterval(f, Math.min(pause, 200));
const complete = (Manager) => {
    for (const name of ['handleStatusUpdate', 'handleServiceEvent', 'handleAlert', 'handlePong']) {
        Manager.prototype[name] = (data) => tell({ handled: name, data });
    }
};
const withHandlers = text.replace('// 사용 예시', 'complete(WebSocketManager);');
new Function('WebSocket', 'navigator', 'console', 'setInterval', 'complete', withHandlers)(Watched, { userAgent: 'node' }, quiet, often, complete);
