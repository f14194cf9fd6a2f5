//! tar and unzip: packing a row into an archive, and unpacking one into a row.

use std::path::Path;

use super::{Upload, site};
use crate::mount::tool::{Done, installed, run, shell};
use crate::mount::{names, picture, read};

/// Packs the source under the name of the target, and unpacks it in the target's directory.
fn unpack(script: &str, source: &Path, target: &Path) -> Done {
    let name = target.file_name().expect("a name");
    let staged = source.with_file_name("packed").join(name);
    let archive = source.with_file_name("archive");
    let pack = "rm -rf \"${2%/*}\" \"$3\".* && mkdir \"${2%/*}\" && cp \"$1\" \"$2\" && cd \"${2%/*}\" \
                && tar -cf \"$3.tar\" \"$4\" && zip -q \"$3.zip\" \"$4\"";
    shell(pack, &[source, &staged, &archive, Path::new(name)]).succeeded();
    shell(script, &[&archive, target])
}

#[test]
fn tar_answers_as_in_the_table() {
    let Some(mount) = site().filter(|_| installed("zip")) else { return };
    Upload("tar -x").is_held_to_the_table(&mount, |source, target| {
        unpack("tar -xf \"$1.tar\" -C \"${2%/*}\"", source, target)
    });
}

#[test]
fn unzip_answers_as_in_the_table() {
    let Some(mount) = site().filter(|_| installed("zip") && installed("unzip")) else { return };
    Upload("unzip -o").is_held_to_the_table(&mount, |source, target| {
        unpack("unzip -qo \"$1.zip\" -d \"${2%/*}\"", source, target)
    });
}

#[test]
fn tar_packs_and_unpacks_a_row_unchanged() {
    let Some(mount) = site() else { return };
    let row = mount.row();
    std::fs::write(row.join("avatar.png"), picture::good(1)).expect("a picture");
    mount.attach("note", b"a note\n");
    let archive = mount.outside("rows.tar", b"").display().to_string();
    let table = mount.path("models/user").display().to_string();
    run("tar", &["-C", &table, "-cf", &archive, "42"]).succeeded();
    let compared = run("tar", &["-C", &table, "-df", &archive]);
    assert_eq!((compared.code, compared.stdout.as_str()), (0, ""), "{compared}");
    run("rm", &[Path::new("-r"), &row]).succeeded();
    run("tar", &["-C", &table, "-xf", &archive]).succeeded();
    assert_eq!(names(&row), ["avatar.png", "note"]);
    assert_eq!(read(&row.join("avatar.png")), picture::good(1));
    assert_eq!(read(&row.join("note")), b"a note\n");
    let compared = run("tar", &["-C", &table, "-df", &archive]);
    assert_eq!(
        (compared.code, compared.stdout.as_str()),
        (0, ""),
        "owners, modes, times; {compared}"
    );
}
