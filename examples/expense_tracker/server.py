"""An expense tracker: four tools over a small SQLite database."""

import datetime
import sqlite3
from contextlib import closing
from typing import Annotated

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from pydantic import Field

# The current folder belongs to the project: what is written here outlives redeploys and rollbacks.
DATABASE = "expenses.db"
SCHEMA = """
    CREATE TABLE IF NOT EXISTS expenses (
        id INTEGER PRIMARY KEY,
        cents INTEGER NOT NULL,
        category TEXT NOT NULL,
        description TEXT NOT NULL,
        date TEXT NOT NULL
    )
"""
EXPENSE = "id, cents / 100.0 AS amount, category, description, date"

mcp = FastMCP("Expense Tracker", instructions="Keeps track of what was spent, when and on what.")


def query(sql: str, *values: object) -> list[dict]:
    """Runs one statement, and gives the rows that it returns."""
    with closing(sqlite3.connect(DATABASE, isolation_level=None)) as database:
        database.row_factory = sqlite3.Row
        database.execute(SCHEMA)
        return [dict(row) for row in database.execute(sql, values)]


@mcp.tool
def add_expense(
    amount: Annotated[float, Field(gt=0)], category: str, description: str = "", date: datetime.date | None = None
) -> dict:
    """Record an expense, today if no date (YYYY-MM-DD) is given."""
    day = (date or datetime.date.today()).isoformat()
    values = (round(amount * 100), category.strip().lower(), description, day)
    sql = f"INSERT INTO expenses (cents, category, description, date) VALUES (?, ?, ?, ?) RETURNING {EXPENSE}"
    return query(sql, *values)[0]


@mcp.tool
def list_expenses(category: str | None = None) -> list[dict]:
    """List the expenses, newest first; with a category only those."""
    wanted = category.strip().lower() if category else None
    sql = f"SELECT {EXPENSE} FROM expenses WHERE ?1 IS NULL OR category = ?1 ORDER BY date DESC, id DESC"
    return query(sql, wanted)


@mcp.tool
def get_summary() -> dict:
    """Add up the expenses: in all, and for each category."""
    rows = query("SELECT category, SUM(cents) AS cents FROM expenses GROUP BY category ORDER BY cents DESC")
    total = sum(row["cents"] for row in rows)
    return {"total": total / 100, "categories": {row["category"]: row["cents"] / 100 for row in rows}}


@mcp.tool
def delete_expense(expense_id: int) -> str:
    """Delete one expense by its id."""
    if not query("DELETE FROM expenses WHERE id = ? RETURNING id", expense_id):
        raise ToolError(f"there is no expense {expense_id}")
    return f"deleted expense {expense_id}"


if __name__ == "__main__":
    mcp.run()
