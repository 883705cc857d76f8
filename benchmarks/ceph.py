"""Ceph's own S3 gateway as a site: the smallest cluster that serves it, on loopback and one drive.

One monitor, one OSD, one copy, else Ceph's defaults: the cheapest form that it has. All daemons
are children of this process, none is a service.
"""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.rivals import ACCESS_KEY, SECRET_KEY, program
from benchmarks.site import HOST, START_S, Site, free_ports, running

_PACKAGES = "Debian: ceph-mon ceph-osd ceph-common radosgw"
_GATEWAY = "client.rgw.bench"
_PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "ceph-authtool", "monmaptool", "radosgw", "radosgw-admin")
_CONF = """
[global]
fsid = {fsid}
mon_host = v2:{host}:{port}/0
public_addr = {host}
ms_bind_msgr1 = false
auth_allow_insecure_global_id_reclaim = false
keyring = {folder}/keyring
run_dir = {folder}
crash_dir = {folder}
log_file = {folder}/$name.log
admin_socket =
mon_data = {folder}/mon
osd_data = {folder}/osd
rgw_data = {folder}/rgw
osd_pool_default_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_crit = 1
osd_crush_chooseleaf_type = 0
osd_crush_initial_weight = 1
crush_location = root=default host=bench
bluestore_block_size = 20G
bluestore_debug_enforce_settings = ssd
debug_ms = 0/0
debug_osd = 0/0
debug_bluestore = 0/0
debug_rocksdb = 0/0
debug_rgw = 0/0
rgw_enable_usage_log = false
rgw_enable_ops_log = false
"""


@contextmanager
def ceph(folder: Path) -> Iterator[Site]:
    """A cluster and its gateway. Raises :class:`~benchmarks.site.Missing`."""
    for name in _PROGRAMS:
        program(name, _PACKAGES)
    monitor, gateway = free_ports(2)
    (folder / "osd").mkdir(parents=True)
    conf = folder / "ceph.conf"
    conf.write_text(_CONF.format(fsid=uuid.uuid4(), host=HOST, port=monitor, folder=folder))
    with ExitStack() as stack:
        _keys(folder)
        _monitor(stack, folder, conf, monitor)
        _osd(stack, folder, conf)
        # Without tcp_nodelay each small GET waits some 40 ms for a delayed acknowledgement.
        frontend = f"beast endpoint={HOST}:{gateway} tcp_nodelay=1"
        command = ["radosgw", "-f", "-c", conf, "-n", _GATEWAY, "--keyring", folder / "keyring"]
        command += ["--rgw-frontends", frontend, "--rgw-thread-pool-size=64"]
        stack.enter_context(running(command, folder / "rgw.out", port=gateway))
        user = ["--uid=bench", "--display-name=bench"]
        keys = [f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}"]
        _do("radosgw-admin", "-c", conf, "user", "create", *user, *keys)
        yield Site(gateway, ACCESS_KEY, SECRET_KEY)


def _keys(folder: Path) -> None:
    """One file with everybody's key; the monitor begins with all of them."""
    rights = [word for daemon in ("mon", "mgr", "osd") for word in ("--cap", daemon, "allow *")]
    make = ["--create-keyring"]
    for name in ("mon.", "client.admin", "osd.0", _GATEWAY):
        _do("ceph-authtool", *make, folder / "keyring", "--gen-key", "-n", name, *rights)
        make = []


def _monitor(stack: ExitStack, folder: Path, conf: Path, port: int) -> None:
    fsid = conf.read_text().split("fsid = ")[1].split()[0]
    address = f"[v2:{HOST}:{port}]"
    _do("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, folder / "monmap")
    _do(
        "ceph-mon",
        "-c",
        conf,
        "-i",
        "a",
        "--mkfs",
        "--monmap",
        folder / "monmap",
        "--keyring",
        folder / "keyring",
    )
    stack.enter_context(running(["ceph-mon", "-f", "-c", conf, "-i", "a"], folder / "mon.out", port=port))


def _osd(stack: ExitStack, folder: Path, conf: Path) -> None:
    name = str(uuid.uuid4())
    number = _do("ceph", "-c", conf, "--connect-timeout", START_S, "osd", "new", name, 0).strip()
    _do("ceph-osd", "-c", conf, "-i", number, "--mkfs", "--osd-uuid", name)
    stack.enter_context(running(["ceph-osd", "-f", "-c", conf, "-i", number], folder / "osd.out"))
    end = time.monotonic() + START_S
    while '"num_up_osds":1' not in _do("ceph", "-c", conf, "osd", "stat", "-f", "json").replace(" ", ""):
        if time.monotonic() > end:
            raise RuntimeError(f"the OSD does not come up: {(folder / 'osd.out').read_text()[-2000:]}")
        time.sleep(0.2)


def _do(*words: object) -> str:
    command = [str(int(word)) if isinstance(word, float) else str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=2 * START_S)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done.stdout
