"""Stands in for the model behind Claude Code: it calls the tools that a test names, one after another, and keeps what
it is told of each.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USAGE = {"input_tokens": 1, "output_tokens": 1}


class Model:
    """Calls `tools`, by name with arguments, and then says that it is done. `told` has the results, as texts."""

    def __init__(self, tools: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self._tools = tools
        self.told: list[str] = []

    def next(self, messages: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Returns what the model says after a conversation so far."""
        contents = [each["content"] for each in messages if isinstance(each["content"], list)]
        results = [part for content in contents for part in content if part["type"] == "tool_result"]
        self.told = [_text(result["content"]) for result in results]
        if len(results) == len(self._tools):
            return {"type": "text", "text": "done"}
        tool, arguments = self._tools[len(results)]
        return {"type": "tool_use", "id": f"toolu_{len(results)}", "name": tool, "input": arguments}


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


@contextmanager
def serving(model: Model) -> Iterator[str]:
    """Serves the model as https://docs.claude.com/en/api/messages says, and yields the URL for ANTHROPIC_BASE_URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            # What has no tools is a title, or the like.
            said = model.next(asked["messages"]) if asked.get("tools") else {"type": "text", "text": "a title"}
            is_stream = asked.get("stream", False)
            body = _stream(said) if is_stream else json.dumps(_message([said])).encode()
            self.send_response(200)
            self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _message(content: list[dict[str, Any]]) -> dict[str, Any]:
    reason = "tool_use" if content and content[0]["type"] == "tool_use" else "end_turn"
    common = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test", "usage": USAGE}
    return {**common, "content": content, "stop_reason": reason, "stop_sequence": None}


def _stream(said: dict[str, Any]) -> bytes:
    if said["type"] == "tool_use":
        start, delta = {**said, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(said["input"])}
    else:
        start, delta = {**said, "text": ""}, {"type": "text_delta", "text": said["text"]}
    whole = _message([said])
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
