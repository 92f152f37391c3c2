"""A throw-away PostgreSQL that starts as the pod's does.

It has the ConfigMaps' files, the pod's arguments and initdb options, and the order of the image's
entrypoint.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from objects import Objects

SUPERUSER = "postgres"
DATABASE = "app"


def binaries() -> Path:
    candidates = [os.environ.get("PG_BIN", ""), str(Path(shutil.which("initdb") or "/x").parent)]
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += [str(path) for path in sorted(installed, key=lambda p: -float(p.parent.name))]
    for candidate in candidates:
        if candidate and all((Path(candidate) / name).exists() for name in ("initdb", "postgres")):
            return Path(candidate)
    message = "no PostgreSQL server found; install the package postgresql"
    raise RuntimeError(message)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Cluster:
    def __init__(self, objects: Objects) -> None:
        self.bin = binaries()
        version = subprocess.run(
            [self.bin / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        ).stdout
        self.version = int(re.findall(r"\d+", version)[0])
        self.port = free_port()
        # Short, for the socket's path, and open to the server's user.
        self.dir = Path(tempfile.mkdtemp(prefix="pgk.", dir="/tmp"))
        # initdb and postgres refuse root.
        self.owner = pwd.getpwnam(SUPERUSER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        (self.container,) = objects.database_pod["containers"]
        self.paths = {
            "/etc/postgresql": f"{self.dir}/conf",
            "/var/run/postgresql": f"{self.dir}/run",
            "/docker-entrypoint-initdb.d": f"{self.dir}/initdb.d",
            "/run/secrets/postgres": f"{self.dir}/secrets",
            "/var/lib/postgresql/data": f"{self.dir}/data",
        }
        environment = {item["name"]: self.here(item["value"]) for item in self.container["env"]}
        self.environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "LC_ALL": "C", **environment}
        self.log = self.dir / "log"
        self.app_password = objects.secret("postgres")["APP_RW_PASSWORD"]
        self.write_files(objects)

    def here(self, text: str) -> str:
        """The pod's paths, moved into the cluster's folder."""
        for there, here in self.paths.items():
            text = text.replace(there, here)
        return text

    def write_files(self, objects: Objects) -> None:
        conf = objects.generated("ConfigMap", "postgres-conf")["data"]
        initdb = objects.generated("ConfigMap", "postgres-initdb")["data"]
        secret = objects.secret("postgres")
        files = {f"conf/{name}": text for name, text in conf.items()}
        files |= {f"initdb.d/{name}": text for name, text in initdb.items()}
        files["secrets/superuser-password"] = secret["SUPERUSER_PASSWORD"]
        files["secrets/app-rw-password"] = secret["APP_RW_PASSWORD"]
        if self.owner.pw_name != SUPERUSER:
            # In the image the server's user is postgres; here it has to be told that it is.
            files["conf/pg_hba.conf"] = re.sub(
                r"peer$", "peer map=me", files["conf/pg_hba.conf"], flags=re.MULTILINE
            )
            files["conf/pg_ident.conf"] = f"me {self.owner.pw_name} {SUPERUSER}\n"
        for name, text in files.items():
            path = self.dir / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.here(text))
        for folder in ("run", "data"):
            (self.dir / folder).mkdir()
        if os.geteuid() == 0:
            for path in (self.dir, *self.dir.rglob("*")):
                os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def start_process(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """As the server's user, with the container's environment."""
        root = os.geteuid() == 0
        return subprocess.Popen(
            command,
            env={**self.environment, **environment},
            cwd="/",
            user=self.owner.pw_uid if root else None,
            group=self.owner.pw_gid if root else None,
            extra_groups=[] if root else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(
        self, *command: str, timeout: float = 60, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start_process(*command, **environment)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)
            raise
        done = subprocess.CompletedProcess(command, process.returncode, out, err)
        if check and done.returncode != 0:
            log = self.log.read_text()[-2000:] if self.log.exists() else ""
            message = f"{command[0]}: {done.stdout}{done.stderr}{log}"
            raise RuntimeError(message)
        return done

    def command(self, *path: str) -> list[str]:
        """The command of a probe or a hook of the container."""
        entry = self.container
        for key in path:
            entry = entry[key]
        return [self.here(word) for word in entry["exec"]["command"]]

    def initdb(self) -> None:
        options = self.environment["POSTGRES_INITDB_ARGS"].split()
        if self.version < 17:
            # The builtin provider is 17's.
            options.remove("--locale-provider=builtin")
        password = f"--pwfile={self.dir}/secrets/superuser-password"
        pgdata = self.environment["PGDATA"]
        self.run("initdb", "-D", pgdata, "-U", SUPERUSER, password, "--no-sync", *options)

    def start(self, *, bootstrap: bool = False) -> None:
        args = [self.here(arg) for arg in self.container["args"][1:]]
        # Of all addresses only loopback, and none at all in the entrypoint's first start.
        args += ["-c", f"listen_addresses={'' if bootstrap else '127.0.0.1'}", "-p", str(self.port)]
        args += ["-c", f"ident_file={self.dir}/conf/pg_ident.conf", "-c", "fsync=off"]
        line = " ".join(f"'{arg}'" for arg in args)
        pgdata = self.environment["PGDATA"]
        # Output to files: the server keeps what it inherits, and a pipe would never end.
        self.run(
            "sh", "-c", 'exec pg_ctl start -w -t 60 -D "$0" -l "$1" -o "$2" >/dev/null 2>&1',
            pgdata, str(self.log), line, timeout=90,
        )  # fmt: skip

    def stop(self) -> None:
        if (Path(self.environment["PGDATA"]) / "postmaster.pid").exists():
            self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.environment["PGDATA"])

    def create(self) -> None:
        """With the bootstrap server running: what the entrypoint does with the init scripts."""
        self.sql(f'CREATE DATABASE "{DATABASE}"', database="postgres")
        for path in sorted((self.dir / "initdb.d").iterdir()):
            self.run(*self.psql(DATABASE), "-f", str(path))

    def psql(self, database: str, user: str = SUPERUSER, host: str = "") -> list[str]:
        host = host or f"{self.dir}/run"
        where = f"host={host} port={self.port} dbname={database} user={user} connect_timeout=10"
        return [
            "psql",
            "-v",
            "ON_ERROR_STOP=1",
            "--no-password",
            "--no-psqlrc",
            "-qAt",
            "-d",
            where,
        ]

    def sql(self, text: str, database: str = DATABASE) -> str:
        """As the superuser, over the socket."""
        return self.run(*self.psql(database), "-c", text).stdout.strip()

    def over_tcp(
        self, text: str, user: str, password: str, database: str = DATABASE
    ) -> subprocess.CompletedProcess[str]:
        command = [*self.psql(database, user, "127.0.0.1"), "-c", text]
        return self.run(*command, check=False, PGPASSWORD=password)

    def remove(self) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


def probe(cluster: Cluster, name: str) -> int:
    command = cluster.command(name)
    return cluster.run(*command, check=False, PGPORT=str(cluster.port)).returncode
