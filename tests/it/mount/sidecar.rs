//! Reports of refusals beside the refused names, for users who see nothing but the collection (CONTRACT 4).

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use super::daemon::Mount;
use super::tool::run;
use super::user::{MEMBER, OWNER, may_become_others};
use super::{EPERM, ERANGE, EROFS, errno, names, picture, read};
use crate::config::Config;

fn config() -> Config {
    Config::new()
        .with("mount.allow_other = true")
        .with("mount.dir_mode = '0777'")
        .table("user", "integer")
        .field("photos", "image, collection = 'list', min_width = 64, report = 'sidecar'")
        // A scanner is told success, and its user sees the report.
        .field(
            "scans",
            "image, collection = 'dict', min_width = 64, max_items = 3, on_refuse = 'quarantine', \
             report = 'sidecar'",
        )
}

fn mount() -> Option<Mount> {
    let mount = config().mount()?;
    mount.row();
    Some(mount)
}

fn photos(mount: &Mount) -> PathBuf {
    mount.row().join("photos")
}

fn small() -> picture::Bytes {
    picture::png(40, 40, 1)
}

#[test]
fn a_report_lies_beside_the_refused_name_until_the_next_success() {
    let Some(mount) = mount() else { return };
    let photos = photos(&mount);
    let front = photos.join("front.png");
    assert_eq!(errno(fs::write(&front, small())), ERANGE);
    assert_eq!(names(&photos), ["front.png.REFUSED.txt"]);
    let report = fs::read_to_string(photos.join("front.png.REFUSED.txt")).expect("text");
    assert_eq!(report, mount.last_error());
    assert!(report.contains("image is 40x40") && report.contains("hint: "), "{report}");
    assert_eq!(errno(fs::write(&front, picture::png(41, 41, 1))), ERANGE);
    let again = fs::read_to_string(photos.join("front.png.REFUSED.txt")).expect("text");
    assert!(again.contains("41x41"), "the next refusal replaces it; {again}");
    fs::write(&front, picture::good(1)).expect("taken");
    assert_eq!(names(&photos), ["front.png"]);
}

#[test]
fn a_refusal_with_success_has_a_report_which_outlasts_a_restart() {
    let Some(mut mount) = mount() else { return };
    let source = mount.outside("page.png", &picture::cut_short(1));
    let scans = mount.row().join("scans");
    run("cp", &[&source, &scans.join("page.png")]).succeeded();
    assert_eq!(names(&scans), ["page.REFUSED.txt"], "a dict's names are its keys");
    mount.stop_and_restart();
    let report = fs::read_to_string(scans.join("page.REFUSED.txt")).expect("text");
    assert!(report.contains("truncated") && report.contains("kept: "), "{report}");
    fs::write(scans.join("page.jpg"), picture::good(1)).expect("taken");
    assert_eq!(names(&scans), ["page.png"]);
}

#[test]
fn a_full_collection_has_a_report_for_a_scanner() {
    let Some(mount) = mount() else { return };
    let scans = mount.row().join("scans");
    for number in 1..=4 {
        let path = scans.join(format!("{number}.png"));
        fs::write(path, picture::good(number)).expect("told success");
    }
    assert_eq!(names(&scans), ["1.png", "2.png", "3.png", "4.REFUSED.txt"]);
    assert_eq!(mount.all_kept().len(), 1, "the fourth is kept");
}

#[test]
fn a_report_can_be_removed_and_not_written() {
    let Some(mount) = mount() else { return };
    let photos = photos(&mount);
    assert_eq!(errno(fs::write(photos.join("front.png"), small())), ERANGE);
    let report = photos.join("front.png.REFUSED.txt");
    assert_eq!(errno(fs::write(&report, b"all is well")), EROFS);
    assert_eq!(errno(File::create(photos.join("other.REFUSED.txt"))), EPERM);
    assert_eq!(errno(fs::rename(&report, photos.join("x"))), EPERM);
    run("rm", &[&report]).succeeded();
    assert_eq!(names(&photos), [""; 0]);
    assert!(mount.all_kept().is_empty(), "a removed report is not kept");
}

#[test]
fn every_user_who_lists_the_collection_reads_the_report() {
    let Some(mount) = mount().filter(|_| may_become_others()) else { return };
    let photos = photos(&mount);
    let sent = mount.outside("small.png", &small());
    let done = OWNER.shell("cp $1 $2/front.png", &[&sent, &photos]);
    assert_eq!(done.code, 1, "{done}");
    let report = photos.join("front.png.REFUSED.txt");
    let read = MEMBER.run("cat", &[&report]);
    assert!(read.stdout.contains("image is 40x40"), "{read}");
    let stat = run("stat", &["-c".into(), "%u %a %F".into(), report.clone()]).stdout;
    assert_eq!(stat, "1001 644 regular file\n");
}

#[test]
fn the_reports_of_a_collection_are_bounded() {
    let Some(mount) = mount() else { return };
    let photos = photos(&mount);
    for number in 0..103 {
        let mut file = File::create(photos.join(format!("{number:03}.png"))).expect("opened");
        assert_eq!(errno(file.write_all(&small())), ERANGE);
    }
    let listed = names(&photos);
    assert_eq!(listed.len(), 100, "the oldest give way");
    assert_eq!(listed[0], "003.png.REFUSED.txt");
}

#[test]
fn reports_keep_no_row_and_are_not_quarantined() {
    let Some(mount) = mount() else { return };
    let photos = photos(&mount);
    assert_eq!(errno(fs::write(photos.join("front.png"), small())), ERANGE);
    fs::remove_dir(mount.row()).expect("a report keeps no row");
    assert!(mount.all_kept().is_empty());
}

#[test]
fn scratch_renamed_onto_an_item_is_reported_there() {
    let Some(mount) = mount() else { return };
    let photos = photos(&mount);
    fs::write(photos.join(".front.part"), small()).expect("scratch");
    assert_eq!(errno(fs::rename(photos.join(".front.part"), photos.join("front.png"))), ERANGE);
    assert_eq!(names(&photos), [".front.part", "front.png.REFUSED.txt"]);
    fs::write(photos.join("back.png"), picture::good(1)).expect("taken");
    assert_eq!(read(&photos.join("back.png")), picture::good(1));
}
