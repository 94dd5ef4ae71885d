from __future__ import annotations

import os
import signal
import threading

import pytest

from platform_cli.interrupts import interrupt_later


def test_ctrl_c_comes_when_the_block_is_done() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), interrupt_later():
        os.kill(os.getpid(), signal.SIGINT)
        done.append(True)
    assert done


def test_ctrl_c_is_as_before_behind_the_block() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupt_later():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_where_ctrl_c_is_ignored_it_still_is() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt_later():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_has_nothing_to_hold_back() -> None:
    seen = []

    def look() -> None:
        before = signal.getsignal(signal.SIGINT)
        with interrupt_later():
            seen.append(signal.getsignal(signal.SIGINT) == before)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [True]
