from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_automation_report.settings.trust import KnownAddresses
from support.settings import resolve


def test_uses_of_several_processes_at_once_are_all_kept(tmp_path: Path) -> None:
    """Jobs of one machine that use new servers at the same moment do not lose each other's."""
    addresses = [f"https://127.0.0.1:{port}" for port in range(1, 201)]
    environ = {"HOME": str(tmp_path / "home")}
    certificates = tmp_path / "ca.pem"
    certificates.touch()

    def remember(address: str) -> None:
        settings = resolve({"url": address, "project_id": 1, "ca_file": str(certificates)})
        KnownAddresses(environ, tmp_path / "project").remember(settings)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, addresses))
    known = KnownAddresses(environ, tmp_path / "project")
    assert [address for address in addresses if not known.is_used(address)] == []
    assert known.is_used(addresses[0], str(certificates))
    assert not known.is_used(addresses[0], "another")
    assert not known.is_used("https://127.0.0.1:201")
