"""Is where the command `homeport` begins."""

from __future__ import annotations

import signal


def main() -> None:
    """Imports the command line and runs it. Until that is there, Ctrl-C ends the process without a word, since nothing
    has begun.
    """
    is_ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .__main__ import main as run_command

    if is_ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()
