//! Files that are opened without access and then for writing through the link of that descriptor in /proc, as Samba does.

use std::fs::File;

use super::draft::Stage;
use super::{picture, read, rest};

/// Replaces the avatar through /proc.
fn replace(stage: &mut Stage) {
    stage.writer.tell(&format!("(path := os.open({:?}, os.O_PATH))", stage.avatar));
    stage.writer.tell("(fd := os.open(f'/proc/self/fd/{path}', os.O_WRONLY))");
    stage.writer.tell("os.ftruncate(fd, 0)");
    stage.write(":");
    stage.close().expect("taken");
    stage.writer.tell("os.close(path)");
    assert_eq!(stage.seen(), picture::good(2));
}

#[test]
fn a_file_opened_without_access_is_written_through_proc() {
    if let Some(mut stage) = Stage::occupied() {
        replace(&mut stage);
    }
}

#[test]
fn a_placeholder_opened_without_access_is_written_through_proc() {
    if let Some(mut stage) = Stage::free() {
        File::create(&stage.avatar).expect("a placeholder");
        replace(&mut stage);
    }
}

/// Programs are told to read `/dev/stdin` or `/dev/fd/3`, which the shell has opened for them.
#[test]
fn a_file_that_was_replaced_is_read_through_the_links_of_its_descriptor() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.writer.open(&stage.avatar, "os.O_RDONLY").expect("opened");
    stage.mount.attach("avatar", &picture::good(2));
    let old = stage.mount.outside("old.png", &picture::good(1));
    for _ in 0..2 {
        for link in ["/proc/self/fd/", "/dev/fd/"] {
            let same = format!("bytes_of('{link}' + str(fd)) == bytes_of({old:?})");
            assert_eq!(stage.writer.tell(&same), "True", "{link}");
        }
        let cat = "subprocess.check_output(['cat', '/dev/stdin'], stdin=fd)";
        let same = format!("os.lseek(fd, 0, 0) == 0 and {cat} == bytes_of({old:?})");
        assert_eq!(stage.writer.tell(&same), "True");
        stage.mount.collect();
    }
}

#[test]
fn a_reader_keeps_its_bytes_while_another_process_writes_through_proc() {
    let Some(mut stage) = Stage::occupied() else { return };
    let mut old = File::open(&stage.avatar).expect("the old picture opens");
    replace(&mut stage);
    assert_eq!(rest(&mut old), picture::good(1));
}

#[test]
fn a_reader_that_opens_during_a_write_through_proc_has_the_old_bytes() {
    let Some(mut stage) = Stage::occupied() else { return };
    stage.writer.tell(&format!("(path := os.open({:?}, os.O_PATH))", stage.avatar));
    stage.writer.tell("(fd := os.open(f'/proc/self/fd/{path}', os.O_WRONLY | os.O_TRUNC))");
    stage.write(":5000");
    assert_eq!(read(&stage.avatar), picture::good(1));
    stage.write("5000:");
    assert_eq!(read(&stage.avatar), picture::good(1));
    stage.close().expect("taken");
    assert_eq!(read(&stage.avatar), picture::good(2));
}
