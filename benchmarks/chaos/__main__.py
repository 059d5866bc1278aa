"""Does a study survive what happens to machines? ``make chaos``, or ``python -m benchmarks.chaos``.

Each round runs a small study by ``eifer run``, does it harm at a random moment, and runs it again.
After that, all must be as in a study that nothing happened to: dvc.lock and every output byte for
byte, each trained model in MLflow once, no process left, nothing that Prefect takes for running.
The same seed does the same harm at about the same moments; ``--only 7`` repeats round 7.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.chaos.checks import check, left
from benchmarks.chaos.harms import GOES_ON, HARMS, Harm
from benchmarks.chaos.rounds import (
    INSTANCES,
    Round,
    can_mount,
    environment,
    finished,
    make,
    place,
    run,
)
from benchmarks.chaos.servers import Servers
from flows.run import dvc
from flows.run.supervise import finished as finished_command
from stages._runtime.privacy import keep_private


def play(number: int, seed: int, harm: str, servers: Servers, home: Path) -> Round:
    """One round; its study stays where something was wrong."""
    chance = random.Random(f"{seed}:{number}:{harm}")
    study = home / f"round-{number}"
    around = environment(f"{home.name} round {number}", servers)
    if harm == "Prefect server":
        del around["PREFECT_API_URL"]  # each run has a server of its own, as without services
    it = Round(study, around, chance, servers, hit=harm, turn=(number - 1) // len(HARMS))
    # Counted in instances that have begun, which a slow machine does not shift.
    begun = {"training stage": INSTANCES - 3}.get(harm, chance.randrange(INSTANCES))
    delay_s = chance.uniform(0, 2 if begun else 10)
    with place(study, harm):
        make(study, it.name)
        try:
            _disturbed(it, HARMS[harm], begun, delay_s)
            (study / "filler").unlink(missing_ok=True)
            servers.mend()
            left(it)
            _again(it)
            check(it, home / "undisturbed")
        finally:
            it.kill_all()  # where this is interrupted
        if it.wrong and os.path.ismount(study):
            shutil.copytree(study, home / f"round-{number}-kept", symlinks=True)
    if not it.wrong:
        shutil.rmtree(study, ignore_errors=True)
    return it


def _disturbed(it: Round, harm: Harm, begun: int, delay_s: float) -> None:
    """Run it, and once ``begun`` instances have begun and ``delay_s`` has passed, do the harm."""
    started = time.monotonic()
    moment: float | None = None
    first = run(it)
    while first.poll() is None and it.at_s is None:
        now = time.monotonic()
        if moment is None and it.executed() >= begun:
            moment = now + delay_s
        if moment is not None and now > moment and harm(it):
            it.at_s = now - started
        time.sleep(0.02)
    code, output = finished(first)
    (it.study / "runs").mkdir(exist_ok=True)
    with suppress(OSError):
        (it.study / "runs/first.log").write_text(output)
    if it.at_s is None:
        it.notes.append("missed (it had ended)")
    if code and it.hit in GOES_ON:
        it.wrong.append("the first run failed: " + output.strip().rpartition("\n")[2])
    it.notes.append(
        f"exit {code} after {time.monotonic() - started:.0f} s, {it.executed()} executed"
    )


def _again(it: Round) -> None:
    before, started = it.executed(), time.monotonic()
    code, output = finished(run(it))
    took_s = time.monotonic() - started
    it.notes.append(f"again: {it.executed() - before} executed, {took_s:.0f} s")
    if code:
        it.wrong.append("the second run failed: " + output.strip().rpartition("\n")[2])
    (it.study / "runs/again.log").write_text(output)


def main() -> None:
    """Play the rounds, print the table, and fail if a round did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=len(HARMS) * 2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, action="append", help="this round (repeatable)")
    parser.add_argument("--keep", type=Path, help="folder of the rounds; else a temporary one")
    options = parser.parse_args()
    keep_private()
    # A shell that starts this in the background ignores SIGINT, and so would all that starts here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = (options.keep or Path(tempfile.mkdtemp(prefix="chaos-"))).resolve()
    home.mkdir(parents=True, exist_ok=True)
    servers = Servers(home)
    try:
        failed = _play_all(options.rounds, options.seed, options.only, servers, home)
    finally:
        servers.stop()
    if failed:
        raise SystemExit(f"{failed} rounds failed; their studies are in {home}")
    if options.keep is None:
        shutil.rmtree(home)


def _play_all(rounds: int, seed: int, only: list[int] | None, servers: Servers, home: Path) -> int:
    kinds = list(HARMS)
    if not can_mount(home):
        print("(no small disk can be mounted here: limits of file size instead of a full disk)")
        kinds[kinds.index("disk full")] = "file size limit"
    plain = home / "undisturbed"
    make(plain, "undisturbed")
    around = environment("undisturbed", servers)
    if finished_command(dvc.command("repro", "--quiet"), cwd=plain, env=around).returncode:
        raise SystemExit("dvc repro failed on an undisturbed study")
    usual = Round(home / "usual", environment("usual", servers), random.Random(0), servers)
    make(usual.study, usual.name)
    started = time.monotonic()
    code, output = finished(run(usual))
    usual_s = time.monotonic() - started
    if code:
        raise SystemExit(f"eifer run failed on an undisturbed study:\n{output}")
    check(usual, plain)
    if usual.wrong:
        raise SystemExit(f"the flow differs from dvc repro: {usual.wrong}")
    print(f"undisturbed: {usual_s:.0f} s, {usual.executed()} instances", flush=True)
    print("round  hit                 at s  first run; second run; verdict", flush=True)
    failed = missed = 0
    numbers = only or range(1, rounds + 1)
    for number in numbers:
        it = play(number, seed, kinds[(number - 1) % len(kinds)], servers, home)
        at = "   -" if it.at_s is None else f"{it.at_s:4.0f}"
        verdict = (
            "equal" if not it.wrong else "NOT EQUAL: " + "; ".join(why[:300] for why in it.wrong)
        )
        print(f"{number:5}  {it.hit:18}  {at}  {'; '.join(it.notes)}; {verdict}", flush=True)
        failed += bool(it.wrong)
        missed += it.at_s is None
    print(f"{len(numbers)} rounds, {missed} of them missed what they aimed at, {failed} failed")
    return failed


if __name__ == "__main__":
    main()
