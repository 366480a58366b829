"""What README.md and docs/ promise is there: links, files, settings, worlds, and the demo's own words."""

import re
import tomllib
from pathlib import Path

import pytest

from runners.cli.demo.follow import STORY
from runners.cli.demo.script import write_script
from runners.fleet_file import check_settings
from runners.github.app_auth import ORGANIZATION_PERMISSIONS, REPOSITORY_PERMISSIONS
from runners.secrets.names import CREDENTIALS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "machines/runner/README.md",
    ROOT / "tests/live/README.md",
    *(ROOT / "docs").glob("*.md"),
]
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
DOCUMENT = re.compile(r"docs/[a-z_]+\.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = ("fly", "machines", "runners", "simulator", "mcp_server", "tools", "tests")
# Working notes and fact sheets are not part of the repository, so nothing in it may send a reader there.
ELSEWHERE = re.compile(r"\bfacts/[a-z]+|\bDESIGN(\.md| §)|contracts\.md|\.\./shared|specs/README")


def sources():
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if (
                path.suffix in (".py", ".toml", ".md", ".sh")
                and "data" not in path.parts
                and path != Path(__file__)
            ):
                yield path


def anchors(text):
    """The anchors GitHub makes of a page's headings."""
    found = HEADING.findall(FENCED.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(FENCED.sub("", text)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(to.read_text(encoding="utf-8")), f"{page.name} links to {target}"


def test_every_document_that_anything_names_exists():
    for path in [*PAGES, *sources()]:
        for name in DOCUMENT.findall(path.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"


def test_nothing_sends_the_reader_to_what_is_not_in_the_repository():
    for path in [*PAGES, *sources(), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        found = ELSEWHERE.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found[0]}"


def test_the_fleet_file_of_the_readme_is_a_fleet():
    blocks = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    settings = check_settings(tomllib.loads(blocks[0]), "README.md")
    assert [pool.served_labels for pool in settings.pools] == [("fly-gha-medium",), ("fly-gha-small",)]
    assert {pool.registration for pool in settings.pools} == {"jit", "token"}
    assert all((ROOT / f"machines/{pool.class_name}.toml").is_file() for pool in settings.pools)


def test_the_smaller_setup_of_the_readme_is_a_fleet_too():
    block = re.search(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)[1]
    document = tomllib.loads(block)
    document["fleet"]["secrets"], document["github"]["credentials"] = "local", "app"
    del document["infisical"]
    check_settings(document, "README.md")


def test_the_readme_names_every_right_the_app_needs_and_no_other():
    steps = README.partition("## Point it at real")[2].partition("**2. Fly.**")[0]
    named = set(re.findall(r"\(`([a-z_]+)`\)", steps))
    assert named == set(ORGANIZATION_PERMISSIONS) | set(REPOSITORY_PERMISSIONS)


def test_the_readme_names_only_credentials_that_exist():
    shouted = set(re.findall(r"\b((?:FLY|GITHUB|INFISICAL)_[A-Z_]+[A-Z])\b", README))
    variables = {"FLY_GHA_FLEET__SECRETS_FILE", "FLY_GHA_TOKEN_FILE", "FLY_GHA", "FLY_API_HOSTNAME"}
    variables |= {"FLY_GHA_STATUS_TOKEN_FILE"}
    variables |= {"GITHUB_API_URL", "GITHUB_SERVER_URL", "INFISICAL_API_URL"}
    assert shouted - variables <= set(CREDENTIALS)


def test_the_excerpt_of_the_demo_is_in_the_demos_own_words():
    """Durations differ from run to run; the words are the program's."""
    excerpt = re.search(r"^```text\n(One job.*?)^```", README, re.DOTALL | re.MULTILINE)[1]
    lines = excerpt.splitlines()
    phases = [line for line in lines if re.match(r"  [a-z_]+ +(\+\d|[a-z])", line) and ": " not in line[:12]]
    told = {line.split()[0]: line[25:].strip() for line in phases if line.split()[0] in STORY}
    assert told == STORY
    script = write_script(1, 20)
    assert f"{len(script.jobs)} jobs, {len(script.faults)} faults" in lines
    armed = {line.removeprefix("  armed: ") for line in lines if line.startswith("  armed: ")}
    assert armed <= {fault.says for fault in script.faults}
    assert f"all {len(script.faults)} scripted faults fired" in excerpt


def test_pictures_and_excerpts_fit_a_terminal():
    for page in PAGES:
        for block in re.findall(r"^```text\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            assert max(len(line) for line in block.splitlines()) <= 88


def test_what_the_readme_says_is_not_built_is_not_built():
    """When one of these fails, the README has good news to tell."""
    pins = tomllib.loads((ROOT / "machines/runner/pins.toml").read_text())
    assert pins["read_at"] == pins["base"]["digest"] == ""
