"""What the stand-in's programs make of their arguments and environment, without a service."""

import os

LISTENER = "bin/Runner.Listener"


async def test_a_folder_that_is_no_runner_ends_with_1(start):
    code, said = await (await start(LISTENER, "run")).end()
    assert (code, "Runner is not configured." in said) == (1, True)


async def test_run_sh_hides_that_the_listener_was_terminated(start):
    code, said = await (await start("run.sh")).end()
    assert code == 0
    assert "Exiting runner..." in said


async def test_a_broken_jit_config_ends_with_1(start, folder):
    for broken in ("not base64!", "bm8ganNvbg==", "W10="):
        code, _ = await (await start(LISTENER, "run", "--jitconfig", broken)).end()
        assert code == 1
    assert not (folder / ".runner").exists()


async def test_a_jit_config_cannot_write_outside_the_folder(start, folder):
    # {"../evil": "eA=="}
    code, _ = await (await start(LISTENER, "run", "--jitconfig", "eyIuLi9ldmlsIjogImVBPT0ifQ==")).end()
    assert code == 1
    assert not (folder.parent / "evil").exists()


async def test_a_flag_the_command_does_not_know_is_complained_about(start):
    _, said = await (await start(LISTENER, "run", "--disableupdate")).end()
    assert "Unrecognized command-line input arguments for command run: 'disableupdate'" in said


async def test_the_wrappers_refuse_root_unless_allowed(start, folder):
    as_root = {"RUNNER_ALLOW_RUNASROOT": ""}
    if os.geteuid() == 0:
        code, said = await (await start("config.sh", env=as_root)).end()
        assert (code, "Must not run with sudo" in said) == (1, True)
    code, said = await (await start("config.sh")).end()
    assert (code, "Invalid configuration provided for url" in said) == (1, True)


async def test_no_default_labels_needs_labels(start):
    code, said = await (
        await start("config.sh", "--no-default-labels", "--url", "http://127.0.0.1:9/acme", "--token", "t")
    ).end()
    assert (code, "needs at least one label" in said) == (1, True)


async def test_a_configured_folder_is_not_configured_again(start, folder):
    (folder / ".runner").write_text("{}")
    code, said = await (await start("config.sh", "--url", "http://127.0.0.1:9/acme", "--token", "t")).end()
    assert (code, "already configured" in said) == (1, True)


async def test_an_unreachable_service_fails_the_configuration(start):
    code, said = await (
        await start("config.sh", "--url", "http://127.0.0.1:9/acme", "--token", "t0ken", "--labels", "fly")
    ).end()
    assert code == 1
    assert "t0ken" not in said
