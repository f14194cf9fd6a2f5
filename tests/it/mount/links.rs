//! Several names of one attachment: a change is made to the name that was used, and judged by its slot (CONTRACT 1).

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{Done, run, shell};
use super::{ENOENT, attribute, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file, min_size = '6 B'")
        .field("papers", "file, collection = 'list'")
        .field("avatar", "image, keep_original = true, thumbnails = ['w64'], sizes = 'listed'")
        .field(
            "cover",
            "image, keep_original = true, thumbnails = ['w96', '32x32c'], sizes = 'listed'",
        )
}

const TEXT: &[u8] = b"one text of two names";

/// A mount, and two names of one file: the memo of row 42, and `second`. The rows are made in the order 42, 1, 7: the first place
/// of an attachment in the catalogue is that of row 42, and is the wrong one for a change under `second`.
fn named(second: &str) -> Option<(Mount, [PathBuf; 2])> {
    let mount = config().mount()?;
    let first = mount.attach("memo", TEXT);
    mount.row_of("1");
    mount.row_of("7");
    let second = mount.path("models/user").join(second);
    fs::hard_link(&first, &second).expect("linked");
    Some((mount, [first, second]))
}

/// Changes each of two names in turn, and checks that the other keeps its bytes.
fn to_each(change: impl Fn(&Path), becomes: &[u8]) {
    for second in ["42/papers/a.txt", "1/memo", "7/note"] {
        for which in [0, 1] {
            let Some((_mount, paths)) = named(second) else { return };
            change(&paths[which]);
            assert_eq!(read(&paths[which]), becomes, "{}", paths[which].display());
            assert_eq!(read(&paths[1 - which]), TEXT, "the other name beside {second}");
            assert_eq!(fs::metadata(&paths[which]).expect("stat").nlink(), 1);
        }
    }
}

/// truncate(2). The program truncate(1) opens the file and calls ftruncate(2).
fn truncated(path: &Path, length: &str) -> Done {
    const CUT: &str = "import os, sys; os.truncate(sys.argv[1], int(sys.argv[2]))";
    run("python3", &[Path::new("-c"), Path::new(CUT), path, Path::new(length)])
}

#[test]
fn a_truncation_by_path_changes_the_name_that_was_used() {
    to_each(|path| truncated(path, "8").succeeded(), b"one text");
}

#[test]
fn a_truncation_through_a_handle_changes_the_name_that_was_opened() {
    let truncate = |path: &Path| {
        let file = OpenOptions::new().write(true).open(path).expect("opened");
        file.set_len(8).expect("truncated");
    };
    to_each(truncate, b"one text");
}

#[test]
fn a_truncation_to_nothing_empties_the_name_that_was_used() {
    for length in ["0", "os.O_TRUNC"] {
        let empty = |path: &Path| {
            let script = match length {
                "0" => {
                    "python3 -c 'import os, sys; os.truncate(sys.argv[1], 0)' $1 && printf 'new text' >> $1"
                }
                _ => "exec 3> $1; exec 3>&-; printf 'new text' >> $1",
            };
            shell(script, &[path]).succeeded();
        };
        to_each(empty, b"new text");
        // The other name is not emptied with it.
        let Some((_mount, [first, second])) = named("1/memo") else { return };
        truncated(&second, "0").succeeded();
        shell("printf ' and more' >> $1", &[&first]).succeeded();
        assert_eq!(read(&first), [TEXT, b" and more"].concat().as_slice());
    }
}

/// Opens the file of a descriptor again, as Samba does.
fn reopen(file: &impl AsRawFd, flags: &str) -> File {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let options = match flags {
        "r+" => OpenOptions::new().read(true).write(true).open(path),
        _ => OpenOptions::new().append(true).open(path),
    };
    options.expect("opened again")
}

#[test]
fn a_descriptor_that_is_opened_again_writes_to_its_own_name() {
    for flags in ["r+", "a"] {
        for access in [OFlags::RDONLY, OFlags::PATH, OFlags::RDWR] {
            let write = |path: &Path| {
                let held = rustix::fs::open(path, access, Mode::empty()).expect("opened");
                let file = reopen(&held, flags);
                file.set_len(0).expect("emptied");
                rustix::io::write(&file, b"new text").expect("written");
            };
            to_each(write, b"new text");
        }
    }
}

#[test]
fn truncating_the_proc_path_of_a_descriptor_changes_its_own_name() {
    for access in [OFlags::RDONLY, OFlags::PATH] {
        let truncate = |path: &Path| {
            let held = rustix::fs::open(path, access, Mode::empty()).expect("opened");
            let again =
                PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), held.as_raw_fd()));
            truncated(&again, "8").succeeded();
        };
        to_each(truncate, b"one text");
    }
}

#[test]
fn a_descriptor_from_before_the_second_name_is_reopened_under_the_first() {
    let Some(mount) = config().mount() else { return };
    mount.row_of("1");
    let first = mount.row_of("42").join("memo");
    let second = mount.path("models/user/1/memo");
    fs::write(&first, TEXT).expect("taken");
    let held = File::open(&first).expect("opened");
    fs::hard_link(&first, &second).expect("linked");
    let file = reopen(&held, "r+");
    file.set_len(8).expect("truncated");
    drop(file);
    assert_eq!((&*read(&first), &*read(&second)), (&b"one text"[..], TEXT));
}

#[test]
fn a_change_is_judged_by_the_slot_whose_name_was_used() {
    let Some((mount, [memo, note])) = named("1/note") else { return };
    let truncate = |path: &Path| {
        OpenOptions::new().write(true).open(path).and_then(|_| {
            rustix::fs::ftruncate(OpenOptions::new().write(true).open(path)?, 5).map_err(Into::into)
        })
    };
    let by_path = |path: &Path| truncated(path, "5");
    let done = by_path(&note);
    assert!(done.stderr.contains("out of range"), "{done}");
    assert!(mount.last_message().starts_with("user/1/note:"), "{}", mount.last_error());
    let error = |path: &Path| attribute::text(path, "user.mediafs.error");
    assert!(error(&note).starts_with("user/1/note:"), "{}", error(&note));
    assert_eq!(error(&memo), "", "nothing was refused under this name");
    by_path(&memo).succeeded();
    assert_eq!((&*read(&memo), &*read(&note)), (&b"one t"[..], TEXT));
    truncate(&note).expect("a handle is judged when it is closed");
    assert_eq!(read(&note), TEXT);
}

#[test]
fn a_reader_of_one_name_sees_no_draft_of_the_other() {
    let (Some(mut peer), Some((_mount, [first, second]))) = (Peer::start(), named("1/memo")) else {
        return;
    };
    for (one, other) in [(&first, &second), (&second, &first)] {
        peer.open(one, "os.O_RDWR").expect("opened");
        peer.tell("os.write(fd, b'ONE')");
        assert_eq!(peer.tell(&format!("bytes_of({other:?})")), "b'one text of two names'");
        peer.tell("os.ftruncate(fd, 0)");
        peer.close().expect("nothing is judged");
    }
}

#[test]
fn several_names_show_one_file() {
    let Some((mount, [first, second])) = named("1/memo") else { return };
    let third = mount.row().join("papers/a.txt");
    fs::hard_link(&second, &third).expect("linked");
    let all = [&first, &second, &third];
    let shown = all.map(|path| fs::metadata(path).expect("stat"));
    assert!(shown.iter().all(|it| (it.ino(), it.nlink()) == (shown[0].ino(), 3)), "{shown:?}");
    let opened = all.map(|path| File::open(path).and_then(|file| file.metadata()).expect("fstat"));
    assert!(opened.iter().all(|it| it.ino() == shown[0].ino()), "{opened:?}");
    let tree = mount.path("models");
    let listed = shell("ls -iR $1 | grep -E 'memo|a.txt' | awk '{print $1}' | sort -u", &[&tree]);
    assert_eq!(
        listed.stdout.trim(),
        shown[0].ino().to_string(),
        "a directory lists the same number"
    );
    let found = shell(
        "find $1 -samefile $2 | wc -l; find $1 -inum $(stat -c %i $2) | wc -l",
        &[&tree, &third],
    );
    assert_eq!(found.stdout.split_whitespace().collect::<Vec<_>>(), ["3", "3"], "{found}");
    for path in all {
        assert_eq!(read(path), TEXT);
        fs::remove_file(path).expect("removed");
        assert_eq!(errno(fs::metadata(path)), ENOENT);
    }
}

/// rename(2) does nothing if both names are links of one file.
#[test]
fn a_rename_between_two_names_of_one_file_changes_nothing() {
    let Some((_mount, [first, second])) = named("1/memo") else { return };
    fs::rename(&first, &second).expect("renamed");
    renameat_with(CWD, &first, CWD, &second, RenameFlags::EXCHANGE).expect("exchanged");
    for path in [&first, &second] {
        assert_eq!((read(path), fs::metadata(path).expect("stat").nlink()), (read(&first), 2));
    }
    truncated(&second, "8").succeeded();
    assert_eq!((&*read(&first), &*read(&second)), (TEXT, &b"one text"[..]));
}

#[test]
fn a_moved_or_remaining_name_is_changed_alone() {
    let Some((mount, [first, second])) = named("1/memo") else { return };
    let moved = mount.row_of("7").join("memo");
    fs::rename(&second, &moved).expect("moved");
    let cut = |path: &Path, length: &str| {
        truncated(path, length).succeeded();
    };
    cut(&moved, "8");
    assert_eq!((&*read(&first), &*read(&moved)), (TEXT, &b"one text"[..]));
    cut(&first, "3");
    assert_eq!((&*read(&first), &*read(&moved)), (&b"one"[..], &b"one text"[..]));
    let third = mount.row_of("1").join("memo");
    fs::hard_link(&moved, &third).expect("linked");
    fs::remove_file(&moved).expect("removed");
    cut(&third, "5");
    assert_eq!((&*read(&first), &*read(&third)), (&b"one"[..], &b"one t"[..]));
}

/// A picture under two names, whose fields have different sizes of variants.
fn pictured(second: &str) -> Option<(Mount, [PathBuf; 2])> {
    let mount = config().mount()?;
    let first = mount.attach("avatar", &picture::good(1));
    mount.row_of("1");
    let second = mount.path("models/user").join(second);
    fs::hard_link(&first, &second).expect("linked");
    Some((mount, [first, second]))
}

#[test]
fn each_name_has_the_variants_of_its_own_field() {
    let avatars: (&[&str], [&str; 2]) = (&["w64.png"], ["w64", "w96"]);
    let covers: (&[&str], [&str; 2]) = (&["32x32c.png", "w96.png"], ["w96", "w64"]);
    for second in ["42/cover", "1/cover"] {
        let Some((mount, [first, second])) = pictured(second) else { return };
        for (path, (presets, [has, lacks])) in
            [(&first, avatars), (&second, covers), (&first, avatars)]
        {
            let below = path.strip_prefix(mount.path("models")).expect("in the tree");
            let thumbs = mount.path("thumbs").join(below);
            assert_eq!(names(&thumbs), presets, "{}", thumbs.display());
            let beside = |spec: &str| PathBuf::from(format!("{}@{spec}.png", path.display()));
            let width = |path: &Path| picture::png_size(&read(path)).0.to_string();
            assert_eq!(width(&thumbs.join(format!("{has}.png"))), has[1..]);
            assert_eq!(width(&beside(has)), has[1..]);
            assert_eq!(errno(fs::read(thumbs.join(format!("{lacks}.png")))), ENOENT);
            assert_eq!(errno(fs::read(beside(lacks))), ENOENT);
        }
        let rows = [&first, &second].map(|path| path.parent().expect("a row").to_owned());
        assert!(rows.iter().all(|row| row.is_dir()));
    }
}

#[test]
fn a_moved_name_has_the_variants_of_its_new_field() {
    let Some((mount, [first, second])) = pictured("1/cover") else { return };
    let thumbs = mount.path("thumbs/user/42");
    assert_eq!(names(&thumbs.join("avatar")), ["w64.png"]);
    fs::rename(&first, mount.row().join("cover")).expect("moved");
    assert_eq!(names(&thumbs.join("cover")), ["32x32c.png", "w96.png"]);
    assert_eq!(errno(fs::metadata(thumbs.join("avatar"))), ENOENT);
    fs::remove_file(&second).expect("removed");
    assert_eq!(names(&thumbs.join("cover")), ["32x32c.png", "w96.png"]);
}

#[test]
fn originals_of_two_names_are_written_each_by_itself() {
    for which in [0, 1] {
        let Some((mount, paths)) = pictured("1/cover") else { return };
        let original = |path: &Path| {
            mount.path("originals").join(path.strip_prefix(mount.path("models")).expect("below"))
        };
        let originals = paths.each_ref().map(|path| original(path));
        assert_eq!(
            originals.each_ref().map(|path| read(path)),
            [picture::good(1), picture::good(1)]
        );
        fs::write(&originals[which], picture::good(2)).expect("taken");
        assert_eq!(read(&originals[which]), picture::good(2));
        assert_eq!(read(&originals[1 - which]), picture::good(1));
        assert_eq!(read(&paths[1 - which]), picture::good(1));
        // The change is judged by the slot of the name that was used.
        let done = truncated(&originals[1 - which], "99");
        assert!(done.code != 0, "{done}");
        let slot = ["user/42/avatar:", "user/1/cover:"][1 - which];
        assert!(mount.last_message().starts_with(slot), "{}", mount.last_error());
    }
}

/// These names have the same mark in their inode number, so the kernel takes them for one inode. An open looks the path up twice,
/// and the second lookup tells which name is meant.
#[test]
fn names_with_the_same_inode_number_are_told_apart_by_their_lookup() {
    let Some(mount) = config().mount() else { return };
    // The mark depends on the number of the row, which is that of the first row of a library (`tree/node/mark.rs`).
    let papers = mount.row().join("papers");
    let [one, other] = COLLIDING.map(|name| papers.join(name));
    fs::write(&one, TEXT).expect("taken");
    fs::hard_link(&one, &other).expect("linked");
    let cut = |path: &Path, length: &str| {
        truncated(path, length).succeeded();
    };
    cut(&other, "8");
    assert_eq!((&*read(&one), &*read(&other)), (TEXT, &b"one text"[..]));
    fs::remove_file(&other).expect("removed");
    fs::hard_link(&one, &other).expect("linked");
    shell("printf ' and more' >> $1", &[&one]).succeeded();
    assert_eq!((&*read(&one), &*read(&other)), (&b"one text of two names and more"[..], TEXT));
}

const COLLIDING: [&str; 2] = ["154.txt", "253.txt"];

/// Writes and truncates both names while links come and go. Each name keeps the last change that was made to it.
#[test]
fn names_that_come_and_go_during_writes_are_never_mixed() {
    let Some(mount) = config().mount() else { return };
    let source = mount.attach("memo", TEXT);
    let writers: Vec<_> = (0..8)
        .map(|number| {
            let (source, row) = (source.clone(), mount.row_of(&(100 + number).to_string()));
            thread::spawn(move || {
                let own = row.join("memo");
                for round in 0..20_u64 {
                    fs::hard_link(&source, &own).expect("linked");
                    let length = 3 + (number + round) % 15;
                    if round % 2 == 0 {
                        rustix::fs::open(&own, OFlags::RDONLY, Mode::empty()).expect("opened");
                        truncated(&own, &length.to_string()).succeeded();
                    } else {
                        let file = OpenOptions::new().write(true).open(&own).expect("opened");
                        file.set_len(length).expect("truncated");
                    }
                    let end = usize::try_from(length).expect("small");
                    assert_eq!(read(&own), &TEXT[..end], "{}", own.display());
                    fs::remove_file(&own).expect("removed");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("each name keeps its own bytes");
    }
    assert_eq!(
        (read(&source), fs::metadata(&source).expect("stat").nlink()),
        (super::picture::Bytes(TEXT.to_vec()), 1)
    );
}
