"""Messages of legacy HTTP+SSE that reach the wrong process: POST /messages/ may land where GET /sse is not open."""
