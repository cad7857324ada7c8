"""A listing by parts: the files that a list of all would hold, at a memory that does not grow with them."""

import json
import os
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from object_stores import way_into
from pipeline_examples import jpeg_of, recipe_for, write_pictures

from benchmarks.stand_in_stores import StandInStore
from florenz.images import folders
from florenz.images.folders import SourceFile, list_sources
from florenz.limits.errors import TooLarge
from florenz.limits.table import Limits
from florenz.pipeline import index as index_module
from florenz.pipeline import listing as listing_module
from florenz.pipeline import spill as spill_module
from florenz.pipeline.image_index import Index, index_path, parts_folder
from florenz.pipeline.image_settings import Images
from florenz.pipeline.index import build_index
from florenz.pipeline.known_sources import found_folder, groups_of
from florenz.pipeline.listing import Listing, listing_of
from florenz.pipeline.recipe import Recipe
from florenz.pipeline.spill import Spill
from florenz.pipeline.workers.errors import WorkerError
from florenz.stores.files import Entry
from florenz.stores.schemes.local import list_names
from florenz.stores.walking import names_below

STEMS = ("a", "b", "-", "a b", ".hidden", "x.y", "line\nbreak", os.fsdecode(b"caf\xe9"), "%41")
SUFFIXES = (".jpg", ".JPG", ".png", ".json", ".JSON", ".txt", ".tar", ".parquet", ".md", "", ".partial", ".jpg.json")
FOLDERS = ("", "sub/", "sub/deeper/", ".git/", "a.b/")
NAMES = st.builds("{}{}{}".format, *map(st.sampled_from, (FOLDERS, STEMS, SUFFIXES)))


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "CLOCK_STEP_S", -1e9)


@pytest.fixture
def _spilling(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a process might hold no more than three rows."""
    monkeypatch.setattr(Spill.__init__, "__defaults__", (3,))


def in_parts(listing: Listing, out: Path, digits: int) -> list[SourceFile]:
    return sorted((file for _, part in listing.write_parts(str(out), digits) for file in part.files()), key=path_of)


def path_of(file: SourceFile) -> str:
    return file.path


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@settings(max_examples=60)
@given(
    names=st.sets(NAMES, min_size=1, max_size=25), pattern=st.sampled_from(["", "/*", "/**/a*", "/**", "/sub/*.jpg"])
)
def test_it_has_the_files_of_a_list_with_their_sidecars_and_stamps(
    names: set[str], pattern: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("tree")
    folder = root / "pictures"
    for name in names:
        path = folder / name
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode("utf-8", "surrogateescape"))
    (folder / "loop").symlink_to(folder)
    (folder / "to-nothing.jpg").symlink_to("nowhere")
    source = f"{folder}{pattern}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "CLOCK_STEP_S", -1e9)
        patch.setattr(Spill.__init__, "__defaults__", (3,))
        patch.setattr(listing_module, "SORTED_AT_ONCE", 2)
        try:
            expected = list_sources(source)
        except ValueError as problem:
            with pytest.raises(ValueError) as told:
                Listing(source, Limits())
            assert str(told.value) == str(problem)
            return
        with Listing(source, Limits()) as listing:
            assert list(listing.in_order()) == expected
            assert [in_parts(listing, root, digits) for digits in (1, 2, 4)] == [expected] * 3
            assert listing.num_files == len(expected)
            assert listing.num_archives == sum(file.kind != "file" for file in expected)
            assert listing.num_bytes == sum(file.size for file in expected)
            assert listing.is_stamped == all(file.stamp for file in expected)


@pytest.mark.parametrize("name", ["a.jpg", "a.json", "t.tar"])
def test_a_single_file_is_its_own_listing(tmp_path: Path, name: str, _settled: None) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert list(Listing(str(tmp_path / name), Limits()).in_order()) == list_sources(str(tmp_path / name))


def test_a_relative_glob_and_a_file_url_are_listed_under_the_names_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settled: None
) -> None:
    write_pictures(tmp_path / "pictures", 3)
    monkeypatch.chdir(tmp_path / "pictures")
    for source in ("*.jpg", ".", "./", "../pictures/*", f"file://{tmp_path}/pictures", f"{tmp_path}//pictures/*"):
        assert list(Listing(source, Limits()).in_order()) == list_sources(source) != []


def test_folders_too_deep_are_told_as_ever(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "x.jpg").touch()
    assert Listing(str(tmp_path), Limits(folder_depth=3)).num_files == 1
    with pytest.raises(TooLarge, match=r"folders above it.*\[limits\] folder_depth"):
        Listing(str(tmp_path), Limits(folder_depth=2))


def test_a_path_longer_than_the_system_takes_is_told_as_ever(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    below = os.open(tmp_path, os.O_RDONLY)
    for _ in range(45):  # of 100 bytes each; a path may have 4,096
        os.mkdir("d" * 99, dir_fd=below)
        deeper = os.open("d" * 99, os.O_RDONLY, dir_fd=below)
        os.close(below)
        below = deeper
    os.close(below)
    with pytest.raises(TooLarge, match=r"folders above it.*\[limits\] folder_depth"):
        Listing(str(tmp_path), Limits())


def test_linked_folders_are_listed_under_the_same_names_as_ever(tmp_path: Path) -> None:
    for name in ("m/1.jpg", "m/below/2.jpg", "z/3.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link, target in (("a", "z"), ("n", "m/below"), ("m/up", ".."), ("m/below/across", "../../z"), ("dead", "no")):
        (tmp_path / link).symlink_to(target)
    (tmp_path / "round").symlink_to("round")
    assert sorted(names_below(str(tmp_path))) == sorted(list_names(str(tmp_path)))
    assert sorted(names_below(str(tmp_path)))[:2] == ["a/3.jpg", "dead"]


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "locked", 1)
    scan = os.scandir

    def refused(path: str) -> object:
        if path.startswith(str(tmp_path / "locked")):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr("florenz.stores.walking.os.scandir", refused)
    with pytest.raises(ValueError, match="can't list .*/locked.*: make it readable, or name the files"):
        Listing(str(tmp_path), Limits())


def made_up(number: int) -> list[Entry]:
    """Pictures in one folder, every tenth with a sidecar."""
    names = [f"photos/{at:09d}{suffix}" for at in range(number) for suffix in (".jpg", ".json")[: 2 - bool(at % 10)]]
    return [Entry(name=name, size=7, modified=0.0, stamp=f"7 {name}") for name in names]


def listing_with(entries: Iterator[Entry] | list[Entry], monkeypatch: pytest.MonkeyPatch) -> Listing:
    monkeypatch.setattr(listing_module, "listed", lambda source, limits: iter(entries))
    return Listing("photos", Limits())


def test_the_digest_does_not_depend_on_the_order_in_which_a_file_system_lists(
    monkeypatch: pytest.MonkeyPatch, _spilling: None
) -> None:
    entries = made_up(200)
    first = listing_with(entries, monkeypatch).digest("rules")
    random.Random(1).shuffle(entries)
    assert listing_with(entries, monkeypatch).digest("rules") == first
    assert listing_with(entries, monkeypatch).digest("other rules") != first


@pytest.mark.parametrize("change", ["a file less", "a stamp", "a sidecar's stamp", "a name"])
def test_the_digest_tells_each_change(monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    entries = made_up(30)
    before = listing_with(entries, monkeypatch).digest("")
    at = next(n for n, entry in enumerate(entries) if entry.name.endswith(".json" if "sidecar" in change else "5.jpg"))
    name, stamp = entries[at].name, entries[at].stamp
    if change == "a file less":
        del entries[at]
    elif change == "a name":
        entries[at] = Entry(name=f"{name}.jpg", size=7, modified=0.0, stamp=stamp)
    else:
        entries[at] = Entry(name=name, size=7, modified=0.0, stamp=f"{stamp} ")
    assert listing_with(entries, monkeypatch).digest("") != before


def peak_of(number: int, out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that were allocated at once for a listing of so many files, its digest and its parts."""

    def coming() -> Iterator[Entry]:
        for at in range(number):
            name = f"photos/{at:09d}.jpg"
            yield Entry(name=name, size=7, modified=0.0, stamp=f"7 1700000000000000000 1700000000000000000 {at}")

    tracemalloc.start()
    try:
        with listing_with(coming(), monkeypatch) as listing:
            assert listing.digest("") and listing.num_files == number
            assert sum(1 for _ in listing.write_parts(str(out), listing.digits)) == 16**listing.digits
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a list, 200,000 of them would be 100 MB; 5,000 rows may be held, twice."""
    monkeypatch.setattr(Spill.__init__, "__defaults__", (5000,))
    small, large = (peak_of(number, tmp_path / "out", monkeypatch) for number in (20_000, 200_000))
    assert large < 25e6 and large < 2 * small


def test_of_rows_more_than_may_be_held_the_rest_lies_in_a_file_without_a_name(tmp_path: Path) -> None:
    spill = Spill(str(tmp_path), max_rows=10)
    rows = [(f"caf\udce9 {number}", number, "") for number in range(25)]
    for row in rows:
        spill.add(row[1] % 3, row)
    assert list(tmp_path.iterdir()) == []
    assert [spill.rows(bucket) for bucket in range(4)] == [rows[0::3], rows[1::3], rows[2::3], []]
    assert sorted(spill.all()) == sorted(rows)
    spill.close()


def test_where_files_are_few_nothing_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settled: None
) -> None:
    write_pictures(tmp_path, 5)
    monkeypatch.setattr(spill_module.tempfile, "TemporaryFile", None)
    assert Listing(str(tmp_path), Limits()).num_files == 5


def index_of(recipe: Recipe) -> Index:
    return build_index(recipe, listing_of(recipe), None)


def pictures_with_sidecars(folder: Path, number: int) -> None:
    write_pictures(folder, number)
    for at in range(0, number, 2):
        (folder / f"{at:03d}.json").write_text(json.dumps({"url": f"https://example.org/{at}"}))


@pytest.mark.parametrize("count", [None, 5])
def test_a_listing_from_the_disk_makes_the_same_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settled: None, count: int | None
) -> None:
    pictures_with_sidecars(tmp_path / "pictures", 12)
    images = Images(source=str(tmp_path / "pictures"), count=count)
    held = index_of(recipe_for(tmp_path / "held", images=images))
    monkeypatch.setattr(Spill.__init__, "__defaults__", (3,))
    monkeypatch.setattr(listing_module, "SORTED_AT_ONCE", 2)
    put_aside = index_of(recipe_for(tmp_path / "put-aside", images=images))
    assert put_aside == held and len(held.images) == (count or 12)
    assert any(found.about for found in held.ranges())
    assert contents(parts_folder(held.out)).keys() == contents(parts_folder(put_aside.out)).keys()
    if count is None:
        assert contents(found_folder(held.out)) == contents(found_folder(put_aside.out))


def test_parts_are_gone_when_the_index_is_made(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 4)
    index_of(recipe_for(tmp_path / "out", tmp_path / "pictures"))
    assert list((tmp_path / "out" / "ledger" / "listing").iterdir()) == []


def test_parts_that_a_killed_run_left_are_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settled: None
) -> None:
    pictures_with_sidecars(tmp_path / "pictures", 6)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "_read", killed)
        with pytest.raises(KeyboardInterrupt):
            index_of(recipe)
    left = sorted((tmp_path / "out" / "ledger" / "listing").iterdir())
    assert left
    (tmp_path / "pictures" / "000.jpg").unlink()
    left[0].write_bytes(b"half")
    (left[0].parent / "zz.pack").write_bytes(b"of another number of groups")
    fresh = index_of(recipe_for(tmp_path / "fresh", tmp_path / "pictures"))
    assert index_of(recipe) == fresh and list(left[0].parent.iterdir()) == []


def test_a_part_that_is_not_what_the_launcher_wrote_stops_the_run(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 4)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    group = groups_of(recipe.out, listing_of(recipe))[0]
    assert group.part.files()
    Path(group.part.path).write_bytes(b"x")
    with pytest.raises(WorkerError, match="run the same command again"):
        group.part.files()


def test_a_group_is_given_what_was_kept_under_fewer_and_more_digits(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for number in range(500):  # by the hashes of their paths, each of 16 groups has some
        (tmp_path / "pictures" / f"{number}.jpg").touch()
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    folder = Path(found_folder(recipe.out))
    folder.mkdir(parents=True)
    for name in ("", "3", "30", "3ff", "4", "40"):
        (folder / f"{name}.parquet").touch()
    (folder.parent / "sources.parquet").touch()
    kept = {group.name: [Path(path).name for path in group.kept] for group in groups_of(recipe.out, listing_of(recipe))}
    assert kept["3"] == [".parquet", "3.parquet", "30.parquet", "3ff.parquet", "sources.parquet"]
    assert kept["5"] == [".parquet", "sources.parquet"]


def test_what_another_digest_was_written_for_runs_the_graph_and_reads_no_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _settled: None
) -> None:
    """So an OUT of the version before, whose digest was of a list, goes on."""
    pictures_with_sidecars(tmp_path / "pictures", 6)
    recipe = recipe_for(tmp_path / "out", tmp_path / "pictures")
    first, before = index_of(recipe), contents(parts_folder(recipe.out))
    record = json.loads(Path(index_path(recipe.out)).read_text())
    listing = record.pop("listing")
    index_module.write_index(first, "0" * len(listing))
    monkeypatch.setattr("florenz.images.sources.read_image_bytes", None)
    assert index_of(recipe) == first and contents(parts_folder(recipe.out)) == before


def test_the_in_process_runner_holds_new_files_in_packs(tmp_path: Path, held_by_beam: list[bytes]) -> None:
    folder, number = tmp_path / "pictures", 300
    write_pictures(folder, number)
    assert index_of(recipe_for(tmp_path / "out", folder)).num_found == number
    assert sum(map(len, held_by_beam)) < 250 * number, "one by one they were 417 bytes each"
    assert not any(data.count(str(folder).encode()) > 1 for data in held_by_beam)


def test_objects_are_listed_with_their_sidecars_page_by_page(
    object_store: StandInStore, tmp_path: Path, _settled: None, _spilling: None
) -> None:
    way, source = way_into(object_store), f"{object_store.bucket}/listed-{tmp_path.name}"
    for name in ("a.jpg", "a.json", "b/c d.jpg", "b/.hidden/x.jpg", "t.tar", "notes.json"):
        way.put(f"{source}/{name}", jpeg_of(1))
    for named in (source, f"{source}/*", f"{source}/**/*.jpg", f"{source}/t.tar"):
        with Listing(named, Limits()) as listing:
            assert list(listing.in_order()) == list_sources(named) != []
