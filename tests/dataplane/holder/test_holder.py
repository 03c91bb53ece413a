"""The holder: what it keeps, what it restarts, and that it leaves nothing behind."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from latticewall.dataplane.processes import HolderError, Processes
from region import Region, holder_command, in_user_namespace, until

pytestmark = pytest.mark.netns

SLEEP = {"name": "sleeper", "argv": ["sleep", "1000"]}


def listed(region: Region) -> dict[str, dict[str, Any]]:
    return region.inside(lambda processes: {name: vars(process) for name, process in processes.list().items()})


def ensure(region: Region, **members: Any) -> dict[str, Any]:
    return region.inside(lambda processes: vars(processes.ensure({**SLEEP, **members})))


def test_run_json_tells_where_the_region_is(region: Region) -> None:
    assert region.run["holder_pid"] == region.process.pid
    assert region.run["endpoint"].startswith("http://127.0.0.1:")
    assert set(region.run) == {"holder_pid", "endpoint", "started_at", "region"}
    assert oct(region.state.stat().st_mode & 0o777) == "0o700"


def test_the_private_namespaces(region: Region) -> None:
    for kind in ("user", "mnt", "net"):
        assert os.readlink(f"/proc/{region.process.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    assert region.inside(lambda _: sorted(os.listdir("/run"))) == ["latticewall", "lock", "netns"]
    assert region.inside(lambda _: sorted(name for _, name in socket.if_nameindex())) == ["lo"]


def test_a_killed_control_plane_comes_back_on_the_same_socket(region: Region) -> None:
    first = region.ask_api()
    assert listed(region)["control-plane"]["pid"] == first
    keeper = ensure(region)
    os.kill(first, signal.SIGKILL)
    second = until(region.ask_api)
    assert second != first
    found = listed(region)
    assert found["control-plane"]["pid"] == second
    assert found["control-plane"]["exit"] == "signal SIGKILL"
    assert found["control-plane"]["restarts"] == 1
    assert found["sleeper"]["pid"] == keeper["pid"]


def test_ensuring_again_changes_nothing_and_a_changed_spec_restarts(region: Region) -> None:
    first = ensure(region)
    assert ensure(region) == first
    ensure(region, key="2")
    second = until(lambda: listed(region)["sleeper"]["state"] == "running" and listed(region)["sleeper"])
    assert second["pid"] != first["pid"]
    assert not Path(f"/proc/{first['pid']}").exists()


def test_a_process_that_ends_is_started_again_with_growing_pauses(region: Region) -> None:
    ensure(region, argv=["sh", "-c", "date +%s.%N; exit 3"])
    log = region.state / "logs" / "sleeper.log"
    starts = until(lambda: (found := log.read_text().split()) and len(found) >= 4 and [float(text) for text in found])
    pauses = [later - sooner for sooner, later in itertools.pairwise(starts)][:3]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4
    assert listed(region)["sleeper"]["exit"] == "status 3"


def test_a_process_without_restart_stays_ended(region: Region) -> None:
    ensure(region, argv=["false"], restart=False)
    ended = until(lambda: (found := listed(region)["sleeper"])["state"] == "ended" and found)
    assert (ended["exit"], ended["pid"], ended["restarts"]) == ("status 1", 0, 0)


def test_a_program_that_does_not_exist_says_so(region: Region) -> None:
    answer = ensure(region, argv=["/no/such/program"])
    assert (answer["state"], answer["pid"]) == ("waiting", 0)
    assert answer["exit"] == "/no/such/program: No such file or directory"


def test_removing_ends_what_ignores_sigterm(region: Region) -> None:
    script = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(1000)"
    found = ensure(region, argv=[sys.executable, "-c", script], stop_seconds=0.2)
    until(lambda: "ready" in (region.state / "logs" / "sleeper.log").read_text())
    region.inside(lambda processes: processes.remove("sleeper"))
    assert not Path(f"/proc/{found['pid']}").exists()
    assert "sleeper" not in listed(region)


def test_a_process_starts_in_its_namespace_with_its_environment(region: Region) -> None:
    region.inside(_make_namespace)
    ensure(region, argv=["sh", "-c", "readlink /proc/self/ns/net; echo $COLOUR; sleep 1000"], netns="vpc-1", env={"COLOUR": "red"})
    text = until(lambda: len(found := (region.state / "logs" / "sleeper.log").read_text().split()) == 2 and found)
    inode = region.inside(lambda _: os.stat("/run/latticewall/netns/vpc-1").st_ino)
    assert text == [f"net:[{inode}]", "red"]


def test_what_a_process_started_ends_with_it(region: Region) -> None:
    ensure(region, argv=["sh", "-c", "sleep 1000 & echo $!; wait"])
    started = int(until(lambda: (region.state / "logs" / "sleeper.log").read_text().strip()))
    assert _runs(started)
    region.inside(lambda processes: processes.remove("sleeper"))
    until(lambda: not _runs(started))


def _runs(pid: int) -> bool:
    """Whether it is there and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def _make_namespace(_processes: Processes) -> None:
    from latticewall.dataplane.namespaces import Namespaces

    Namespaces(Path("/run/latticewall/netns")).create("vpc-1")


def test_a_process_moves_when_its_namespace_is_made_anew(region: Region) -> None:
    region.inside(_make_namespace)
    first = ensure(region, netns="vpc-1")

    def again(processes: Processes) -> None:
        from latticewall.dataplane.namespaces import Namespaces

        Namespaces(Path("/run/latticewall/netns")).delete("vpc-1")
        _make_namespace(processes)

    region.inside(again)
    ensure(region, netns="vpc-1")
    second = until(lambda: listed(region)["sleeper"]["state"] == "running" and listed(region)["sleeper"])
    assert second["pid"] != first["pid"]
    inode = region.inside(lambda _: os.stat("/run/latticewall/netns/vpc-1").st_ino)
    assert os.readlink(f"/proc/{second['pid']}/ns/net") == f"net:[{inode}]"


def test_stale_files_are_removed_before_every_start(region: Region) -> None:
    stale = "/run/latticewall/stale.sock"
    argv = ["sh", "-c", f"ls {stale}; touch {stale}; exit 1"]
    ensure(region, argv=argv, remove=[stale])
    until(lambda: listed(region)["sleeper"]["restarts"] >= 2)
    assert "No such file" in (region.state / "logs" / "sleeper.log").read_text()
    assert f"\n{stale}\n" not in "\n" + (region.state / "logs" / "sleeper.log").read_text()


def test_signals_reach_a_process(region: Region) -> None:
    first = ensure(region)
    assert region.inside(lambda processes: processes.signal("sleeper", "KILL")) is True
    assert until(lambda: (found := listed(region)["sleeper"])["pid"] not in (0, first["pid"]) and found)["exit"] == "signal SIGKILL"
    assert region.inside(lambda processes: processes.signal("nobody", "KILL")) is False


@pytest.mark.parametrize(
    ("request_text", "reason"),
    [
        ("{", "Expecting property name"),
        ("[]", "a request is an object"),
        ('{"op":"dance"}', "'dance' is unknown"),
        ('{"op":"ensure"}', "spec: an object is needed"),
        ('{"op":"ensure","spec":{"name":"../x","argv":["true"]}}', "name: '../x' cannot be used"),
        ('{"op":"ensure","spec":{"name":"x","argv":"true"}}', "argv: a list of words"),
        ('{"op":"ensure","spec":{"name":"x","argv":["true"],"log":"../../x"}}', "log: '../../x'"),
        ('{"op":"ensure","spec":{"name":"x","argv":["true"],"netns":"../../proc/1/ns/net"}}', "netns: "),
        ('{"op":"ensure","spec":{"name":"x","argv":["true"],"remove":["/etc/passwd"]}}', "remove: paths below"),
        ('{"op":"ensure","spec":{"name":"x","argv":["true"],"remove":["/run/latticewall/../../etc/passwd"]}}', "remove: paths below"),
        ('{"op":"ensure","spec":{"name":"x","argv":["true"],"colour":"red"}}', "colour: unknown"),
        ('{"op":"ensure","spec":{"kind":"ghost","name":"x"}}', "kind: 'ghost'"),
        ('{"op":"ensure","spec":{"kind":"instance","name":"i-1","netns":"i-1","hostname":"a b","boot":"1"}}', "hostname: 'a b'"),
        ('{"op":"signal","name":"sleeper","signal":"STOP"}', "signal: one of"),
    ],
)
def test_bad_requests_are_answered_and_harm_nothing(request: pytest.FixtureRequest, request_text: str, reason: str, one_region: Region) -> None:
    answer = one_region.inside(lambda _: _send(request_text))
    assert answer["ok"] is False
    assert reason in answer["error"]
    assert listed(one_region)["control-plane"]["state"] == "running"


def _send(text: str) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("/run/latticewall/holder.sock")
        connection.sendall(text.encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer


@pytest.fixture(scope="module")
def one_region(tmp_path_factory: pytest.TempPathFactory) -> Any:
    started = Region(tmp_path_factory.mktemp("region"))
    yield started
    started.stop()


def test_an_endless_line_only_loses_its_connection(one_region: Region) -> None:
    def flood(_: Processes) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("/run/latticewall/holder.sock")
            try:
                connection.sendall(b"x" * 3_000_000)
                return connection.recv(10).decode()
            except OSError:
                return ""

    assert one_region.inside(flood) == ""
    assert listed(one_region)["control-plane"]["state"] == "running"


def test_a_refused_request_is_an_error_for_the_client(one_region: Region) -> None:
    def bad(processes: Processes) -> str:
        try:
            processes.ensure({"name": "x"})
        except HolderError as error:
            return str(error)
        return "no error"

    assert one_region.inside(bad) == "argv: a list of words is needed"


# -- ends ---------------------------------------------------------------------------------------------------------------------------------


def test_down_leaves_nothing(region: Region) -> None:
    region.inside(_make_namespace)
    ensure(region, netns="vpc-1")
    user_namespace = os.readlink(f"/proc/{region.process.pid}/ns/user")
    assert len(region.processes()) >= 3
    assert region.stop() == 0
    assert in_user_namespace(user_namespace) == []
    assert sorted(path.name for path in region.state.iterdir()) == ["instances", "lock", "logs"]
    assert str(region.state) not in Path("/proc/self/mountinfo").read_text()


def test_a_shutdown_request_ends_the_region(region: Region) -> None:
    region.inside(lambda processes: processes.shutdown())
    assert region.process.wait(20) == 0
    assert not (region.state / "run.json").exists()


def test_kill_9_of_the_holder_leaves_no_process_and_no_lock(region: Region) -> None:
    ensure(region)
    user_namespace = os.readlink(f"/proc/{region.process.pid}/ns/user")
    assert len(region.processes()) >= 3
    region.process.kill()
    region.process.wait()
    until(lambda: in_user_namespace(user_namespace) == [])
    assert str(region.state) not in Path("/proc/self/mountinfo").read_text()


def test_two_holders_on_one_state(one_region: Region) -> None:
    second = subprocess.run(holder_command(one_region.state), capture_output=True, text=True, timeout=20)
    assert second.returncode == 1
    where = f"latticewall: state folder {one_region.state} is in use by another region (process {one_region.process.pid})"
    assert second.stderr.startswith(where)
    assert second.stderr.count("\n") == 1
    assert listed(one_region)["control-plane"]["state"] == "running"


def test_a_taken_address_is_named(one_region: Region, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{one_region.port}"
    second = subprocess.run(holder_command(tmp_path / "other", listen), capture_output=True, text=True, timeout=20)
    assert (second.returncode, second.stderr) == (1, f"latticewall: cannot listen on {listen}: Address already in use\n")


def test_an_unusable_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(holder_command(tmp_path / "file" / "state"), capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (1, f"latticewall: state folder {tmp_path}/file/state cannot be used: Not a directory\n")


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    setup = f"mount -t tmpfs -o size=1m none {tmp_path} && exec \"$@\""
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", setup, "sh"]
    done = subprocess.run([*inside, *holder_command(tmp_path / "state")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "1 MiB left, 64 are needed" in done.stderr or "0 MiB left, 64 are needed" in done.stderr


def test_switched_off_user_namespaces_are_named(tmp_path: Path) -> None:
    setup = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "sh", "-c", setup, "sh"]
    done = subprocess.run([*inside, *holder_command(tmp_path / "state")], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith("latticewall: user namespaces are needed and they are switched off")
    assert done.stderr.count("\n") == 1


def test_a_state_below_run_stays_reachable(tmp_path: Path) -> None:
    """XDG_RUNTIME_DIR is below /run, which the region covers with its own."""
    setup = 'mount -t tmpfs none /run && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", setup, "sh"]
    with subprocess.Popen([*inside, *holder_command(Path("/run/user/1000/latticewall"))], stderr=subprocess.PIPE, text=True) as process:
        view = Path(f"/proc/{process.pid}/root/run/user/1000/latticewall")
        until(lambda: (view / "run.json").exists() or process.poll() is not None)
        try:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert (view / "logs" / "control-plane.log").exists()
        finally:
            process.terminate()
            assert process.wait(20) == 0


def test_a_long_state_path_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long-" * 12) / ("path-" * 12)
    folder.mkdir(parents=True)
    started = Region(folder)
    try:
        assert len(str(started.state / "run" / "holder.sock")) > 107
        assert started.ask_api() == listed(started)["control-plane"]["pid"]
    finally:
        started.stop()
