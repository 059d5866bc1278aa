"""The working tree as a commit that other clones can fetch; branch and index stay as they are."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from eifer.errors import StudyError
from flows.git import git

REFS = "refs/eifer/snapshots"
PRIVATE = ".dvc/config.local"
SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|AUTH_STRING")
SHORTEST_SECRET = 8
"""A shorter value ("1", "true") stands in every file."""
SHOWN = 5


def take(study: Path) -> str:
    """The id of a commit of all that git does not ignore in ``study``, as it lies there now.

    The same files give the same id. A clean working tree is its own snapshot: HEAD.

    Raises
    ------
    StudyError
        If ``study`` is not the top of a git repository, or if a changed file holds the value of
        a variable of the environment that is named like a secret.
    """
    if Path(git(study, "rev-parse", "--show-toplevel")).resolve() != study.resolve():
        raise StudyError(f"{study} is not the top of its git repository: nodes cannot clone it")
    head = git(study, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "index"
        index = study / git(study, "rev-parse", "--git-path", "index")
        if index.exists():
            shutil.copy2(index, own)  # what git knows of unchanged files spares reading them
        with_own = {"GIT_INDEX_FILE": str(own)}
        git(study, "add", "--all", env=with_own)
        git(study, "rm", "--cached", "--quiet", "--ignore-unmatch", PRIVATE, env=with_own)
        tree = git(study, "write-tree", env=with_own)
    _refuse_secrets(study, head, tree)
    if head and tree == git(study, "rev-parse", "HEAD^{tree}"):
        return head
    when = git(study, "show", "-s", "--format=%cI", "HEAD") if head else "1970-01-01T00:00:00Z"
    who = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "eifer"), ("EMAIL", "eifer@localhost"), ("DATE", when))
    }
    parents = ["-p", head] if head else []
    return git(study, "commit-tree", tree, *parents, "-m", "The working tree", env=who)


def publish(study: Path, commit: str, repository: str) -> None:
    """Make ``commit`` fetchable from ``repository``: ``study``, or one that both sides reach."""
    if _here(study, repository):
        # One study runs at a time in a folder: others are left from flows that were killed.
        for ref in git(study, "for-each-ref", "--format=%(refname)", REFS).split():
            git(study, "update-ref", "-d", ref)
        git(study, "update-ref", f"{REFS}/{commit}", commit)
    else:
        git(study, "push", "--quiet", "--force", repository, f"{commit}:{REFS}/{commit}")


def withdraw(study: Path, commit: str, repository: str) -> None:
    """Take back what `publish` did; nothing happens if that was done already."""
    if _here(study, repository):
        git(study, "update-ref", "-d", f"{REFS}/{commit}", check=False)
    else:
        git(study, "push", "--quiet", repository, f":{REFS}/{commit}", check=False)


def check_out(folder: Path, commit: str, repository: str) -> None:
    """Bring the clone in ``folder`` to ``commit``; what git ignores there (data, cache) stays.

    A clone that is there already keeps its dvc.lock, which knows what ran here since.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    (folder / ".git/index.lock").unlink(missing_ok=True)  # of a process that was killed
    if git(folder, "rev-parse", "--verify", "--quiet", "HEAD", check=False) == commit:
        return
    wanted = f"+{REFS}/{commit}:refs/eifer/current"
    git(folder, "fetch", "--quiet", "--no-tags", repository, wanted)
    git(folder, "clean", "-fdq")
    git(folder, "checkout", "--quiet", "--force", "--detach", commit)


def _refuse_secrets(study: Path, head: str, tree: str) -> None:
    secrets = dict(_secrets(os.environ))
    listed = ["diff-tree", "--diff-filter=d", head] if head else ["ls-tree"]
    names = git(study, *listed, "-r", "-z", "--name-only", tree).split("\0")
    leaks = [
        f"{name} ({variable})"
        for name in filter(None, names)
        if (study / name).is_file()
        for variable in sorted(secrets)
        if secrets[variable] in (study / name).read_bytes()
    ]
    if leaks:
        raise StudyError(
            f"{len(leaks)} files that nodes would get hold the value of a secret: "
            f"{', '.join(leaks[:SHOWN])}. Nothing was sent. Keep secrets in the environment alone, "
            "or list the file in .gitignore"
        )


def _secrets(environment: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for name, value in environment.items():
        if SECRET_NAME.search(name.upper()) and len(value) >= SHORTEST_SECRET:
            yield name, value.encode()


def _here(study: Path, repository: str) -> bool:
    return Path(repository).is_dir() and Path(repository).resolve() == study.resolve()
