"""One registration that never goes online: minted, found, refused a second time, removed."""

import pytest
from live_settings import GROUP, told
from throwaway import OWNER, sweep_registrations

from runners.github.errors import NameTaken
from runners.github.registrations import Removal

pytestmark = [pytest.mark.needs(GROUP), pytest.mark.timeout(300)]
LABELS = ("fly-gha-live",)


@pytest.fixture
def scope(live):
    found = next((pool.scope for pool in live.settings.pools if pool.scope.startswith("orgs/")), None)
    assert found, "no pool registers in an organization, and only organizations have runner groups"
    return found


async def test_the_group_is_listed_and_takes_no_public_repositories(live, scope):
    seen = await live.connections.github.scope_seen(scope)
    group = seen.group(told(GROUP))
    assert group, f"{GROUP}: there is {', '.join(each.name for each in seen.groups)}"
    assert not group.allows_public


@pytest.mark.only_reality(
    "that a name is refused (409) while its registration is there",
    "how soon a registration shows in the list, and is gone from it",
)
async def test_a_registration_is_made_once_found_by_name_and_removed_for_good(live, scope):
    github, name = live.connections.github, f"{OWNER}-{live.run}"
    if swept := await sweep_registrations(github, scope):
        live.say(f"swept what an earlier run left: {', '.join(swept)}")
    try:
        made = await github.mint_jit(scope, name, told(GROUP), LABELS)
        assert made.name == name
        assert len(made.jit_config.get_secret_value()) > 100

        seen = await live.until(lambda: github.find_runner(scope, name), within=60)
        assert (seen.github_id, seen.online, seen.busy) == (made.github_id, False, False)

        with pytest.raises(NameTaken):
            await github.mint_jit(scope, name, told(GROUP), LABELS)

        assert await github.delete_runner(scope, made.github_id) is Removal.DELETED
        assert await github.delete_runner(scope, made.github_id) is Removal.ABSENT

        async def absent():
            return await github.find_runner(scope, name) is None

        await live.until(absent, within=60)
    finally:
        if (left := await github.find_runner(scope, name)) is not None:
            await github.delete_runner(scope, left.github_id)
