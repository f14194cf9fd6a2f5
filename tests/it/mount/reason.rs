//! Refusals that no rule of a field gives: a file in the wrong place, a name that cannot be, a view (CONTRACT 4).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::daemon::Mount;
use super::tool::{installed, run, shell};
use super::user::{OWNER, may_become_others};
use super::{EINVAL, ENOENT, EPERM, EROFS, errno, picture};

/// An operation that is refused: its errno, its rule, its path and its fact.
type Case = (Box<dyn Fn() -> std::io::Result<()>>, i32, &'static str, &'static str, &'static str);

fn cases(mount: &Mount) -> Vec<Case> {
    let (row, models) = (mount.row(), mount.path("models"));
    let write = |path: PathBuf| Box::new(move || fs::write(&path, "x"));
    let mkdir = |path: PathBuf| Box::new(move || fs::create_dir(&path));
    let (link, json, thumbs) = (row.join("link"), row.join("row.json"), mount.path("thumbs"));
    let fifo = row.join("fifo");
    let moved = (row.clone(), models.join("user/x"));
    vec![
        (write(models.join("user/x")), EPERM, "wrong_place", "user/x", "user takes rows"),
        (write(models.join("x")), EPERM, "wrong_place", "/models/x", "has the tables page, user"),
        (write(mount.path("x")), EPERM, "wrong_place", "/x", "a file cannot be made here"),
        (mkdir(models.join("nope")), EPERM, "wrong_place", "/models/nope", "no such table"),
        (mkdir(row.join("dir")), EPERM, "wrong_place", "user/42/dir", "takes files in avatar"),
        (mkdir(models.join("user/abc")), EINVAL, "name", "user/abc", "no id of this table"),
        (
            Box::new(move || fs::rename(&moved.0, &moved.1)),
            EINVAL,
            "request",
            "user/x",
            "id breaks",
        ),
        (Box::new(move || symlink("../x", &link)), EPERM, "wrong_place", "user/42/link", "a URL"),
        (write(row.join("a\nb")), EINVAL, "name", "user/42/a\\nb", "control characters"),
        (write(row.join("avatar@w64.png")), EROFS, "read_only", "/thumbs", "read-only"),
        (write(thumbs.join("x")), EROFS, "read_only", "/thumbs/x", "read-only"),
        (write(mount.path(".mediafs/x")), EROFS, "read_only", "/.mediafs/x", "read-only"),
        (
            Box::new(move || fs::remove_file(&json)),
            EPERM,
            "wrong_place",
            "user/42/row.json",
            "removed",
        ),
        (
            Box::new(move || {
                let done = run("mkfifo", &[&fifo]);
                Err(std::io::Error::from_raw_os_error(if done.code == 1 { EPERM } else { 0 }))
            }),
            EPERM,
            "wrong_place",
            "user/42/fifo",
            "fifos",
        ),
    ]
}

#[test]
fn every_refusal_has_an_id_a_line_and_the_last_error() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    for (at, (act, number, rule, path, fact)) in cases(&mount).into_iter().enumerate() {
        assert_eq!(errno(act()), number, "{path}");
        let (said, line) = (mount.last_message(), mount.last_refusal());
        assert!(said.starts_with(&format!("{path}: ")), "{said}");
        assert!(said.contains(fact) && said.contains(&format!("({rule})")), "{path}: {said}");
        assert!(said.contains("\nhint: "), "{said}");
        assert_eq!(
            (&line["path"], &line["rule"], &line["uid"]),
            (&path.into(), &rule.into(), &0.into())
        );
        assert!(said.contains(line["id"].as_str().expect("an id")), "{said}");
        assert_eq!(mount.refusals().len(), at + 1, "one line each");
    }
}

#[test]
fn an_answer_that_programs_expect_is_no_refusal() {
    let Some(mount) = Mount::start() else { return };
    let (row, other) = (mount.row(), mount.path("models/page/home"));
    let source = mount.outside("a.png", &picture::good(1));
    shell(
        "cp -a \"$2\" \"$1/avatar\" && mkdir \"$3\" && mv \"$1/avatar\" \"$3/cover\" && cp -a \"$1\" \"$2.d\" \
         && mkdir -p \"$1\" && ! rmdir \"$3\" 2>&1 && ! cat \"$1/nothing\" 2>&1",
        &[&row, &source, &other],
    )
    .succeeded();
    if installed("rsync") {
        shell("rsync -aAX --delete \"$1/\" \"$2/\" ; true", &[&other, &row]).succeeded();
    }
    assert_eq!(errno(fs::metadata(row.join("nothing"))), ENOENT);
    assert_eq!(mount.refusals(), Vec::<serde_json::Value>::new());
}

#[test]
fn refusals_of_one_user_are_bounded_and_hide_no_others() {
    if !may_become_others() {
        return;
    }
    let config = super::config().with("mount.allow_other = true").with("mount.dir_mode = '0777'");
    let Some(mount) = config.mount() else { return };
    let row = mount.row();
    assert_eq!(errno(fs::create_dir(row.join("mine"))), EPERM);
    OWNER.shell("cd $1 && for at in $(seq 1 300); do mkdir dir$at; done", &[&row]);
    assert!(mount.refusals().len() <= 101, "{}", mount.refusals().len());
    assert!(mount.last_message().starts_with("user/42/mine: "), "{}", mount.last_error());
    let said = OWNER.shell("cat $1", &[&mount.path(".mediafs/last-error")]).stdout;
    assert!(said.contains(" user/42/dir300: "), "{said}");
}
