"""The three credentials of a runner fleet: App JWT, installation token, registration token.

As GitHub documents them. All checks use the simulator's clock. Their lifetimes are those of
reality at every time scale: clients judge them by the `expires_at` they were given.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jwt

from simulator.clock import Clock
from simulator.draws import Draws
from simulator.github.accounts import Directory, Repository
from simulator.github.problems import GitHubProblem, bad_credentials, forbidden, not_found

JWT_MAX_AHEAD = 600.0
IAT_LEEWAY = 5.0
INSTALLATION_TOKEN_LIFE = 3_600.0
REGISTRATION_TOKEN_LIFE = 3_600.0
# Documented examples of registration tokens carry Pacific time and milliseconds: clients must parse that.
PACIFIC = timezone(timedelta(hours=-8))
_LEVELS = {"read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True, slots=True)
class InstallationToken:
    """What one installation token may do.

    Attributes:
        repository_ids: the repositories it was narrowed to, or None for all of the installation.
    """

    secret: str = field(repr=False)
    installation_id: int
    permissions: Mapping[str, str]
    repository_ids: frozenset[int] | None
    expires_at: float

    def require(self, permission: str, level: str, repository: Repository | None = None) -> None:
        """Check one permission, and that the repository is within reach.

        Raises:
            GitHubProblem: 404 for a repository outside the narrowing, 403 without the permission.
        """
        if (
            repository is not None
            and self.repository_ids is not None
            and repository.id not in self.repository_ids
        ):
            raise not_found()
        if _LEVELS.get(self.permissions.get(permission, ""), 0) < _LEVELS[level]:
            raise forbidden(f"{permission}={level}")


class Tokens:
    """Mints and checks.

    Args:
        clock: tells now.
        draws: token texts.
        app_id: what `iss` of the App JWT must say.
        app_public_key: PEM of the key that checks the App JWT.
        directory: knows the installation and its repositories.
        marker: part of every token.
    """

    def __init__(
        self,
        clock: Clock,
        draws: Draws,
        app_id: int,
        app_public_key: str,
        directory: Directory,
        marker: str = "",
    ) -> None:
        self._clock = clock
        self._draws = draws
        self._minted = 0
        self._app_id = app_id
        self._key = app_public_key
        self._directory = directory
        self._marker = marker
        self._installation: dict[str, InstallationToken] = {}
        self._registration: dict[str, tuple[str, float]] = {}

    def add_user(self, secret: str) -> None:
        """Accept a person's own token, which may do what its owner may, with no end."""
        self._installation[secret] = InstallationToken(
            secret=secret,
            installation_id=self._directory.installation.id,
            permissions={"actions": "write", "metadata": "read"},
            repository_ids=None,
            expires_at=float("inf"),
        )

    def check_app_jwt(self, token: str) -> None:
        """Accept an RS256 JWT of this App that lives at most ten minutes from now.

        Raises:
            GitHubProblem: 401 with GitHub's words.
        """
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
            )
        except jwt.PyJWTError as wrong:
            raise bad_credentials("A JSON web token could not be decoded") from wrong
        now = self._clock.now()
        if str(claims.get("iss")) != str(self._app_id):
            raise GitHubProblem(404, "Integration not found")
        if not isinstance(claims.get("iat"), int) or claims["iat"] > now + IAT_LEEWAY:
            raise bad_credentials(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was "
                "issued"
            )
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= now:
            raise bad_credentials(
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at "
                "which the assertion expires"
            )
        if claims["exp"] > now + JWT_MAX_AHEAD:
            raise bad_credentials("'Expiration time' claim ('exp') is too far in the future")

    def mint_installation(
        self,
        installation_id: int,
        *,
        repositories: Sequence[str] | None,
        repository_ids: Sequence[int] | None,
        permissions: Mapping[str, str] | None,
    ) -> InstallationToken:
        """Mint a token for one hour, narrowed as asked.

        Raises:
            GitHubProblem: 404 unknown installation, 422 more than the installation has.
        """
        installation = self._directory.installation
        if installation_id != installation.id:
            raise not_found()
        granted = installation.permissions
        asked = dict(permissions) if permissions else dict(granted)
        if any(
            _LEVELS.get(level, 9) > _LEVELS.get(granted.get(name, ""), 0) for name, level in asked.items()
        ):
            raise _too_much("permissions", "The permissions requested are not granted to this installation.")
        token = InstallationToken(
            secret=self._text(f"ghs_{self._app_id}_", 240),
            installation_id=installation_id,
            permissions={"metadata": "read", **asked},
            repository_ids=self._narrowed(repositories, repository_ids),
            expires_at=self._clock.now() + INSTALLATION_TOKEN_LIFE,
        )
        self._installation[token.secret] = token
        return token

    def check_installation(self, secret: str) -> InstallationToken:
        """The token of that text.

        Raises:
            GitHubProblem: 401 unknown or expired.
        """
        token = self._installation.get(secret)
        if token is None or token.expires_at <= self._clock.now():
            raise bad_credentials()
        return token

    def mint_registration(self, scope: str) -> tuple[str, float]:
        """A registration token for `orgs/acme` or `repos/acme/web`, and when it expires."""
        secret, expires_at = self._text("A", 28), self._clock.now() + REGISTRATION_TOKEN_LIFE
        self._registration[secret] = (scope, expires_at)
        return secret, expires_at

    def check_registration(self, secret: str, scope: str) -> None:
        """Accept a registration token as often as it is shown within its hour.

        Raises:
            GitHubProblem: 404, as the real service answers a wrong token.
        """
        known, expires_at = self._registration.get(secret, ("", 0.0))
        if known.lower() != scope.lower() or expires_at <= self._clock.now():
            raise not_found()

    def _narrowed(self, names: Sequence[str] | None, ids: Sequence[int] | None) -> frozenset[int] | None:
        if names is None and ids is None:
            return None
        by_name = {repository.name.lower(): repository.id for repository in self._directory.repositories}
        wanted = {by_name.get(name.lower(), 0) for name in names or ()} | set(ids or ())
        if not wanted <= set(by_name.values()):
            raise _too_much(
                "repositories",
                "There is at least one repository that does not exist or is not accessible to the parent "
                "installation.",
            )
        return frozenset(wanted)

    def _text(self, prefix: str, length: int) -> str:
        """A token text from the seeded chance: a run of the same seed mints the same tokens."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        self._minted += 1
        return (
            prefix + self._marker + "".join(self._draws.of("token", self._minted).choices(alphabet, k=length))
        )


def same_secret(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return secrets.compare_digest(one.encode(), other.encode())


def expiry_of_installation_token(at: float) -> str:
    """`expires_at` as githubkit insists on it: no fraction, a literal Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expiry_of_registration_token(at: float) -> str:
    """`expires_at` as the documented example of a registration token writes it."""
    return datetime.fromtimestamp(at, PACIFIC).isoformat(timespec="milliseconds")


def _too_much(field_name: str, message: str) -> GitHubProblem:
    error: dict[str, Any] = {"resource": "AccessToken", "field": field_name, "code": "custom"}
    return GitHubProblem(422, message, errors=[{**error, "message": message}])
