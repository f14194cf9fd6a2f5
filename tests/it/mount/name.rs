//! Names: aliases, scratch, renames, links, rows, and names that are refused.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::run;
use super::{
    EBADMSG, EEXIST, EINVAL, ENAMETOOLONG, ENOENT, EPERM, errno, names, picture, read, rest,
};
use crate::wait::until;

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("stat").ino()
}

fn links(path: &Path) -> u64 {
    fs::metadata(path).expect("stat").nlink()
}

#[test]
fn renamed_scratch_is_read_as_it_was_refined() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let scratch = row.join("upload.tmp");
    fs::write(&scratch, picture::good(1)).expect("scratch is not judged");
    assert_eq!(read(&scratch), picture::good(1), "the kernel has its pages");
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
fn linked_scratch_is_attached_and_a_taken_field_exists() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("upload.tmp"), picture::good(1)).expect("scratch");
    fs::hard_link(row.join("upload.tmp"), row.join("avatar")).expect("taken");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(errno(fs::hard_link(row.join("upload.tmp"), row.join("avatar"))), EEXIST);
}

#[test]
fn a_hard_link_is_one_attachment_with_two_names() {
    let Some(mount) = Mount::start() else { return };
    let first = mount.attach("avatar", &picture::good(1));
    let second = mount.row_of("43").join("avatar");
    fs::hard_link(&first, &second).expect("linked");
    assert_eq!(inode(&first), inode(&second));
    assert_eq!((links(&first), links(&second)), (2, 2));
    fs::remove_file(&first).expect("removed");
    assert_eq!(links(&second), 1);
    assert_eq!(read(&second), picture::good(1));
}

#[test]
fn equal_content_makes_two_inodes() {
    let Some(mount) = Mount::start() else { return };
    let first = mount.attach("avatar", &picture::good(1));
    let second = mount.row_of("43").join("avatar");
    fs::write(&second, picture::good(1)).expect("taken");
    assert_ne!(inode(&first), inode(&second));
    assert_eq!((links(&first), links(&second)), (1, 1));
}

#[test]
fn rename_without_replacing_finds_what_is_there() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let scratch = mount.row().join("upload.tmp");
    fs::write(&scratch, picture::good(2)).expect("scratch");
    let rename = || renameat_with(CWD, &scratch, CWD, &avatar, RenameFlags::NOREPLACE);
    assert_eq!(rename().expect_err("it is taken").raw_os_error(), EEXIST);
    fs::remove_file(&avatar).expect("removed");
    rename().expect("now it is free");
    assert_eq!(read(&avatar), picture::good(2));
}

#[test]
fn exchange_swaps_two_rows_pictures() {
    let Some(mount) = Mount::start() else { return };
    let first = mount.attach("avatar", &picture::good(1));
    let second = mount.row_of("43").join("avatar");
    fs::write(&second, picture::good(2)).expect("taken");
    renameat_with(CWD, &first, CWD, &second, RenameFlags::EXCHANGE).expect("exchanged");
    assert_eq!(read(&first), picture::good(2));
    assert_eq!(read(&second), picture::good(1));
}

#[test]
fn a_field_has_an_alias_with_its_extension_and_is_listed_as_written() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("avatar.png"), picture::good(1)).expect("taken");
    assert_eq!(names(&row), ["avatar.png"]);
    assert_eq!(inode(&row.join("avatar")), inode(&row.join("avatar.png")));
    assert_eq!(errno(fs::metadata(row.join("avatar.jpg"))), ENOENT);
    fs::rename(row.join("avatar.png"), row.join("avatar")).expect("its own alias");
    assert_eq!(names(&row), ["avatar.png"], "nothing has changed");
    fs::remove_file(row.join("avatar")).expect("removed");
    assert_eq!(errno(fs::metadata(row.join("avatar.png"))), ENOENT);
    assert!(names(&row).is_empty());
}

#[test]
fn a_misnamed_picture_is_listed_with_the_extension_of_its_type() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("avatar.jpg"), picture::good(1)).expect("a type comes from the bytes");
    assert_eq!(names(&row), ["avatar.png"]);
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
fn a_row_is_renamed_with_what_is_attached() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let users = mount.path("models/user");
    run("mv", &[users.join("42"), users.join("43")]).succeeded();
    assert_eq!(names(&users), ["43"]);
    assert_eq!(read(&users.join("43/avatar")), picture::good(1));
}

#[test]
fn rm_r_removes_a_row_with_what_is_attached() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    fs::write(mount.row().join("scratch"), b"x").expect("scratch");
    run("rm", &[Path::new("-r"), &mount.row()]).succeeded();
    assert!(names(&mount.path("models/user")).is_empty());
}

#[test]
fn a_row_whose_id_breaks_the_rule_is_invalid() {
    let Some(mount) = Mount::start() else { return };
    for id in ["forty-two", "4 2", "042", "-1", "42.5"] {
        assert_eq!(errno(fs::create_dir(mount.path("models/user").join(id))), EINVAL, "{id}");
    }
}

#[test]
fn a_table_is_not_made_by_mkdir_and_nothing_is_written_beside_the_tables() {
    let Some(mount) = Mount::start() else { return };
    assert_eq!(errno(fs::create_dir(mount.path("models/nobody"))), EPERM);
    assert_eq!(errno(fs::metadata(mount.path("models/nobody"))), ENOENT);
    assert_eq!(errno(File::create(mount.path("models/file"))), EPERM);
    assert_eq!(names(&mount.path("models")), ["page", "user"]);
}

#[test]
fn names_that_are_none_are_refused() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    assert_eq!(errno(File::create(row.join("a".repeat(256)))), ENAMETOOLONG);
    for name in [&b"line\nfeed"[..], b"\xff\xfe", b"trailing.", b"trailing "] {
        let path = row.join(std::ffi::OsStr::from_bytes(name));
        assert_eq!(errno(File::create(path)), EINVAL, "{name:?}");
    }
    assert!(names(&row).is_empty());
}

#[test]
fn only_files_are_made_in_a_row() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    assert_eq!(errno(fs::create_dir(row.join("directory"))), EPERM);
    assert_eq!(errno(std::os::unix::fs::symlink("elsewhere", row.join("link"))), EPERM);
    let done = run("mkfifo", &[row.join("fifo")]);
    assert!(done.code == 1 && done.stderr.contains("Operation not permitted"), "{done}");
    assert!(names(&row).is_empty());
}

#[test]
fn an_open_file_that_is_removed_is_readable_to_the_end() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let mut file = File::open(&avatar).expect("opened");
    fs::remove_file(&avatar).expect("removed");
    assert_eq!(rest(&mut file), picture::good(1));
}

/// The kernel had the listed name cached for an hour. An open of it with
/// `O_PATH`, as Samba's, led to the old inode, whose `fstat` was `ESTALE`.
#[test]
fn a_name_whose_file_was_replaced_under_an_alias_leads_to_the_new_file_also_without_an_open() {
    let (Some(mount), Some(mut samba)) = (Mount::start(), Peer::start()) else { return };
    let row = mount.row();
    let listed = row.join("avatar.png");
    fs::write(&listed, picture::good(1)).expect("taken");
    fs::metadata(&listed).expect("known to the kernel");
    fs::write(row.join("up.tmp"), picture::good(2)).expect("scratch");
    fs::rename(row.join("up.tmp"), row.join("avatar")).expect("attached");
    let size = format!("os.fstat(os.open({listed:?}, os.O_PATH)).st_size");
    let new = picture::good(2).len().to_string();
    until("the listed name is the new file", || samba.ask(&size) == Ok(new.clone()));
}

/// A file that was moved or removed by its bare name kept its listed name.
#[test]
fn a_file_that_goes_by_an_alias_takes_its_listed_name_along() {
    let Some(mount) = Mount::start() else { return };
    let (row, other) = (mount.row(), mount.row_of("43"));
    let listed = row.join("avatar.png");
    let leave: [&dyn Fn(&Path); 3] = [
        &|avatar| fs::rename(avatar, other.join("avatar")).expect("moved"),
        &|avatar| fs::rename(avatar, other.join("backup~")).expect("demoted"),
        &|avatar| fs::remove_file(avatar).expect("removed"),
    ];
    for leave in leave {
        fs::write(&listed, picture::good(1)).expect("taken");
        fs::metadata(&listed).expect("known to the kernel");
        leave(&row.join("avatar"));
        // The kernel forgets a name after it has unlocked the directory, and it has answered before that.
        until("the listed name is forgotten", || {
            fs::metadata(&listed).is_err_and(|it| it.raw_os_error() == Some(ENOENT))
        });
    }
}
