"""Credentials from the environment or a file: the same names, and no file that others can read."""

import os

import pytest

from runners.secrets.interface import SourceRefused, Vault
from runners.secrets.local import EnvironmentSecrets, FileSecrets


def _file(tmp_path, text: str, mode: int = 0o600) -> FileSecrets:
    path = tmp_path / "secrets.env"
    path.write_text(text)
    path.chmod(mode)
    return FileSecrets(path)


async def _plain(source) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in (await source.read()).items()}


async def test_the_environment_gives_only_what_bears_a_credentials_name():
    environ = {
        "FLY_API_TOKEN": "a",
        "GITHUB_INSTALLATION_TOKEN_ACME": "b",
        "GITHUB_REGISTRATION_TOKEN_ACME_WEB": "c",
        "INFISICAL_CLIENT_ID": "d",
        "AWS_SECRET_ACCESS_KEY": "not ours",
        "PATH": "/bin",
    }
    assert await _plain(EnvironmentSecrets(environ)) == {
        "FLY_API_TOKEN": "a",
        "GITHUB_INSTALLATION_TOKEN_ACME": "b",
        "GITHUB_REGISTRATION_TOKEN_ACME_WEB": "c",
        "INFISICAL_CLIENT_ID": "d",
    }


async def test_a_private_file_is_read_with_comments_quotes_and_several_lines(tmp_path):
    text = (
        "# our secrets\n"
        "\n"
        "FLY_API_TOKEN = FlyV1 fm2_a,b==  \n"
        'export GITHUB_WEBHOOK_SECRET="with \\"quotes\\" and \\\\" # a comment\n'
        'GITHUB_APP_PRIVATE_KEY="-----BEGIN\nAAAA\n-----END\n"\n'
        'ESCAPED="one\\ntwo"\n'
        "EMPTY=\n"
        "  INDENTED=yes # stays"
    )
    assert await _plain(_file(tmp_path, text)) == {
        "FLY_API_TOKEN": "FlyV1 fm2_a,b==",
        "GITHUB_WEBHOOK_SECRET": 'with "quotes" and \\',
        "GITHUB_APP_PRIVATE_KEY": "-----BEGIN\nAAAA\n-----END\n",
        "ESCAPED": "one\ntwo",
        "EMPTY": "",
        "INDENTED": "yes # stays",
    }


async def test_a_file_with_windows_line_ends_reads_the_same(tmp_path):
    assert await _plain(_file(tmp_path, "A=1\r\nB=2\r\n")) == {"A": "1", "B": "2"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666, 0o610])
async def test_a_file_that_others_can_touch_is_refused_with_the_way_to_mend_it(tmp_path, mode):
    source = _file(tmp_path, "FLY_API_TOKEN=do-not-repeat\n", mode)
    with pytest.raises(SourceRefused) as refused:
        await source.read()
    assert f"mode {mode:04o}" in refused.value.why
    assert f"chmod 600 {tmp_path / 'secrets.env'}" in refused.value.next_step
    assert "do-not-repeat" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
async def test_a_file_of_another_user_is_refused(tmp_path):
    source = _file(tmp_path, "A=1\n")
    os.chown(tmp_path / "secrets.env", 4242, 4242)
    with pytest.raises(SourceRefused, match="uid 4242"):
        await source.read()


async def test_a_file_that_is_not_there_or_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(SourceRefused, match="install -m 600"):
        await FileSecrets(tmp_path / "missing.env").read()
    (tmp_path / "dir").mkdir(mode=0o700)
    with pytest.raises(SourceRefused, match="not a regular file"):
        await FileSecrets(tmp_path / "dir").read()
    os.mkfifo(tmp_path / "fifo", mode=0o600)
    with pytest.raises(SourceRefused, match="not a regular file"):
        await FileSecrets(tmp_path / "fifo").read()


@pytest.mark.parametrize(
    "bad", ["do-not-repeat", "1A=do-not-repeat", 'A="do-not-repeat', 'A="x" do-not-repeat']
)
async def test_a_line_that_cannot_be_read_is_named_by_number_and_not_repeated(tmp_path, bad):
    with pytest.raises(SourceRefused) as refused:
        await _file(tmp_path, f"OK=1\n\n{bad}\n").read()
    assert "line 3" in refused.value.why
    assert "do-not-repeat" not in str(refused.value)


async def test_a_file_that_is_no_text_or_far_too_long_is_refused(tmp_path):
    path = tmp_path / "binary"
    path.write_bytes(b"A=\xff\xfe\n")
    path.chmod(0o600)
    with pytest.raises(SourceRefused, match="UTF-8"):
        await FileSecrets(path).read()
    with pytest.raises(SourceRefused, match="longer than"):
        await _file(tmp_path, "A=" + "x" * 1_100_000).read()


async def test_changing_the_file_is_a_rotation(tmp_path, clock):
    vault = Vault(_file(tmp_path, "FLY_API_TOKEN=old\n"), clock, period=30)
    await vault.refresh()
    (tmp_path / "secrets.env").write_text("FLY_API_TOKEN=new\n")
    assert await vault.refresh() == {"FLY_API_TOKEN"}
    (tmp_path / "secrets.env").chmod(0o644)
    with pytest.raises(SourceRefused):
        await vault.refresh()
    assert vault.require("FLY_API_TOKEN").get_secret_value() == "new"
