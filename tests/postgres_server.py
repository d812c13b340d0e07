"""A real PostgreSQL server for tests, from the wheel `pgserver` or from what is installed; no root, no port.

PostgreSQL refuses to run as root, so root starts it as `nobody`. It listens on a socket in a directory of its own.
The wheel is used for its programs only: its Python would create users and open directories to everybody.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

START_SECONDS: Final = 30.0
_SYSTEM_PROGRAMS: Final = "/usr/lib/postgresql/*/bin"


class PostgresServer:
    """A server over a fresh directory. `url` is its database `postgres`, as superuser without a password."""

    def __init__(self, *settings: str) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="penstock-postgres-", dir="/tmp"))
        self._user = self._group = self._groups = None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user, self._group, self._groups = nobody.pw_uid, nobody.pw_gid, list[int]()
            os.chown(self._directory, self._user, self._group)
        self._programs = _programs(self._directory)
        self._settings = [item for setting in settings for item in ("-c", setting)]
        self._process: subprocess.Popen[bytes] | None = None
        self._fill()
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._directory}"

    @property
    def socket(self) -> Path:
        return self._directory / ".s.PGSQL.5432"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns when the server takes connections."""
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={self._directory}", *self._settings]
        with (self._directory / "log").open("ab") as log:
            command = [str(self._programs / "postgres"), "-D", str(self._data), *settings]
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                user=self._user,
                group=self._group,
                extra_groups=self._groups,
            )
        self._process = process
        deadline = time.monotonic() + START_SECONDS
        while self._state().strip() not in {"ready", "standby"}:
            assert process.poll() is None, f"PostgreSQL did not start:\n{self._log()}"
            assert time.monotonic() < deadline, f"PostgreSQL does not answer:\n{self._log()}"
            time.sleep(0.01)

    def stop(self, *, crash: bool = False) -> None:
        """Ends the server at once; `crash` without a checkpoint, as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        self._process.wait(START_SECONDS)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def _fill(self) -> None:
        """Makes the data directory."""
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username=postgres")

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _state(self) -> str:
        """The last line of the file in which a server says how far it is."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()[7]
        except (OSError, IndexError):
            return ""

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self._directory,
            check=False,
            user=self._user,
            group=self._group,
            extra_groups=self._groups,
        )
        assert done.returncode == 0, done.stderr

    def _log(self) -> str:
        return (self._directory / "log").read_text(errors="replace")


def _programs(directory: Path) -> Path:
    """Where `initdb` and `postgres` are, within reach of the user that runs them."""
    spec = importlib.util.find_spec("pgserver")
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).parent
        if os.geteuid() == 0 and not _reachable(package):
            for part in (package, package.parent / "pgserver.libs"):
                if part.exists():
                    shutil.copytree(part, directory / "wheel" / part.name)
            package = directory / "wheel" / package.name
        return package / "pginstall" / "bin"
    installed = sorted(Path("/").glob(_SYSTEM_PROGRAMS.lstrip("/")))
    on_path = shutil.which("initdb")
    assert installed or on_path, "no PostgreSQL: install the wheel pgserver, or set PENSTOCK_TEST_POSTGRES"
    return installed[-1] if installed else Path(str(on_path)).resolve().parent


def _reachable(path: Path) -> bool:
    """Whether every user may enter all directories down to `path`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path, *path.parents))
