//! `row.json`: read as a file, and written by editors, shells and renames.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::attribute;
use super::daemon::Mount;
use super::sender::{Sent, send};
use super::tool::{Done, installed, run, shell};
use super::{EAGAIN, EINVAL, EPERM, errno, names, picture, read};
use crate::wait::until;

/// Writes a document to row.json. Returns where that ended.
fn write(mount: &Mount, text: &str) -> Sent {
    send(&mount.row().join("row.json"), &mount.outside("document", text.as_bytes()))
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
fn row_json_has_the_attachments_in_the_layout_of_sqlalchemy_media() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    fs::read(mount.row().join("avatar@w64.jpg")).expect("a variant");
    let row = mount.row_json();
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
fn row_json_has_the_length_of_open_drafts() {
    let Some(mount) = Mount::start() else { return };
    let mut memo = File::create(mount.row().join("memo")).expect("opened");
    memo.write_all(b"half a memo").expect("written");
    assert_eq!(mount.row_json()["$row"]["writing"], json!({"memo": 11}));
    drop(memo);
    let told = mount.row_json();
    assert_eq!((&told["$row"]["writing"], &told["memo"]["length"]), (&json!({}), &json!(11)));
}

#[test]
fn row_json_has_the_errors_of_its_fields() {
    let Some(mount) = Mount::start() else { return };
    let bad = mount.outside("bad.png", &picture::cut_short(1));
    assert_ne!(run("cp", &[&bad, &mount.row().join("avatar")]).code, 0);
    let told = mount.row_json();
    let (error, line) = (&told["$row"]["errors"]["avatar"], mount.last_refusal());
    assert!(error["message"].as_str().is_some_and(|it| it.contains("truncated")), "{told:#}");
    for key in ["message", "hint", "rule", "measured", "allowed", "id"] {
        assert_eq!(error[key], line[key], "{key} is that of errors.jsonl");
    }
    assert_eq!(error["rule"], "truncated");
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
    let told = mount.row_json();
    assert_eq!(
        (&told["avatar"]["alt"], &told["avatar"]["rights"]),
        (&json!("me"), &json!({"by": "x"}))
    );
    assert_eq!(told["avatar"]["original_filename"], "Me.png");
    assert_eq!(fs::metadata(&avatar).expect("stat").ino(), ino, "the attachment is the same");
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
    assert_eq!(mount.row_json()["avatar"]["alt"], "me");
    assert_eq!(attribute::listed(&avatar), [""; 0], "they are no attributes");
    mount.attach("avatar", &picture::good(2));
    assert_eq!(mount.row_json()["avatar"].get("alt"), None);
}

/// Shells and PHP ignore the result of `close`.
#[test]
fn an_invalid_document_is_einval_in_write_as_soon_as_that_is_certain() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let unfinished = "{\"avatar\": ";
    for (text, reason) in [
        (unfinished, "line 1, column"),
        ("{\"avatar\": x", "line 1, column"),
        ("[]", "no JSON object"),
        ("{\"photo\": null}", "no field of user"),
        ("{\"avatar\": 7}", "no object"),
        ("{\"avatar\": {\"length\": 7}}", "cannot be set"),
        ("{\"cover\": {\"alt\": \"x\"}}", "nothing is attached"),
        ("{\"avatar\": {\"original_filename\": \"\"}}", "no name"),
        ("{\"avatar\": {\"attributes\": {\"trusted.x\": \"\"}}}", "no attribute"),
        ("{\"memo\": null, \"avatar\": null, \"no\": 1}", "no field"),
    ] {
        let Sent { stage, errno, .. } = write(&mount, text);
        let certain = if text == unfinished { "close" } else { "write" };
        assert_eq!((stage.as_str(), errno), (certain, EINVAL), "{text}");
        mount.last_error_has("user/42/row.json", reason);
        assert!(mount.row().join("avatar").exists(), "{text}: a refused document changes nothing");
    }
}

#[test]
fn a_document_changes_so_much_at_a_time_and_null_keys_that_are_not_there_change_nothing() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let keys = |value: &str| {
        let keys: Vec<_> = (0..40_000).map(|key| format!("\"k{key}\": {value}")).collect();
        format!("{{\"avatar\": {{{}}}}}", keys.join(", "))
    };
    let Sent { stage, errno, .. } = write(&mount, &keys("1"));
    assert_eq!((stage.as_str(), errno), ("close", EINVAL));
    mount.last_error_has("user/42/row.json", "changes too much");
    let before = mount.row_json();
    assert_eq!(write(&mount, &keys("null")).errno, 0);
    assert_eq!(mount.row_json()["avatar"], before["avatar"]);
}

#[test]
fn a_patch_by_rename_is_taken_or_leaves_both_names_as_they_were() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let (json, draft) = (mount.row().join("row.json"), mount.row().join(".row.json.x"));
    fs::write(&draft, "{\"avatar\": {\"alt\": \"me\"}}").expect("scratch");
    fs::rename(&draft, &json).expect("taken");
    assert_eq!(mount.row_json()["avatar"]["alt"], "me");
    assert_eq!(names(&mount.row()), ["avatar"]);
    fs::write(&draft, "{").expect("scratch");
    assert_eq!(errno(fs::rename(&draft, &json)), EINVAL);
    assert_eq!(names(&mount.row()), [".row.json.x", "avatar"]);
    assert_eq!(mount.row_json()["avatar"]["alt"], "me");
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
    let before = mount.row_json();
    patch(&mount, &before);
    mount.attach("avatar", &picture::good(2));
    assert_eq!(write(&mount, &before.to_string()).stage, "write");
    mount.last_error_has("user/42/row.json", "may have changed meanwhile");
}

#[test]
fn a_document_that_was_refused_in_write_is_refused_once_and_changes_nothing_at_close() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let mut file = File::create(mount.row().join("row.json")).expect("opened");
    let refused = file.write_all(b"{\"avatar\": null, \"no\": 1}");
    assert_eq!(errno(refused), EINVAL);
    let again = shell("exec 3>\"$1\"; echo '{\"no\": 1}' >&3", &[&mount.row().join("row.json")]);
    assert_ne!(again.code, 0, "a shell hears of it; {again}");
    drop(file);
    assert_eq!(mount.refusals().len(), 2);
    assert!(mount.row().join("avatar").exists());
    let error = &mount.row_json()["$row"]["errors"]["row.json"];
    assert_eq!(error["rule"], "json");
    patch(&mount, &json!({"avatar": {"alt": "me"}}));
    assert_eq!(mount.row_json()["$row"]["errors"], json!({}), "until a document is taken");
}

#[test]
fn file_put_contents_of_php_hears_of_a_refused_document() {
    if !installed("php") {
        return;
    }
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let put = "error_reporting(0); var_dump(file_put_contents($argv[1], $argv[2]));";
    let says = |text: &str| {
        let path = mount.row().join("row.json").display().to_string();
        run("php", &["-r", put, &path, text]).stdout
    };
    assert_eq!(says(r#"{"avatar": {"length": 1}}"#), "bool(false)\n");
    assert_eq!(says(r#"{"avatar": {"alt": "me"}}"#), "int(25)\n");
    assert_eq!(mount.row_json()["avatar"]["alt"], "me");
}

#[test]
fn unknown_facts_of_the_row_are_refused() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    for (row, reason) in [
        (json!({"detach": ["avatar"]}), "`detach` is no fact of a row"),
        (json!({"free": [], "table": "user", "Id": "42"}), "`Id` is no fact of a row"),
        (json!("42"), "`$row` is no object"),
    ] {
        assert_eq!(write(&mount, &json!({"$row": row}).to_string()).stage, "write", "{row}");
        mount.last_error_has("user/42/row.json", reason);
    }
    let as_read = json!({"$row": mount.row_json()["$row"]});
    assert_eq!(write(&mount, &as_read.to_string()).stage, "taken");
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
        assert!(all.len() < 16, "more documents are open than the bound allows");
    };
    assert_eq!((full.raw_os_error(), all.len()), (Some(EAGAIN), 8));
    drop(all);
    until("the documents are closed", || mount.status()["open"]["handles"] == 0);
    open().expect("there is room again");
    assert!(mount.row_json()["avatar"].is_object(), "no abandoned document was applied");
}

#[test]
fn a_document_of_millions_of_values_is_refused_unread() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let text = format!("{{\"avatar\": {{\"x\": [0{}]}}}}", ",0".repeat(2 << 20));
    assert_eq!(write(&mount, &text).stage, "close");
    mount.last_error_has("user/42/row.json", "too many values");
}

/// Regression: an editor had read the document before a file was attached, and wrote its `null` back, which detached the file.
#[test]
fn a_document_that_was_read_before_a_file_came_detaches_nothing() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    let write = |document: &Value| write(&mount, &document.to_string()).stage;
    let mut before = mount.row_json();
    assert_eq!(before["memo"], Value::Null);
    mount.attach("memo", b"came meanwhile");
    before["avatar"]["alt"] = json!("me");
    assert_eq!(write(&before), "write");
    mount.last_error_has("user/42/row.json", "attached at `memo` meanwhile");
    assert_eq!(read(&mount.row().join("memo")), b"came meanwhile");
    assert_eq!(mount.row_json()["avatar"].get("alt"), None, "refused as a whole");

    let mut since = mount.row_json();
    since["avatar"]["alt"] = json!("me");
    assert_eq!(write(&since), "taken", "the same change of a document that was read again");
    since = mount.row_json();
    since["memo"] = Value::Null;
    assert_eq!(write(&since), "taken", "a file that the document showed is detached");
    assert_eq!(names(&mount.row()), ["avatar"]);
    mount.attach("memo", b"again");
    assert_eq!(write(&json!({"memo": null})), "taken", "a patch detaches without having read");
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
    assert_eq!(mount.row_json()["avatar"]["alt"], "new");
    assert_eq!(names(&mount.row()), ["avatar"], "nothing is left behind");
    let done = vim("%s/\"new\"/new/", &path);
    assert_ne!(done.code, 0, "{done}");
    assert_eq!(mount.row_json()["avatar"]["alt"], "new");
}
