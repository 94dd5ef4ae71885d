"""All rows of README that compare a Lambda function with awslambdaric and Mangum, in README's own words."""

from __future__ import annotations

from . import lambda_cold_start, lambda_first_byte, lambda_warm_call
from .harness import show


def main() -> None:
    found = [row for module in (lambda_cold_start, lambda_warm_call, lambda_first_byte) for row in module.rows()]
    for row in found:
        show(row)


if __name__ == "__main__":
    main()
