"""JupyterLab on a copy of the notebooks, a headless browser, and a hand that works a panel as a person
would.
"""

import contextlib
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]  # as root, in a container, without a screen ...
FLAGS += [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]  # ... and without the network
PATIENCE = 60  # seconds for anything that a panel does: two cores may have other work


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A copy of the notebooks, without outputs, beside what they need."""
    course = tmp_path_factory.mktemp("course")
    shutil.copytree(
        ROOT / "notebooks", course / "notebooks", ignore=shutil.ignore_patterns(".ipynb_checkpoints")
    )
    for path in (course / "notebooks").rglob("*.ipynb"):
        _clear(path)
    for name in ("vizlib", "data", "requirements.txt"):
        (course / name).symlink_to(ROOT / name)
    return course


@pytest.fixture(scope="session")
def lab(tmp_path_factory, course):
    """The address of a JupyterLab that shows the notebooks of `course`, whatever the settings of the person
    are.
    """
    home = tmp_path_factory.mktemp("home")
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {f"JUPYTERLAB_{name}_DIR": str(home / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
    ]
    command += [
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={course / 'notebooks'}",
        "--IdentityProvider.token=",
    ]
    # a notebook's kernel holds more than 1 GB: it ends soon after its page is closed
    kernels = "--MappingKernelManager.cull_"
    command += [f"{kernels}idle_timeout=5", f"{kernels}interval=5"]
    log = home / "jupyterlab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command,
            cwd=course,
            env={**os.environ, **folders, "HOME": str(home), "IPYTHONDIR": str(home)},
            stdout=output,
            stderr=output,
        )
    try:
        address = f"http://127.0.0.1:{port}/lab"
        _until(lambda: _answers(address, server), "JupyterLab to start", what_else=log.read_text)
        yield address
    finally:
        server.terminate()  # JupyterLab ends its kernels itself
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()


def _clear(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _answers(address, server):
    assert server.poll() is None, f"JupyterLab ended with status {server.returncode}"
    with contextlib.suppress(urllib.error.URLError, ConnectionError):
        return urllib.request.urlopen(address, timeout=10).status == 200


def _until(condition, what, *, timeout=PATIENCE, pause=time.sleep, what_else=lambda: ""):
    """Ask again and again until the condition holds."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {timeout} s for {what}\n{what_else()}"
        pause(0.05)
    return found


@pytest.fixture(scope="session")
def browser():
    """$VIZLIB_BROWSER, an installed Chromium or Chrome, or playwright's own. Without any the tests are
    skipped, but not on CI.
    """
    candidates = [
        os.environ.get("VIZLIB_BROWSER"),
        *map(shutil.which, ("chromium", "chromium-browser", "google-chrome")),
    ]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=next(filter(None, candidates), None), args=FLAGS
            )
        except Error as problem:
            remedy = (
                "install one: apt-get install chromium, or python -m playwright install chromium; "
                "or set VIZLIB_BROWSER to its path"
            )
            refuse = pytest.fail if os.environ.get("CI") else pytest.skip
            refuse(f"No browser starts ({problem.message.splitlines()[0]}); {remedy}.")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def run_notebook(lab, course, browser):
    """run_notebook(name): open a notebook in JupyterLab, run all its cells (or those above the one with a
    text) and return the page.
    """
    with contextlib.ExitStack() as pages:

        def run(name, above=None):
            page = pages.enter_context(
                contextlib.closing(browser.new_page(viewport={"width": 1280, "height": 800}))
            )
            page.goto(f"{lab}/tree/{name}?reset")
            cells = [
                cell
                for cell in json.loads((course / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
                if cell["cell_type"] == "code"
            ]
            expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(
                len(cells), timeout=PATIENCE * 1000
            )
            page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(
                timeout=PATIENCE * 1000
            )
            if above:
                cells = list(itertools.takewhile(lambda cell: above not in "".join(cell["source"]), cells))
                page.locator(".jp-Notebook .jp-CodeCell").nth(len(cells)).locator(".jp-InputPrompt").click()

            def pause(seconds):  # unlike sleep it lets the page do its work
                page.wait_for_timeout(1000 * seconds)

            def started():  # a click that comes before JupyterLab is quite ready has no effect
                page.get_by_role("menuitem", name="Run", exact=True).click()
                page.get_by_role(
                    "menuitem", name="Run All Above Selected Cell" if above else "Run All Cells", exact=True
                ).click()
                pause(2)
                return any(_prompts(page))

            _until(started, f"{name} to start", pause=pause)
            _until(
                lambda: sum(p.isdigit() for p in _prompts(page)) == len(cells),
                f"{name} to run",
                timeout=10 * PATIENCE,  # a whole lesson, on cores that may have other work
                pause=pause,
            )
            return page

        yield run


def _prompts(page):
    """What stands before each code cell: its number, * while it waits, or nothing."""
    return [
        prompt.strip("[]: ")
        for prompt in page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all_text_contents()
    ]


class Hand:
    """Works the panel of a page: .label, .thumbnail(name), .choose(menu, option), .upload(path), .stop;
    `picture()` is what it shows.
    """

    def __init__(self, page):
        self.page = page
        self.box = page.locator(
            ".jp-OutputArea-output > .widget-vbox", has=page.get_by_role("button", name="Stop", exact=True)
        )
        self.image, self.status = self.box.locator("img"), self.box.get_by_role("status")
        self.stop = self.box.get_by_role("button", name="Stop", exact=True)
        self.bar = self.box.locator(".progress-bar")
        self.label = self.box.get_by_label("label", exact=True)
        self.image.scroll_into_view_if_needed()

    def thumbnail(self, name):
        return self.box.locator(f"button.vizlib-{name}")

    def choose(self, menu, option):
        self.box.get_by_label(menu, exact=True).select_option(option)

    def upload(self, path):
        with self.page.expect_file_chooser() as chooser:
            self.box.get_by_role("button", name="your own picture").click()
        chooser.value.set_files(path)

    def picture(self):
        """The bytes of the picture as text, or "" while the browser has not decoded it or is just exchanging
        it.
        """
        return self.image.evaluate(
            """async image => {
                if (!image.complete || !image.naturalWidth) return "";
                const bytes = await fetch(image.src)
                    .then(answer => answer.arrayBuffer()).catch(() => new ArrayBuffer());
                return Array.from(new Uint8Array(bytes)).join();
            }"""
        )

    def until(self, condition, what, timeout=PATIENCE):
        pause = lambda seconds: self.page.wait_for_timeout(1000 * seconds)  # noqa: E731, events of the page are handled meanwhile
        return _until(
            condition,
            what,
            timeout=timeout,
            pause=pause,
            what_else=lambda: f"status: {self.status.inner_text()}",
        )

    @contextlib.contextmanager
    def redraws(self, what="the picture"):
        """with hand.redraws(): what is done inside gives another picture, and the panel comes to rest."""
        before, start = self.picture(), time.monotonic()
        yield
        self.until(lambda: self.picture() not in ("", before), f"{what} to change")
        print(f"{what} changed after {time.monotonic() - start:.2f} s", end="; ")
        expect(self.stop).to_be_disabled(timeout=PATIENCE * 1000)
        print(self.status.inner_text())


@pytest.fixture(scope="session")
def hand():
    """hand(page): a Hand for the panel of this page."""
    return Hand
