"""The files that rent a GPU: what goes in, what comes out, the price first; read without their tools."""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from string import Template

import pytest
import yaml

from lessons_lib.commands import arguments
from lessons_lib.models import bases

FOLDER = Path(__file__).resolve().parents[1] / "notebooks" / "rented"
TASK = yaml.safe_load((FOLDER / "skypilot.yaml").read_text())
STAND_IN = (
    f"#!{sys.executable}\n"
    + """
import json, sys
from pathlib import Path
with open("calls.jsonl", "a") as file:
    print(json.dumps([Path(sys.argv[0]).name, *sys.argv[1:]]), file=file)
Path("course.zip").touch()
"""
)


def training(script, values):
    """Return the options of the `lessons train` in a shell script, as the command's own parser reads them."""
    line = re.search(r"lessons (train .*?)(?: &&)?\n", script)[1]
    return arguments.parser().parse_args(shlex.split(Template(line).substitute(values)))


def test_skypilot_brings_the_course_and_the_pictures_and_says_where_the_run_is():
    assert TASK["workdir"] == "." and TASK["file_mounts"] == {"~/pictures": "./my_pictures"}
    options = training(TASK["run"], TASK["envs"])
    assert str(options.folder) == "~/pictures" and options.trigger == TASK["envs"]["TRIGGER"]
    assert bases.find(options.base).trainable
    assert f"rsync -av lessons:~/sky_workdir/{options.out} runs/" in (FOLDER / "skypilot.yaml").read_text()


def test_skypilot_has_only_keys_of_its_task_and_the_token_is_a_secret():
    """The keys of SkyPilot's schema that the task uses; SkyPilot 0.14.1 read it, and its dry run ended."""
    assert list(TASK) == ["name", "workdir", "file_mounts", "envs", "secrets", "resources", "setup", "run"]
    assert TASK["secrets"] == {"HF_TOKEN": ""}
    assert set(TASK["resources"]) == {"accelerators", "disk_size", "autostop"}
    subprocess.run(["sh", "-n", "-c", TASK["setup"] + TASK["run"]], check=True)


def calls(folder, *more):
    """Return what the script of Hugging Face Jobs calls, with a `hf` and a `make` that only note it."""
    (folder / "bin").mkdir()
    for name in ("hf", "make"):
        (folder / "bin" / name).write_text(STAND_IN)
        (folder / "bin" / name).chmod(0o755)
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    command = ["sh", str(FOLDER / "hf_jobs.sh"), "my_pictures", "v4se", "ME/v4se", *more]
    subprocess.run(command, cwd=folder, env=env, check=True)
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text().splitlines()]


def job(call):
    """Return the options of an `hf jobs run`, as its help lists them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs=3)
    for name in ("--flavor", "--timeout"):
        parser.add_argument(name, required=True)
    for name in ("--secrets", "--volume", "--env"):
        parser.add_argument(name, action="append")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser.parse_args(call)


def test_a_job_tells_the_price_and_rents_nothing_unless_it_is_said(tmp_path):
    prices, zipped, run = calls(tmp_path)
    assert prices == ["hf", "jobs", "hardware"] and zipped == ["make", "zip"]
    assert job(run).dry_run and (tmp_path / ".job" / "course.zip").exists()


def test_a_job_brings_the_course_and_the_pictures_and_the_run_comes_back(tmp_path):
    *_, run, download = calls(tmp_path, "--rent")
    assert not job(run).dry_run and job(run).secrets == ["HF_TOKEN"]
    assert job(run).volume == ["./.job:/course", "my_pictures:/pictures"]
    values = dict(pair.split("=", 1) for pair in job(run).env)
    script = job(run).command[-1]
    options = training(script, values)
    assert (str(options.folder), options.trigger) == ("/pictures", "v4se") and bases.find(
        options.base
    ).trainable
    assert "/course/course.zip" in script and f'hf upload --private "$REPOSITORY" {options.out}' in script
    assert download == ["hf", "download", "ME/v4se", "--local-dir", "runs/v4se"]


@pytest.mark.parametrize(
    "line", re.findall(r"^accelerate launch .*", (FOLDER.parent / "BIGGER_MACHINES.md").read_text(), re.M)
)
def test_the_commands_for_several_gpus_are_read_by_accelerate(line):
    from accelerate.commands.launch import launch_command_parser

    words = shlex.split(line)
    read = launch_command_parser().parse_args(words[2:])
    assert read.module and read.training_script == "lessons_lib"
    arguments.parser().parse_args(read.training_script_args)
