//! Trees and names that cannot be changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::daemon::Mount;
use super::{EROFS, errno, picture, read};

#[test]
fn a_read_only_tree_is_erofs_to_every_change() {
    let Some(mut mount) = Mount::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    mount.stop();
    mount.restart_with(&["-o", "ro"]);
    assert_eq!(read(&avatar), picture::good(1));
    let row = mount.path("models/user/42");
    for change in [
        fs::write(row.join("avatar"), "x"),
        fs::write(row.join("memo"), "x"),
        fs::remove_file(&avatar),
        fs::create_dir(mount.path("models/user/7")),
        fs::rename(&avatar, row.join("cover")),
        fs::set_permissions(&avatar, fs::Permissions::from_mode(0o600)),
    ] {
        assert_eq!(errno(change), EROFS);
    }
}

#[test]
fn variants_views_and_control_files_are_erofs() {
    let Some(mount) = Mount::start() else { return };
    mount.attach("avatar", &picture::good(1));
    for path in [
        "thumbs/user/42/avatar/w64.jpg",
        "thumbs/user/42/avatar/w999999.jpg",
        "thumbs/user/42/x",
        "models/user/42/avatar@w64.jpg",
        ".mediafs/status.json",
        ".mediafs/last-error",
        ".mediafs/anything",
    ] {
        assert_eq!(errno(fs::write(mount.path(path), "x")), EROFS, "{path}");
    }
}
