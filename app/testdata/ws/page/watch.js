// What stands around the documented clients in the page: it tells the test what they get,
// write and close, and lets no test wait half a minute for a ping.
const tell = (what) => fetch('/told', { method: 'POST', body: JSON.stringify(what) });

const Real = window.WebSocket;
window.WebSocket = class extends Real {
    constructor(url) {
        super(url);
        this.addEventListener('message', (e) => tell({ got: JSON.parse(e.data) }));
        this.addEventListener('close', (e) => tell({ closed: e.code }));
    }
};

const every = window.setInterval;
window.setInterval = (f, pause) => every(f, Math.min(pause, 200));
window.addEventListener('error', (e) => tell({ error: e.message }));
for (const level of ['log', 'error']) {
    const write = console[level];
    console[level] = (...words) => { tell({ written: words.map(String).join(' ') }); write(...words); };
}

// What the first client leaves to its reader.
window.handleWebSocketMessage = (message) => tell({ handled: message.type });
window.connectWebSocket = () => tell({ handled: 'reconnect' });

// What the manager leaves to its reader.
window.complete = (Manager) => {
    for (const name of ['handleStatusUpdate', 'handleServiceEvent', 'handleAlert', 'handlePong']) {
        Manager.prototype[name] = (data) => tell({ handled: name, data });
    }
};
