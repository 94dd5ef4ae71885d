"""A stdio program without any package, with tools for everything that can go wrong on the way."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

TOOLS = ("echo", "big", "exit", "wait", "garbage", "ask", "changed", "log", "initialized_with")

lock = threading.Lock()
answers: dict[str, dict[str, Any]] = {}
initialize_params: dict[str, Any] = {}


def send(message: dict[str, Any]) -> None:
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def ask(method: str) -> dict[str, Any]:
    send({"id": f"ask-{method}", "method": method, "params": {}})
    while f"ask-{method}" not in answers:
        time.sleep(0.01)
    return answers.pop(f"ask-{method}")


def wait(request_id: object, arguments: dict[str, Any], progress_token: object) -> str:
    """Says it has begun, then waits for the file that releases it."""
    key = arguments["key"]
    Path(f"began-{key}").write_text(str(request_id))
    if progress_token is not None:
        send({"method": "notifications/progress", "params": {"progressToken": progress_token, "progress": 1}})
    while not Path(f"released-{key}").exists():
        time.sleep(0.01)
    return f"released {key}"


def run(request_id: object, params: dict[str, Any]) -> str:
    name, arguments = params["name"], params.get("arguments", {})
    if name == "echo":
        return str(arguments["text"])
    if name == "big":
        return "x" * int(arguments["size"])
    if name == "exit":
        os._exit(arguments["code"])
    if name == "wait":
        return wait(request_id, arguments, params.get("_meta", {}).get("progressToken"))
    if name == "garbage":
        print("this is not a message", flush=True)
        print("this is for the log", file=sys.stderr, flush=True)
        return "still here"
    if name == "ask":
        return json.dumps(ask(arguments["method"]))
    if name == "changed":
        send({"method": "notifications/tools/list_changed"})
        return "changed"
    if name == "log":
        send({"method": "notifications/message", "params": {"level": arguments["level"], "data": "a line"}})
        return "logged"
    if name == "initialized_with":
        return json.dumps(initialize_params)
    raise ValueError(f"Unknown tool: {name}")


def answer(request: dict[str, Any]) -> None:
    method, params = request["method"], request.get("params", {})
    result: dict[str, Any] = {}
    if method == "initialize":
        initialize_params.update(params)
        send({"method": "notifications/message", "params": {"level": "info", "data": "before the answer"}})
        result = {
            "protocolVersion": "2025-06-18",
            "capabilities": {
                "tools": {"listChanged": True},
                "resources": {"subscribe": True},
                "logging": {},
                "tasks": {"list": {}},
            },
            "serverInfo": {"name": "odd", "version": "3"},
            "instructions": "Handle with care.",
        }
    elif method == "tools/list":
        result = {"tools": [{"name": name, "inputSchema": {"type": "object"}, "execution": {}} for name in TOOLS]}
    elif method == "tools/call":
        try:
            text, failed = run(request["id"], params), False
        except ValueError as error:
            text, failed = str(error), True
        result = {"content": [{"type": "text", "text": text}], "isError": failed}
    elif method == "resources/read":
        send({"id": request["id"], "error": {"code": -32002, "message": "Resource not found"}})
        return
    else:
        send({"id": request["id"], "error": {"code": -32601, "message": "Method not found"}})
        return
    send({"id": request["id"], "result": result})


for line in sys.stdin:
    received = json.loads(line)
    if "method" not in received:
        answers[received["id"]] = received
    elif "id" in received:
        threading.Thread(target=answer, args=[received], daemon=True).start()
    elif received["method"] == "notifications/cancelled":
        Path(f"cancelled-{received['params']['requestId']}").touch()
