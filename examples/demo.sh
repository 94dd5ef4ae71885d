#!/bin/sh
# `make demo`: deploys the expense tracker and calls its tools through the URL that it got.
set -eu

run() {
    printf '\n$ homeport %s\n' "$*"
    homeport "$@"
}

run deploy examples/expense_tracker/server.py
run call expense-tracker add_expense amount=4.50 category=coffee description='flat white'
run call expense-tracker add_expense amount=32 category=books
run call expense-tracker list_expenses
run call expense-tracker get_summary
run status expense-tracker
run connect expense-tracker --client claude-code

printf '\nIt keeps running; end it with: .venv/bin/homeport destroy expense-tracker && .venv/bin/homeport platform stop\n'
