//! `row.json`: read as a file, and written by editors, shells and renames.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::daemon::Mount;
use super::tool::{Done, installed, run, shell};
use super::{EAGAIN, EINVAL, EPERM, errno, names, picture, read};
use crate::wait::until;

fn document(mount: &Mount) -> Value {
    let text = fs::read(mount.row().join("row.json")).expect("the document reads");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// Writes a document as a shell does, which ignores the answer of close.
fn patch(mount: &Mount, patch: &Value) {
    fs::write(mount.row().join("row.json"), patch.to_string()).expect("written");
}

#[test]
fn row_json_is_unlisted_and_has_exactly_the_size_that_stat_says() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let path = mount.row().join("row.json");
    assert_eq!(names(&mount.row()), ["avatar"]);
    let size = fs::metadata(&path).expect("it is there").len();
    assert_eq!(size, read(&path).0.len() as u64);
    run("cp", &[&path, &mount.outside("copy.json", b"")]).succeeded();
}

#[test]
fn row_json_tells_what_is_attached_in_the_layout_of_sqlalchemy_media() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    fs::read(mount.row().join("avatar@w64.jpg")).expect("a variant");
    let row = document(&mount);
    let avatar = &row["avatar"];
    let (width, height) = picture::png_size(&picture::good(1));
    assert_eq!((&avatar["width"], &avatar["height"]), (&json!(width), &json!(height)));
    assert_eq!(avatar["content_type"], "image/png");
    assert_eq!(
        (&avatar["extension"], &avatar["original_filename"]),
        (&json!(".png"), &json!("avatar"))
    );
    assert_eq!(avatar["length"], picture::good(1).0.len());
    assert!(avatar["timestamp"].is_string() && avatar["key"].is_string(), "{avatar}");
    assert_eq!(avatar["reproducible"], false);
    let hash = format!("blake3:{}", blake3::hash(&picture::good(1)));
    assert_eq!((&avatar["hash"], &avatar["version"]), (&json!(hash), &json!(1)));
    assert!(avatar["url"].as_str().is_some_and(|url| url.contains("?_ts=")), "{avatar}");
    assert_eq!(avatar["thumbnails"][0][0], 64, "{avatar}");
    assert_eq!(avatar["thumbnails"][0][3]["content_type"], "image/jpeg");
    assert_eq!((&row["cover"], &row["$row"]["id"]), (&Value::Null, &json!("42")));
}

#[test]
fn row_json_tells_what_is_being_written() {
    let Some(mount) = Mount::start() else { return };
    let mut memo = File::create(mount.row().join("memo")).expect("opened");
    memo.write_all(b"half a memo").expect("written");
    assert_eq!(document(&mount)["$row"]["writing"], json!({"memo": 11}));
    drop(memo);
    let told = document(&mount);
    assert_eq!((&told["$row"]["writing"], &told["memo"]["length"]), (&json!({}), &json!(11)));
}

#[test]
fn row_json_tells_the_errors_of_its_fields() {
    let Some(mount) = Mount::start() else { return };
    let bad = mount.outside("bad.png", &picture::cut_short(1));
    assert_ne!(run("cp", &[&bad, &mount.row().join("avatar")]).code, 0);
    let told = document(&mount);
    let error = told["$row"]["errors"]["avatar"].as_str().unwrap_or_default();
    assert!(error.contains("truncated"), "{told:#}");
}

#[test]
fn writing_row_json_is_a_merge_patch_of_metadata() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.attach("memo", b"kept");
    let ino = fs::metadata(&avatar).expect("stat").ino();
    let alt = json!({"avatar": {"alt": "me", "rights": {"by": "x", "year": 1}}});
    patch(&mount, &alt);
    patch(&mount, &json!({"avatar": {"rights": {"year": null}, "original_filename": "Me.png"}}));
    let told = document(&mount);
    assert_eq!(
        (&told["avatar"]["alt"], &told["avatar"]["rights"]),
        (&json!("me"), &json!({"by": "x"}))
    );
    assert_eq!(told["avatar"]["original_filename"], "Me.png");
    assert_eq!(fs::metadata(&avatar).expect("stat").ino(), ino, "the attachment stays");
    patch(&mount, &json!({"memo": null}));
    assert_eq!(names(&mount.row()), ["avatar"], "null detaches");
    assert!(!mount.row().join("memo").exists());
}

#[test]
fn keys_given_by_the_user_survive_replacement_of_metadata_but_not_of_the_attachment() {
    let Some(mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    patch(&mount, &json!({"avatar": {"alt": "me"}}));
    patch(&mount, &json!({"avatar": {"title": "a title"}}));
    shell("touch -d 2001-01-01 \"$1\" && chmod 600 \"$1\"", &[&avatar]).succeeded();
    assert_eq!(document(&mount)["avatar"]["alt"], "me");
    let listed = run("getfattr", &["-d", &avatar.display().to_string()]);
    assert!(
        !listed.to_string().contains("alt"),
        "no program that lists attributes sees them: {listed}"
    );
    mount.attach("avatar", &picture::good(2));
    assert_eq!(document(&mount)["avatar"].get("alt"), None);
}

#[test]
fn invalid_json_is_einval_at_close_with_the_reason_in_last_error() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    for (text, reason) in [
        ("{\"avatar\": ", "line 1, column"),
        ("[]", "no JSON object"),
        ("{\"photo\": null}", "no field of user"),
        ("{\"avatar\": 7}", "no object"),
        ("{\"avatar\": {\"length\": 7}}", "cannot be set"),
        ("{\"cover\": {\"alt\": \"x\"}}", "nothing is attached"),
        ("{\"avatar\": {\"original_filename\": \"\"}}", "no name"),
        ("{\"avatar\": {\"attributes\": {\"trusted.x\": \"\"}}}", "no attribute"),
        ("{\"memo\": null, \"avatar\": null, \"no\": 1}", "no field"),
    ] {
        let script = "import os,sys\n\
             f = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)\n\
             os.write(f, sys.argv[2].encode())\n\
             try: os.close(f)\n\
             except OSError as e: sys.exit(e.errno)\n";
        let path = mount.row().join("row.json").display().to_string();
        assert_eq!(run("python3", &["-c", script, &path, text]).code, EINVAL, "{text}");
        let said = mount.last_error();
        assert!(said.contains("user/42/row.json") && said.contains(reason), "{text}: {said}");
        assert!(mount.row().join("avatar").exists(), "{text}: nothing has changed");
    }
}

#[test]
fn a_patch_by_rename_is_taken_or_leaves_both_names_as_they_were() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let (json, draft) = (mount.row().join("row.json"), mount.row().join(".row.json.x"));
    fs::write(&draft, "{\"avatar\": {\"alt\": \"me\"}}").expect("scratch");
    fs::rename(&draft, &json).expect("taken");
    assert_eq!(document(&mount)["avatar"]["alt"], "me");
    assert_eq!(names(&mount.row()), ["avatar"]);
    fs::write(&draft, "{").expect("scratch");
    assert_eq!(errno(fs::rename(&draft, &json)), EINVAL);
    assert_eq!(names(&mount.row()), [".row.json.x", "avatar"]);
    assert_eq!(document(&mount)["avatar"]["alt"], "me");
}

#[test]
fn row_json_cannot_be_removed_and_keeps_no_row_from_being_removed() {
    let Some(mount) = Mount::start() else { return };
    assert_eq!(errno(fs::remove_file(mount.row().join("row.json"))), EPERM);
    let row = mount.row();
    run("rm", &[Path::new("-r"), &row]).succeeded();
    assert!(!row.exists());
}

#[test]
fn a_document_that_was_read_before_the_file_changed_is_refused() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let before = document(&mount);
    patch(&mount, &before);
    mount.attach("avatar", &picture::good(2));
    let stale = mount.outside("row.json", before.to_string().as_bytes());
    let done = run(
        "dd",
        &[
            format!("if={}", stale.display()),
            format!("of={}", mount.row().join("row.json").display()),
        ],
    );
    assert_ne!(done.code, 0, "{done}");
    assert!(mount.last_error().contains("may have changed meanwhile"), "{}", mount.last_error());
}

/// A document may take 32 MiB of the daemon's memory, and a program may have a thousand files open.
#[test]
fn documents_that_are_open_together_are_bounded() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let path = mount.row().join("row.json");
    let open =
        || File::options().write(true).open(&path).and_then(|it| it.set_len(32 << 20).map(|()| it));
    let mut all = Vec::new();
    let full = loop {
        match open() {
            Ok(file) => all.push(file),
            Err(error) => break error,
        }
        assert!(all.len() < 16, "there is no end to it");
    };
    assert_eq!((full.raw_os_error(), all.len()), (Some(EAGAIN), 8));
    drop(all);
    until("the documents are closed", || mount.status()["open"]["handles"] == 0);
    open().expect("there is room again");
    assert!(document(&mount)["avatar"].is_object(), "nothing was taken of it");
}

#[test]
fn a_document_of_millions_of_values_is_refused_unread() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let text = format!("{{\"avatar\": {{\"x\": [0{}]}}}}", ",0".repeat(2 << 20));
    fs::write(mount.row().join("row.json"), text).expect("fs::write does not look at close");
    let said = mount.last_error();
    assert!(said.contains("too many values"), "{said}");
}

/// An editor that had opened the document before a file came wrote back the `null` that it had read, which detached the file.
#[test]
fn a_document_that_was_read_before_a_file_came_detaches_nothing() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let write = |document: &Value| {
        let text = mount.outside("row.json", document.to_string().as_bytes());
        let from = format!("if={}", text.display());
        run("dd", &[from, format!("of={}", mount.row().join("row.json").display())]).code
    };
    let mut before = document(&mount);
    assert_eq!(before["memo"], Value::Null);
    mount.attach("memo", b"came meanwhile");
    before["avatar"]["alt"] = json!("me");
    assert_ne!(write(&before), 0);
    assert!(mount.last_error().contains("attached at `memo` meanwhile"), "{}", mount.last_error());
    assert_eq!(read(&mount.row().join("memo")), b"came meanwhile");
    assert_eq!(document(&mount)["avatar"].get("alt"), None, "refused as a whole");

    let mut since = document(&mount);
    since["avatar"]["alt"] = json!("me");
    assert_eq!(write(&since), 0, "the same, read again");
    since = document(&mount);
    since["memo"] = Value::Null;
    assert_eq!(write(&since), 0, "what it showed may be taken away");
    assert_eq!(names(&mount.row()), ["avatar"]);
    mount.attach("memo", b"again");
    assert_eq!(write(&json!({"memo": null})), 0, "and a patch says what it means");
    assert_eq!(names(&mount.row()), ["avatar"]);
}

fn vim(command: &str, path: &Path) -> Done {
    run("vim", &["-u", "NONE", "-es", "-c", command, "-c", "wq", &path.display().to_string()])
}

#[test]
fn vim_edits_row_json() {
    if !installed("vim") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    patch(&mount, &json!({"avatar": {"alt": "old"}}));
    let path = mount.row().join("row.json");
    vim("%s/\"old\"/\"new\"/", &path).succeeded();
    assert_eq!(document(&mount)["avatar"]["alt"], "new");
    assert_eq!(names(&mount.row()), ["avatar"], "nothing is left behind");
    let done = vim("%s/\"new\"/new/", &path);
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(document(&mount)["avatar"]["alt"], "new");
}
