//! Attributes, times, locks and df: what is stored with the attachment, what is answered and not stored, and what is not
//! supported (CONTRACT 1, 2.10, 6 and 9).

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, removexattr, setxattr};
use rustix::io::Errno;

use super::attribute::{listed, set, split, text, value};
use super::daemon::Mount;
use super::peer::Peer;
use super::tool::{installed, is_root, run};
use super::web_server::Server;
use super::{ENOENT, errno, names, picture, read};

const ORIGIN: &str = "user.xdg.origin.url";

#[test]
fn facts_answer_by_name_are_not_listed_and_setting_them_is_ignored() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.row().join("avatar.png");
    fs::write(&avatar, picture::good(1)).expect("taken");
    let fact = |name: &str| text(&avatar, &format!("user.mediafs.{name}"));
    let bytes = picture::good(1);
    let hash = blake3::hash(&bytes).to_string();
    let timestamp = fact("timestamp");
    for (name, wanted) in [
        ("hash", format!("blake3:{hash}")),
        ("content_type", "image/png".into()),
        ("length", bytes.len().to_string()),
        ("width", "160".into()),
        ("height", "120".into()),
        ("ratio", "1.333333".into()),
        ("extension", ".png".into()),
        ("original_filename", "avatar.png".into()),
        ("store", "default".into()),
        ("version", "1".into()),
    ] {
        assert_eq!(fact(name), wanted, "{name}");
    }
    assert!(fact("key").starts_with(&hash), "{}", fact("key"));
    assert!(fact("url").ends_with(&format!("?_ts={timestamp}")), "{}", fact("url"));
    let (seconds, _) = timestamp.split_once('.').expect("seconds and a fraction");
    let seconds: i64 = seconds.parse().expect("seconds");
    let changed = fs::metadata(&avatar).expect("stat").ctime();
    assert!(seconds.abs_diff(changed) < 60, "{timestamp}");
    assert_eq!(text(&avatar, "user.mime_type"), "image/png");
    assert_eq!(value(&avatar, "user.mediafs.colour"), Err(Errno::NODATA), "no such fact");
    assert_eq!(value(&avatar, "user.mediafs.error"), Err(Errno::NODATA), "without a refusal");
    assert_eq!(listed(&avatar), Vec::<String>::new());
    for name in ["user.mediafs.width", "user.mediafs.colour", "user.mime_type"] {
        let before = value(&avatar, name);
        set(&avatar, name, b"7").expect("ignored");
        assert_eq!(value(&avatar, name), before, "{name}");
        assert_eq!(removexattr(&avatar, name), Err(Errno::PERM), "{name}");
    }
    assert_eq!(listed(&avatar), Vec::<String>::new());
    let scratch = mount.row().join(".part");
    fs::write(&scratch, "x").expect("scratch");
    set(&scratch, "user.mediafs.width", b"7").expect("ignored");
    assert_eq!(listed(&scratch), Vec::<String>::new());
}

#[test]
fn other_attributes_are_stored_with_the_attachment_and_listed() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    set(&memo, "user.note", b"hello").expect("set");
    set(&memo, "user.empty", b"").expect("set");
    let create = |name: &str| setxattr(&memo, name, b"x", XattrFlags::CREATE);
    let replace = |name: &str| setxattr(&memo, name, b"good day", XattrFlags::REPLACE);
    assert_eq!(
        (create("user.note"), replace("user.other")),
        (Err(Errno::EXIST), Err(Errno::NODATA))
    );
    replace("user.note").expect("replaced");
    create("user.other").expect("made");
    removexattr(&memo, "user.other").expect("removed");
    assert_eq!(removexattr(&memo, "user.other"), Err(Errno::NODATA));
    let here = |path: &Path| (listed(path), text(path, "user.note"));
    let all = (vec!["user.empty".to_owned(), "user.note".to_owned()], "good day".to_owned());
    assert_eq!(here(&memo), all);

    let note = memo.with_file_name("cover.url");
    assert_eq!(set(&note, "user.note", b"x"), Err(Errno::NOENT));
    fs::hard_link(&memo, memo.with_file_name("note")).expect("a second name");
    assert_eq!(here(&memo.with_file_name("note")), all, "one inode");
    fs::remove_file(&memo).expect("removed");
    let other = mount.row_of("43").join("memo");
    fs::rename(memo.with_file_name("note"), &other).expect("moved");
    mount.stop_and_restart();
    assert_eq!(here(&other), all, "after a restart");
    let backup = other.with_file_name("memo~");
    fs::rename(&other, &backup).expect("a backup, which is scratch");
    assert_eq!(here(&backup).1, all.1);
    fs::rename(&backup, &other).expect("moved back");
    assert_eq!(here(&other), all);
    fs::write(&other, "a new text").expect("written anew");
    assert_eq!(listed(&other).len(), 0, "the new file has none of the old attributes");
}

#[test]
fn attributes_are_set_before_the_commit_and_on_scratch() {
    let Some(mount) = Mount::start() else { return };
    let memo = mount.row().join("memo");
    let mut file = File::create(&memo).expect("a draft");
    file.write_all(b"text").expect("written");
    fsetxattr(&file, "user.note", b"early", XattrFlags::empty()).expect("set");
    let mut buffer = [0; 64];
    assert_eq!(fgetxattr(&file, "user.note", &mut buffer), Ok(5));
    let length = flistxattr(&file, &mut buffer[..]).expect("listed");
    assert_eq!(split(&buffer[..length]), ["user.note"]);
    drop(file);
    assert_eq!(
        (text(&memo, "user.note"), listed(&memo)),
        ("early".into(), vec!["user.note".into()])
    );

    let part = mount.row().join(".memo.part");
    fs::write(&part, "another").expect("scratch");
    set(&part, "user.note", b"on scratch").expect("set");
    fs::rename(&part, &memo).expect("attached");
    assert_eq!(text(&memo, "user.note"), "on scratch");
    // A change in place keeps them.
    let mut file = File::options().append(true).open(&memo).expect("opened");
    file.write_all(b" line").expect("written");
    drop(file);
    assert_eq!(
        (read(&memo).0, text(&memo, "user.note")),
        (b"another line".to_vec(), "on scratch".into())
    );
}

/// Attributes of Samba and the Finder, which mediafs does not interpret.
#[test]
fn foreign_attributes_are_opaque_and_go_with_rsync_and_cp() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    let opaque = [
        ("user.DOSATTRIB", b"\0\0\x05\0\x05\0\0\0\x11\0\0\0\xff\xfe".to_vec()),
        ("user.com.apple.FinderInfo", vec![0; 32]),
        ("user.com.apple.metadata:kMDItemWhereFroms", b"bplist00\xa1\x01".to_vec()),
        ("user.\u{fc}ber", b"umlaut".to_vec()),
    ];
    for (name, bytes) in &opaque {
        set(&memo, name, bytes).expect("set");
    }
    mount.stop_and_restart();
    let kept = |path: &Path| {
        let mut wanted: Vec<_> = opaque.iter().map(|(name, _)| (*name).to_owned()).collect();
        wanted.sort();
        let mut found = listed(path);
        found.sort();
        assert_eq!(found, wanted, "{path:?}");
        for (name, bytes) in &opaque {
            assert_eq!(value(path, name).as_ref(), Ok(bytes), "{name} of {path:?}");
        }
    };
    kept(&memo);
    let outside = mount.outside("copy", b"").display().to_string();
    let (from, to) = (memo.display().to_string(), mount.row().join("note").display().to_string());
    let copies: &[&[&str]] = &[&["cp", "--preserve=all"], &["rsync", "-aX"]];
    for copy in copies.iter().filter(|copy| installed(copy[0])) {
        run(copy[0], &[&copy[1..], &[&from, &outside]].concat()).succeeded();
        kept(Path::new(&outside));
        run(copy[0], &[&copy[1..], &[&outside, &to]].concat()).succeeded();
        kept(Path::new(&to));
        fs::remove_file(&outside).expect("removed");
        fs::remove_file(&to).expect("removed");
    }
}

/// ext4, xfs and btrfs answer ENOSPC too.
#[test]
fn attributes_beyond_64_kib_a_file_are_enospc_with_a_reason() {
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    let room = (64 << 10) - "user.a".len() - "user.b".len() - 1000;
    set(&memo, "user.a", &vec![1; room]).expect("most of it");
    assert_eq!(set(&memo, "user.b", &[2; 1001]), Err(Errno::NOSPC));
    let fact =
        "user/42/memo: attributes would take 65537 bytes with user.b; memo takes 65536 bytes";
    mount.last_error_has(fact, "(attributes)");
    mount.last_error_has(fact, "setfattr -x");
    assert_eq!(listed(&memo), ["user.a"]);
    set(&memo, "user.b", &[2; 1000]).expect("to the last byte");
    assert_eq!(set(&memo, "user.c", b""), Err(Errno::NOSPC));
    set(&memo, "user.a", b"").expect("less of it");
    set(&memo, "user.c", b"room").expect("there is room again");
    // Limits of the system call; such calls never reach a filesystem.
    assert_eq!(set(&memo, "user.d", &vec![0; (64 << 10) + 1]), Err(Errno::TOOBIG));
    assert_eq!(set(&memo, &format!("user.{}", "n".repeat(251)), b""), Err(Errno::RANGE));
    set(&memo, &format!("user.{}", "n".repeat(250)), b"").expect("255 bytes of a name");

    let mut file = File::options().append(true).open(&memo).expect("a draft");
    file.write_all(b" more").expect("written");
    let set = |name: &str, length| fsetxattr(&file, name, &vec![0; length], XattrFlags::empty());
    assert_eq!(set("user.e", 64 << 10), Err(Errno::NOSPC), "a draft has the same limit");
    assert_eq!(set("user.e", 63 << 10), Err(Errno::NOSPC), "the attributes of the old file count");
    set("user.e", 60 << 10).expect("there is room for less");
    drop(file);
    assert_eq!(value(&memo, "user.e").map(|value| value.len()), Ok(60 << 10));
    let part = mount.row().join(".part");
    fs::write(&part, "scratch").expect("scratch");
    let full = setxattr(&part, "user.a", &vec![0; 64 << 10], XattrFlags::empty());
    assert_eq!(full, Err(Errno::NOSPC), "scratch has the same limit");
}

#[test]
fn the_origin_attribute_of_curl_is_kept_as_the_source() {
    if !installed("curl") {
        return;
    }
    let server = Server::start();
    let Some(mut mount) = Mount::start() else { return };
    let curl = |path: &str, target: &Path| {
        let url = server.url(path);
        run("curl", &["-sS", "--xattr", "-o", &target.display().to_string(), &url]).succeeded();
        url
    };
    let row = mount.row();
    let avatar = row.join("avatar");
    let url = curl("/1.png", &avatar);
    let source = |path: &Path| text(path, ORIGIN);
    assert_eq!((read(&avatar), source(&avatar)), (picture::good(1), url.clone()));
    assert!(!listed(&avatar).contains(&ORIGIN.to_owned()), "{:?}", listed(&avatar));
    assert_eq!(
        text(&avatar, "user.mime_type"),
        "image/png",
        "the type of the bytes, not of the header"
    );
    assert_eq!(mount.row_json()["avatar"]["source"], url.as_str());

    let part = row.join(".cover.part");
    let url = curl("/2.png", &part);
    assert_eq!((source(&part), listed(&part).contains(&ORIGIN.to_owned())), (url.clone(), false));
    fs::rename(&part, row.join("cover")).expect("attached");
    assert_eq!(source(&row.join("cover")), url, "kept over the rename");

    // Browsers set the attribute after the file has its final name.
    let memo = mount.attach("memo", b"text");
    assert_eq!(value(&memo, ORIGIN), Err(Errno::NODATA));
    set(&memo, ORIGIN, b"https://example.org/a").expect("noted");
    mount.stop_and_restart();
    assert_eq!((source(&memo), listed(&memo)), ("https://example.org/a".into(), Vec::new()));
    removexattr(&memo, ORIGIN).expect("removed");
    assert_eq!(value(&memo, ORIGIN), Err(Errno::NODATA));
    assert_eq!(removexattr(&memo, ORIGIN), Err(Errno::NODATA));
}

#[test]
fn other_kinds_of_attributes_and_posix_acls_are_not_supported() {
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    let part = mount.row().join(".part");
    fs::write(&part, "scratch").expect("scratch");
    let acl = b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x04\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff";
    for path in [&memo, &part, &mount.row(), &mount.path("models/user")] {
        for (name, bytes) in [
            ("system.posix_acl_access", &acl[..]),
            ("trusted.note", b"x"),
            ("security.selinux", b"x"),
            ("security.capability", &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(set(path, name, bytes), Err(Errno::OPNOTSUPP), "{name} of {path:?}");
            assert_eq!(value(path, name), Err(Errno::OPNOTSUPP), "{name} of {path:?}");
        }
        assert_eq!(listed(path), Vec::<String>::new());
    }
    assert_eq!(
        set(&mount.row(), "user.note", b"x"),
        Err(Errno::OPNOTSUPP),
        "a row has no attributes"
    );
    assert_eq!(set(&mount.path(".mediafs/status.json"), "user.note", b"x"), Err(Errno::ROFS));
    for name in ["getfacl", "setfacl"] {
        if installed(name) {
            let arguments: &[&str] = if name == "setfacl" { &["-m", "u:1001:r"] } else { &["-c"] };
            let path = memo.display().to_string();
            let done = run(name, &[arguments, &[&path]].concat());
            assert!(name == "getfacl" || done.stderr.contains("not supported"), "{done}");
        }
    }
}

#[test]
fn times_modes_and_owners_are_kept_with_the_attachment() {
    let Some(mut mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    let path = memo.display().to_string();
    run("touch", &["-d", "2001-02-03 04:05:06.789012345 UTC", &path]).succeeded();
    run("chmod", &["604", &path]).succeeded();
    if is_root() {
        run("chown", &["7:8", &path]).succeeded();
    }
    let stat = |path: &Path| {
        let meta = fs::metadata(path).expect("stat");
        (meta.mtime(), meta.mtime_nsec(), meta.mode(), meta.uid(), meta.gid(), meta.ino())
    };
    let before = stat(&memo);
    assert_eq!((before.0, before.1, before.2 & 0o7777), (981_173_106, 789_012_345, 0o604));
    fs::hard_link(&memo, memo.with_file_name("note")).expect("a second name");
    mount.stop_and_restart();
    assert_eq!((stat(&memo), stat(&memo.with_file_name("note"))), (before, before));
    let moved: PathBuf = mount.row_of("43").join("memo");
    fs::rename(&memo, &moved).expect("moved");
    assert_eq!(stat(&moved), before);
    assert_eq!(errno(fs::metadata(&memo)), ENOENT);
    assert_eq!(names(&mount.row()), ["note"]);
}

#[test]
fn df_shows_the_backing_disks_space_and_inodes() {
    let Some(mount) = Mount::start() else { return };
    let df = |path: &Path, columns: &str| {
        let done = run("df", &["-B1", &format!("--output={columns}"), &path.display().to_string()]);
        done.succeeded();
        let line = done.stdout.lines().last().expect("a line").to_owned();
        line.split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect::<Vec<u64>>()
    };
    let here = |path: &str| df(&mount.path(path), "size,itotal");
    let library = df(&mount.library(), "size,itotal");
    assert!(library.iter().all(|number| *number > 0), "{library:?}");
    for path in ["", "models/user", ".mediafs", "thumbs"] {
        assert_eq!(here(path), library, "{path}");
    }
    // Other programs use the disk meanwhile, so equal figures cannot be asked for.
    let near = |ours: u64, theirs: u64| ours.abs_diff(theirs) < theirs / 10 + (1 << 30);
    let (ours, theirs) =
        (df(&mount.mountpoint(), "avail,used,iavail"), df(&mount.library(), "avail,used,iavail"));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(near(*ours, *theirs), "{ours} {theirs}");
    }
    let stat = rustix::fs::statvfs(mount.mountpoint()).expect("statvfs");
    assert_eq!(stat.f_namemax, 255);
}

#[test]
fn an_attachment_has_its_type_and_hash_as_attributes() {
    if !installed("getfattr") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1)).display().to_string();
    let value = |name: &str| run("getfattr", &["--only-values", "-n", name, &avatar]).stdout;
    assert_eq!(value("user.mime_type"), "image/png");
    assert_eq!(value("user.mediafs.width"), "160");
    assert_eq!(value("user.mediafs.hash"), format!("blake3:{}", blake3::hash(&picture::good(1))));
    let listed = run("getfattr", &["-d", &avatar]);
    assert_eq!(listed.stdout, "", "they are not listed, or rsync -X would copy them");
}

#[test]
fn locks_are_the_kernels() {
    let Some(mut holder) = Peer::start() else { return };
    let Some(mount) = Mount::start() else { return };
    let memo = mount.attach("memo", b"text");
    holder.open(&memo, "os.O_RDONLY").expect("opened");
    holder.tell("__import__('fcntl').flock(fd, 2)");
    let locked = |path: &Path| run("flock", &["-n", &path.display().to_string(), "true"]).code;
    assert_ne!(locked(&memo), 0, "another process holds the lock");
    holder.tell("__import__('fcntl').flock(fd, 8)");
    assert_eq!(locked(&memo), 0);
}
