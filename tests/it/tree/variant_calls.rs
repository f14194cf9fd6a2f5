//! The number of calls to the catalogue and the stores that names of variants cost: none for a name that is no variant.

use std::ffi::OsStr;

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::Ino;

use super::simulated_kernel::{How, Refusal};
use super::store_calls::{Calls, Counted, PIC, nothing, queries};
use crate::mount::picture;

/// A library with a picture of 20x20, and the directory of its variants.
fn pictured() -> (Counted, Ino) {
    let counted = Counted::new();
    let (kernel, who) = (counted.kernel(), counted.who);
    kernel.send(who, PIC, &picture::png(20, 20, 1)).expect("a picture");
    let thumbs = kernel.walk(who, &["thumbs", "user", "1", "pic"]).expect("a directory");
    (counted, thumbs)
}

#[test]
fn a_name_that_is_no_variant_is_refused_by_parsing_alone() {
    let (counted, thumbs) = pictured();
    let row = counted.row();
    let calls = counted.calls(|| {
        for name in ["w0.jpg", "w200", "w200.exe", "huge.jpg", "index.html", ".DS_Store"] {
            counted.finds_nothing(thumbs, name);
        }
        for name in ["pic@huge.jpg", "pic@"] {
            counted.finds_nothing(row, name);
        }
    });
    assert_eq!(calls, nothing());
}

/// Each is another spelling of a variant, or no variant.
const NOT_CANONICAL: [&str; 32] = [
    "w016.png",
    "w+16.png",
    "W16.png",
    "w16.PNG",
    "w16.jpeg",
    "w16.png.png",
    "w16 .png",
    "16X16.png",
    "16x16C.png",
    "16x016.png",
    "+16x16.png",
    "16x.png",
    "x16.png",
    "16.png",
    "r.5.png",
    "r0.50.png",
    "r00.5.png",
    "r1.0.png",
    "r0.5000.png",
    "r2.png",
    "r0.png",
    "Full.png",
    "full.bmp",
    "full.tiff",
    "full",
    ".png",
    "w65536.png",
    "w99999999999.png",
    "w1e1.png",
    "w\u{661}6.png",
    "full.webp/",
    "w16.png\0",
];

#[test]
fn a_variant_is_found_under_its_canonical_name_only() {
    let (counted, thumbs) = pictured();
    let row = counted.row();
    let calls = counted.calls(|| {
        for name in NOT_CANONICAL {
            counted.finds_nothing(thumbs, name);
            counted.finds_nothing(row, &format!("pic@{name}"));
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn a_million_names_that_are_no_variant_ask_nothing() {
    let (counted, thumbs) = pictured();
    let mut state = 1_u64;
    let calls = counted.calls(|| {
        for number in 0..1_000_000_u64 {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let name = match number % 4 {
                0 => format!("{state:x}.jpg"),
                1 => format!("w0{state}.png"),
                2 => format!("{state}x{state}.webp"),
                _ => format!("h{state:x}"),
            };
            counted.finds_nothing(thumbs, &name);
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn removing_a_variant_that_was_never_rendered_is_enoent() {
    let (counted, thumbs) = pictured();
    let (who, row) = (counted.who, counted.row());
    let unlink = |parent, name: &str| {
        counted.tree().unlink(who, parent, OsStr::new(name)).map_err(Refusal::from)
    };
    for (parent, name) in [
        (thumbs, "w16.png"),
        (thumbs, "w016.png"),
        (thumbs, "x"),
        (row, "pic@w16.png"),
        (row, "pic@x"),
    ] {
        assert_eq!(unlink(parent, name), Err(Refusal::NotFound), "{name}");
    }
    counted.kernel().lookup(who, thumbs, "w16.png").expect("rendered");
    assert_eq!(unlink(row, "pic@w16.png"), Ok(()));
    assert_eq!(unlink(thumbs, "w16.png"), Err(Refusal::NotFound));
}

#[test]
fn an_open_of_a_variant_writes_nothing_and_the_sweep_notes_its_use_once() {
    let (counted, thumbs) = pictured();
    let ino = counted.kernel().lookup(counted.who, thumbs, "w16.png").expect("rendered").attr.ino;
    let (catalog, _) = counted.calls(|| {
        for _ in 0..3 {
            let opened = counted.tree().open(counted.who, ino, How::Read.flags()).expect("opened");
            counted.tree().release(opened.fh);
        }
    });
    assert_eq!(catalog, Calls::from([("variant_by_id", 1)]));
    let sweeper = &counted.instance().library().sweeper;
    let (catalog, _) = counted.calls(|| sweeper.sweep(Patience::Hold).expect("swept"));
    assert_eq!(catalog.get("touch_variants"), Some(&1));
}

#[test]
fn a_variant_is_rendered_once_and_found_by_two_queries_then() {
    let (counted, _) = pictured();
    let row = counted.row();
    let look = || counted.kernel().lookup(counted.who, row, "pic@w16.png").expect("found");
    let (catalog, blobs) = counted.calls(look);
    assert_eq!((catalog.get("add_variant"), blobs.get("put")), (Some(&1), Some(&1)));
    assert_eq!(counted.calls(look), queries([("find", 1), ("variant", 1)]));
}
