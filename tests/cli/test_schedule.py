"""The files of the page about scheduled jobs, as far as they run without the schedulers."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest

from raydocs_async.sandbox import Fault, Sandbox
from tests.cli.conftest import UNKNOWN, Run, ids_in_file

FILES = Path(__file__).parents[2] / "docs/how-to/schedule"


@pytest.fixture
def job(
    tmp_path: Path, environment: dict[str, str], api: Sandbox, ids_file: Path
) -> dict[str, str]:
    """The environment of a job in the test's folder, which finds the command in its path."""
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "raydocs-async"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m raydocs_async "$@"\n')
    command.chmod(0o755)
    (tmp_path / "token").write_text(api.token)
    path = f"{programs}:{os.environ['PATH']}"
    mine = {"PATH": path, "RAYDOCS_JOB": str(tmp_path), "RAYDOCS_PAUSE": "0"}
    return environment | mine | {"RAYDOCS_API_TOKEN": ""}


async def nightly(run: Run, job: dict[str, str]) -> tuple[int | None, str]:
    """Run the script; return its exit code and everything that it prints."""
    done = await run(str(FILES / "nightly.sh"), command=("sh",), env=job)
    return done.code, done.out + done.err


async def test_a_good_night(run: Run, api: Sandbox, job: dict[str, str], out: Path) -> None:
    """The script fetches everything, and prints nothing; another night makes no request."""
    assert await nightly(run, job) == (0, "")
    sessions = out.with_name("sessions.jsonl")
    before = api.stats.requests
    assert await nightly(run, job) == (0, "")
    assert ids_in_file(sessions) == sorted(api.ids(40))
    assert api.stats.requests == before


async def test_a_night_with_an_outage(
    run: Run, api: Sandbox, job: dict[str, str], ids_file: Path
) -> None:
    """After exit code 75 the script runs the command again, and a good end prints nothing."""
    ids_file.write_text("\n".join(api.ids(2)))
    api.script_for(api.ids(2)[1], *[Fault.status(503, retry_after=300)] * 2)
    assert await nightly(run, job) == (0, "")
    assert ids_in_file(ids_file.with_name("sessions.jsonl")) == sorted(api.ids(2))


async def test_a_night_that_a_person_has_to_look_at(
    run: Run, job: dict[str, str], ids_file: Path
) -> None:
    """Any other exit code ends the script with it, and says why; so does each later night."""
    ids_file.write_text(UNKNOWN)
    for _ in range(2):
        code, said = await nightly(run, job)
        assert code == 1
        assert "1 failed" in said


def test_a_night_of_outages(tmp_path: Path) -> None:
    """The script pauses between six attempts, and ends at once after the last one."""
    log = tmp_path / "log"
    for name, code in (("raydocs-async", 75), ("sleep", 0)):
        (program := tmp_path / name).write_text(f"#!/bin/sh\necho {name} >>{log}\nexit {code}\n")
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RAYDOCS_JOB": str(tmp_path)}
    done = subprocess.run(["sh", FILES / "nightly.sh"], env=environment, check=False)
    assert done.returncode == 75
    assert log.read_text().split() == [*["raydocs-async", "sleep"] * 5, "raydocs-async"]


def test_the_syntax_of_the_script() -> None:
    """The script is one for any POSIX shell."""
    subprocess.run(["sh", "-n", FILES / "nightly.sh"], check=True)


def test_the_table_of_cron() -> None:
    """The table has variables and one job, at a time that exists, which starts the script."""
    lines = [line for line in (FILES / "crontab").read_text().splitlines() if line[:1] != "#"]
    *variables, job = lines
    assert all(re.fullmatch(r"[A-Z]+=\S+", each) for each in variables)
    minute, hour, *others, command = job.split()
    assert (int(minute) < 60, int(hour) < 24, others) == (True, True, ["*"] * 3)
    assert command == "/usr/local/bin/nightly.sh"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd")
def test_the_units_of_systemd(tmp_path: Path) -> None:
    """Systemd accepts both units, with a program in the place of the installed one."""
    for name in ("raydocs-fetch.service", "raydocs-fetch.timer"):
        text = (FILES / name).read_text().replace("/usr/local/bin/raydocs-async", "/bin/true")
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / f"raydocs-fetch.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def find_command(name: str) -> list[str]:
    """Return the arguments of the service, the image or the task."""
    if name == "service":
        text = (FILES / "raydocs-fetch.service").read_text()
        start = re.findall(r"^ExecStart=\S+/raydocs-async (.*)", text, re.MULTILINE)[0]
        return list(start.replace("${CREDENTIALS_DIRECTORY}/", "").split())
    if name == "image":
        text = (FILES / "Dockerfile").read_text()
        return list(json.loads(re.findall(r"^ENTRYPOINT (.*)", text, re.MULTILINE)[0])[1:])
    text = (FILES / "raydocs_dag.py").read_text()
    return "".join(re.findall(r'^    "([^"]+)"$', text, re.MULTILINE)).split()[1:]


@pytest.mark.parametrize("name", ["service", "image", "task"])
async def test_the_commands(
    run: Run, api: Sandbox, job: dict[str, str], out: Path, name: str
) -> None:
    """The commands of the service, of the image and of the task fetch everything."""
    token = {"RAYDOCS_API_TOKEN": api.token} if name == "image" else {}
    assert (await run(*find_command(name), env=job | token)).code == 0
    assert ids_in_file(out.with_name("sessions.jsonl")) == sorted(api.ids(40))


def test_the_instructions_of_the_image() -> None:
    """Each line of the Dockerfile is an instruction of Docker."""
    known = {"FROM", "RUN", "USER", "WORKDIR", "ENTRYPOINT"}
    assert {line.split()[0] for line in (FILES / "Dockerfile").read_text().splitlines()} == known


class RetriedError(Exception):
    """Stands for Airflow's exception of a task that it tries again."""


class FinalError(Exception):
    """Stands for Airflow's exception of a task that it does not try again."""


Decorator = Callable[[Callable[[], None]], Callable[[], None]]


def load_dag(directory: Path) -> Callable[[], None]:
    """Return the task of the DAG, which is loaded with stand-ins for Airflow's names."""
    tasks: list[Callable[[], None]] = []

    def dag(**options: Any) -> Decorator:
        """Return the function as it is."""
        return lambda function: function

    def task(**options: Any) -> Decorator:
        """Keep the function, and return one that does nothing."""

        def keep(function: Callable[[], None]) -> Callable[[], None]:
            tasks.append(function)
            return lambda: None

        return keep

    exceptions, sdk = ModuleType("airflow.exceptions"), ModuleType("airflow.sdk")
    vars(exceptions).update(AirflowException=RetriedError, AirflowFailException=FinalError)
    vars(sdk).update(dag=dag, task=task)
    modules = {
        "airflow": ModuleType("airflow"),
        exceptions.__name__: exceptions,
        "airflow.sdk": sdk,
    }
    source = (FILES / "raydocs_dag.py").read_text().replace("/var/lib/raydocs", str(directory))
    with mock.patch.dict(sys.modules, modules):
        exec(compile(source, "raydocs_dag.py", "exec"), {"__name__": "raydocs_dag"})
    return tasks[0]


@pytest.mark.parametrize(
    ("code", "error"), [(0, None), (75, RetriedError), (1, FinalError), (2, FinalError)]
)
def test_the_task_of_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception] | None
) -> None:
    """A task that is not done is tried again, and one that failed for good is not."""
    (command := tmp_path / "raydocs-async").write_text(f"#!/bin/sh\nexit {code}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    run_task = load_dag(tmp_path)
    if error is None:
        run_task()
        return
    with pytest.raises(error):
        run_task()
