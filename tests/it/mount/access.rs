//! Permissions: every user gets the answers of a local disk. The kernel checks modes, and the daemon what the kernel does not know:
//! the stickiness of a table, drafts, scratch, refusals and views (CONTRACT 1, 2.1 and 4).

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::tool::{Done, installed};
use super::user::{
    MEMBER, OWNER, ROOT, STRANGER, TEAM, User, access, is_denied, may_become_others, set_access,
};
use super::{names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("library.trash = '1h'")
        .with("mount.allow_other = true")
        .table("user", "integer")
        .field("memo", "file")
        .field("note", "file")
        .field("avatar", "image, thumbnails = ['w64']")
        .table("team", "integer")
        .with("tables.team.group = '2000'")
        .with("tables.team.dir_mode = '0775'")
        .field("memo", "file")
}

/// A mount that other users reach.
fn mount() -> Option<Mount> {
    may_become_others().then(|| config().mount())?
}

/// Gives a path to a user and the team.
fn set(path: &Path, uid: u32, mode: u32) {
    set_access(path, (uid, TEAM, mode));
}

/// A row that everybody may write to.
fn common_row(mount: &Mount) -> PathBuf {
    let row = mount.row();
    set(&row, OWNER.uid, 0o777);
    row
}

/// Operations on a row with a file `memo`, by name. The path of the row is `$1`.
const OPERATIONS: [(&str, &str); 23] = [
    ("read", "cat $1/memo"),
    ("write", "echo new > $1/memo"),
    ("append", "echo new >> $1/memo"),
    ("truncate", "truncate -s 3 $1/memo"),
    ("create", "echo new > $1/note"),
    ("replace", "echo new > $1/.memo.part && mv -f $1/.memo.part $1/memo"),
    ("rename", "mv -f $1/memo $1/note"),
    ("link", "ln $1/memo $1/note"),
    ("unlink", "rm -f $1/memo"),
    ("list", "ls $1"),
    ("stat", "stat -c '%s %a %u %g' $1/memo"),
    ("chmod", "chmod 640 $1/memo"),
    ("chown", "chown 1003 $1/memo"),
    ("chgrp to the team", "chgrp 2000 $1/memo"),
    ("chgrp to another", "chgrp 1003 $1/memo"),
    ("touch", "touch $1/memo"),
    ("touch -d", "touch -d @1000000000 $1/memo"),
    ("setxattr", "setfattr -n user.note -v hello $1/memo"),
    ("getxattr", "getfattr --absolute-names --only-values -n user.colour $1/memo"),
    ("chmod of the row", "chmod 750 $1"),
    ("touch -d of the row", "touch -d @1000000000 $1"),
    ("rename of the row", "mv -T $1 $1/../43"),
    ("rm -r of the row", "rm -rf $1"),
];

/// The modes of a row and of its file, and the owner of both.
const MODES: [(u32, u32, User); 6] = [
    (0o755, 0o644, OWNER),
    (0o775, 0o660, OWNER),
    (0o700, 0o644, OWNER),
    (0o777, 0o604, OWNER),
    (0o771, 0o600, OWNER),
    // Sticky: only owners remove files from it.
    (0o1777, 0o666, MEMBER),
];

/// Empties the table and makes row 42 of the owner, with a file.
fn prepare(table: &Path, (row_mode, file_mode, owner): (u32, u32, User)) -> PathBuf {
    for row in names(table) {
        fs::remove_dir_all(table.join(row)).expect("removed");
    }
    let row = table.join("42");
    fs::create_dir(&row).expect("a row");
    fs::write(row.join("memo"), "stored").expect("a file");
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(row.join("memo"), "user.colour", b"blue", flags).expect("an attribute");
    set(&row.join("memo"), owner.uid, file_mode);
    set(&row, OWNER.uid, row_mode);
    row
}

/// The outcome of an operation: the exit code, the output, the error message, and the files afterwards.
fn outcome(user: User, operation: &str, table: &Path, modes: (u32, u32, User)) -> String {
    let row = prepare(table, modes);
    let Done { code, stdout, stderr } = user.shell(operation, &[&row]);
    let reason = stderr.lines().next().and_then(|line| line.rsplit(": ").next()).unwrap_or("");
    let mut told = format!("{code} {stdout:?} {reason}");
    for row in names(table) {
        let row = table.join(row);
        let kept = |name: &String| !name.starts_with('.');
        let files = names(&row).into_iter().filter(kept).map(|name| row.join(name));
        for path in files.chain([row.clone()]) {
            let meta = fs::metadata(&path).expect("stat");
            let below = path.strip_prefix(table).expect("in it").display();
            let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode());
            write!(told, "\n  {below} {uid}:{gid} {mode:o}").expect("text");
            if meta.is_file() {
                write!(told, " {} {}", meta.nlink(), read(&path).0.escape_ascii()).expect("text");
            }
        }
    }
    told
}

#[test]
fn every_user_gets_the_answers_of_a_local_disk() {
    let Some(mount) = mount().filter(|_| installed("setfattr")) else { return };
    let local = mount.beside("local");
    fs::create_dir(&local).expect("a directory");
    let table = mount.path("models/user");
    let mut differences = String::new();
    for modes in MODES {
        for user in [ROOT, OWNER, MEMBER, STRANGER] {
            for (name, operation) in OPERATIONS {
                let ours = outcome(user, operation, &table, modes);
                let theirs = outcome(user, operation, &local, modes);
                if ours != theirs {
                    let (row, file, _) = modes;
                    let case = format!("{name} by {} in {row:o}/{file:o}", user.uid);
                    writeln!(differences, "{case}\nours: {ours}\nlocal: {theirs}").expect("text");
                }
            }
        }
    }
    assert_eq!(differences, "");
}

#[test]
fn only_writers_of_the_table_make_rename_and_remove_rows() {
    let Some(mount) = mount() else { return };
    let (team, user) = (mount.path("models/team"), mount.path("models/user"));
    assert_eq!((access(&team), access(&user)), ((0, TEAM, 0o775), (0, 0, 0o755)));
    for operation in ["mkdir $1/1", "mkdir $1/1 && mv $1/1 $1/2 && rmdir $1/2"] {
        assert!(is_denied(&STRANGER.shell(operation, &[&team])), "{operation}");
        assert!(is_denied(&MEMBER.shell(operation, &[&user])), "{operation}");
        MEMBER.shell(&format!("{operation}; rm -rf $1/*"), &[&team]).succeeded();
    }
    MEMBER.shell("mkdir $1/3 && echo of a member > $1/3/memo", &[&team]).succeeded();
    assert_eq!(access(&team.join("3")), (MEMBER.uid, TEAM, 0o775));
    assert_eq!(access(&team.join("3/memo")), (MEMBER.uid, TEAM, 0o644));
    OWNER.shell("echo of another > $1/3/.x && mv $1/3/.x $1/3/memo", &[&team]).succeeded();
    assert_eq!(access(&team.join("3/memo")), (OWNER.uid, TEAM, 0o644), "the group is the team's");
    assert!(is_denied(&STRANGER.shell("rm -r $1/3", &[&team])));
}

#[test]
fn scratch_is_read_renamed_and_replaced_by_its_own_user_only() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    OWNER.shell("umask 0; echo mine > $1/.a.part; chmod 666 $1/.a.part", &[&row]).succeeded();
    let shown = || fs::metadata(row.join(".a.part")).expect("stat");
    assert_eq!((shown().uid(), shown().mode() & 0o7777), (OWNER.uid, 0o600));
    MEMBER.shell("echo theirs > $1/.b.part", &[&row]).succeeded();
    for operation in [
        "cat $1/.a.part",
        "echo more >> $1/.a.part",
        "echo more > $1/.a.part",
        "chmod 644 $1/.a.part",
        "mv -f $1/.a.part $1/memo",
        "mv -f $1/.a.part $1/.c.part",
        "mv -f $1/.b.part $1/.a.part",
        "ln $1/.a.part $1/memo",
        "ln -s http://192.0.2.1/x $1/.l && mv -f $1/.l $1/.a.part",
        "echo stored > $1/note; mv -f $1/note $1/.a.part",
        "mv -f $1/row.json $1/.a.part",
    ] {
        let done = MEMBER.shell(operation, &[&row]);
        assert!(is_denied(&done), "{operation}: {done}");
        assert_eq!(read(&row.join(".a.part")), b"mine\n", "{operation}");
        assert!(!row.join("memo").exists(), "{operation}");
    }
    OWNER.shell("cat $1/.a.part && echo more >> $1/.a.part", &[&row]).succeeded();
    OWNER.shell("mv $1/.a.part $1/.c.part && mv $1/.c.part $1/memo", &[&row]).succeeded();
    assert_eq!(read(&row.join("memo")), b"mine\nmore\n");
    let memo = fs::metadata(row.join("memo")).expect("stat");
    assert_eq!(
        (memo.uid(), memo.mode() & 0o7777),
        (OWNER.uid, 0o666),
        "the mode that its writer asked for"
    );
    assert_eq!(ROOT.shell("cat $1/.b.part", &[&row]).stdout, "theirs\n", "root reads all");
}

#[test]
fn only_its_writer_reads_a_draft() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    let memo = row.join("memo");
    let mut writer = File::create(&memo).expect("opened");
    writer.write_all(b"secret").expect("sent");
    for user in [ROOT, OWNER, MEMBER, STRANGER] {
        let done = user.shell("cat $1/memo", &[&row]);
        assert!(done.code != 0 && done.stderr.contains("busy"), "{}: {done}", user.uid);
        let done = user.shell("mv $1/memo $1/note || ln $1/memo $1/note", &[&row]);
        assert!(done.code != 0, "{}: {done}", user.uid);
        let done = user.shell("getfattr --absolute-names -d $1/memo; stat -c %s $1/memo", &[&row]);
        assert_eq!(done.stdout, "6\n", "the size so far is no secret");
    }
    drop(writer);
    assert_eq!(STRANGER.shell("cat $1/memo", &[&row]).stdout, "secret");

    fs::set_permissions(&memo, Permissions::from_mode(0o666)).expect("chmod");
    let mut writer = File::create(&memo).expect("opened anew");
    writer.write_all(b"another secret").expect("sent");
    for user in [ROOT, OWNER, STRANGER] {
        assert_eq!(user.shell("cat $1/memo", &[&row]).stdout, "secret", "the old file, whole");
    }
    let done = STRANGER.shell("exec 3<> $1/memo; cat <&3; printf mine > $1/memo", &[&row]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "secret"), "a draft of its own; {done}");
    drop(writer);
    assert_eq!(read(&memo), b"another secret", "the last to commit wins, whole");
}

#[test]
fn a_user_sees_only_its_own_refusals() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    let control = mount.path(".mediafs");
    MEMBER.shell("head -c 500 /dev/zero > $1/avatar", &[&row]);
    let said = |user: User| user.shell("cat $1/last-error", &[&control]).stdout;
    assert!(said(MEMBER).contains("user/42/avatar: content is"), "{}", said(MEMBER));
    assert_eq!((said(STRANGER), said(OWNER), said(ROOT)), Default::default());
    let size = |user: User| user.shell("stat -c %s $1/last-error", &[&control]).stdout;
    assert_eq!(size(MEMBER), format!("{}\n", said(MEMBER).len()));
    assert_eq!(size(STRANGER), "0\n");
    for user in [MEMBER, STRANGER] {
        assert!(is_denied(&user.shell("cat $1/errors.jsonl", &[&control])));
    }
    STRANGER.shell("cat $1/status.json && cat $1/metrics", &[&control]).succeeded();
    STRANGER.shell("head -c 600 /dev/zero > $1/avatar", &[&row]);
    assert_ne!(said(STRANGER), said(MEMBER));
}

#[test]
fn only_its_sender_reaches_an_entry_of_the_quarantine() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    let half = mount.outside("half.png", &picture::cut_short(1));
    fs::set_permissions(&half, Permissions::from_mode(0o644)).expect("chmod");
    assert_eq!(MEMBER.run("cp", &[half, row.join("avatar")]).code, 1);
    let entry = mount.kept().entry;
    for operation in [
        "ls $1",
        "cat $1/avatar",
        "cat $1/reason.json",
        "mv -f $1/avatar $2/memo",
        "rm -r $1",
        "rmdir $1",
        "chmod 755 $1",
    ] {
        let done = STRANGER.shell(operation, &[&entry, &row]);
        assert!(is_denied(&done), "{operation}: {done}");
    }
    MEMBER.shell("cat $1/reason.json && cmp $1/avatar $1/avatar", &[&entry]).succeeded();
    MEMBER.shell("mv $1/avatar $2/memo", &[&entry, &row]).succeeded();
    let memo = fs::metadata(row.join("memo")).expect("attached");
    assert_eq!((memo.uid(), memo.mode() & 0o7777), (MEMBER.uid, 0o644));
    assert_eq!(read(&row.join("memo")), picture::cut_short(1));
}

#[test]
fn a_user_who_may_not_read_a_picture_may_not_read_its_variants() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    let avatar = row.join("avatar");
    fs::write(&avatar, picture::good(1)).expect("taken");
    set(&avatar, OWNER.uid, 0o640);
    let thumbs = mount.path("thumbs/user/42/avatar");
    let reads = ["cat $1/w64.png", "stat $1/w64.png", "cat $2/avatar@w64.png", "cat $1/w32.webp"];
    let all = |user: User| reads.map(|read| user.shell(read, &[&thumbs, &row]));
    assert!(all(STRANGER).iter().all(is_denied), "no variant is rendered for a stranger");
    for user in [OWNER, MEMBER, ROOT] {
        all(user).iter().for_each(Done::succeeded);
    }
    assert!(all(STRANGER).iter().all(is_denied), "a variant rendered for others is closed too");
    set(&avatar, OWNER.uid, 0o604);
    assert!(all(MEMBER).iter().all(is_denied), "members have the permissions of the group");
    all(STRANGER).iter().for_each(Done::succeeded);
    set(&row, OWNER.uid, 0o700);
    assert!(all(STRANGER).iter().all(is_denied), "a closed row closes its variants");
}

#[test]
fn only_writers_of_the_row_purge_a_variant() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    fs::write(row.join("avatar"), picture::good(1)).expect("taken");
    set(&row, OWNER.uid, 0o775);
    let thumbs = mount.path("thumbs/user/42/avatar");
    STRANGER.shell("cat $1/w64.png > /dev/null", &[&thumbs]).succeeded();
    assert!(is_denied(&STRANGER.shell("rm -f $1/w64.png", &[&thumbs])));
    MEMBER.shell("rm -f $1/w64.png", &[&thumbs]).succeeded();
}

#[test]
fn row_json_has_the_permissions_of_its_row_and_a_url_those_of_its_file() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    fs::write(row.join("memo"), "stored").expect("taken");
    set(&row.join("memo"), OWNER.uid, 0o640);
    set(&row, OWNER.uid, 0o755);
    let patch = "echo '{\"memo\": null}' > $1/row.json";
    STRANGER.shell("cat $1/row.json", &[&row]).succeeded();
    for user in [MEMBER, STRANGER] {
        assert!(is_denied(&user.shell(patch, &[&row])), "the row is not theirs");
        let rename = "echo '{}' > $1/.p && mv $1/.p $1/row.json";
        assert!(is_denied(&user.shell(rename, &[&row])));
    }
    assert!(is_denied(&STRANGER.shell("cat $1/memo.url", &[&row])));
    MEMBER.shell("cat $1/memo.url", &[&row]).succeeded();
    let url = "echo http://192.0.2.1/x > $1/memo.url";
    assert!(is_denied(&MEMBER.shell(url, &[&row])), "a member may read the file, not write it");
    assert_eq!(read(&row.join("memo")), b"stored");
    OWNER.shell(patch, &[&row]).succeeded();
    assert!(!row.join("memo").exists());
    set(&row, OWNER.uid, 0o700);
    for user in [MEMBER, STRANGER] {
        assert!(is_denied(&user.shell("cat $1/row.json", &[&row])));
    }
}

#[test]
fn a_file_of_a_closed_row_stays_closed_in_the_trash() {
    let Some(mount) = mount() else { return };
    let row = common_row(&mount);
    fs::write(row.join("memo"), "private").expect("taken");
    set(&row.join("memo"), OWNER.uid, 0o644);
    set(&row, OWNER.uid, 0o770);
    fs::remove_file(row.join("memo")).expect("removed");
    let lost = mount.lost();
    let reads = |user: User| user.run("cat", &[&lost]);
    assert!(is_denied(&reads(STRANGER)));
    assert_eq!(reads(MEMBER).stdout, "private", "a member could read it in the row");
    for user in [MEMBER, STRANGER] {
        for operation in ["mv -f $1 $2/memo", "ln $1 $2/memo", "rm -f $1", "chmod 666 $1"] {
            let done = user.shell(operation, &[&lost, &row]);
            assert!(done.code != 0, "{operation} by {}: {done}", user.uid);
        }
    }
    fs::remove_dir(&row).expect("removed");
    assert!(is_denied(&reads(MEMBER)), "the permissions of a removed row are unknown");
    assert_eq!(reads(OWNER).stdout, "private");
    fs::create_dir(&row).expect("the row again");
    set(&row, OWNER.uid, 0o700);
    OWNER.shell("mv $1 $2/memo", &[&lost, &row]).succeeded();
    assert_eq!(read(&row.join("memo")), b"private");
}
