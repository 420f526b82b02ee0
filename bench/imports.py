"""What importing costs, beside aiohttp's import: CPU time of whole processes, which take turns.

python bench/imports.py
"""

import resource
import statistics
import subprocess
import sys

ROUNDS = 15
NOTHING = "pass"
AIOHTTP = "import aiohttp"
OURS = ("import raydocs_async", "from raydocs_async import RaydocsClient")


def cpu(code: str) -> float:
    """Seconds of CPU time that a fresh interpreter takes for `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print each one's ratio to aiohttp's, the interpreter's own start taken off."""
    times: dict[str, list[float]] = {code: [] for code in (NOTHING, AIOHTTP, *OURS)}
    for _ in range(ROUNDS):
        for code, runs in times.items():
            runs.append(cpu(code))
    medians = {code: statistics.median(runs) for code, runs in times.items()}
    start, base = medians[NOTHING], medians[AIOHTTP] - medians[NOTHING]
    for code in OURS:
        print(f"{code}: {(medians[code] - start) / base:.2f} x {AIOHTTP}")


if __name__ == "__main__":
    main()
