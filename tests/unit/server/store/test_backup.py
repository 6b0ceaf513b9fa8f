from pathlib import Path

from click.testing import Result

from pytest_automation_report.cli.main import main
from support.contract import Contract
from support.service import Service, command_runner


def _backup(store: Path, target: Path) -> Result:
    return command_runner().invoke(main, ["store", "backup", "--database", str(store), str(target)])


def test_a_backup_that_cannot_be_made_leaves_nothing(tmp_path: Path, contract: Contract) -> None:
    """What is there is not written over; what is wrong is named, with the remedy."""
    Service(tmp_path / "store.db", contract).store.close()
    (tmp_path / "there").write_text("mine")
    (tmp_path / "other.db").write_text("no database")
    for store, target, exit_code, words in (
        ("store.db", "there", 2, "it is there already; name a new file"),
        ("store.db", "no/copy", 2, "No such file or directory; name a file that can be written"),
        ("other.db", "copy", 3, "file is not a database"),
        ("missing.db", "copy", 2, "name the file of a store with --database"),
    ):
        done = _backup(tmp_path / store, tmp_path / target)
        assert (done.exit_code, done.stdout) == (exit_code, ""), done.output
        assert words in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"store.db", "there", "other.db"}
    assert (tmp_path / "there").read_text() == "mine"


def test_a_database_is_backed_up_by_its_own_program(tmp_path: Path) -> None:
    """The command for files names the program for PostgreSQL, and no password."""
    done = command_runner().invoke(
        main, ["store", "backup", "--database", "postgresql://u:hidden@db.test/reports", str(tmp_path / "copy")]
    )
    assert done.exit_code == 2
    assert "pg_dump" in done.stderr
    assert "hidden" not in done.output
