"""What others may write is closed with a line on stderr; what is another user's is refused."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fraction_mcp.errors import ConfigError
from fraction_mcp.private_files import kept_secret, private_database, private_file, private_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_new_is_made_closed_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = private_file(tmp_path / "state" / "journal")
    finally:
        os.umask(before)
    assert (mode(file.parent), mode(file)) == (0o700, 0o600)


def test_a_folder_that_others_may_write_is_closed_and_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    private_folder(folder)
    assert mode(folder) == 0o700
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert f"{folder} was open to other users" in told.err
    private_folder(folder)
    assert capsys.readouterr().err == "", "it is closed: there is nothing to say"


@pytest.mark.parametrize("open_mode", [0o666, 0o644, 0o660])
def test_a_file_that_others_may_write_or_read_is_closed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], open_mode: int
) -> None:
    file = private_file(tmp_path / "state" / "journal")
    file.write_text("kept")
    file.chmod(open_mode)
    private_file(file)
    assert (mode(file), file.read_text()) == (0o600, "kept")
    assert f"{file} was open to other users" in capsys.readouterr().err


def test_a_folder_that_others_may_only_read_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o755)
    private_folder(folder)
    assert (mode(folder), capsys.readouterr().err) == (0o755, "")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user")
def test_another_user_s_folder_and_file_are_refused(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "state")
    file = private_file(folder / "journal")
    os.chown(file, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match=r"journal belongs to another user.*FRACTION_MCP_STATE_DIR"):
        private_file(file)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(ConfigError, match=r"state belongs to another user"):
        private_folder(folder)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("name", ["journal", "journal-wal"])
def test_a_link_to_another_user_s_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = private_folder(tmp_path / "state")
    theirs = tmp_path / "theirs"
    theirs.touch()
    os.chown(theirs, NOBODY, NOBODY)
    (folder / name).symlink_to(theirs)
    with pytest.raises(ConfigError, match=f"{name} belongs to another user"):
        private_database(folder / "journal")


def test_a_link_that_leads_nowhere_is_refused_and_nothing_is_made_behind_it(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "state")
    (folder / "journal").symlink_to(tmp_path / "nowhere")
    for used in (private_file, private_database):  # SQLite would make the file, open to others, where the link leads
        with pytest.raises(ConfigError, match="journal cannot be used"):
            used(folder / "journal")
    assert not (tmp_path / "nowhere").exists()


def test_a_link_of_one_s_own_is_followed_and_what_it_leads_to_is_closed(tmp_path: Path) -> None:
    """As a person makes one who keeps the journal on another disk."""
    folder, disk = private_folder(tmp_path / "state"), private_folder(tmp_path / "disk")
    (disk / "journal").touch(mode=0o644)
    (folder / "journal").symlink_to(disk / "journal")
    private_file(folder / "journal")
    assert mode(disk / "journal") == 0o600
    assert (folder / "journal").is_symlink()


def test_a_path_that_cannot_be_a_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        private_folder(tmp_path / "file" / "state")
    with pytest.raises(ConfigError, match="cannot be used"):
        private_folder(tmp_path / "file")


def test_a_folder_that_everybody_shares_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    """Closed to the others, a /tmp of root's own would be of no use to anybody."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    refusals: tuple[Callable[[], object], ...] = (
        lambda: private_folder(folder),
        lambda: private_file(folder / "journal"),
    )
    for refused in refusals:
        with pytest.raises(ConfigError, match=r"everybody shares.*FRACTION_MCP_STATE_DIR"):
            refused()
    with pytest.raises(ConfigError, match="SOME_SETTING names another place"):
        private_file(folder / "journal", setting="SOME_SETTING")
    assert (mode(folder), list(folder.iterdir())) == (0o1777, [])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "state")
    (folder / "folder").mkdir(mode=0o700)
    (folder / "leads nowhere").symlink_to(folder / "nowhere")
    for name in ("folder", "leads nowhere"):
        with pytest.raises(ConfigError, match="cannot be used"):
            private_file(folder / name)
    assert not (folder / "nowhere").exists()


@pytest.mark.process
def test_looking_at_a_file_drops_no_lock_that_this_process_holds_on_it(tmp_path: Path) -> None:
    """As closing any other descriptor of it would: SQLite would then let two processes write at once."""
    import fcntl
    import subprocess

    file = private_file(tmp_path / "state" / "journal")
    tries = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with file.open("r+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        private_file(file)
        private_database(file)
        other = subprocess.run([sys.executable, "-c", tries, str(file)], check=False, capture_output=True, timeout=60)
    assert b"BlockingIOError" in other.stderr


def test_a_database_is_closed_with_the_files_beside_it_and_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state" / "journal"
    assert (private_database(file), list(file.parent.iterdir())) == (file, [])
    beside = [file.with_name(f"journal{ending}") for ending in ("-wal", "-shm", "-journal")]
    for path in beside:
        path.touch(mode=0o666)
        path.chmod(0o666)
    private_database(file)
    assert {path: mode(path) for path in file.parent.iterdir()} == dict.fromkeys(beside, 0o600)
    assert capsys.readouterr().err.count("\n") == 3


@pytest.mark.process
def test_a_secret_is_made_once_by_whichever_process_is_first_and_kept_closed(tmp_path: Path) -> None:
    path = tmp_path / "state" / "secret.key"
    words = [sys.executable, "-c", ("import sys, pathlib; from fraction_mcp.private_files import kept_secret; "
             "print(kept_secret(pathlib.Path(sys.argv[1])))"), str(path)]  # fmt: skip
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {process.communicate()[0].strip() for process in running}
    assert found == {kept_secret(path)}
    assert (mode(path), [file.name for file in path.parent.iterdir()]) == (0o600, ["secret.key"])


def test_a_key_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_text("short")
    with pytest.raises(ConfigError, match="holds no key of ours"):
        kept_secret(path)


def test_what_sqlite_has_done_with_meanwhile_is_neither_missed_nor_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that makes the journal removes what stands beside it while it is looked at. (Found by `python -m
    torture crash`.)"""
    database, beside = tmp_path / "journal.sqlite3", tmp_path / "journal.sqlite3-journal"
    for file in (database, beside):
        private_file(file)
    looked = os.access

    def gone(path: Path, mode: int) -> bool:
        if path == beside:
            beside.unlink()
        return looked(path, mode)

    monkeypatch.setattr(os, "access", gone)
    assert private_database(database) == database
    assert not beside.exists()
