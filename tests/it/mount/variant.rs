//! Variants: rendered once, at the first lookup, in the exact size (CONTRACT 5).

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Barrier};
use std::thread;

use super::daemon::Mount;
use super::{ENOENT, EROFS, errno, names, picture, read};

#[test]
fn a_variant_has_the_size_that_stat_says() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/80x64.png");
    let size = fs::metadata(&thumb).expect("rendered by the lookup").len();
    let bytes = read(&thumb);
    assert_eq!(bytes.len() as u64, size);
    assert_eq!(picture::png_size(&bytes), (80, 60));
}

#[test]
fn the_extension_chooses_the_format() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    assert!(read(&thumbs.join("w64.jpg")).starts_with(picture::JPEG));
    assert_eq!(&read(&thumbs.join("w64.webp"))[8..12], b"WEBP");
    assert_eq!(picture::png_size(&read(&thumbs.join("w64.png"))), (64, 48));
}

#[test]
fn a_variant_beside_its_original_is_the_same_and_is_not_listed() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let beside = avatar.with_file_name("avatar@32x32c.webp");
    assert_eq!(read(&beside), read(&mount.path("thumbs/user/42/avatar/32x32c.webp")));
    assert_eq!(names(&mount.row()), ["avatar"]);
}

#[test]
fn a_size_that_is_not_offered_is_enoent_and_nothing_is_enlarged() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let thumbs = mount.path("thumbs/user/42/avatar");
    for name in ["w65.png", "w4096.png", "w64.exe", "nonsense.png", "w64"] {
        assert_eq!(errno(fs::metadata(thumbs.join(name))), ENOENT, "{name}");
    }
    for name in ["w100.png", "w150.png", "w64.png", "100x48c.webp"] {
        assert!(!read(&thumbs.join(name)).is_empty(), "{name}");
    }
    assert_eq!(errno(File::create(thumbs.join("w64.png"))), EROFS);
}

#[test]
fn lookups_at_the_same_time_get_one_result() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::png(500, 400, 1));
    let thumb = mount.path("thumbs/user/42/avatar/320x256.png");
    let start = Arc::new(Barrier::new(8));
    let askers: Vec<_> = (0..8)
        .map(|_| {
            let (thumb, start) = (thumb.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                let shown = fs::metadata(&thumb).expect("rendered");
                (shown.ino(), shown.len(), read(&thumb))
            })
        })
        .collect();
    let mut answers = askers.into_iter().map(|asker| asker.join().expect("answered"));
    let first = answers.next().expect("eight answers");
    assert!(answers.all(|answer| answer == first));
    assert_eq!(first.2.len() as u64, first.1);
}

#[test]
fn variants_change_and_go_with_their_original() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let thumb = mount.path("thumbs/user/42/avatar/w64.png");
    let first = read(&thumb);
    fs::write(&avatar, picture::good(2)).expect("replaced");
    let second = read(&thumb);
    assert_ne!(first, second);
    assert_eq!(
        fs::metadata(&thumb).expect("stat").mtime(),
        fs::metadata(&avatar).expect("stat").mtime(),
        "the time is that of the commit of the original"
    );
    fs::remove_file(&avatar).expect("removed");
    assert_eq!(errno(fs::metadata(&thumb)), ENOENT);
}
