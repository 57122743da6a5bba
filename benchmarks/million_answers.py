"""A million simulated answers by the log: is every one counted in progress and in the lake, does the lag drain, does memory stay flat?

    python benchmarks/million_answers.py [--learners 10000] [--answers 100] [--plot FILE.png]

Starts a stack of its own, runs `paideia replay --via events` over a log of answers of simulated learners (2PL: 500 items, 20 skills),
and looks every five seconds at the events that wait for each consumer group and at each part's memory (what several of its processes
share counts once). Prints JSON: what the replay accounted for, what the lake and the reports hold, the greatest lag and when it was drained,
and each part's memory at a quarter of the time and at the end with their ratio; the plot shows both over time. Exits with 1 if anything
is lost, counted twice or still waiting.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.e2e.platform import ROOT, Platform, running_platform

ITEMS, SKILLS = 500, 20
SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_TO_DRAIN = 900.0
COURSE = "million"


def write_log(file: Path, learners: int, answers: int, seed: int = 11) -> None:
    rng = np.random.default_rng(seed)
    slopes, difficulties = rng.lognormal(0.0, 0.3, ITEMS), rng.normal(0.0, 1.0, ITEMS)
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["learner", "position", "item", "skills", "correct"])
        for learner, ability in enumerate(rng.normal(0.0, 1.0, learners)):
            items = rng.choice(ITEMS, answers, replace=answers > ITEMS)
            chances = 1 / (1 + np.exp(-slopes[items] * (ability - difficulties[items])))
            for position, (item, right) in enumerate(zip(items, rng.random(answers) < chances, strict=True)):
                writer.writerow([f"learner-{learner}", position, f"item-{item}", f"skill-{item % SKILLS}", int(right)])


def memory(platform: Platform) -> dict[str, float]:
    """MiB by part, its children included; of memory that several processes map, each has its share."""
    found = {}
    for name, part in platform.record.parts.items():
        if part.pid is None:
            continue
        try:
            family = [psutil.Process(part.pid), *psutil.Process(part.pid).children(recursive=True)]
            found[name] = sum(each.memory_full_info().pss for each in family) / 2**20
        except psutil.NoSuchProcess:
            continue
    return found


def waiting(platform: Platform) -> dict[str, int]:
    """Events that wait, by consumer group."""
    told = platform.paideia("events", "lag", "--json")
    groups: dict[str, int] = {}
    for each in json.loads(told.stdout)["lags"] if told.returncode == 0 else []:
        groups[each["group"]] = groups.get(each["group"], 0) + each["lag"]
    return groups


def counted(platform: Platform) -> tuple[int, int]:
    """Answers in the lake, and in the course's report."""
    sql = f"SELECT count(*) AS n, count(DISTINCT event_id) AS ids FROM attempts WHERE course = '{COURSE}'"
    rows = [json.loads(line) for line in platform.paideia("lake", "query", sql, "--json").stdout.splitlines()]
    lake = rows[0]["n"] if rows and rows[0]["n"] == rows[0]["ids"] else -1
    report = platform.call(
        "GET", f"/v1/courses/{COURSE}/overview", token=platform.sign_in("demo", "admin", platform.password).body["accessToken"]
    )
    return lake, int(report.body.get("summary", {}).get("attemptCount", 0))


def draw(file: Path, looks: list[dict]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (lag, resident) = pyplot.subplots(2, 1, figsize=(9, 7), sharex=True, layout="constrained")
    times = [each["at"] / 60 for each in looks]
    for group in sorted({name for each in looks for name in each["waiting"]}):
        lag.plot(times, [each["waiting"].get(group, 0) for each in looks], label=group)
    for part in sorted({name for each in looks for name in each["memory"]}):
        resident.plot(times, [each["memory"].get(part, float("nan")) for each in looks], label=part)
    lag.set_ylabel("events waiting")
    resident.set_ylabel("MiB")
    resident.set_xlabel("minutes")
    for axes in (lag, resident):
        axes.legend(fontsize=7, ncols=2)
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110)


def measure(platform: Platform, log: Path, plot: Path | None) -> dict:
    expected = sum(1 for _ in log.open()) - 1
    looks: list[dict] = []
    begin = time.monotonic()

    def look() -> None:
        looks.append({"at": time.monotonic() - begin, "waiting": waiting(platform), "memory": memory(platform)})

    with (log.parent / "replay.json").open("w+") as told:
        command = [sys.executable, "-m", "cli.main", "replay", str(log), "--via", "events", "--course", COURSE, "--json"]
        replay = subprocess.Popen([*command, "--home", str(platform.home.path)], cwd=ROOT, stdout=told)
        while replay.poll() is None:
            look()
            time.sleep(SECONDS_BETWEEN_LOOKS)
        told.seek(0)
        accounted = json.loads(told.read() or "{}")
    replayed = time.monotonic() - begin
    while time.monotonic() - begin - replayed < SECONDS_TO_DRAIN:
        look()
        lake, report = counted(platform)
        if lake == report == expected and not any(looks[-1]["waiting"].values()):
            break
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if plot:
        draw(plot, looks)
    quarter = min(looks, key=lambda each: abs(each["at"] - looks[-1]["at"] / 4))["memory"]
    return {
        "answers": expected,
        "replay": {
            key: accounted.get(key) for key in ("sent", "acknowledged", "counted", "lost", "duplicated", "answers_per_second")
        },
        "in_lake": lake,
        "in_report": report,
        "greatest_lag": max((sum(each["waiting"].values()) for each in looks), default=0),
        "lag_at_end": sum(looks[-1]["waiting"].values()),
        "seconds": {"replay": round(replayed), "until_all_was_everywhere": round(looks[-1]["at"])},
        "memory_mib": {
            name: {"quarter": round(quarter[name]), "end": round(size), "ratio": round(size / quarter[name], 2)}
            for name, size in looks[-1]["memory"].items()
            if quarter.get(name)
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, default=10_000)
    parser.add_argument("--answers", type=int, default=100, help="of each learner")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_platform(Path(folder) / "home") as platform:
        log = Path(folder) / f"{COURSE}.csv"
        write_log(log, arguments.learners, arguments.answers)
        found = measure(platform, log, arguments.plot)
    print(json.dumps(found, indent=2))
    replay = found["replay"]
    whole = found["answers"] == replay["counted"] == found["in_lake"] == found["in_report"]
    sys.exit(0 if whole and not replay["lost"] and not replay["duplicated"] and not found["lag_at_end"] else 1)


if __name__ == "__main__":
    main()
