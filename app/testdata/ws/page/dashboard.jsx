// The React hook of the WebSocket's documentation and the dashboard that uses it, to the
// letter but for the address, which the page fills in.
import { useEffect, useState } from 'react';

function useWebSocket(url) {
    const [socket, setSocket] = useState(null);
    const [isConnected, setIsConnected] = useState(false);
    const [lastMessage, setLastMessage] = useState(null);
    
    useEffect(() => {
        const ws = new WebSocket(url);
        
        ws.onopen = () => {
            setIsConnected(true);
            setSocket(ws);
            
            // 클라이언트 정보 전송
            ws.send(JSON.stringify({
                type: 'client_info',
                data: {
                    client_id: 'react_dashboard',
                    client_type: 'web_dashboard',
                    timestamp: new Date().toISOString()
                }
            }));
        };
        
        ws.onmessage = (event) => {
            const message = JSON.parse(event.data);
            setLastMessage(message);
        };
        
        ws.onclose = () => {
            setIsConnected(false);
            setSocket(null);
        };
        
        return () => {
            ws.close();
        };
    }, [url]);
    
    const sendMessage = (message) => {
        if (socket && isConnected) {
            socket.send(JSON.stringify(message));
        }
    };
    
    return { socket, isConnected, lastMessage, sendMessage };
}

// 사용 예시
function Dashboard() {
    const { isConnected, lastMessage, sendMessage } = useWebSocket('ws://localhost:8000/ws');
    const [systemMetrics, setSystemMetrics] = useState({});
    
    useEffect(() => {
        if (lastMessage?.type === 'status_update') {
            setSystemMetrics(lastMessage.data);
        }
    }, [lastMessage]);
    
    const restartService = (serviceId) => {
        sendMessage({
            type: 'service_control',
            data: {
                service_id: serviceId,
                action: 'restart'
            }
        });
    };
    
    return (
        <div>
            <div>연결 상태: {isConnected ? '연결됨' : '연결 안됨'}</div>
            <div>CPU: {systemMetrics.cpu_percent}%</div>
            <div>메모리: {systemMetrics.memory_percent}%</div>
            <button onClick={() => restartService('posco_news')}>
                POSCO 뉴스 재시작
            </button>
        </div>
    );
}
