"""GitHub: repositories, their branches, tags, releases, and who likes them."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.github.service import (
    MINE,
    REPOSITORY,
    Account,
    Done,
    GithubBase,
    GithubListBase,
    InRepository,
    in_repository,
    listed,
    repository,
)
from backend.sdk import Example, Json, pin, pins
from backend.sdk.calling import Makes
from backend.sdk.graphql import ask
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import many, record

_IN: Final = {"repo_url": REPOSITORY, "credentials": MINE}
_MOST_DISCUSSIONS: Final = 100
_DISCUSSIONS: Final = """
query($owner: String!, $name: String!, $most: Int!) {
  repository(owner: $owner, name: $name) {
    discussions(first: $most) { nodes { title url } }
  }
}
"""


_BRANCH_SHAPE: Final = record({"name": str, "url": str})
_STARGAZER_SHAPE: Final = record({"username": str, "url": str})
_DISCUSSION_SHAPE: Final = record({"title": str, "url": str})


class GithubCreateRepositoryBlock(Makes, GithubBase):
    """Makes a repository at GitHub, of the account whose token it is."""

    id = "029ec3b8-1cfd-46d3-b6aa-28e4a706efd1"
    examples = (
        Example(
            inputs={"name": "dogs", "gitignore_template": "Python", "credentials": MINE},
            outputs=[
                ("url", "https://github.com/ann/dogs"),
                ("clone_url", "https://github.com/ann/dogs.git"),
            ],
        ),
        Example(inputs={"name": "cats", "credentials": MINE}, error="name already exists"),
    )

    @pins
    class Input(Account):
        """Input pins."""

        name: str = pin(description="Its name.")
        description: str = pin(default="", description="What it is for.")
        private: bool = pin(default=False, description="Others do not see it.")
        auto_init: bool = pin(default=True, description="It begins with a README.")
        gitignore_template: str = pin(
            default="", description="The language whose leavings git ignores, such as Python."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        url: str = pin(description="Its address.")
        clone_url: str = pin(description="The address to clone it from.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it."""
        value: Json = {
            "name": inputs.name,
            "description": inputs.description,
            "private": inputs.private,
            "auto_init": inputs.auto_init,
            **(
                {"gitignore_template": inputs.gitignore_template}
                if inputs.gitignore_template
                else {}
            ),
        }
        made = await calls.object("POST", "user/repos", value=value)
        return {
            "url": calls.need(made, str, "html_url"),
            "clone_url": calls.need(made, str, "clone_url"),
        }


class GithubMakeBranchBlock(Makes, GithubBase):
    """Makes a branch in a repository at GitHub, where another one is."""

    id = "944cc076-95e7-4d1b-b6b6-b15d8ee5448d"
    examples = (
        Example(
            inputs={**_IN, "new_branch": "hiss", "source_branch": "main"},
            outputs=[("status", "Branch created successfully")],
        ),
        Example(inputs={**_IN, "new_branch": "hiss", "source_branch": "gone"}, error="status 404"),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        new_branch: str = pin(description="Its name.")
        source_branch: str = pin(description="The branch where it begins.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Make it."""
        path = in_repository(inputs.repo_url, "git", "ref", "heads", *_parts(inputs.source_branch))
        source = await calls.object("GET", path)
        value: Json = {
            "ref": f"refs/heads/{inputs.new_branch}",
            "sha": calls.need(source, str, "object", "sha"),
        }
        await calls.object("POST", in_repository(inputs.repo_url, "git", "refs"), value=value)
        return {"status": "Branch created successfully"}


def _parts(branch: str) -> list[str]:
    """Return the parts of the name of a branch: a slash in it stays one in the address."""
    return branch.strip().split("/")


class GithubDeleteBranchBlock(Makes, GithubBase):
    """Deletes a branch of a repository at GitHub."""

    id = "0d4130f7-e0ab-4d55-adc3-0a40225e80f4"
    sensitive = False
    examples = (
        Example(
            inputs={**_IN, "branch": "old/hiss"},
            outputs=[("status", "Branch deleted successfully")],
        ),
        Example(inputs={**_IN, "branch": "gone"}, error="Reference does not exist"),
        Example(inputs={**_IN, "branch": "a/../b"}, error="'..' cannot stand in an address"),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        branch: str = pin(description="Its name.")

    Output = Done

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Delete it."""
        path = in_repository(inputs.repo_url, "git", "refs", "heads", *_parts(inputs.branch))
        await calls.send("DELETE", path)
        return {"status": "Branch deleted successfully"}


class GithubListBranchesBlock(GithubListBase):
    """Lists the branches of a repository at GitHub; 1,000 at the most."""

    id = "74243e49-2bec-4916-8bf4-db43d44aead5"
    each, every = "branch", "branches"
    examples = (
        Example(
            inputs=_IN,
            outputs=[
                ("branches", [{"name": "main", "url": f"{REPOSITORY}/tree/main"}]),
                ("branch", {"name": "main", "url": f"{REPOSITORY}/tree/main"}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        branch: dict[str, Any] = pin(schema=_BRANCH_SHAPE, description="One of them.")
        branches: list[dict[str, Any]] = pin(
            schema=many(_BRANCH_SHAPE, "BranchItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them."""
        return await _trees(calls, inputs.repo_url, "branches")


class GithubListTagsBlock(GithubListBase):
    """Lists the tags of a repository at GitHub; 1,000 at the most."""

    id = "358924e7-9a11-4d1a-a0f2-13c67fe59e2e"
    each, every = "tag", "tags"
    examples = (
        Example(
            inputs=_IN,
            outputs=[
                ("tags", [{"name": "v1", "url": f"{REPOSITORY}/tree/v1"}]),
                ("tag", {"name": "v1", "url": f"{REPOSITORY}/tree/v1"}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        tag: dict[str, Any] = pin(schema=_BRANCH_SHAPE, description="One of them.")
        tags: list[dict[str, Any]] = pin(
            schema=many(_BRANCH_SHAPE, "TagItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them."""
        return await _trees(calls, inputs.repo_url, "tags")


async def _trees(calls: ServiceCalls, place: str, kind: str) -> list[dict[str, Any]]:
    """Return the branches or tags of a repository, each with the address where people look at it."""
    owner, name = repository(place)
    root = f"https://github.com/{owner}/{name}/tree/"
    found = await listed(calls, in_repository(place, kind))
    names = [calls.need(each, str, "name") for each in found]
    return [{"name": each, "url": root + each} for each in names]


class GithubListReleasesBlock(GithubListBase):
    """Lists the releases of a repository at GitHub, the newest first; 1,000 at the most."""

    id = "3460367a-6ba7-4645-8ce6-47b05d040b92"
    each, every = "release", "releases"
    examples = (
        Example(
            inputs=_IN,
            outputs=[
                ("releases", [{"name": "First", "url": f"{REPOSITORY}/releases/tag/v1"}]),
                ("release", {"name": "First", "url": f"{REPOSITORY}/releases/tag/v1"}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        release: dict[str, Any] = pin(schema=_BRANCH_SHAPE, description="One of them.")
        releases: list[dict[str, Any]] = pin(
            schema=many(_BRANCH_SHAPE, "ReleaseItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them; one without a name goes by its tag."""
        return [
            {
                "name": each.get("name") or calls.need(each, str, "tag_name"),
                "url": calls.need(each, str, "html_url"),
            }
            for each in await listed(calls, in_repository(inputs.repo_url, "releases"))
        ]


class GithubListStargazersBlock(GithubListBase):
    """Lists who has starred a repository at GitHub, the first ones first; 1,000 at the most."""

    id = "a4b9c2d1-e5f6-4g7h-8i9j-0k1l2m3n4o5p"
    each, every = "stargazer", "stargazers"
    examples = (
        Example(
            inputs=_IN,
            outputs=[
                ("stargazers", [{"username": "cy", "url": "https://github.com/cy"}]),
                ("stargazer", {"username": "cy", "url": "https://github.com/cy"}),
            ],
        ),
    )

    Input = InRepository

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        stargazer: dict[str, Any] = pin(schema=_STARGAZER_SHAPE, description="One of them.")
        stargazers: list[dict[str, Any]] = pin(
            schema=many(_STARGAZER_SHAPE, "StargazerItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: InRepository) -> list[dict[str, Any]]:
        """List them."""
        return [
            {"username": calls.need(each, str, "login"), "url": calls.need(each, str, "html_url")}
            for each in await listed(calls, in_repository(inputs.repo_url, "stargazers"))
        ]


class GithubListDiscussionsBlock(GithubListBase):
    """Lists the latest discussions of a repository at GitHub."""

    id = "3ef1a419-3d76-4e07-b761-de9dad4d51d7"
    each, every = "discussion", "discussions"
    examples = (
        Example(
            inputs={**_IN, "num_discussions": 1},
            outputs=[
                ("discussions", [{"title": "Why", "url": f"{REPOSITORY}/discussions/3"}]),
                ("discussion", {"title": "Why", "url": f"{REPOSITORY}/discussions/3"}),
            ],
        ),
        Example(
            inputs={"repo_url": "ann/gone", "credentials": MINE},
            error="Could not resolve to a Repository",
        ),
        Example(inputs={**_IN, "num_discussions": 0}, error="num_discussions is 1 to 100"),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        num_discussions: int = pin(default=5, description="How many; 100 at the most.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        discussion: dict[str, Any] = pin(schema=_DISCUSSION_SHAPE, description="One of them.")
        discussions: list[dict[str, Any]] = pin(
            schema=many(_DISCUSSION_SHAPE, "DiscussionItem"), description="All of them."
        )

    async def work(self, calls: ServiceCalls, inputs: Input) -> list[dict[str, Any]]:
        """List them."""
        if not 1 <= inputs.num_discussions <= _MOST_DISCUSSIONS:
            raise ValueError("num_discussions is 1 to 100")
        owner, name = repository(inputs.repo_url)
        variables: dict[str, Json] = {"owner": owner, "name": name, "most": inputs.num_discussions}
        found: Mapping[str, Any] = await ask(calls, _DISCUSSIONS, variables)
        place = calls.need(found, dict, "repository", "discussions")
        return [
            {"title": calls.need(each, str, "title"), "url": calls.need(each, str, "url")}
            for each in calls.entries(place, "nodes")
        ]
