"""What the command understands, what it refuses, and how: one line, an exit code with a meaning, never a traceback."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from latticewall.dataplane.databases import programs
from latticewall.dataplane.holder.isolation import forbidding_setting
from latticewall.faces.cli.commands import COMMANDS, deploy, doctor, execute, logs, up
from latticewall.faces.cli.main import main, parser
from latticewall.faces.cli.problem import Problem
from latticewall.faces.cli.session import Session, is_holder, reachable, state_folder
from latticewall.faces.cli.system import Tool, missing_tools, search_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What wrong usage is answered with."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("latticewall: ")
    assert printed.err.count("\n") == 1
    return printed.err.strip()


@pytest.mark.parametrize(
    ("given", "environment", "folder"),
    [
        ("/a/b", {"LATTICEWALL_STATE": "/c"}, "/a/b"),
        (None, {"LATTICEWALL_STATE": "/c", "XDG_STATE_HOME": "/d"}, "/c"),
        (None, {"XDG_STATE_HOME": "/d"}, "/d/latticewall"),
        ("x/../y", {}, f"{os.getcwd()}/y"),
    ],
)
def test_state_folder(given: str | None, environment: dict[str, str], folder: str) -> None:
    assert state_folder(given, environment) == Path(folder)


def test_state_folder_in_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert state_folder(None, {}) == Path("/home/someone/.local/state/latticewall")
    assert state_folder("~/r", {}) == Path("/home/someone/r")


@pytest.mark.parametrize("words", [["--state", "/s", "--output", "json", "status"], ["status", "--state", "/s", "--output", "json"]])
def test_global_options_stand_before_and_after_the_command(words: list[str]) -> None:
    chosen = parser().parse_args(words)
    assert (chosen.state, chosen.output, chosen.command.name) == ("/s", "json", "status")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_has_an_example_and_the_exit_codes(command: execute.Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])
    printed = capsys.readouterr().out
    assert ended.value.code == 0
    assert command.examples
    assert all(example in printed for example in command.examples)
    assert "exit codes: 0 as expected, 1 not, 2 could not tell" in printed


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (["up", "--listen", "4566"], "'4566': HOST:PORT is needed"),
        (["up", "--listen", "localhost:99999"], "'localhost:99999': HOST:PORT is needed"),
        (["up", "--region", "Moon Base"], "'Moon Base' cannot be a region's name"),
        (["deploy", "t.yaml", "--parameter", "Cidr"], "'Cidr': KEY=VALUE is needed"),
        (["logs", "--since", "yesterday"], "'yesterday': 90s, 10m"),
        (["nothing"], "invalid choice: 'nothing'"),
        (["status", "--output", "xml"], "invalid choice: 'xml'"),
        (["status", "--out", "json"], "unrecognized arguments"),
        (["up", "--listen"], "argument --listen: expected one argument: see `latticewall up --help`"),
        (["policy"], "required: lint|test|tests, FILE|...: see `latticewall policy --help`"),
        ([], "required: COMMAND: see `latticewall --help`"),
    ],
)
def test_bad_arguments_are_named(words: list[str], culprit: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert culprit in refused(capsys, *words)


def test_what_stands_after_two_hyphens_is_the_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--state", str(tmp_path), "status", "--", "--output", "json"]) == 2
    assert one_line(capsys) == "latticewall: status takes no command line after --"
    assert main(["--state", str(tmp_path), "exec", "web", "--"]) == 2
    assert one_line(capsys).startswith("latticewall: exec web: nothing to run")


def test_what_cannot_be_explained_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"verdict": "unknown", "summary": "there is no role or user `bob`", "gates": []}
    monkeypatch.setattr(Session, "ask", lambda *_: answer)
    words = ["--state", str(tmp_path), "explain", "--as", "bob", "http://rates.example.com/"]
    assert main(words) == 2
    assert one_line(capsys) == "latticewall: explain http://rates.example.com/: there is no role or user `bob`"
    assert main([*words, "--output", "json"]) == 2
    assert json.loads(capsys.readouterr().out) == answer


# -- a region that is down ------------------------------------------------------------------------------------------------------------------


def test_status_of_a_region_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "status"]) == 1
    assert capsys.readouterr().out.startswith(f"latticewall is down (state folder {tmp_path})")
    assert main(["--state", str(tmp_path), "status", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"state": "down"}


@pytest.mark.parametrize("words", [["env"], ["logs"], ["plan"], ["wait"], ["exec", "web", "--", "true"]])
def test_asking_a_region_that_is_down(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), *words]) == 2
    assert one_line(capsys) == f"latticewall: no region is up for state folder {tmp_path}: start it with `latticewall --state {tmp_path} up --detach`"


def test_a_pid_that_another_process_has_now_is_not_the_region(tmp_path: Path) -> None:
    announced = {"holder_pid": os.getpid(), "endpoint": "http://127.0.0.1:1", "started_at": "", "region": "x"}
    (tmp_path / "run.json").write_text(json.dumps(announced))
    assert not is_holder(os.getpid(), tmp_path)
    assert Session(tmp_path).find() is None


@pytest.mark.parametrize("text", ["{", "[]", "", "{}"])
def test_a_damaged_announcement_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text(text)
    assert main(["--state", str(tmp_path), "env"]) == 2
    assert f"{tmp_path}/run.json is damaged" in one_line(capsys)
    assert main(["--state", str(tmp_path), "down"]) == 0
    assert not (tmp_path / "run.json").exists()


def test_down_is_idempotent_and_purge_leaves_what_is_not_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The holder's pid in the lock is that of a process which is not the holder."""
    state = tmp_path / "state"
    for name in ("logs", "instances", "run"):
        (state / name).mkdir(parents=True)
    for name in ("region.db", "credentials.json", "run.json", "lock", "logs/holder.log"):
        (state / name).write_text(str(os.getpid()))
    (state / "thesis.txt").write_text("mine")
    assert main(["--state", str(state), "down"]) == 0
    assert sorted(os.listdir(state)) == ["credentials.json", "instances", "lock", "logs", "region.db", "thesis.txt"]
    assert main(["--state", str(state), "down", "--purge"]) == 0
    assert "thesis.txt" in capsys.readouterr().out
    assert os.listdir(state) == ["thesis.txt"]
    (state / "thesis.txt").unlink()
    assert main(["--state", str(state), "down", "--purge", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"state": "down", "was_up": False, "purged": True, "left": []}
    assert not state.exists()
    assert main(["--state", str(state), "down"]) == 0


# -- parts -----------------------------------------------------------------------------------------------------------------------------------

INSTANCES = [
    {"id": "i-1", "name": "web", "status": "ready", "pid": 11, "address": "10.1.0.4"},
    {"id": "i-2", "name": "web", "status": "ready", "pid": 12, "address": "10.2.0.4"},
    {"id": "i-3", "name": "db", "status": "ready", "pid": 13, "address": "10.1.0.5"},
    {"id": "i-4", "name": "db", "status": "stopped", "pid": None, "address": "10.1.0.6"},
    {"id": "i-5", "name": "old", "status": "stopped", "pid": None, "address": "10.1.0.7"},
    {"id": "i-6", "name": "new", "status": "ready", "pid": None, "address": "10.1.0.8"},
]


@pytest.mark.parametrize(("wanted", "pid"), [("i-1", 11), ("i-2", 12), ("db", 13)])
def test_an_instance_is_found_by_id_and_by_name(wanted: str, pid: int) -> None:
    assert execute.running(INSTANCES, wanted)["pid"] == pid


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("web", "2 running instances are named web: i-1 (10.1.0.4), i-2 (10.2.0.4); give the id"),
        ("old", "instance i-5 is not running (its state is stopped): start it first"),
        ("new", "instance i-6 should be running, but has not started: `latticewall status` says what fails"),
        ("cache", "no instance cache: running are db, web, web"),
    ],
)
def test_why_no_instance_is_found(wanted: str, message: str) -> None:
    with pytest.raises(Problem) as raised:
        execute.running(INSTANCES, wanted)
    assert (str(raised.value), raised.value.code) == (message, 2)


class Booting:
    """A region that has just come up: its instances start while one waits."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        self.asked.append(path)
        started = {"i-6": 16} if "wait" in self.asked else {}
        return [{**item, "pid": started.get(item["id"], item["pid"])} for item in INSTANCES]


@pytest.mark.parametrize(("wanted", "pid", "waits"), [("new", 16, True), ("i-6", 16, True), ("i-1", 11, False), ("db", 13, False)])
def test_an_instance_that_is_starting_is_waited_for(wanted: str, pid: int, waits: bool) -> None:
    region = Booting()
    assert execute.init_of(cast(Session, region), wanted) == pid
    assert ("wait" in region.asked) is waits


def test_no_instance_at_all() -> None:
    with pytest.raises(Problem, match=r"^no instance web: none is running$"):
        execute.running([], "web")


@pytest.mark.parametrize(
    ("endpoint", "listen", "same"),
    [
        ("http://127.0.0.1:4566", "127.0.0.1:4566", True),
        ("http://127.0.0.1:4566", "localhost:4566", True),
        ("http://127.0.0.1:4566", "0.0.0.0:4566", True),
        ("http://127.0.0.1:4566", "127.0.0.1:0", True),
        ("http://[::1]:4566", "[::1]:4566", True),
        ("http://127.0.0.1:4566", "127.0.0.1:4567", False),
        ("http://127.0.0.1:4566", "127.0.0.2:4566", False),
    ],
)
def test_whether_the_region_that_is_up_is_the_one_asked_for(endpoint: str, listen: str, same: bool) -> None:
    assert up._same_place(endpoint, listen) is same


@pytest.mark.parametrize(
    ("endpoint", "reached"),
    [("http://0.0.0.0:1", "http://127.0.0.1:1"), ("http://[::]:1", "http://[::1]:1"), ("http://10.0.0.1:1", "http://10.0.0.1:1")],
)
def test_where_an_endpoint_is_reached(endpoint: str, reached: str) -> None:
    assert reachable(endpoint) == reached


@pytest.mark.parametrize(("file", "name"), [("service-network.yaml", "service-network"), ("a/2 b_c.json", "b-c"), ("1.yaml", "stack")])
def test_a_stack_is_named_after_its_template(file: str, name: str) -> None:
    assert deploy._stack_name(Path(file)) == name


@pytest.mark.parametrize(
    ("text", "milliseconds"), [("2026-01-02T03:04:05Z", 1767323045000), ("2026-01-02T03:04:05+01:00", 1767319445000), ("2026-01-02", 1767312000000)]
)
def test_since_takes_times(text: str, milliseconds: int) -> None:
    assert logs._since(text) == milliseconds


def test_since_takes_durations() -> None:
    assert 3_590_000 < logs._since("1h") - logs._since("2h") < 3_610_000


def test_a_template_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"^template .*/none.yaml cannot be read: No such file or directory$") as caught:
        deploy._template(tmp_path / "none.yaml")
    assert caught.value.code == 2


def test_missing_tools_are_found_by_path(tmp_path: Path) -> None:
    (tmp_path / "nft").touch(mode=0o755)
    names = [tool.name for tool in missing_tools(str(tmp_path))]
    assert names == ["ip", "iptables-nft", "suricata", "envoy"]
    assert all(isinstance(tool, Tool) and tool.fix for tool in missing_tools(str(tmp_path)))


def test_up_names_what_is_missing_and_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "missing_tools", lambda: missing_tools(str(tmp_path))[:2])
    assert main(["--state", str(tmp_path / "s"), "up", "--detach"]) == 1
    line = one_line(capsys)
    assert "ip is not installed (namespaces, links and routes needs it): as root, `apt-get install iproute2`" in line
    assert "nft is not installed" in line
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("version", "enough"), [("6.0.4", False), ("7.0.10", True), ("10.1.0", True)])
def test_doctor_refuses_an_engine_that_is_too_old(version: str, enough: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "suricata"
    engine.write_text(f"#!/bin/sh\necho 'This is Suricata version {version} RELEASE'\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = next(item for item in doctor.programs() if item.check == "suricata")
    assert (finding.ok, version in finding.observed, "7 or later" in finding.fix) == (enough, True, True)


def test_doctor_misses_postgresql_without_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PLACES", (f"{tmp_path}/*/bin",))
    (finding,) = doctor.optional()
    assert (finding.ok, finding.needed, "apt-get install postgresql" in finding.fix) == (False, False, True)
    for version in ("12.9", "15.2", "16.4"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version} (Debian {version}-1)'\n")
            (folder / name).chmod(0o755)
    (finding,) = doctor.optional()
    assert (finding.ok, finding.observed) == (True, "16.4, 15.2")


def test_the_setting_that_forbids_user_namespaces_is_named_with_its_fix(tmp_path: Path) -> None:
    setting = tmp_path / "kernel/apparmor_restrict_unprivileged_userns"
    assert forbidding_setting(tmp_path) == ""
    setting.parent.mkdir()
    setting.write_text("0\n")
    assert forbidding_setting(tmp_path) == ""
    setting.write_text("1\n")
    assert "as root, `sysctl kernel.apparmor_restrict_unprivileged_userns=0`" in forbidding_setting(tmp_path)


def test_the_search_path_has_the_system_folders_once() -> None:
    folders = search_path({"PATH": "/usr/bin:/opt/x"}).split(":")
    assert folders[1:3] == ["/usr/bin", "/opt/x"]
    assert "/usr/sbin" in folders
    assert len(folders) == len(set(folders))
