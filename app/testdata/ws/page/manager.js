// The client of the WebSocket's documentation that comes back by itself, to the letter but
// for the address, which the page or program fills in.
class WebSocketManager {
    constructor(url) {
        this.url = url;
        this.reconnectInterval = 5000;
        this.maxReconnectAttempts = 10;
        this.reconnectAttempts = 0;
        this.connect();
    }
    
    connect() {
        this.ws = new WebSocket(this.url);
        
        this.ws.onopen = () => {
            console.log('WebSocket 연결 성공');
            this.reconnectAttempts = 0;
            this.sendClientInfo();
        };
        
        this.ws.onclose = (event) => {
            console.log('WebSocket 연결 종료:', event.code);
            this.handleReconnect();
        };
        
        this.ws.onerror = (error) => {
            console.error('WebSocket 오류:', error);
        };
        
        this.ws.onmessage = (event) => {
            this.handleMessage(JSON.parse(event.data));
        };
    }
    
    handleReconnect() {
        if (this.reconnectAttempts < this.maxReconnectAttempts) {
            this.reconnectAttempts++;
            console.log(`재연결 시도 ${this.reconnectAttempts}/${this.maxReconnectAttempts}`);
            
            setTimeout(() => {
                this.connect();
            }, this.reconnectInterval);
        } else {
            console.error('최대 재연결 시도 횟수 초과');
        }
    }
    
    sendClientInfo() {
        const clientInfo = {
            type: 'client_info',
            data: {
                client_id: 'dashboard_client_1',
                client_type: 'web_dashboard',
                user_agent: navigator.userAgent,
                timestamp: new Date().toISOString()
            }
        };
        
        this.send(clientInfo);
    }
    
    send(message) {
        if (this.ws.readyState === WebSocket.OPEN) {
            this.ws.send(JSON.stringify(message));
        } else {
            console.warn('WebSocket이 연결되지 않음');
        }
    }
    
    handleMessage(message) {
        switch (message.type) {
            case 'status_update':
                this.handleStatusUpdate(message.data);
                break;
            case 'service_event':
                this.handleServiceEvent(message.data);
                break;
            case 'alert':
                this.handleAlert(message.data);
                break;
            case 'pong':
                this.handlePong(message.data);
                break;
            default:
                console.log('알 수 없는 메시지 타입:', message.type);
        }
    }
}

// 사용 예시
const wsManager = new WebSocketManager('ws://localhost:8000/ws');

setInterval(() => {
    wsManager.send({
        type: 'ping',
        data: {
            client_time: new Date().toISOString()
        }
    });
}, 30000); // 30초마다 핑 전송
