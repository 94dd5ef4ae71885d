"""Runs one fuzzer under atheris: `python -m tests.fuzz.guided MODULE:FUNCTION [OPTION OF LIBFUZZER]...`."""

from __future__ import annotations

import importlib
import sys

import atheris


def main() -> None:
    module, _, function = sys.argv.pop(1).partition(":")
    with atheris.instrument_imports(include=["homeport_runtime", "platform_cli"]):
        fuzzer = getattr(importlib.import_module(f"tests.fuzz.{module}"), function)
    atheris.Setup(sys.argv, fuzzer.hypothesis.fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
