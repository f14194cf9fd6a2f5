//! Tools that copy: cp, mv, install, dd, rsync, curl, the shell, Python and PHP on the command line.

use std::fs;
use std::path::Path;

use super::{Upload, site};
use crate::mount::daemon::Mount;
use crate::mount::tool::{Done, installed, run, shell};
use crate::mount::{names, picture, read};

fn is_held_to_the_table(client: &str, write: impl Fn(&Path, &Path) -> Done) {
    if let Some(mount) = site() {
        Upload(client).is_held_to_the_table(&mount, write);
    }
}

#[test]
fn cp_answers_as_in_the_table() {
    is_held_to_the_table("cp", |source, target| run("cp", &[source, target]));
}

#[test]
fn mv_answers_as_in_the_table() {
    is_held_to_the_table("mv", |source, target| run("mv", &[source, target]));
}

#[test]
fn install_answers_as_in_the_table() {
    let write =
        |source: &Path, target: &Path| run("install", &[Path::new("-m644"), source, target]);
    is_held_to_the_table("install", write);
}

#[test]
fn dd_answers_as_in_the_table() {
    is_held_to_the_table("dd", |source, target| {
        let paths = [format!("if={}", source.display()), format!("of={}", target.display())];
        run("dd", &[paths[0].as_str(), paths[1].as_str(), "bs=8k", "status=none"])
    });
}

#[test]
fn rsync_answers_as_in_the_table() {
    if installed("rsync") {
        let write =
            |source: &Path, target: &Path| run("rsync", &[Path::new("-aI"), source, target]);
        is_held_to_the_table("rsync -a", write);
    }
}

#[test]
fn curl_answers_as_in_the_table() {
    if installed("curl") {
        is_held_to_the_table("curl -o", |source, target| {
            let url = format!("file://{}", source.display());
            run("curl", &["-sS", "-o", &target.display().to_string(), &url])
        });
    }
}

#[test]
fn a_redirection_answers_as_in_the_table() {
    // The shell itself writes. With a plain redirection the program closes the file, and may report a failure.
    let script = "bytes=$(base64 -w0 \"$1\"); exec base64 -d > \"$2\" <<< \"$bytes\"";
    is_held_to_the_table("shell `>`", |source, target| shell(script, &[source, target]));
}

#[test]
fn python_answers_as_in_the_table() {
    let script = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])";
    is_held_to_the_table("Python", |source, target| {
        run("python3", &[Path::new("-c"), Path::new(script), source, target])
    });
}

fn php(script: &str, source: &Path, target: &Path) -> Done {
    let script =
        format!("ini_set('html_errors', 0); [, $source, $target] = $argv; exit({script} ? 0 : 9);");
    run("php", &[Path::new("-r"), Path::new(&script), Path::new("--"), source, target])
}

#[test]
fn php_on_the_command_line_answers_as_in_the_table() {
    if installed("php") {
        is_held_to_the_table("PHP copy()", |source, target| {
            php("copy($source, $target)", source, target)
        });
        let script = "file_put_contents($target, file_get_contents($source)) !== false";
        is_held_to_the_table("PHP file_put_contents()", |source, target| {
            php(script, source, target)
        });
    }
}

/// Makes a tree of two rows outside of the mount.
fn rows(mount: &Mount) -> String {
    let rows = mount.beside("rows");
    for row in ["7", "8"] {
        fs::create_dir_all(rows.join(row)).expect("a row");
    }
    fs::write(rows.join("7/avatar.png"), picture::good(1)).expect("a picture");
    fs::write(rows.join("7/note.txt"), b"a note\n").expect("a note");
    fs::write(rows.join("8/memo"), b"anything").expect("a memo");
    format!("{}/", rows.display())
}

#[test]
fn a_second_rsync_of_rows_stored_as_sent_sends_nothing() {
    if !installed("rsync") {
        return;
    }
    // On a table with a fixed owner, the second rsync would set the owner of the source again.
    let Some(mount) = Mount::start() else { return };
    let (rows, table) = (rows(&mount), format!("{}/", mount.path("models/user").display()));
    let sync = |from: &str, to: &str| run("rsync", &["-ai", "--omit-dir-times", from, to]);

    sync(&rows, &table).succeeded();
    assert_eq!(read(&mount.path("models/user/7/avatar.png")), picture::good(1));
    let again = sync(&rows, &table);
    again.succeeded();
    assert_eq!(again.stdout, "", "nothing is sent again");

    let back = mount.beside("back").display().to_string();
    let back = format!("{back}/");
    sync(&table, &back).succeeded();
    assert_eq!(names(Path::new(&back).join("7").as_path()), ["avatar.png", "note.txt"]);
    let again = sync(&table, &back);
    again.succeeded();
    assert_eq!(again.stdout, "", "nothing is fetched again");
    run("diff", &["-r", &rows, &back]).succeeded();
    let compared = run("rsync", &["-aic", "--omit-dir-times", &back, &table]);
    assert_eq!(compared.stdout, "", "byte by byte");
}
