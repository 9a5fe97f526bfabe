"""The Python client of the WebSocket's documentation: says who it is, and prints what it
gets until it has seen the types that it was told to wait for.

usage: client.py URI TYPE...
"""
import asyncio
import json
import sys

import websockets


async def websocket_client(uri, wanted):
    async with websockets.connect(uri) as websocket:
        client_info = {
            "type": "client_info",
            "data": {
                "client_id": "python_client_1",
                "user_agent": "Python WebSocket Client",
                "timestamp": "2024-01-01T12:00:00Z",
            },
        }
        await websocket.send(json.dumps(client_info))
        await websocket.send(json.dumps({"type": "ping", "data": {"client_time": "2024-01-01T12:00:00Z"}}))
        async for message in websocket:
            data = json.loads(message)
            wanted.discard(data["type"])
            if not wanted:
                print("done")
                return


asyncio.run(asyncio.wait_for(websocket_client(sys.argv[1], set(sys.argv[2:])), 60))
