//! Samba as root, with `force user`, driven by smbclient.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server_process::{Inetd, program};
use super::{Upload, site};
use crate::mount::daemon::Mount;
use crate::mount::tool::{Done, installed, run};
use crate::mount::{names, picture, read};

pub struct Samba {
    inetd: Inetd,
    config: PathBuf,
}

impl Samba {
    pub fn start(mount: &Mount) -> Option<Self> {
        let program = program("smbd").filter(|_| installed("smbclient"))?;
        let home = mount.beside("samba");
        let directories = ["private dir", "lock directory", "state directory", "cache directory"];
        let others = ["pid directory", "ncalrpc dir", "binddns dir"];
        let own: String = directories
            .iter()
            .chain(&others)
            .map(|key| {
                let directory = home.join(key.replace(' ', "-"));
                fs::create_dir_all(&directory).expect("a directory");
                [key, " = ", &directory.display().to_string(), "\n"].concat()
            })
            .collect();
        let config = format!(
            "[global]\nserver role = standalone server\nmap to guest = Bad User\nload printers = no\n\
             printcap name = /dev/null\ndisable spoolss = yes\nlog level = 0\nlog file = {}/log\n{own}\
             [models]\npath = {}\nread only = no\nguest ok = yes\nforce user = www-data\n",
            home.display(),
            mount.path("models").display()
        );
        let config = mount.outside("smb.conf", config.as_bytes());
        let given = config.clone();
        let inetd = Inetd::start(move || {
            let mut command = Command::new(&program);
            command.args(["--no-process-group", "--configfile"]).arg(&given);
            command
        });
        Some(Self { inetd, config })
    }

    /// Runs commands of smbclient in the row.
    fn run(&self, commands: &str) -> Done {
        let (port, config) = (self.inetd.address().port(), self.config.display());
        let address = format!("//{}/models", self.inetd.address().ip());
        let commands = format!("cd user/42; {commands}");
        let options = [format!("-p{port}"), format!("-s{config}"), "-N".into(), "-c".into()];
        run("smbclient", &[&[address], &options[..], &[commands]].concat())
    }

    /// Sends a file to a name in the row.
    pub fn put(&self, source: &Path, name: &str) -> Done {
        self.run(&put(source, &name.replace('/', "\\")))
    }

    /// Runs commands that must succeed. The exit code of smbclient reports `put` only, so its output is checked, too.
    fn tell(&self, commands: &str) -> Done {
        let done = self.run(commands);
        assert!(done.code == 0 && !format!("{done}").contains("NT_STATUS"), "{done}");
        done
    }
}

fn put(source: &Path, name: &str) -> String {
    format!("put {} {name}", source.display())
}

#[test]
fn samba_answers_as_in_the_table() {
    let Some(mount) = site() else { return };
    let Some(samba) = Samba::start(&mount) else { return };
    Upload("Samba").is_held_to_the_table(&mount, |source, target| {
        let name = target.file_name().and_then(|name| name.to_str()).expect("a name");
        samba.put(source, name)
    });
}

#[test]
fn samba_puts_gets_renames_and_removes() {
    let Some(mount) = site() else { return };
    let Some(samba) = Samba::start(&mount) else { return };
    let (first, second) =
        (mount.outside("1.png", &picture::good(1)), mount.outside("2.png", &picture::good(2)));
    let got = mount.outside("got.png", b"");
    let get = format!("get avatar.png {}", got.display());
    samba.tell(&format!("{}; {get}", put(&first, "avatar.png")));
    assert_eq!(read(&got), picture::good(1));
    samba.tell(&format!("{}; {get}", put(&second, "avatar.png")));
    assert_eq!(read(&got), picture::good(2), "the session reads the new picture at once");
    samba.tell("rename avatar.png memo.png");
    assert_eq!(names(&mount.row()), ["memo.png"]);
    samba.tell(&format!("{}; rename upload.part avatar.png", put(&first, "upload.part")));
    assert_eq!(read(&mount.row().join("avatar")), picture::good(1), "scratch was attached");
    samba.tell("del memo.png");
    assert_eq!(names(&mount.row()), ["avatar.png"]);
}

/// Regression: Samba opens names with `O_PATH` and asks the descriptor for attributes. The kernel had cached the name of a file
/// that another process had replaced: the attributes were ESTALE, and Samba denied access.
#[test]
fn samba_writes_to_a_file_that_another_process_replaced() {
    let Some(mount) = site() else { return };
    let Some(samba) = Samba::start(&mount) else { return };
    let source = mount.outside("source.png", &picture::good(3));
    samba.tell(&put(&source, "avatar.png"));
    samba.tell(&put(&source, "avatar"));
    for seed in 4..7 {
        fs::write(mount.row().join("avatar.png"), picture::good(seed)).expect("taken");
        samba.tell(&put(&source, "avatar.png"));
        assert_eq!(read(&mount.row().join("avatar")), picture::good(3));
    }
}

#[test]
fn the_attributes_that_samba_sets_survive_a_restart() {
    let Some(mut mount) = site().filter(|_| installed("getfattr")) else { return };
    let Some(samba) = Samba::start(&mount) else { return };
    let source = mount.outside("source.png", &picture::good(1));
    samba.tell(&format!("{}; setmode avatar.png +sh", put(&source, "avatar.png")));
    let shown = samba.tell("allinfo avatar.png").stdout;
    assert!(shown.contains("attributes: HSA"), "{shown}");
    let avatar = mount.row().join("avatar.png").display().to_string();
    let attribute = || run("getfattr", &["--only-values", "-n", "user.DOSATTRIB", &avatar]);
    let before = attribute();
    before.succeeded();
    drop(samba);
    mount.stop();
    mount.restart();
    assert_eq!(attribute().stdout, before.stdout);
    let Some(samba) = Samba::start(&mount) else { return };
    assert!(
        samba.tell("allinfo avatar.png").stdout.contains("attributes: HSA"),
        "after the restart"
    );
}
