//! Scratch: the files in a row that are no fields, and how they become fields and fields become them (CONTRACT 1 and 2.8).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::{EBADMSG, EEXIST, ENOENT, ENOTEMPTY, errno, names, picture, read};

#[test]
fn any_other_name_in_a_row_is_an_ordinary_file_of_its_user() {
    let Some(mount) = Mount::start() else { return };
    let path = mount.row().join("notes.bin");
    fs::write(&path, picture::cut_short(1)).expect("scratch is not judged");
    let meta = fs::metadata(&path).expect("stat");
    assert_eq!((meta.permissions().mode() & 0o7777, meta.uid()), (0o600, 0));
    fs::write(mount.row().join("empty"), "").expect("empty");
    assert_eq!(names(&mount.row()), ["empty", "notes.bin"]);
    let file = OpenOptions::new().write(true).open(&path).expect("opened again");
    file.write_all_at(b"zz", 1).expect("written in place");
    assert_eq!(&read(&path).0[..3], &[picture::cut_short(1).0[0], b'z', b'z']);
}

/// The threads of the session leave such a file and such a directory to a pool, which begins anew.
#[test]
fn large_and_many_scratch_files_are_changed_and_listed_as_others_are() {
    const LARGE: usize = 1 << 20;
    const MANY: usize = 300;
    let Some(mount) = Mount::start() else { return };
    let path = mount.row().join("notes.bin");
    fs::write(&path, vec![1; LARGE]).expect("scratch");
    let file = OpenOptions::new().write(true).open(&path).expect("opened");
    file.set_len(7).expect("truncated by its handle");
    assert_eq!(fs::metadata(&path).expect("stat").len(), 7);
    fs::write(&path, vec![2; LARGE]).expect("truncated as it is opened");
    assert_eq!(fs::metadata(&path).expect("stat").len(), LARGE as u64);
    fs::remove_file(&path).expect("removed");
    assert_eq!(errno(fs::metadata(&path)), ENOENT);
    let inside = mount.row().join(".~tmp~");
    (0..MANY).for_each(|number| fs::write(inside.join(number.to_string()), "").expect("scratch"));
    assert_eq!(names(&inside).len(), MANY);
    assert_eq!(errno(fs::remove_dir(&inside)), ENOTEMPTY);
}

#[test]
fn scratch_never_fails_rmdir() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("notes.txt"), "kept").expect("scratch");
    fs::remove_dir(&row).expect("removed");
    assert_eq!(mount.all_kept().len(), 1, "its bytes are kept");
}

#[test]
fn uploads_in_chunks_go_to_a_scratch_name_and_are_renamed() {
    let Some(mount) = Mount::start() else { return };
    let part = mount.row().join("avatar.png.part");
    for chunk in picture::good(1).0.chunks(100) {
        let mut file =
            OpenOptions::new().create(true).append(true).open(&part).expect("opened again");
        file.write_all(chunk).expect("appended");
    }
    fs::rename(&part, mount.row().join("avatar.png")).expect("attached");
    assert_eq!(read(&mount.row().join("avatar")), picture::good(1));
}

#[test]
fn renamed_scratch_reads_in_its_normalised_form() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let scratch = row.join("upload.tmp");
    fs::write(&scratch, picture::good(1)).expect("scratch is not judged");
    assert_eq!(read(&scratch), picture::good(1), "the kernel has cached its pages");
    fs::rename(&scratch, row.join("cover")).expect("taken");
    let stored = read(&row.join("cover"));
    assert!(stored.starts_with(picture::JPEG), "the field keeps JPEG");
    assert_eq!(fs::metadata(row.join("cover")).expect("stat").len(), stored.len() as u64);
    assert_eq!(errno(fs::metadata(&scratch)), ENOENT);
}

#[test]
fn a_refused_rename_leaves_both_names_as_they_were() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let scratch = mount.row().join("upload.tmp");
    fs::write(&scratch, picture::cut_short(2)).expect("scratch is not judged");
    assert_eq!(errno(fs::rename(&scratch, &avatar)), EBADMSG);
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(read(&scratch), picture::cut_short(2));
}

#[test]
fn a_link_of_scratch_to_a_free_field_attaches_and_to_a_taken_one_is_eexist() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("upload.tmp"), picture::good(1)).expect("scratch");
    fs::hard_link(row.join("upload.tmp"), row.join("avatar")).expect("taken");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(errno(fs::hard_link(row.join("upload.tmp"), row.join("avatar"))), EEXIST);
}

#[test]
fn a_field_renamed_to_another_name_becomes_scratch() {
    let Some(mount) = Mount::start() else { return };
    let note = mount.attach("note", b"some text\n");
    fs::rename(&note, mount.row().join("note~")).expect("an editor's backup");
    assert_eq!(names(&mount.row()), ["note~"]);
    assert_eq!(read(&mount.row().join("note~")), b"some text\n");
}

#[test]
fn scratch_of_a_removed_row_is_kept_with_the_reason_that_its_row_was_removed() {
    let Some(mount) = Mount::start() else { return };
    fs::write(mount.row().join("upload.bin"), b"some bytes").expect("scratch");
    fs::remove_dir(mount.row()).expect("scratch never fails rmdir");
    let kept = mount.kept();
    assert_eq!(kept.bytes(), b"some bytes");
    let reason = kept.reason();
    assert!(reason.contains("the directory of scratch upload.bin was removed"), "{reason}");
    assert!(reason.contains("row_gone") && !reason.contains("in time"), "{reason}");
}

#[test]
fn an_exchange_attaches_the_scratch_and_makes_scratch_of_the_file() {
    let Some(mount) = Mount::start() else { return };
    let (row, flags) = (mount.row(), RenameFlags::EXCHANGE);
    let (avatar, part) = (mount.attach("avatar", &picture::good(1)), row.join("new.part"));
    fs::write(&part, picture::good(2)).expect("scratch");
    renameat_with(CWD, &part, CWD, &avatar, flags).expect("exchanged");
    assert_eq!((read(&avatar), read(&part)), (picture::good(2), picture::good(1)));
    renameat_with(CWD, &avatar, CWD, &part, flags).expect("exchanged back");
    assert_eq!((read(&avatar), read(&part)), (picture::good(1), picture::good(2)));
    assert_eq!(names(&row), ["avatar", "new.part"]);

    fs::write(&part, picture::cut_short(3)).expect("scratch");
    for (from, to) in [(&part, &avatar), (&avatar, &part)] {
        let refused = renameat_with(CWD, from, CWD, to, flags).map_err(io::Error::from);
        assert_eq!(errno(refused), EBADMSG, "judged as by a rename");
        assert_eq!((read(&avatar), read(&part)), (picture::good(1), picture::cut_short(3)));
        assert_eq!(names(&row), ["avatar", "new.part"]);
    }
    let missing = renameat_with(CWD, &part, CWD, row.join("memo"), flags);
    assert_eq!(errno(missing.map_err(io::Error::from)), ENOENT);
}
