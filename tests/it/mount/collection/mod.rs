//! Lists and dicts: fields that are directories (CONTRACT 1 and 3).

mod moves;
mod new_row;
mod scale;
mod tools;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::daemon::Mount;
use super::{
    EDQUOT, EEXIST, EINVAL, EMEDIUMTYPE, ENOENT, ENOTEMPTY, EPERM, EROFS, errno, listed, names,
    picture, read,
};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("avatar", "image, min_width = 64")
        .field(
            "photos",
            "image, collection = 'list', max_items = 5, min_width = 64, \
             thumbnails = ['w64', '32x32c.webp']",
        )
        .field("sides", "image, collection = 'dict'")
        .field("papers", "file, collection = 'list', max_size = '1 MiB'")
        .table("page", "name")
        .field("strip", "image, collection = 'list', format = 'jpeg'")
}

fn started() -> Option<Mount> {
    config().mount()
}

fn put(path: &Path, seed: u32) {
    fs::write(path, picture::good(seed)).expect("the picture is taken");
}

/// Writes a document to row.json. Returns the errno of a refusal in `write`.
fn patch(mount: &Mount, document: &Value) -> Option<i32> {
    let written = fs::write(mount.row().join("row.json"), document.to_string());
    written.err().and_then(|error| error.raw_os_error())
}

#[test]
fn null_detaches_all_items_only_where_detach_names_the_collection_too() {
    let Some(mount) = started() else { return };
    let row = mount.row();
    put(&row.join("photos/one.png"), 1);
    put(&row.join("photos/two.png"), 2);
    put(&row.join("sides/front.png"), 3);
    let refused = json!({"photos": null, "avatar": null});
    assert_eq!(patch(&mount, &refused), Some(EINVAL));
    mount.last_error_has("user/42/row.json", "null would detach all 2 items of `photos`");
    mount.last_error_has("user/42/row.json", r#""$detach": ["photos"]"#);
    assert_eq!(patch(&mount, &json!({"sides": null, "$detach": ["photos"]})), Some(EINVAL));
    assert_eq!(patch(&mount, &json!({"$detach": "photos", "photos": null})), Some(EINVAL));
    assert_eq!((names(&row.join("photos")).len(), names(&row.join("sides")).len()), (2, 1));
    assert_eq!(patch(&mount, &json!({"papers": null})), None, "nothing is lost");
    assert_eq!(patch(&mount, &json!({"photos": {"one.png": null}})), None, "one item");
    assert_eq!(names(&row.join("photos")), ["two.png"]);
    let both = json!({"photos": null, "sides": null, "$detach": ["photos", "sides"]});
    assert_eq!(patch(&mount, &both), None);
    assert_eq!((names(&row.join("photos")).len(), names(&row.join("sides")).len()), (0, 0));
}

#[test]
fn items_have_captions_by_an_array_in_their_order_or_by_name() {
    let Some(mount) = started() else { return };
    put(&mount.row().join("photos/one.png"), 1);
    put(&mount.row().join("photos/two.png"), 2);
    let array = json!({"photos": [{"name": "two.png", "caption": "At sea"}, "one.png"]});
    assert_eq!(patch(&mount, &array), None);
    assert_eq!(listed(&mount.row().join("photos")), ["two.png", "one.png"]);
    assert_eq!(patch(&mount, &json!({"photos": {"one.png": {"caption": "Ashore"}}})), None);
    let told = mount.row_json();
    let captions = [0, 1].map(|at| told["photos"][at]["caption"].clone());
    assert_eq!(captions, ["At sea", "Ashore"]);
    assert_eq!(listed(&mount.row().join("photos")), ["two.png", "one.png"]);
}

fn ino(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

#[test]
fn a_row_lists_each_collection_as_a_directory() {
    let Some(mount) = started() else { return };
    let row = mount.row();
    assert_eq!(names(&row), ["papers", "photos", "sides"]);
    let photos = fs::metadata(row.join("photos")).expect("a directory");
    assert!(photos.is_dir());
    assert_eq!(names(&row.join("photos")), Vec::<String>::new());
    assert_eq!(fs::metadata(&row).expect("a row").nlink(), 5);
    assert_eq!(errno(fs::create_dir(row.join("photos"))), EEXIST);
    assert_eq!(errno(fs::create_dir(row.join("other"))), EPERM);
    assert_eq!(errno(fs::create_dir(row.join("photos/inside"))), EPERM);
}

#[test]
fn a_list_keeps_the_clients_names_in_the_order_of_arrival() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in [("z.png", 1), ("a.png", 2), ("ABC", 3), ("IMG 7.JPG", 4)] {
        put(&photos.join(name), seed);
    }
    assert_eq!(listed(&photos), ["z.png", "a.png", "ABC", "IMG 7.JPG"]);
    assert_eq!(read(&photos.join("IMG 7.JPG")), picture::good(4));
    for other in ["z", "z.jpg", "Z.png"] {
        assert_eq!(errno(fs::metadata(photos.join(other))), ENOENT, "{other}");
    }
}

#[test]
fn row_json_in_a_list_is_a_name_like_any_other() {
    let Some(mount) = started() else { return };
    let papers = mount.row().join("papers");
    fs::write(papers.join("row.json"), b"{}").expect("an item");
    fs::write(papers.join("papers"), b"a paper").expect("an item");
    assert_eq!(listed(&papers), ["row.json", "papers"]);
    assert_eq!(read(&papers.join("row.json")).0, b"{}");
    // An image field refuses the extension.
    let photos = mount.row().join("photos");
    assert_eq!(errno(File::create(photos.join("row.json"))), EMEDIUMTYPE);
}

#[test]
fn replacing_an_item_keeps_its_place() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in [("c.png", 1), ("b.png", 2), ("a.png", 3)] {
        put(&photos.join(name), seed);
    }
    put(&photos.join("c.png"), 4);
    assert_eq!(listed(&photos), ["c.png", "b.png", "a.png"]);
    assert_eq!(read(&photos.join("c.png")), picture::good(4));
}

#[test]
fn a_renamed_item_keeps_its_place_or_takes_that_of_the_item_it_replaces() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in [("a.png", 1), ("b.png", 2), ("c.png", 3)] {
        put(&photos.join(name), seed);
    }
    let number = ino(&photos.join("a.png"));
    fs::rename(photos.join("a.png"), photos.join("z.png")).expect("renamed");
    assert_eq!(listed(&photos), ["z.png", "b.png", "c.png"]);
    assert_eq!(ino(&photos.join("z.png")), number);
    fs::rename(photos.join("z.png"), photos.join("c.png")).expect("replaced");
    assert_eq!(listed(&photos), ["b.png", "c.png"]);
    assert_eq!(read(&photos.join("c.png")), picture::good(1));
}

#[test]
fn front_jpg_and_front_png_are_one_key() {
    let Some(mount) = started() else { return };
    let sides = mount.row().join("sides");
    put(&sides.join("front.png"), 1);
    assert_eq!(listed(&sides), ["front.png"]);
    put(&sides.join("front"), 2);
    assert_eq!(listed(&sides), ["front.png"]);
    let jpeg = mount.outside("a.png", &picture::good(3));
    fs::copy(jpeg, sides.join("front.jpg")).expect("taken");
    // The name says JPEG, and the bytes are a PNG.
    assert_eq!(listed(&sides), ["front.png"]);
    for alias in ["front", "front.png", "front.jpg"] {
        assert_eq!(read(&sides.join(alias)), picture::good(3), "{alias}");
    }
    assert_eq!(errno(fs::metadata(sides.join("front.webp"))), ENOENT);
    fs::remove_file(sides.join("front")).expect("removed");
    assert_eq!(names(&sides), Vec::<String>::new());
}

#[test]
fn keys_that_differ_by_case_or_normalisation_are_different_keys() {
    let Some(mount) = started() else { return };
    let sides = mount.row().join("sides");
    let keys = ["front.png", "Front.png", "caf\u{e9}.png", "cafe\u{301}.png"];
    for (key, seed) in keys.into_iter().zip(1..) {
        put(&sides.join(key), seed);
    }
    assert_eq!(listed(&sides), keys);
    assert_eq!(read(&sides.join("cafe\u{301}")), picture::good(4));
}

#[test]
fn max_items_is_edquot_at_create() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for seed in 1..=4 {
        put(&photos.join(format!("{seed}.png")), seed);
    }
    let under_way = File::create(photos.join("5.png")).expect("the fifth");
    assert_eq!(errno(File::create(photos.join("6.png"))), EDQUOT, "drafts count");
    drop(under_way);
    fs::remove_file(photos.join("5.png")).expect("the placeholder goes");
    put(&photos.join("5.png"), 5);
    assert_eq!(errno(File::create(photos.join("6.png"))), EDQUOT);
    mount.last_error_has(
        "user/42/photos/6.png: there are 5 items",
        "photos takes at most 5 items (max_items)",
    );
    put(&photos.join("1.png"), 7);
    fs::rename(photos.join("1.png"), photos.join("7.png")).expect("a rename adds no item");
    put(&mount.row().join("avatar"), 1);
    let full = fs::hard_link(mount.row().join("avatar"), photos.join("8.png"));
    assert_eq!(errno(full), EDQUOT);
    assert_eq!(errno(fs::rename(mount.row().join("avatar"), photos.join("8.png"))), EDQUOT);
    fs::rename(mount.row().join("avatar"), photos.join("7.png")).expect("replaced");
}

#[test]
fn rm_r_of_a_row_takes_its_collections_with_it() {
    let Some(mount) = started() else { return };
    let row = mount.row();
    put(&row.join("photos/a.png"), 1);
    assert_eq!(errno(fs::remove_dir(row.join("photos"))), ENOTEMPTY);
    assert_eq!(errno(fs::remove_dir(&row)), ENOTEMPTY);
    fs::remove_dir(row.join("sides")).expect("an empty one is removed");
    assert!(row.join("sides").is_dir(), "an empty collection is listed again");
    put(&row.join("sides/front.png"), 1);
    fs::remove_dir_all(&row).expect("all of it");
    assert_eq!(errno(fs::metadata(&row)), ENOENT);
}

#[test]
fn a_removed_collection_can_be_written_to_while_a_process_has_it_open() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    let inside = File::open(&photos).expect("it opens");
    fs::remove_dir(&photos).expect("an empty one");
    put(&photos.join("a.png"), 1);
    assert_eq!(listed(&photos), ["a.png"]);
    drop(inside);
    assert_eq!(listed(&photos), ["a.png"]);
}

#[test]
fn an_item_that_is_removed_and_written_again_keeps_its_place() {
    let Some(mount) = started() else { return };
    let photos = mount.row().join("photos");
    for (name, seed) in [("c.png", 1), ("b.png", 2), ("a.png", 3)] {
        put(&photos.join(name), seed);
    }
    fs::remove_file(photos.join("c.png")).expect("removed");
    put(&photos.join("d.png"), 4);
    put(&photos.join("c.png"), 5);
    assert_eq!(listed(&photos), ["c.png", "b.png", "a.png", "d.png"]);
}

#[test]
fn an_item_has_variants_beside_it_and_in_thumbs() {
    let Some(mount) = started() else { return };
    let row = mount.row();
    put(&row.join("photos/a.png"), 1);
    put(&row.join("sides/front.png"), 1);
    let thumbs = mount.path("thumbs/user/42");
    assert_eq!(names(&thumbs), ["papers", "photos", "sides"]);
    assert_eq!(names(&thumbs.join("photos")), ["a.png"]);
    assert_eq!(names(&thumbs.join("sides")), ["front"]);
    assert_eq!(names(&thumbs.join("photos/a.png")), ["32x32c.webp", "w64.png"]);
    for variant in [
        thumbs.join("photos/a.png/w64.png"),
        row.join("photos/a.png@w64.png"),
        thumbs.join("sides/front/w64.png"),
        row.join("sides/front@w64.png"),
        row.join("sides/front.png@w64.png"),
    ] {
        assert_eq!(picture::png_size(&read(&variant)).0, 64, "{}", variant.display());
    }
    assert_eq!(errno(fs::write(row.join("sides/front@w64.png"), b"x")), EROFS);
    put(&row.join("photos/b@w64.png"), 2);
    assert_eq!(
        names(&row.join("photos")),
        ["a.png", "b@w64.png"],
        "without an item of that name it is a name"
    );
}
