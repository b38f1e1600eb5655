"""The model hub: search, the files of a repository, the head of a file; all through the network seam."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from app.core.errors import AppError, ModelError, NotFoundError, UsageError
from app.core.gguf import read_head_from
from app.core.hub_names import checked_file_name, checked_repository, checked_revision, printable
from app.host.services.hub_listing import Listing, bad_answer, found_models, listing_of
from app.host.services.network import Answer, Network, NetworkError
from app.host.services.network.access_token import AccessToken
from app.host.services.network.errors import whole_within
from app.host.services.ports import Handler, RequestContext, SettingsPort
from app.protocol.body import Body
from app.protocol.catalogue import CatalogueList, CatalogueModel, ListHubFiles, SearchHub

MAX_ANSWER_BYTES = 32 * 1024 * 1024
MAX_RESULTS = 100
FIRST_HEAD_BYTES = 256 * 1024
MAX_HEAD_BYTES = 16 * 1024 * 1024
_ANY_SIZE = 2**60
_EXPANDED = ("cardData", "downloads", "gated", "gguf", "tags")


@dataclass(frozen=True)
class Patience:
    """How long an answer may take to come whole, however steadily it drips.

    Attributes:
        answer_s: what the hub says.
        head_s: the first part of a file; MAX_HEAD_BYTES over a slow line.
    """

    answer_s: float = 120.0
    head_s: float = 300.0


class Hub:
    """Asks the hub, or its mirror, what the user wants to know."""

    def __init__(
        self,
        network: Network,
        token: AccessToken,
        settings: SettingsPort,
        patience: Patience | None = None,
    ) -> None:
        """Take the seam and the token; nothing is opened."""
        self._network, self._token, self._settings = network, token, settings
        self._patience = patience or Patience()

    @property
    def network(self) -> Network:
        """The seam that it asks through."""
        return self._network

    async def search(self, text: str, limit: int = 30) -> tuple[CatalogueModel, ...]:
        """Find GGUF models by text, the most downloaded first.

        Raises:
            AppError: `network.off`, `network.failed`, `hub.refused`, `hub.limited`, `hub.bad_answer`.
        """
        limit = min(max(limit, 1), MAX_RESULTS)
        query = [("search", text.strip()[:200]), ("filter", "gguf"), ("sort", "downloads")]
        query += [("limit", str(limit)), *(("expand", name) for name in _EXPANDED)]
        url = f"{self._endpoint()}/api/models?{urlencode(query)}"
        return found_models(await self._json(url, f"search of the hub for “{text.strip()}”"), limit)

    async def listing(self, repository: str, revision: str = "") -> Listing:
        """Ask for the files of a repository with sizes and checksums, at a commit that the answer names.

        Raises:
            AppError: those of `search`, `hub.bad_name`, `hub.not_found`, `hub.needs_token`.
        """
        name, revision = checked_repository(repository), checked_revision(revision)
        version = f"/revision/{quote(revision, safe='')}" if revision else ""
        url = f"{self._endpoint()}/api/models/{name}{version}?blobs=true"
        value = await self._json(url, f"list of the files of {name}")
        return await asyncio.to_thread(listing_of, name, value)  # repositories can have thousands of files

    async def head_of(self, repository: str, revision: str, file: str) -> bytes:
        """Fetch the first bytes of a model file until its head is in them, at most MAX_HEAD_BYTES.

        They grow from FIRST_HEAD_BYTES and end where the file does. Whoever reads them as the head of a GGUF
        file must take into account that the file's size is another.

        Raises:
            AppError: those of `listing`, `download.bad_name`.
        """
        checked_file_name(file)
        why = f"first part of {printable(file)} from {repository}, to tell whether it fits"
        url = self.file_url(repository, revision, file)
        headers = {"Range": f"bytes=0-{MAX_HEAD_BYTES - 1}"}
        async with self._network.open_url(url, why, headers, await self._token.get()) as answer:
            await self.refuse_failed(answer, repository)
            async with whole_within(self._patience.head_s, answer.host):
                return await _head_in(answer)

    def file_url(self, repository: str, revision: str, file: str) -> str:
        """Give the address of a file at a revision."""
        name, version = checked_repository(repository), checked_revision(revision) or "main"
        return f"{self._endpoint()}/{name}/resolve/{quote(version, safe='')}/{quote(file)}"

    async def token(self) -> str:
        """Give the user's access token; empty for none."""
        return await self._token.get()

    async def refuse_failed(self, answer: Answer, repository: str) -> None:
        """Raise what an answer of an error's status means.

        Raises:
            AppError: `hub.needs_token`, `hub.not_found`, `hub.limited`, `hub.refused`.
        """
        if answer.status >= 400:
            raise _refusal(answer, repository, bool(await self._token.get()))

    async def _json(self, url: str, why: str) -> Any:
        repository = url.partition("/api/models/")[2].partition("?")[0].partition("/revision/")[0]
        async with self._network.open_url(url, why, token=await self._token.get()) as answer:
            await self.refuse_failed(answer, repository)
            data = await answer.read(MAX_ANSWER_BYTES, self._patience.answer_s)
        if len(data) > MAX_ANSWER_BYTES:
            raise bad_answer()
        try:
            return await asyncio.to_thread(json.loads, data)
        except (ValueError, RecursionError) as error:
            raise bad_answer() from error

    def _endpoint(self) -> str:
        return self._settings.current().hub_endpoint.strip().rstrip("/")


class HubService:
    """Answers front ends about the hub."""

    def __init__(
        self, hub: Hub, advised: Callable[[Listing], Awaitable[CatalogueModel]] | None = None
    ) -> None:
        """Take the hub, and what tells whether a repository's files fit; without it their fit stays None."""
        self._hub, self._advised = hub, advised

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {SearchHub: self._search, ListHubFiles: self._files}

    async def _search(self, request: SearchHub, context: RequestContext) -> CatalogueList:
        if not request.text.strip():
            raise UsageError("hub.empty_search", "Type what to search for.")
        text = request.text.encode("utf-8", "replace").decode()  # what is no text cannot be sent
        return CatalogueList(models=await self._hub.search(text, request.limit))

    async def _files(self, request: ListHubFiles, context: RequestContext) -> CatalogueModel:
        listing = await self._hub.listing(request.repository, request.revision)
        return listing.model if self._advised is None else await self._advised(listing)


async def _head_in(answer: Answer) -> bytes:
    """Read an answer until the head of a GGUF file is in it."""
    data, enough = bytearray(), FIRST_HEAD_BYTES
    async for chunk in answer.chunks():
        data += chunk
        if len(data) >= MAX_HEAD_BYTES:
            break
        if len(data) >= enough:
            if await asyncio.to_thread(holds_head, bytes(data)):
                break
            enough = len(data) * 2
    return bytes(data[:MAX_HEAD_BYTES])


def holds_head(data: bytes) -> bool:
    """Tell whether the bytes hold the whole head of a GGUF file; also true for what is none."""
    file = io.BytesIO(data)
    try:
        read_head_from(file, "head", _ANY_SIZE)
    except ModelError:
        return file.tell() < len(data)  # it makes no sense already, or it only ended too soon
    return True


def _refusal(answer: Answer, repository: str, has_token: bool) -> AppError:
    """Say what an error's status means.

    Source: the hub's header `X-Error-Code`, as huggingface_hub reads it in `hf_raise_for_status`.
    """
    reason = answer.headers.get("x-error-code", "")
    context = {"status": answer.status, "reason": printable(reason, 60)}
    if answer.status == 404 or (answer.status == 401 and reason == "RepoNotFound"):
        return NotFoundError(
            "hub.not_found",
            f"The hub has nothing called {repository}, or does not show it to everybody."
            if repository
            else "There is no model hub at this address.",
            "Check the name; the address of the hub stands in the settings.",
            context,
        )
    if answer.status in (401, 403):
        return _needs_token(repository, reason, has_token, context)
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        is_number = wait.isascii() and wait.isdecimal() and len(wait) < 6
        return NetworkError(
            "hub.limited",
            "The hub takes no more requests from here for a while.",
            f"Try again in {wait} seconds." if is_number else "Try again in some minutes.",
            context,
        )
    return NetworkError(
        "hub.refused",
        f"The hub answered with an error ({answer.status}).",
        "Try again later." if answer.status >= 500 else "Check the address of the model hub in the settings.",
        context,
    )


def _needs_token(repository: str, reason: str, has_token: bool, context: Mapping[str, Any]) -> NetworkError:
    what = repository or "this"
    if not has_token:
        return NetworkError(
            "hub.needs_token",
            f"The owner of {what} wants to know who downloads it.",
            "Accept the terms on its page on the hub, make an access token in your account there, give it "
            "to the program.",
            context,
        )
    if reason == "GatedRepo":
        return NetworkError(
            "hub.needs_token",
            f"Your account on the hub has no access to {what} yet.",
            "Open its page on the hub while logged in, and accept the terms; some owners answer by hand.",
            context,
        )
    return NetworkError(
        "hub.needs_token",
        "The hub does not take the access token that the program has.",
        "Make a new one in your account on the hub, and give it to the program in the settings.",
        context,
    )
