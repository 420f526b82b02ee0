"""The real framework on loopback: nginx, php-fpm and Redis, with a port for each of its stores."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import attrs

from raydocs_async.testing import build_session_json

HERE = Path(__file__).parent
STORES = ("redis", "file", "database", "dynamodb", "redis-mw")
WORKERS = 12
"""Requests that the framework works on at once."""
GATEWAY_TIMEOUT = 3
"""Seconds after which nginx gives up on the framework, with a 504."""
PACKAGES = "nginx-light php-fpm php-cli php-laravel-framework php-redis php-sqlite3 redis-server"

FPM = """
[global]
pid = {state}/fpm.pid
error_log = {state}/fpm.log
[api]
user = www-data
listen = {state}/fpm.sock
listen.mode = 0666
listen.backlog = 511
pm = static
pm.max_children = {workers}
php_admin_value[error_log] = {state}/storage/php.log
php_admin_value[error_reporting] = 22527
php_admin_flag[display_errors] = off
php_admin_flag[expose_php] = off
"""

NGINX = """
user www-data;
pid {state}/nginx.pid;
error_log {state}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path {state}/temporary; fastcgi_temp_path {state}/temporary;
  proxy_temp_path {state}/temporary; scgi_temp_path {state}/temporary;
  uwsgi_temp_path {state}/temporary;
  log_format hits '$msec $status $server_port';
  access_log {state}/access.log hits;
  {servers}
}}
"""

SERVER = """
  server {{
    listen 127.0.0.1:{port} backlog=511;
    location / {{
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param SERVER_PROTOCOL $server_protocol;
      fastcgi_param SERVER_NAME $server_name;
      fastcgi_param SERVER_PORT $server_port;
      fastcgi_param REMOTE_ADDR $remote_addr;
      fastcgi_pass unix:{state}/fpm.sock;
      fastcgi_read_timeout {timeout}s;
      fastcgi_param SCRIPT_FILENAME {state}/app/index.php;
      fastcgi_param SCRIPT_NAME /index.php;
      fastcgi_param APP_CONFIG_CACHE {state}/app/config.php;
      fastcgi_param APP_SERVICES_CACHE {state}/storage/services.php;
      fastcgi_param APP_PACKAGES_CACHE {state}/storage/packages.php;
      fastcgi_param STATE {state};
      fastcgi_param STORE {store};
      fastcgi_param LIMIT {limit};
      fastcgi_param WINDOW {window};
    }}
  }}
"""


@attrs.frozen
class Framework:
    """The framework while it runs."""

    state: Path
    ports: dict[str, int]

    def url(self, store: str) -> str:
        """Where it counts in `store`."""
        return f"http://127.0.0.1:{self.ports[store]}"

    def go_down(self, retry_after: int) -> None:
        """Begin maintenance, as ``artisan down --retry`` does."""
        down = {"status": 503, "retry": retry_after, "except": []}
        (self.state / "storage/framework/down").write_text(json.dumps(down), encoding="utf-8")

    def come_up(self) -> None:
        """End maintenance."""
        (self.state / "storage/framework/down").unlink()

    def stop_php(self) -> None:
        """End php-fpm at once, and the requests that it works on."""
        stop(self.state / "fpm.pid", signal.SIGTERM)

    def start_php(self) -> None:
        """Start php-fpm, and wait until it answers."""
        run(fpm(), "-y", self.state / "fpm.conf", "-R")
        wait_for(f"{self.url(next(iter(self.ports)))}/login")

    def hits(self, store: str) -> list[tuple[float, int]]:
        """Time and status of each request so far, in the order of nginx's log."""
        lines = (self.state / "access.log").read_text(encoding="utf-8").splitlines()
        rows = (line.split() for line in lines)
        port = str(self.ports[store])
        return [(float(at), int(status)) for at, status, served in rows if served == port]


@contextmanager
def framework(limit: int, window: int, stores: Sequence[str] = STORES) -> Iterator[Framework]:
    """Start everything, and stop it whatever happens."""
    require()
    with tempfile.TemporaryDirectory(prefix="raydocs-laravel-") as name:
        state = Path(name)
        running = Framework(state, dict(zip(stores, free_ports(len(stores)), strict=True)))
        prepare(running, limit, window)
        try:
            run("redis-server", state / "redis.conf")
            run("nginx", "-c", state / "nginx.conf")
            running.start_php()
            yield running
        finally:
            for server in ("nginx", "fpm", "redis"):
                stop(state / f"{server}.pid", signal.SIGTERM)


def require() -> None:
    """Leave with one line where the framework cannot be run."""
    if os.geteuid() != 0:
        sys.exit("this starts servers whose workers are another user's: run it as root")
    programs = ("nginx", "php", "redis-server")
    library = Path("/usr/share/php/Illuminate/Foundation/Application.php")
    if not all(map(shutil.which, programs)) or not library.exists():
        sys.exit(f"the framework is missing: apt-get install --no-install-recommends {PACKAGES}")


def prepare(running: Framework, limit: int, window: int) -> None:
    """Write what the servers read."""
    state = running.state
    for folder in ("storage/framework", "storage/cache", "temporary"):
        (state / folder).mkdir(parents=True)
    (state / "app").mkdir()
    for source in HERE.glob("*.php"):
        shutil.copy(source, state / "app")
    session = json.dumps(build_session_json("00000000-0000-4000-8000-000000000000"))
    body = session.replace("00000000-0000-4000-8000-000000000000", "{id}")
    (state / "session.json").write_text(body, encoding="utf-8")
    with closing(sqlite3.connect(state / "storage/cache.sqlite")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE cache (key PRIMARY KEY, value, expiration INTEGER)")
    servers = "".join(
        SERVER.format(
            state=state,
            port=port,
            store=store,
            limit=limit,
            window=window,
            timeout=GATEWAY_TIMEOUT,
        )
        for store, port in running.ports.items()
    )
    configurations = {
        "nginx": NGINX.format(state=state, servers=servers),
        "fpm": FPM.format(state=state, workers=WORKERS),
        "redis": f"port 0\nunixsocket {state}/redis.sock\nunixsocketperm 777\nsave ''\n"
        f"daemonize yes\npidfile {state}/redis.pid\nlogfile {state}/redis.log\ndir {state}\n",
    }
    for name, text in configurations.items():
        (state / f"{name}.conf").write_text(text, encoding="utf-8")
    run("chown", "-R", "www-data:", state)
    state.chmod(0o755)


def fpm() -> str:
    """The path of php-fpm, whose name has a version in it."""
    return str(max(Path("/usr/sbin").glob("php-fpm*")))


def run(*command: object) -> None:
    """Run a command that ends, or goes into the background."""
    subprocess.run([str(part) for part in command], check=True)


def stop(pid_file: Path, by: signal.Signals) -> None:
    """End the process whose id is in a file, and wait until it has gone."""
    if not pid_file.exists():
        return
    process = Path("/proc", pid_file.read_text(encoding="utf-8").strip())
    os.kill(int(process.name), by)
    while process.exists():
        time.sleep(0.01)
    pid_file.unlink(missing_ok=True)


def free_ports(count: int) -> list[int]:
    """Ports on which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(url: str) -> None:
    """Wait until something answers rightly there."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"nothing answers at {url}")
