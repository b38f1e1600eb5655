"""`h2ogpt library`: list and remove files, list and change collections."""

import argparse
from collections.abc import AsyncIterator
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import file_name, print_json, print_words
from app.client import HostClient
from app.core.errors import NotFoundError
from app.protocol.library import (
    Collection,
    CreateCollection,
    DeleteCollection,
    FileEntry,
    ListCollections,
    ListFiles,
    RemoveFiles,
    RenameCollection,
)

PAGE_SIZE = 1000


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every file with its state and reason")
    arguments.add_collection(listing, "only the files of this collection")
    removing = actions.add_parser("remove", help="remove files from the library, never from the disk")
    removing.add_argument("paths", nargs="+", metavar="PATH", help="a file, or a folder with all below it")
    collections = actions.add_parser("collections", help="every collection; create, rename or delete one")
    change = collections.add_mutually_exclusive_group()
    change.add_argument("--create", metavar="NAME", help="create a collection")
    change.add_argument("--rename", nargs=2, metavar=("OLD", "NEW"), help="rename a collection")
    change.add_argument("--delete", metavar="NAME", help="delete a collection with its files' entries")
    for action in (listing, removing, collections):
        arguments.add_data_dir(action)
        arguments.add_json(action)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Do the action."""
    if options.action == "list":
        await _list(options, client)
    elif options.action == "remove":
        await _remove(options, client)
    else:
        await _change_collections(options, client)
        await _list_collections(options, client)
    return arguments.DONE


async def _list(options: argparse.Namespace, client: HostClient) -> None:
    collection_id = (await _collection(client, options.collection)).id if options.collection else None
    names = {collection.id: collection.name for collection in await _collections(client)}
    async for file in _files(client, collection_id):
        name = names.get(file.collection_id, "")
        if options.json:
            print_json(asdict(file) | {"collection": name})
        else:
            reason = f"\n    {file.reason}" if file.reason else ""
            print_words(f"{file.state.value:<12}{file_name(file.path)}  [{name}]{reason}")


async def _files(client: HostClient, collection_id: int | None) -> AsyncIterator[FileEntry]:
    offset = 0
    while True:
        page = await client.call(ListFiles(collection_id=collection_id, offset=offset, limit=PAGE_SIZE))
        for file in page.files:
            yield file
        offset += len(page.files)
        if not page.files or offset >= page.total:
            return


async def _remove(options: argparse.Namespace, client: HostClient) -> None:
    paths = tuple(arguments.absolute_path(path) for path in options.paths)
    result = await client.call(RemoveFiles(paths=paths))
    if options.json:
        print_json({"removed": result.removed})
    else:
        print_words(f"Removed {result.removed} from the library; the files themselves stay where they are.")


async def _change_collections(options: argparse.Namespace, client: HostClient) -> None:
    if options.create is not None:
        await client.call(CreateCollection(name=options.create))
    elif options.rename is not None:
        old, new = options.rename
        await client.call(RenameCollection(collection_id=(await _collection(client, old)).id, name=new))
    elif options.delete is not None:
        await client.call(DeleteCollection(collection_id=(await _collection(client, options.delete)).id))


async def _list_collections(options: argparse.Namespace, client: HostClient) -> None:
    for collection in await _collections(client):
        if options.json:
            print_json(asdict(collection))
        else:
            print_words(f"{collection.name}  ({collection.n_files} files)")


async def _collections(client: HostClient) -> tuple[Collection, ...]:
    return (await client.call(ListCollections())).collections


async def _collection(client: HostClient, name: str) -> Collection:
    for collection in await _collections(client):
        if collection.name == name:
            return collection
    raise NotFoundError(
        "collection.not_found",
        f"There is no collection called “{name}”.",
        "`h2ogpt library collections` lists them.",
    )
