//! Drafts: what writers and readers see of each other before, at and after the close (CONTRACT 2).

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::daemon::Mount;
use super::peer::{FRESH, Peer};
use super::picture::Bytes;
use super::tool::run;
use super::{EBADMSG, EBUSY, EMEDIUMTYPE, ENOENT, EOPNOTSUPP, errno, names, picture, read};

/// A mount, a writer, a good picture outside of the tree, and the path of the avatar.
pub struct Stage {
    pub mount: Mount,
    pub writer: Peer,
    pub picture: PathBuf,
    pub avatar: PathBuf,
}

impl Stage {
    /// A stage without an avatar.
    pub fn free() -> Option<Self> {
        let writer = Peer::start()?;
        let mount = Mount::start()?;
        let picture = mount.outside("good.png", &picture::good(2));
        let avatar = mount.row().join("avatar");
        Some(Self { mount, writer, picture, avatar })
    }

    /// A stage with an old picture as avatar.
    pub fn occupied() -> Option<Self> {
        let stage = Self::free()?;
        stage.mount.attach("avatar", &picture::good(1));
        Some(stage)
    }

    /// Opens the avatar as `cp` does, and writes a part of the picture.
    fn begin(&mut self, part: &str) {
        self.writer.open(&self.avatar, FRESH).expect("opened");
        self.write(part);
    }

    /// Writes a part of the picture.
    pub fn write(&mut self, part: &str) {
        self.writer.write(&self.picture, part).expect("written");
    }

    pub fn close(&mut self) -> Result<String, i32> {
        self.writer.close()
    }

    /// The avatar that another process reads.
    pub fn seen(&self) -> Bytes {
        read(&self.avatar)
    }
}

#[test]
fn readers_see_the_old_file_until_the_commit() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.begin(":");
    assert_eq!(stage.seen(), picture::good(1));
    let size = picture::good(1).len() as u64;
    assert_eq!(fs::metadata(&stage.avatar).expect("stat").len(), size);
    let by_the_writer = stage.writer.tell(&format!("os.stat({:?}).st_size", stage.avatar));
    assert_eq!(by_the_writer, size.to_string(), "the writer's stat by path shows the old file too");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn the_writers_fstat_shows_the_draft() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.begin(":1000");
    assert_eq!(stage.writer.tell("os.fstat(fd).st_size"), "1000");
    let same_inode = format!("os.fstat(fd).st_ino == os.stat({:?}).st_ino", stage.avatar);
    assert_eq!(stage.writer.tell(&same_inode), "True", "vim writes to no other inode");
}

#[test]
fn a_first_draft_is_end_of_file_while_it_is_empty_and_busy_then() {
    let Some(mut stage) = Stage::free() else { return };
    stage.writer.open(&stage.avatar, FRESH).expect("opened");
    assert_eq!(stage.seen(), b"");
    stage.write(":1000");
    assert_eq!(
        fs::metadata(&stage.avatar).expect("stat").len(),
        1000,
        "stat shows the bytes so far"
    );
    assert_eq!(errno(File::open(&stage.avatar)), EBUSY);
    stage.write("1000:");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn the_writer_may_open_its_draft_again_by_path_to_read_it() {
    let Some(mut stage) = Stage::free() else { return };
    stage.begin(":1000");
    assert_eq!(stage.writer.tell(&format!("len(bytes_of({:?}))", stage.avatar)), "1000");
}

#[test]
fn two_writers_never_mix_and_the_last_to_commit_wins_whole() {
    let (Some(mut stage), Some(mut second)) = (Stage::occupied(), Peer::start()) else { return };
    let other = stage.mount.outside("other.png", &picture::good(3));
    stage.begin(":5000");
    second.open(&stage.avatar, FRESH).expect("opened");
    second.write(&other, ":7000").expect("written");
    stage.write("5000:");
    second.write(&other, "7000:").expect("written");
    second.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(3));
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn writers_and_readers_at_once_see_whole_pictures_and_no_error() {
    let (Some(mut stage), Some(mut second)) = (Stage::occupied(), Peer::start()) else { return };
    let other = stage.mount.outside("other.png", &picture::good(3));
    let put = |source: &Path| format!("put({:?}, {source:?}, 50)", stage.avatar);
    stage.writer.begin(&put(&stage.picture));
    second.begin(&put(&other));
    let pictures = [picture::good(1), picture::good(2), picture::good(3)];
    for _ in 0..200 {
        let seen = stage.seen();
        assert!(pictures.contains(&seen), "{seen:?}");
    }
    assert_eq!(stage.writer.answer("put").as_deref(), Ok("None"));
    assert_eq!(second.answer("put").as_deref(), Ok("None"));
}

#[test]
fn a_childs_close_of_an_inherited_descriptor_judges_nothing() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.begin(":5000");
    stage.writer.tell("os.set_inheritable(fd, True)");
    let child = "subprocess.run(['true'], close_fds=False).returncode";
    assert_eq!(stage.writer.tell(child), "0");
    assert_eq!(stage.seen(), picture::good(1), "half a picture was not judged");
    stage.write("5000:");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn a_writer_that_is_killed_is_judged_as_closed() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.begin(":");
    stage.writer.kill();
    assert_eq!(read(&stage.avatar), picture::good(2), "the picture was whole");
}

#[test]
fn a_writer_that_is_killed_half_way_leaves_the_old_file() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.begin(":5000");
    stage.writer.kill();
    assert_eq!(read(&stage.avatar), picture::good(1));
    stage.mount.last_error_has("user/42/avatar", "truncated");
}

#[test]
fn a_refused_draft_stays_refused_until_it_is_truncated() {
    let Some(mut stage) = Stage::occupied() else { return };
    let text = stage.mount.outside("text", &b"a text and no picture\n".repeat(99));
    stage.writer.open(&stage.avatar, FRESH).expect("opened");
    assert_eq!(stage.writer.write(&text, ":"), Err(EMEDIUMTYPE));
    assert_eq!(stage.writer.write(&stage.picture, ":"), Err(EMEDIUMTYPE));
    assert_eq!(stage.writer.ask("os.fsync(fd)"), Err(EMEDIUMTYPE));
    stage.writer.tell("os.ftruncate(fd, 0)");
    stage.writer.tell("os.lseek(fd, 0, 0)");
    stage.write(":");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn fsync_makes_a_draft_durable_and_reports_a_refusal_that_is_known() {
    let Some(mut stage) = Stage::free() else { return };
    let text = stage.mount.outside("text", b"no picture");
    stage.writer.open(&stage.avatar, FRESH).expect("opened");
    assert_eq!(stage.writer.write(&text, ":"), Err(EMEDIUMTYPE));
    assert_eq!(stage.writer.ask("os.fsync(fd)"), Err(EMEDIUMTYPE));
    assert_eq!(stage.close(), Err(EMEDIUMTYPE));
    let memo = stage.mount.row().join("memo");
    stage.writer.open(&memo, FRESH).expect("opened");
    stage.writer.write(&text, ":").expect("written");
    stage.writer.ask("os.fsync(fd)").expect("durable");
    stage.mount.crash_and_restart();
    assert_eq!(stage.mount.kept().bytes(), b"no picture");
}

#[test]
fn a_second_close_repeats_the_verdict() {
    let Some(mut stage) = Stage::free() else { return };
    stage.begin(":5000");
    stage.writer.tell("(copy := os.dup(fd))");
    assert_eq!(stage.close(), Err(EBADMSG));
    assert_eq!(stage.writer.ask("os.close(copy)"), Err(EBADMSG));
    assert_eq!(errno(fs::metadata(&stage.avatar)), ENOENT);
}

#[test]
fn a_flush_after_more_bytes_judges_again() {
    let Some(mut stage) = Stage::free() else { return };
    stage.begin(":");
    stage.writer.tell("(copy := os.dup(fd))");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
    stage.writer.tell("os.ftruncate(copy, 5000)");
    assert_eq!(stage.writer.ask("os.close(copy)"), Err(EBADMSG));
    assert_eq!(stage.seen(), picture::good(2), "the committed picture stays");
}

#[test]
fn an_empty_close_is_no_verdict() {
    let Some(mut stage) = Stage::free() else { return };
    stage.writer.open(&stage.avatar, FRESH).expect("opened");
    stage.close().expect("no verdict");
    assert_eq!(names(&stage.mount.row()), ["avatar"], "a placeholder is listed");
    assert_eq!(fs::metadata(&stage.avatar).expect("stat").len(), 0);
    stage.writer.open(&stage.avatar, "os.O_WRONLY").expect("opened again");
    stage.write(":");
    stage.close().expect("taken");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn a_file_without_a_name_is_not_supported() {
    let Some(mut stage) = Stage::free() else { return };
    let row = stage.mount.row();
    assert_eq!(stage.writer.open(&row, "os.O_TMPFILE | os.O_RDWR"), Err(EOPNOTSUPP));
}

#[test]
fn an_attachment_that_was_unlinked_for_its_replacement_is_put_back_when_that_is_refused() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.writer.tell(&format!("os.unlink({:?})", stage.avatar));
    let flags = "os.O_WRONLY | os.O_CREAT | os.O_EXCL";
    stage.writer.open(&stage.avatar, flags).expect("created");
    stage.write(":5000");
    assert_eq!(stage.close(), Err(EBADMSG));
    assert_eq!(stage.seen(), picture::good(1));
}

#[test]
fn an_unlink_by_the_writer_discards_its_draft() {
    let Some(mut stage) = Stage::free() else { return };
    stage.begin(":");
    stage.writer.tell(&format!("os.unlink({:?})", stage.avatar));
    stage.close().expect("nothing is judged");
    assert!(names(&stage.mount.row()).is_empty());
}

#[test]
fn a_row_that_is_removed_under_a_draft_makes_its_close_enoent() {
    let Some(mut stage) = Stage::free() else { return };
    stage.begin(":");
    run("rm", &[Path::new("-r"), &stage.mount.row()]).succeeded();
    assert_eq!(stage.close(), Err(ENOENT));
    assert!(!stage.mount.path("models/user/42").exists());
}
