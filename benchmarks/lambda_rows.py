"""All rows of README that compare a Lambda function with awslambdaric and Mangum, or guarded with open, in README's own
words.

It takes less than ten minutes on a quiet machine.
"""

from __future__ import annotations

from . import lambda_cold_start, lambda_first_byte, lambda_guarded, lambda_warm_call
from .harness import show


def main() -> None:
    # The first byte comes after milliseconds or after a second, so a few rounds tell.
    found = [*lambda_cold_start.rows(rounds=7), *lambda_warm_call.rows(rounds=7), *lambda_first_byte.rows(rounds=5)]
    found.append(lambda_guarded.row())
    for row in found:
        show(row)


if __name__ == "__main__":
    main()
