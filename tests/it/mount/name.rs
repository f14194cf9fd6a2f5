//! Names of fields and rows: aliases, renames and hard links (CONTRACT 1). `scratch` has the other names in a row, `bad_input` the
//! names that are refused.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::daemon::Mount;
use super::peer::Peer;
use super::tool::run;
use super::{EEXIST, EINVAL, ENOENT, EXDEV, errno, names, picture, read, rest};
use crate::config::Config;
use crate::wait::until;

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("stat").ino()
}

fn links(path: &Path) -> u64 {
    fs::metadata(path).expect("stat").nlink()
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
fn rename_noreplace_onto_a_taken_field_is_eexist() {
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
    assert_eq!(names(&row), ["avatar.png"], "the rename changes nothing");
    fs::remove_file(row.join("avatar")).expect("removed");
    assert_eq!(errno(fs::metadata(row.join("avatar.png"))), ENOENT);
    assert!(names(&row).is_empty());
}

#[test]
fn a_misnamed_picture_is_listed_with_the_extension_of_its_type() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    fs::write(row.join("avatar.jpg"), picture::good(1)).expect("the bytes tell the type");
    assert_eq!(names(&row), ["avatar.png"]);
}

#[test]
fn a_renamed_row_keeps_its_attachments() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let users = mount.path("models/user");
    run("mv", &[users.join("42"), users.join("43")]).succeeded();
    assert_eq!(names(&users), ["43"]);
    assert_eq!(read(&users.join("43/avatar")), picture::good(1));
}

#[test]
fn rm_r_removes_a_row_with_its_attachments() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    fs::write(mount.row().join("scratch"), b"x").expect("scratch");
    run("rm", &[Path::new("-r"), &mount.row()]).succeeded();
    assert!(names(&mount.path("models/user")).is_empty());
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
fn a_listed_name_leads_to_the_file_that_replaced_it_under_an_alias() {
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
fn a_file_moved_or_removed_by_an_alias_loses_its_listed_name() {
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

#[test]
fn renaming_a_field_to_its_own_alias_changes_nothing() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let before = fs::metadata(&avatar).expect("stat");
    fs::rename(&avatar, mount.row().join("avatar.png")).expect("renamed");
    let after = fs::metadata(&avatar).expect("stat");
    assert_eq!((before.ino(), before.nlink()), (after.ino(), after.nlink()));
    assert_eq!(names(&mount.row()), ["avatar"]);
    assert_eq!(read(&avatar), picture::good(1));
}

#[test]
fn unlisted_names_keep_no_directory_from_being_removed() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    let avatar = mount.attach("avatar", &picture::good(1));
    for unlisted in ["avatar.png", "avatar@w64.jpg", "row.json"] {
        assert!(row.join(unlisted).exists(), "{unlisted}");
    }
    fs::remove_file(&avatar).expect("removed");
    fs::remove_dir(&row).expect("no listed name is left");
}

#[test]
fn an_id_is_checked_by_the_rule_of_its_table() {
    let table = |config: Config, id: &str| config.table(id, id).field("f", "file");
    let config = ["integer", "uuid", "name"].into_iter().fold(Config::new(), table);
    let Some(mount) = config.mount() else { return };
    let uuid = "6f1f3c1e-7f0a-4f5e-9d4b-0c2a4f6e8d10";
    for (table, good, bad) in [
        ("integer", "42", "042"),
        ("integer", "0", "x"),
        ("uuid", uuid, "42"),
        ("name", "a b", ".a"),
    ] {
        let table = mount.path("models").join(table);
        fs::create_dir(table.join(good)).expect(good);
        assert_eq!(errno(fs::create_dir(table.join(bad))), EINVAL, "{bad}");
        let row = table.join(good);
        assert_eq!(errno(fs::rename(&row, table.join(bad))), EINVAL, "{bad}");
    }
}

#[test]
fn case_counts() {
    let Some(mount) = Mount::start() else { return };
    let row = mount.row();
    mount.attach("avatar", &picture::good(1));
    fs::write(row.join("Avatar"), "scratch").expect("scratch");
    assert_eq!(names(&row), ["Avatar", "avatar"]);
    assert!(!mount.path("models/User").exists());
}

#[test]
fn a_row_is_renamed_onto_an_empty_one_and_not_across_tables() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let (row, empty) = (mount.row(), mount.row_of("43"));
    let inode = fs::metadata(&row).expect("stat").ino();
    fs::rename(&row, &empty).expect("43 is empty");
    assert_eq!(fs::metadata(&empty).expect("stat").ino(), inode);
    assert_eq!(read(&empty.join("avatar")), picture::good(1));
    let other = mount.row_of("44");
    fs::write(other.join("avatar"), picture::good(2)).expect("taken");
    assert!(fs::rename(&empty, &other).is_err(), "44 is not empty");
    assert_eq!(errno(fs::rename(&empty, mount.path("models/page/43"))), EXDEV);
}

/// `é` as one character, and as `e` with an accent.
const FORMS: [&str; 2] = ["caf\u{e9}", "cafe\u{301}"];

#[test]
fn with_normalize_a_name_finds_its_file_in_either_unicode_form() {
    let config = Config::new().table("page", "name").field("memo", "file");
    let config = config.field("papers", "file, collection = 'list'");
    let gone = |papers: &Path| {
        until("both forms are forgotten", || FORMS.iter().all(|it| !papers.join(it).exists()));
    };
    let Some(mut mount) = config.mount() else { return };
    let pages = mount.path("models/page");
    // Stored before the key was set, in the form that macOS writes.
    fs::create_dir_all(pages.join("old")).expect("a row");
    fs::write(pages.join("old/papers").join(FORMS[1]), "old").expect("an item");
    mount.stop();
    mount.configure(config.with("mount.normalize = 'nfc'"));
    mount.restart();
    for (written, asked) in [(FORMS[0], FORMS[1]), (FORMS[1], FORMS[0])] {
        let page = pages.join(written);
        fs::create_dir(&page).expect("a row");
        assert_eq!(names(&pages), [FORMS[0], "old"], "it is listed in the composed form");
        let papers = pages.join(asked).join("papers");
        fs::write(papers.join(written), "first").expect("an item");
        assert_eq!(read(&papers.join(asked)).0, b"first");
        fs::write(papers.join(asked), "second").expect("the same item");
        assert_eq!(read(&papers.join(written)).0, b"second");
        assert_eq!(names(&papers), [FORMS[0]]);
        fs::rename(papers.join(asked), papers.join("x")).expect("renamed");
        gone(&papers);
        fs::write(papers.join(written), "third").expect("an item");
        fs::rename(papers.join("x"), papers.join(asked)).expect("replaced");
        // As with an alias, the kernel forgets the other form after it has answered.
        until("the replaced file is forgotten", || {
            FORMS.map(|form| read(&papers.join(form)).0) == [b"second", b"second"]
        });
        fs::remove_file(papers.join(asked)).expect("removed");
        gone(&papers);
        fs::write(pages.join(written).join(asked), "x").expect("scratch");
        assert_eq!(read(&pages.join(asked).join(written)).0, b"x");
        fs::remove_dir(pages.join(asked)).expect("removed");
        assert!(!pages.join(written).exists());
    }
    let old = pages.join("old/papers");
    assert_eq!(FORMS.map(|form| read(&old.join(form)).0), [b"old", b"old"]);
    fs::write(old.join(FORMS[0]), "new").expect("the same item");
    assert_eq!(names(&old), [FORMS[1]], "it keeps its name");
}
