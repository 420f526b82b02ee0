"""Fetches Raydocs sessions each night, by Airflow 3."""

import subprocess
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

COMMAND = (
    "raydocs-async fetch -i ids.txt -o sessions.jsonl -e errors.jsonl --resume "
    "--token-file token --log-format json --summary summary.json"
)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dag(schedule="0 2 * * *", start_date=START, catchup=False, max_active_runs=1)
def raydocs_fetch() -> None:
    """Fetch the sessions, in a task whose retries continue it."""

    @task(retries=12, retry_delay=timedelta(minutes=10))
    def fetch() -> None:
        """Run the command; its lines are the task's log."""
        code = subprocess.run(COMMAND.split(), cwd="/var/lib/raydocs", check=False).returncode
        if code == 75:
            raise AirflowException("not done; the retry continues")
        if code:
            raise AirflowFailException(f"exit code {code}; a retry would not help")

    fetch()


raydocs_fetch()
