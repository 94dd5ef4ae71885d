"""Tools that need the client's input and get it in a further round (SEP-2322, protocol 2026-07-28)."""

import json
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)


def form(message: str, key: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {key: {"type": kind}}, "required": [key]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def question(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def needs(state: str | None = None, /, **requests: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def filled_in(ctx: Context, request: str, key: str) -> Any:
    """Returns what the person wrote into the field `key` of the form `request`; None if there is no such answer."""
    response = (ctx.input_responses or {}).get(request)
    return (response.content or {}).get(key) if isinstance(response, ElicitResult) else None


def register(mcp: MCPServer) -> None:
    single_round(mcp)
    with_state(mcp)

    @mcp.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
        """A prompt that needs the person's input."""
        context = filled_in(ctx, "user_context", "context")
        if context is None:
            return needs(user_context=form("What context should the prompt use?", "context"))
        return [UserMessage(f"Use the following context: {context}")]


def single_round(mcp: MCPServer) -> None:
    @mcp.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Needs the person's input."""
        name = filled_in(ctx, "user_name", "name")
        return f"Hello, {name}!" if name else needs(user_name=form("What is your name?", "name"))

    @mcp.tool()
    async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """Needs an answer from the client's model."""
        response = (ctx.input_responses or {}).get("capital_question")
        if isinstance(response, CreateMessageResult) and response.content.type == "text":
            return f"The model said: {response.content.text}"
        return needs(capital_question=question("What is the capital of France?"))

    @mcp.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """Needs the client's roots."""
        response = (ctx.input_responses or {}).get("client_roots")
        if isinstance(response, ListRootsResult):
            return f"Roots: {', '.join(str(root.uri) for root in response.roots)}"
        return needs(client_roots=ListRootsRequest())

    @mcp.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> InputRequiredResult:
        """Asks only for what the client said it can answer."""
        capabilities = ctx.client_capabilities
        requests: dict[str, InputRequest] = {}
        if capabilities and capabilities.sampling:
            requests["sample"] = question("Say hello")
        if capabilities and capabilities.elicitation:
            requests["ask"] = form("What is your name?", "name")
        return needs("asked", **requests)


def with_state(mcp: MCPServer) -> None:
    @mcp.tool()
    async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Gets its state back in the second round."""
        if ctx.request_state == "waiting" and filled_in(ctx, "confirm", "ok") is not None:
            return "state-ok: confirmed"
        return needs("waiting", confirm=form("Please confirm", "ok", "boolean"))

    @mcp.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """The SDK refuses a state it did not seal before this is called."""
        if ctx.request_state == "waiting":
            return "state-ok"
        return needs("waiting", confirm=form("Please confirm", "ok", "boolean"))

    @mcp.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """Needs three inputs at once."""
        requests = {
            "user_name": form("What is your name?", "name"),
            "greeting": question("Write a greeting"),
            "client_roots": ListRootsRequest(),
        }
        if requests.keys() <= (ctx.input_responses or {}).keys():
            return "All inputs received"
        return needs("waiting", **requests)

    @mcp.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Needs two rounds, the second with the answer of the first."""
        state = json.loads(ctx.request_state or "{}")
        name, color = filled_in(ctx, "step1", "name"), filled_in(ctx, "step2", "color")
        if "name" in state and color:
            return f"{state['name']} likes {color}"
        if state and name:
            second = form("Step 2: What is your favorite color?", "color")
            return needs(json.dumps({"round": 2, "name": name}), step2=second)
        return needs(json.dumps({"round": 1}), step1=form("Step 1: What is your name?", "name"))
