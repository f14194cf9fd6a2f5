//! vsftpd and `ProFTPD`, plain and with `HiddenStores`: uploads by curl, an upload whose client dies, renames.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::client_table::{Case, Client};
use super::server_process::{Inetd, program};
use super::{Upload, last_rule, plain, site, text};
use crate::mount::daemon::Mount;
use crate::mount::peer::Peer;
use crate::mount::tool::{Done, installed, run};
use crate::mount::{names, picture, read};

/// An FTP server whose root is the mount, and which writes as the site's user.
pub struct Ftp {
    inetd: Inetd,
}

impl Ftp {
    pub fn vsftpd(mount: &Mount) -> Option<Self> {
        let program = program("vsftpd")?;
        let empty = mount.beside("empty");
        fs::create_dir(&empty).expect("an empty directory");
        let config = format!(
            "listen=NO\nanonymous_enable=YES\nno_anon_password=YES\nftp_username=www-data\n\
             anon_root={}\nwrite_enable=YES\nanon_upload_enable=YES\nanon_other_write_enable=YES\n\
             anon_world_readable_only=NO\nanon_umask=022\nnopriv_user=nobody\nseccomp_sandbox=NO\n\
             secure_chroot_dir={}\n",
            mount.mountpoint().display(),
            empty.display()
        );
        let config = mount.outside("vsftpd.conf", config.as_bytes());
        Some(Self::start(program, vec![config]))
    }

    pub fn proftpd(mount: &Mount, hidden_stores: &str) -> Option<Self> {
        let program = program("proftpd")?;
        let config = format!(
            "ServerType inetd\nServerName media\nPort 0\nUseIPv6 off\nUser www-data\nGroup www-data\n\
             AuthPAM off\nRequireValidShell off\nWtmpLog off\nTransferLog none\nScoreboardFile none\n\
             DelayEngine off\nUseReverseDNS off\nPidFile {0}.pid\nSystemLog none\nUmask 022\n\
             AllowOverwrite on\nHiddenStores {hidden_stores}\n<Anonymous {1}>\nUser www-data\n\
             Group www-data\nUserAlias anonymous www-data\n<Limit WRITE>\nAllowAll\n</Limit>\n</Anonymous>\n",
            mount.config().display(),
            mount.mountpoint().display()
        );
        let config = mount.outside("proftpd.conf", config.as_bytes());
        Some(Self::start(program, vec!["-c".into(), config]))
    }

    fn start(program: PathBuf, arguments: Vec<PathBuf>) -> Self {
        let inetd = Inetd::start(move || {
            let mut command = Command::new(&program);
            command.args(&arguments);
            command
        });
        Self { inetd }
    }

    fn url(&self, name: &str) -> String {
        format!("ftp://{}/models/user/42/{name}", self.inetd.address())
    }

    /// Sends a file to a name in the row. The output of curl has the server's answers.
    pub fn send(&self, source: &Path, name: &str) -> Done {
        run("curl", &["-sSv", "-T", &source.display().to_string(), &self.url(name)])
    }

    fn put(&self, source: &Path, target: &Path) -> Done {
        self.send(source, target.file_name().and_then(|name| name.to_str()).expect("a name"))
    }

    /// Renames within the row.
    fn rename(&self, from: &str, to: &str) -> Done {
        // curl has changed to the directory before, since it lists it.
        let (from, to) = (format!("-RNFR {from}"), format!("-RNTO {to}"));
        run("curl", &["-sSv", "-Q", &from, "-Q", &to, &self.url("")])
    }
}

fn is_held_to_the_table(client: &str, start: impl Fn(&Mount) -> Option<Ftp>) {
    let Some(mount) = site().filter(|_| installed("curl")) else { return };
    let Some(ftp) = start(&mount) else { return };
    Upload(client).is_held_to_the_table(&mount, |source, target| ftp.put(source, target));
}

#[test]
fn vsftpd_answers_as_in_the_table() {
    is_held_to_the_table("vsftpd", Ftp::vsftpd);
}

#[test]
fn proftpd_answers_as_in_the_table() {
    is_held_to_the_table("ProFTPD", |mount| Ftp::proftpd(mount, "off"));
}

#[test]
fn proftpd_with_hidden_stores_answers_as_in_the_table() {
    is_held_to_the_table("ProFTPD, HiddenStores", |mount| Ftp::proftpd(mount, "on"));
}

/// A client sends half a picture and is killed. The server sees an ordinary end of file.
fn is_aborted(mount: &Mount, ftp: &Ftp, shown: &[&str]) {
    let Some(mut peer) = Peer::start() else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let source = mount.outside("source.png", &picture::good(2));
    let (host, port) = (ftp.inetd.address().ip(), ftp.inetd.address().port());
    peer.tell("(ftp := __import__('ftplib').FTP())");
    peer.tell(&format!("ftp.connect('{host}', {port})"));
    peer.tell("ftp.login()");
    // FTP begins in text mode, which changes the line ends of a PNG.
    peer.tell("ftp.voidcmd('TYPE I')");
    peer.tell("ftp.cwd('models/user/42')");
    peer.tell("(data := ftp.transfercmd('STOR avatar'))");
    let half = picture::cut_short(2).len();
    peer.tell(&format!("data.sendall(bytes_of({source:?})[:{half}])"));
    assert_eq!(names(&mount.row()), shown, "during the upload");
    assert_eq!(read(&avatar), picture::good(1), "readers see the old picture meanwhile");
    peer.kill();
    ftp.inetd.wait();

    assert_eq!(last_rule(mount), "truncated");
    assert_eq!(read(&avatar), picture::good(1), "the old picture stays");
    assert_eq!(names(&mount.row()), ["avatar"], "no other file is left");
    let kept = mount.last_refusal()["quarantine"].as_str().expect("a path").to_owned();
    assert_eq!(mount.kept().file, mount.quarantine().join(kept));
    assert_eq!(mount.kept().bytes(), picture::cut_short(2), "the received bytes are kept");
}

#[test]
fn an_upload_to_vsftpd_that_is_aborted_is_refused_and_kept_in_the_quarantine() {
    let Some(mount) = site() else { return };
    let Some(ftp) = Ftp::vsftpd(&mount) else { return };
    is_aborted(&mount, &ftp, &["avatar"]);
}

#[test]
fn an_upload_to_proftpd_that_is_aborted_is_refused_and_kept_in_the_quarantine() {
    let Some(mount) = site() else { return };
    let Some(ftp) = Ftp::proftpd(&mount, "off") else { return };
    is_aborted(&mount, &ftp, &["avatar"]);
}

#[test]
fn a_hidden_store_that_is_aborted_is_refused_and_kept_in_the_quarantine() {
    let Some(mount) = site() else { return };
    let Some(ftp) = Ftp::proftpd(&mount, "on") else { return };
    is_aborted(&mount, &ftp, &[".in.avatar.", "avatar"]);
}

/// Uploads under another name and renames: with vsftpd the only way that reports every refusal.
fn is_renamed(client: &str, start: impl Fn(&Mount) -> Option<Ftp>) {
    let Some(mount) = site().filter(|_| installed("curl")) else { return };
    let Some(ftp) = start(&mount) else { return };
    let expected = Client::named(client);
    let part = mount.row().join("upload.part");
    let send_and_rename = |bytes: &[u8], to: &str| {
        let sent = ftp.put(&mount.outside("source.png", bytes), &part);
        assert!(sent.stderr.contains("< 226"), "scratch is not judged; {sent}");
        plain(&mount, ftp.rename("upload.part", to))
    };
    expected.said(Case::Accepted, &send_and_rename(&picture::good(1), "avatar.png"));
    assert_eq!(names(&mount.row()), ["avatar.png"]);
    for (case, bytes, to, rule) in [
        (Case::Name, picture::good(2), "avatar.gif", "extension"),
        (Case::Content, text(), "avatar.png", "content_types"),
        (Case::CutShort, picture::cut_short(2), "avatar.png", "truncated"),
    ] {
        expected.said(case, &send_and_rename(&bytes, to));
        assert_eq!(last_rule(&mount), rule);
        assert_eq!(names(&mount.row()), ["avatar.png", "upload.part"], "both names stay");
        assert_eq!(read(&mount.row().join("avatar.png")), picture::good(1));
    }
}

#[test]
fn a_rename_over_vsftpd_answers_as_in_the_table() {
    is_renamed("vsftpd, renamed", Ftp::vsftpd);
}

#[test]
fn a_rename_over_proftpd_answers_as_in_the_table() {
    is_renamed("ProFTPD, renamed", |mount| Ftp::proftpd(mount, "off"));
}
